"""`modlint state`: constructor calls as text, answered without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from modlint.catalogue import Catalogue, state_of_expressions
from modlint.errors import ModlintError


def _answer(text: str) -> dict[str, object]:
    (answer,) = state_of_expressions([text], Catalogue.load())
    return dict(answer)


def test_the_answer_has_the_keys_of_the_contract() -> None:
    assert _answer("nn.BatchNorm2d(8, affine=False)") == {
        "expression": "nn.BatchNorm2d(8, affine=False)",
        "type": "torch.nn.BatchNorm2d",
        "state": "stateful",
        "traits": ["writes-train"],
        "certain": True,
        "writes": ["running_mean", "running_var", "num_batches_tracked"],
    }


@pytest.mark.parametrize(
    ("text", "kind", "state"),
    [
        pytest.param("nn.ReLU()", "torch.nn.ReLU", "stateless", id="the usual short name"),
        pytest.param("ReLU(inplace=True)", "torch.nn.ReLU", "stateless", id="a bare name"),
        pytest.param("torch.nn.Linear(3, 4)", "torch.nn.Linear", "parametric", id="the full name"),
        pytest.param("DropPath(0.1)", "timm.layers.DropPath", "stochastic", id="a bare name of another library"),
        pytest.param("ops.StochasticDepth(0.1, 'row')", "torchvision.ops.StochasticDepth", "stochastic", id="ops"),
        pytest.param("nn.BatchNorm2d(8, affine=False, track_running_stats=False)", "torch.nn.BatchNorm2d", "stateless",
                     id="a norm that keeps nothing"),
        pytest.param("spectral_norm(nn.Conv2d(3, 8, 3))", "torch.nn.Conv2d", "stateful", id="a wrapped module"),
        pytest.param("nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))", "torch.nn.Linear", "parametric",
                     id="a wrapper that keeps the class"),
        pytest.param("nn.Sequential(nn.ReLU(), nn.Dropout())", "torch.nn.Sequential", "stochastic", id="a container"),
        pytest.param("nn.Sequential(OrderedDict([('n', nn.BatchNorm1d(3))]))", "torch.nn.Sequential", "stateful",
                     id="a container of named modules"),
        pytest.param("nn.ModuleList([nn.BatchNorm1d(3) for _ in range(3)])", "torch.nn.ModuleList", "stateful",
                     id="a comprehension"),
        pytest.param("nn.ModuleDict({'a': nn.Linear(3, 3)})", "torch.nn.ModuleDict", "parametric", id="a dict"),
        pytest.param("nn.Sequential()", "torch.nn.Sequential", "stateless", id="an empty container"),
        pytest.param("torch.nn.modules.sparse.Embedding.from_pretrained(w)", "torch.nn.Embedding", "stateless",
                     id="a class method by another path, which freezes by default"),
        pytest.param("nn.EmbeddingBag.from_pretrained(w, freeze=False)", "torch.nn.EmbeddingBag", "parametric",
                     id="a class method that does not freeze"),
        pytest.param("nn.utils.init.skip_init(nn.Linear, 3, out_features=4)", "torch.nn.Linear", "parametric",
                     id="a function that makes one of the class it is given"),
        pytest.param("torch.ao.nn.qat.Linear.from_float(nn.Linear(3, 3))", "torch.ao.nn.qat.Linear", "stateful",
                     id="a class method that takes another module"),
        pytest.param("tq.MinMaxObserver.with_args(dtype=torch.qint8)()", "torch.ao.quantization.MinMaxObserver",
                     "stateful", id="a class with some arguments, called"),
        pytest.param("nn.utils.fusion.fuse_conv_bn_eval(nn.Conv2d(3, 3, 1).eval(), nn.BatchNorm2d(3).eval())",
                     "torch.nn.Conv2d", "parametric", id="a function by the path where it is defined"),
        pytest.param("nn.Sequential(nn.Linear(3, 3)).append(nn.BatchNorm1d(3))", "torch.nn.Sequential", "stateful",
                     id="a container that is appended to"),
        pytest.param("nn.Dropout(1 - 1)", "torch.nn.Dropout", "stateless", id="arithmetic"),
        pytest.param("nn.Dropout(0 if True else 0.5)", "torch.nn.Dropout", "stateless", id="a choice"),
        pytest.param("nn.ModuleList([nn.Dropout(p) for p in (0, 1.0)])", "torch.nn.ModuleList", "stateless",
                     id="a comprehension over what is known"),
        pytest.param("nn.BatchNorm1d(8).eval()", "torch.nn.BatchNorm1d", "stateful", id="a method that returns itself"),
        pytest.param("nn.Linear(3, 3).requires_grad_(False)", "torch.nn.Linear", "stateless", id="frozen parameters"),
        pytest.param("torchvision.ops.Conv2dNormActivation(3, 8)", "torchvision.ops.Conv2dNormActivation", "stateful",
                     id="a class as default argument"),
        pytest.param("torchvision.ops.Conv2dNormActivation(3, 8, norm_layer=nn.GroupNorm)",
                     "torchvision.ops.Conv2dNormActivation", "parametric", id="a class as argument"),
        pytest.param("torchmetrics.Accuracy(task='binary')", "torchmetrics.Accuracy", "stateful", id="a family"),
    ],
)  # fmt: skip
def test_state(text: str, kind: str, state: str) -> None:
    answer = _answer(text)
    assert (answer["type"], answer["state"], answer["certain"]) == (kind, state, True)


def test_a_stack_copies_its_layer_and_keeps_its_norm() -> None:
    answer = _answer("nn.TransformerEncoder(nn.BatchNorm1d(8), 2, norm=nn.BatchNorm1d(8))")
    writes = answer["writes"]
    assert isinstance(writes, list)
    assert [name for name in writes if name.endswith("running_mean")] == [
        "layers.0.running_mean",
        "layers.1.running_mean",
        "norm.running_mean",
    ]


@pytest.mark.parametrize(
    ("text", "state", "reason"),
    [
        pytest.param("nn.Dropout(p)", "stochastic", "depends on p, whose value is not known", id="an unknown argument"),
        pytest.param("nn.BatchNorm1d(*sizes)", "stateful", "depends on affine, track_running_stats,", id="several"),
        pytest.param("torchvision.ops.Conv2dNormActivation(3, 8, norm_layer=norm)", "stateful", "depends on norm_layer",
                     id="an unknown class as argument"),
        pytest.param("torchvision.ops.Conv2dNormActivation(3, 8, norm_layer=partial(nn.BatchNorm2d, eps=0.001))",
                     "stateful", "depends on norm_layer", id="a class with arguments of its own as argument"),
        pytest.param("mine.Block(3)", "unknown", "the catalogue has no entry for mine.Block", id="an unknown class"),
        pytest.param("nn.Sequential(block, nn.ReLU())", "unknown", "something of which the class is not known",
                     id="an unknown child"),
        pytest.param("nn.utils.weight_norm(m)", "unknown", "torch.nn.utils.weight_norm is given", id="wrapped"),
        pytest.param("torch.ao.quantization.prepare(nn.Linear(3, 3))", "unknown", "depends on the qconfig",
                     id="a function of unknown effect"),
        pytest.param("Mine(3)", "unknown", "the catalogue has no entry for Mine", id="a bare name that nobody has"),
        pytest.param("nn.relu()", "unknown", "no entry for torch.nn.relu; is torch.nn.ReLU meant?", id="in lower case"),
        pytest.param("nn.Linaer(3, 4)", "unknown", "is torch.nn.Linear meant?", id="a misspelt class"),
        pytest.param("F.relu(x)", "unknown", "torch.nn.functional.relu is a function, which makes no module",
                     id="a function of torch.nn.functional"),
        pytest.param("torch.randn(3)", "unknown", "a tensor or a setting, not a module", id="a function of torch"),
        pytest.param("nn.Linear(3, 4)(x)", "unknown", "a tensor or a setting, not a module", id="the call of a module"),
        pytest.param("nn.Transformer.generate_square_subsequent_mask(3)", "unknown", "does not know what torch.nn.",
                     id="a static method"),
        pytest.param("blocks[0](3)", "unknown", "not the call of a class or function that can be named", id="no name"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_said_with_the_reason(text: str, state: str, reason: str) -> None:
    answer = _answer(text)
    assert (answer["state"], answer["certain"]) == (state, False)
    assert reason in str(answer["reason"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("nn.ReLU(", "is no Python expression", id="an open bracket"),
        pytest.param("nn.ReLU", "is not a call but the class torch.nn.ReLU; write 'nn.ReLU(...)'", id="a class"),
        pytest.param("3 + 4", "is not a call; write a constructor call such as 'nn.BatchNorm2d(", id="a number"),
        pytest.param("relu", "'relu' is not a call; write a constructor call such as", id="a name"),
        pytest.param(
            "nn.Sequential([nn.ReLU()])",
            "torch.nn.Sequential takes modules, not a list; write",
            id="a list in a Sequential",
        ),
        pytest.param(" ", "the expression is empty; write a constructor call such as", id="nothing"),
        pytest.param("norm = nn.BatchNorm2d(8)", "is no Python expression", id="an assignment"),
        pytest.param(
            "partial(nn.ReLU, True)",
            "makes no torch.nn.ReLU yet; call it: 'partial(nn.ReLU, True)()'",
            id="a class with arguments",
        ),
        pytest.param(
            "f(" * 3000 + ")" * 3000, "no Python expression (too many nested parentheses)", id="nested deeply"
        ),
        pytest.param("nn.Linear(3)(x)", "torch.nn.Linear lacks the argument 'out_features'", id="a mistake inside"),
        pytest.param(
            "nn.BatchNorm2d(8, afine=True)", "has no parameter 'afine'; it has num_features, eps,", id="a misspelt name"
        ),
        pytest.param("nn.Sequential(nn.Linear(3))", "torch.nn.Linear lacks the argument 'out_features'", id="a part"),
    ],
)
def test_a_mistake_is_an_error_that_says_what_to_write(text: str, words: str) -> None:
    with pytest.raises(ModlintError) as caught:
        _answer(text)
    assert words in str(caught.value)


def test_it_needs_neither_torch_nor_libcst_nor_networkx() -> None:
    code = (
        "import sys; from modlint.catalogue import Catalogue, state_of_expressions; "
        "state_of_expressions(['nn.BatchNorm2d(8)', 'nn.Sequential(nn.ReLU())'], Catalogue.load()); "
        "sys.exit(', '.join({'torch', 'libcst', 'networkx', 'numpy', 'click'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
