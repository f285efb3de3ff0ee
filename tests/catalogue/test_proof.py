"""Every entry against the installed torch: what is there, how it is called, and what it does when it runs."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from catalogue import installed
from catalogue.cases import LIBRARIES
from catalogue.exempt import UNMEASURED, WITHOUT_ENTRY
from catalogue.proof import all_cases, arguments, catalogue, disagreements
from catalogue.table import PAGE, page
from modlint.catalogue import REQUIRED, Entry, Kind, Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalogue.measure import Case
    from modlint.catalogue import Param


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The tensors are tiny: threads only cost."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_entry_and_measurement_agree(case: Case) -> None:
    assert disagreements(case) == []


def _torch_names() -> list[str]:
    return [name for name in catalogue().names() if name.startswith("torch.")]


def _public(cls: type[nn.Module]) -> bool:
    return not any(part.startswith("_") for part in f"{cls.__module__}.{cls.__qualname__}".split("."))


def _own_name(cls: type[nn.Module]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def test_every_public_class_has_an_entry_or_a_reason() -> None:
    missing = []
    for cls, names in installed.classes().items():
        known = [name for name in names if catalogue().canonical(name)]
        excused = [name for name in (*names, _own_name(cls)) if name in WITHOUT_ENTRY]
        if _public(cls) and not known and not excused:
            missing.append(_own_name(cls))
        assert not (known and excused), f"{excused} has an entry now: take it off the list"
    assert missing == []


def test_every_excuse_names_a_class_that_exists() -> None:
    assert [name for name in WITHOUT_ENTRY if not isinstance(installed.resolve(name), type)] == []


def test_every_import_path_of_a_class_leads_to_the_same_entry() -> None:
    wrong = {}
    for cls, names in installed.classes().items():
        public = [name for name in names if not any(part.startswith("_") for part in name.split(".")[:-1])]
        covered = [name for name in public if name.startswith((*installed.COVERED, "torch.quantization"))]
        found = {name: catalogue().canonical(name) for name in covered}
        if len(set(found.values())) > 1:
            wrong[cls] = found
    assert wrong == {}


@pytest.mark.parametrize("name", catalogue().names())
def test_every_entry_is_measured_or_has_a_reason(name: str) -> None:
    """Whether or not the library is installed: the cases are written down all the same."""
    listed = [case for modules in LIBRARIES.values() for module in modules for case in module.cases()]
    family = name.removesuffix("*")
    measured = any(f"{name}(" in case.expression or (family != name and family in case.expression) for case in listed)
    assert measured != (name in UNMEASURED)


@pytest.mark.parametrize("name", _torch_names())
def test_signature_is_that_of_the_installed_class(name: str) -> None:
    called = installed.resolve(name)
    entry = catalogue().entry(name) or catalogue().wrapper(name)
    assert entry is not None
    if called in _OVERLOADED or getattr(called, "__init__", None) is nn.Module.__init__:
        return
    real = list(inspect.signature(called).parameters.values())
    assert [_described(param) for param in entry.params] == [_of_torch(parameter) for parameter in real]


# Their __init__ is written as (*args, **kwargs) with the parameters in overloads or in a base class.
_OVERLOADED = {
    nn.RNN,
    nn.LSTM,
    nn.GRU,
    nn.NLLLoss2d,
    torch.ao.nn.quantized.dynamic.LSTM,
    torch.ao.nn.quantized.dynamic.GRU,
    torch.ao.nn.quantized.dynamic.LSTMCell,
    torch.ao.nn.quantized.reference.LSTM,
    torch.ao.nn.quantized.reference.GRU,
}


def _described(param: Param) -> tuple[str, str, object]:
    default = param.default
    if isinstance(default, Reference):
        default = installed.resolve(default)
    return param.name, param.kind.value, "required" if default is REQUIRED else default


_KINDS = {
    inspect.Parameter.VAR_POSITIONAL: Kind.POSITIONALS,
    inspect.Parameter.VAR_KEYWORD: Kind.KEYWORDS,
    inspect.Parameter.KEYWORD_ONLY: Kind.KEYWORD,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: Kind.PLAIN,
}


def _of_torch(parameter: inspect.Parameter) -> tuple[str, str, object]:
    kind = _KINDS[parameter.kind]
    needed = parameter.default is inspect.Parameter.empty
    return parameter.name, kind.value, "required" if needed else parameter.default


def _conditional() -> list[Entry]:
    entries = [entry for name in _torch_names() if (entry := catalogue().entry(name)) is not None]
    return [entry for entry in entries if any(condition.names() for _, condition in entry.facts.traits)]


@pytest.mark.parametrize("entry", _conditional(), ids=lambda entry: entry.name)
def test_every_condition_is_measured_both_ways(entry: Entry) -> None:
    bindings = [arguments(entry, case) for case in all_cases() if case.entry == entry.name]
    for trait, condition in entry.facts.traits:
        if condition.names():
            assert {condition.holds(bound) for bound in bindings} >= {True, False}, trait


def test_containers_keep_or_copy_what_their_entry_says() -> None:
    layer, norm = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), nn.LayerNorm(8)
    stack = nn.TransformerEncoder(layer, 2, norm)
    kept, copied = stack.get_submodule("norm"), [stack.get_submodule(f"layers.{i}") for i in range(2)]
    assert kept is norm
    assert layer not in copied
    assert copied[0] is not copied[1]
    entry = catalogue().entry("torch.nn.TransformerEncoder")
    assert entry is not None
    assert [(child.argument, child.at, child.copies) for child in entry.children] == [
        ("encoder_layer", "layers", "num_layers"),
        ("norm", "norm", ""),
    ]


def test_the_page_is_what_is_generated() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: cd tests && python -m catalogue.table"
