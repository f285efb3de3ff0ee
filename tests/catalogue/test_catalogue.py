"""Names, binding, classification and the user's own tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modlint.__main__ import main
from modlint.catalogue import NOT_NONE, UNKNOWN, Catalogue, Forward, Holds, join
from modlint.catalogue.checking import check, tomllib
from modlint.catalogue.reading import Tables, aliases
from modlint.errors import ModlintError
from modlint.graph import STATELESS, State, StateClass, Trait
from modlint.resources import rules_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load()


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        pytest.param("torch.nn.BatchNorm2d", "torch.nn.BatchNorm2d", id="its own name"),
        pytest.param("torch.nn.modules.batchnorm.BatchNorm2d", "torch.nn.BatchNorm2d", id="where it is defined"),
        pytest.param("torch.nn.modules.BatchNorm2d", "torch.nn.BatchNorm2d", id="half way"),
        pytest.param(
            "torch.nn.quantized.FloatFunctional", "torch.ao.nn.quantized.FloatFunctional", id="the old package"
        ),
        pytest.param("torch.quantization.QuantStub", "torch.ao.quantization.QuantStub", id="the old top package"),
        pytest.param(
            "torch.nn.intrinsic.qat.modules.conv_fused.ConvBn2d",
            "torch.ao.nn.intrinsic.qat.ConvBn2d",
            id="the old package and where it is defined",
        ),
        pytest.param(
            "torch.nn.quantized._reference.Linear", "torch.ao.nn.quantized.reference.Linear", id="a renamed part"
        ),
        pytest.param("timm.models.layers.drop.DropPath", "timm.layers.DropPath", id="another library's old package"),
        pytest.param("torchmetrics.regression.R2Score", "torchmetrics.regression.R2Score", id="a class of a family"),
        pytest.param("torchmetrics.functional.r2_score", None, id="a function of that library"),
        pytest.param("torch.nn.functional.relu", None, id="a function of torch"),
        pytest.param("torch.nn.BatchNorm4d", None, id="no such class"),
        pytest.param("numpy.ndarray", None, id="a library without entries"),
        pytest.param("BatchNorm2d", None, id="a bare name"),
    ],
)
def test_canonical_name(catalogue: Catalogue, spelling: str, name: str | None) -> None:
    assert catalogue.canonical(spelling) == name
    assert (catalogue.entry(spelling) is None) is (name is None)


def test_our_own_tables_are_in_the_vocabulary() -> None:
    for file in (rules_folder() / "states").iterdir():
        assert check(tomllib.loads(file.read_text(encoding="utf-8")), {}) == "", file.name


def test_our_reader_of_our_tables_reads_what_a_real_one_does() -> None:
    for file in (rules_folder() / "states").iterdir():
        text = file.read_text(encoding="utf-8")
        tables = Tables()
        tables.add(text)
        ours = {name: tables[name] for name in tables}
        assert ours | ({"aliases": aliases(text)} if aliases(text) else {}) == tomllib.loads(text), file.name


def test_bind_fills_in_defaults_and_takes_positions_and_names(catalogue: Catalogue) -> None:
    entry = catalogue.entry("torch.nn.BatchNorm2d")
    assert entry is not None
    bound = entry.bind([8, 1e-3], {"affine": False})
    assert (bound["num_features"], bound["eps"], bound["affine"]) == (8, 1e-3, False)
    assert (bound["momentum"], bound["track_running_stats"], bound["bias"]) == (0.1, True, True)


def test_bind_of_an_incomplete_call_knows_only_what_it_is_given(catalogue: Catalogue) -> None:
    entry = catalogue.entry("torch.nn.BatchNorm2d")
    assert entry is not None
    bound = entry.bind([8], {"affine": False}, complete=False)
    assert (bound["num_features"], bound["affine"], bound["momentum"]) == (8, False, UNKNOWN)


def test_bind_gathers_what_has_no_parameter_of_its_own(catalogue: Catalogue) -> None:
    entry = catalogue.entry("torch.nn.Identity")
    assert entry is not None
    assert entry.bind([1, 2], {"unused": 3}) == {"args": (1, 2), "kwargs": {"unused": 3}}


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        pytest.param([], {}, "lacks the argument 'num_features'", id="a missing argument"),
        pytest.param([8], {"afine": True}, "has no parameter 'afine'", id="an unknown keyword"),
        pytest.param([8], {"num_features": 8}, "gets 'num_features' twice", id="one given twice"),
        pytest.param(list(range(9)), {}, "takes 7 positional arguments, 9 given", id="too many"),
        pytest.param([8], {"bias": False}, "", id="a fitting call"),
    ],
)
def test_misfit(catalogue: Catalogue, args: list[object], kwargs: dict[str, object], words: str) -> None:
    entry = catalogue.entry("torch.nn.BatchNorm2d")
    assert entry is not None
    assert entry.misfit(args, kwargs).startswith(words)
    assert bool(entry.misfit(args, kwargs)) is bool(words)


def _state(catalogue: Catalogue, name: str, **kwargs: object) -> State:
    entry = catalogue.entry(name)
    assert entry is not None
    return entry.classify(entry.bind([8], kwargs))


def test_an_unknown_argument_that_decides_the_class_makes_it_uncertain(catalogue: Catalogue) -> None:
    state = _state(catalogue, "torch.nn.BatchNorm2d", track_running_stats=UNKNOWN)
    assert (state.kind, state.certain) == (StateClass.STATEFUL, False)
    assert state.reason == "depends on track_running_stats, whose value is not known"


def test_an_unknown_argument_that_decides_a_weaker_trait_leaves_the_class_certain(catalogue: Catalogue) -> None:
    state = _state(catalogue, "torch.nn.BatchNorm2d", affine=UNKNOWN)
    assert (state.kind, state.certain) == (StateClass.STATEFUL, True)
    assert state.traits == {Trait.WRITES_TRAIN}


def test_what_is_written_can_be_conditional(catalogue: Catalogue) -> None:
    assert _state(catalogue, "torch.nn.BatchNorm2d", momentum=0.0).writes == ("num_batches_tracked",)


def test_spectral_norm_makes_a_convolution_stateful_and_its_removal_undoes_it(catalogue: Catalogue) -> None:
    convolution = _state(catalogue, "torch.nn.Linear", out_features=3)
    wrapper, removal = (catalogue.wrapper(f"torch.nn.utils.{n}") for n in ("spectral_norm", "remove_spectral_norm"))
    assert wrapper is not None
    assert removal is not None
    after = wrapper.apply(convolution, wrapper.bind([NOT_NONE], {"name": "weight"}))
    assert (after.kind, after.writes) == (StateClass.STATEFUL, ("weight_u", "weight_v"))
    assert removal.apply(after, removal.bind([NOT_NONE], {})) == convolution


def test_wrappers_keep_what_is_unknown_and_entries_are_not_wrappers(catalogue: Catalogue) -> None:
    wrapper = catalogue.wrapper("torch.nn.utils.weight_norm")
    assert wrapper is not None
    unknown = State.unknown("no source")
    assert wrapper.apply(unknown, wrapper.bind([NOT_NONE], {})) == unknown
    assert catalogue.wrapper("torch.nn.Linear") is None
    assert catalogue.entry("torch.nn.utils.weight_norm") is None


def test_containers_tell_how_their_forward_runs(catalogue: Catalogue) -> None:
    found = {name: catalogue.entry(f"torch.nn.{name}") for name in ("Sequential", "ModuleList", "ModuleDict", "ReLU")}
    facts = {name: (entry.holds, entry.forward, entry.container) for name, entry in found.items() if entry is not None}
    assert facts == {
        "Sequential": (Holds.POSITIONAL, Forward.SEQUENTIAL, True),
        "ModuleList": (Holds.LIST, Forward.NONE, True),
        "ModuleDict": (Holds.DICT, Forward.NONE, True),
        "ReLU": (Holds.NOTHING, Forward.ITSELF, False),
    }


def test_join_takes_the_strongest_and_prefixes_paths() -> None:
    writes = State.of(frozenset({Trait.WRITES_TRAIN}), ("running_mean",))
    joined = join(STATELESS, [("0", State.of(frozenset({Trait.LEARNABLE}))), ("1", writes)])
    assert (joined.kind, joined.writes) == (StateClass.STATEFUL, ("1.running_mean",))
    assert join(writes, [("0", State.unknown("?"))]).certain
    assert join(STATELESS, [("0", State.unknown("?"))]).kind is StateClass.UNKNOWN


def _user(tmp_path: Path, text: str) -> Catalogue:
    path = tmp_path / "states.toml"
    path.write_text(text, encoding="utf-8")
    return Catalogue.load([path])


def test_a_users_entry_is_found_and_may_be_like_one_of_ours(tmp_path: Path) -> None:
    catalogue = _user(
        tmp_path,
        """
        [aliases]
        "net.blocks.*" = "net"

        ["net.Memory"]
        signature = "size, decay=0.9"
        writes-train = "decay != 1"
        writes = ["mean"]

        ["net.Norm"]
        like = "torch.nn.BatchNorm2d"
        """,
    )
    memory, norm = catalogue.entry("net.blocks.deep.Memory"), catalogue.entry("net.Norm")
    assert memory is not None
    assert memory.classify(memory.bind([8], {})).writes == ("mean",)
    assert memory.classify(memory.bind([8, 1], {})).kind is StateClass.STATELESS
    assert norm is not None
    assert norm.classify(norm.bind([8], {})).kind is StateClass.STATEFUL


def test_a_users_entry_comes_before_ours(tmp_path: Path) -> None:
    catalogue = _user(tmp_path, '["torch.nn.ReLU"]\nlearnable = true\n')
    relu = catalogue.entry("torch.nn.modules.activation.ReLU")
    assert relu is not None
    assert relu.classify({}).kind is StateClass.PARAMETRIC


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a = 1", "'a' is not a table", id="a value instead of a table"),
        pytest.param("", "has no entry; write one as ['mypackage.Block'] with keys of becomes,", id="an empty file"),
        pytest.param("[Norm]", "is the dotted name of a class or function, as in ['mypackage", id="a bare name"),
        pytest.param('["net.Norm()"]', "is the dotted name of a class or function", id="a call as name"),
        pytest.param('["..."]', "is the dotted name of a class or function", id="nothing but dots"),
        pytest.param(
            "[net.Norm]\nlearnable = true", "stands in quotes, as in ['net.Norm']", id="a name without quotes"
        ),
        pytest.param('["n.M"]\nlernable = true', "unknown key 'lernable' (is 'learnable' meant?)", id="a misspelt key"),
        pytest.param('["n.M"]\nwrites-always = true', "allowed are becomes, children,", id="an unknown trait"),
        pytest.param('["n.M"]\n["n.M"]', "is not TOML: Cannot declare", id="a class twice"),
        pytest.param(
            '["n.M"]\nsignature = "p"\ndraws-train = "p >"',
            "draws-train: 'p >' is not an expression; allowed are",
            id="half a condition",
        ),
        pytest.param(
            '["n.M"]\nsignature = "p"\ndraws-train = "len(p)"',
            "draws-train: Call is not allowed in 'len(p)'",
            id="a call in a condition",
        ),
        pytest.param(
            '["n.M"]\nwrites-train = true\nwrites = ["x if y"]',
            "writes: 'y' in 'y' is not a parameter",
            id="a stranger in what is written",
        ),
        pytest.param(
            '["n.M"]\nbecomes = "Lazy"', "becomes must be the dotted name of a class, not 'Lazy'", id="a bare type"
        ),
        pytest.param(
            '["n.M"]\nholds = "list"', "holds = 'list' needs a signature of the one parameter", id="holds what"
        ),
        pytest.param(
            '["n.M"]\nsignature = "m"\nchildren = "m"', "children must be a list of tables", id="a child as text"
        ),
        pytest.param('["n.M"]\nchildren = [{ argument = 1, at = "m" }]', "all of them strings", id="a number as child"),
        pytest.param(
            'aliases = "a"', "'aliases' is not a table; write ['aliases'] with other names", id="aliases as text"
        ),
        pytest.param(
            '[aliases]\n"a.B" = "B"',
            "'a.B' must be another name of a class or package, dotted, not 'B'",
            id="an alias of a bare name",
        ),
        pytest.param(
            '["n.M"]\nlearnt = true', "unknown key 'learnt'; allowed are becomes, children,", id="an unknown key"
        ),
        pytest.param(
            '["n.M"]\nlearnable = 1', "learnable must be true, false or a condition", id="a number as condition"
        ),
        pytest.param('["n.M"]\nsignature = 3', "signature must be a string", id="a number as signature"),
        pytest.param('["n.M"]\nsignature = "a b"', "is not a parameter list", id="no parameter list"),
        pytest.param(
            '["n.M"]\nlearnable = "x"', "learnable: 'x' in 'x' is not a parameter", id="a stranger in a condition"
        ),
        pytest.param('["n.M"]\nwrites = "mean"', "writes must be a list of strings", id="a string as list"),
        pytest.param('["n.M"]\nwrites = ["mean"]', "writes needs writes-train or writes-eval", id="written, but when"),
        pytest.param(
            '["n.M"]\nholds = "all"', "holds = 'all' is not one of nothing, positional", id="an unknown container"
        ),
        pytest.param(
            '["n.M"]\nforward = "x"', "forward = 'x' is not one of itself, sequential", id="an unknown forward"
        ),
        pytest.param('["n.M"]\nlike = "n.N"', "like = 'n.N' is not another entry", id="like what is not there"),
        pytest.param('["n.M"]\nlike = "n.M"', "like = 'n.M' is not another entry", id="like itself"),
        pytest.param('["n.M"]\ncopied = true', "copied has no meaning for a class", id="a key of functions"),
        pytest.param(
            '["n.f"]\nsignature = "m"\nwraps = "m"\nforward = "none"',
            "forward has no meaning for a function",
            id="a key of classes",
        ),
        pytest.param(
            '["n.f"]\nsignature = "m"\nwraps = "x"', "'x' is not a parameter; the signature has m", id="wraps what"
        ),
        pytest.param('["n.M"]\nchildren = [{ argument = "a" }]', "must have argument and at", id="half a child"),
        pytest.param("[aliases]\na = 1", "'a' must be another name of a class or package", id="an alias of a number"),
        pytest.param("[", "is not TOML", id="no TOML"),
    ],
)
def test_a_bad_table_is_an_error_that_names_file_key_and_what_is_allowed(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ModlintError) as caught:
        _user(tmp_path, text)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "states.toml"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "cannot be read: No such file", id="a file that is missing"),
        pytest.param("folder", "cannot be read: Is a directory", id="a folder"),
        pytest.param(b"\xff", "is not TOML: 'utf-8' codec can't decode byte 0xff", id="not UTF-8"),
        pytest.param(b'["n.M"]\nlearnt = true\n', "['n.M']: unknown key 'learnt'; allowed are", id="a bad key"),
        pytest.param(b"", "has no entry; write one as", id="an empty file"),
    ],
)
@pytest.mark.parametrize("command", [["state", "nn.ReLU()"], ["check", "."]], ids=["state", "check"])
def test_a_bad_file_ends_the_command_with_two(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes | str | None,
    words: str,
    command: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.modlint]\nstates = ["states.toml"]\n', encoding="utf-8")
    (tmp_path / "net.py").write_text("from torch import nn\nact = nn.ReLU()\n", encoding="utf-8")
    if isinstance(content, bytes):
        (tmp_path / "states.toml").write_bytes(content)
    elif content is not None:
        (tmp_path / "states.toml").mkdir()
    assert main(command) == 2
    assert "states.toml: " in (said := capsys.readouterr().err)
    assert words in said


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModlintError, match=r"gone\.toml: cannot be read"):
        Catalogue.load([tmp_path / "gone.toml"])
