"""Every entry against the installed torch: what is there, how it is called, and what it does when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from catalogue import changes, installed
from catalogue.cases import LIBRARIES
from catalogue.exempt import BY_HAND, UNMEASURED, WITHOUT_ENTRY
from catalogue.proof import all_cases, arguments, catalogue, disagreements
from catalogue.table import PAGE, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalogue.measure import Case
    from modlint.catalogue import Entry


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The tensors are tiny: threads only cost."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_entry_and_measurement_agree(case: Case) -> None:
    gone = [name for name in changes.absent() if f"{name}(" in case.expression]
    if gone:
        pytest.skip(f"torch {installed.version()} has no {gone[0]}")
    assert disagreements(case) == changes.recorded().behaviour.get(case.name, [])


def _torch_names() -> list[str]:
    return [name for name in catalogue().names() if name.startswith("torch.")]


def test_every_public_class_has_an_entry_or_a_reason() -> None:
    assert changes.uncatalogued() == changes.recorded().uncatalogued
    for names in installed.classes().values():
        known = [name for name in names if catalogue().canonical(name)]
        excused = [name for name in names if name in WITHOUT_ENTRY]
        assert not (known and excused), f"{excused} has an entry now: take it off the list"


def test_every_name_exists_or_is_written_down_as_absent() -> None:
    assert changes.absent() == changes.recorded().absent


def test_every_import_path_of_a_class_leads_to_the_same_entry() -> None:
    wrong = {}
    for cls, names in installed.classes().items():
        public = [name for name in names if not any(part.startswith("_") for part in name.split(".")[:-1])]
        covered = [name for name in public if name.startswith((*installed.COVERED, "torch.quantization"))]
        found = {name: catalogue().canonical(name) for name in covered}
        if len(set(found.values())) > 1:
            wrong[cls] = found
    assert wrong == {}


@pytest.mark.parametrize("name", _torch_names())
def test_an_entry_is_found_under_the_module_that_defines_it(name: str) -> None:
    if name in changes.absent():
        pytest.skip(f"torch {installed.version()} has no {name}")
    found = installed.resolve(name)
    assert catalogue().canonical(f"{found.__module__}.{found.__qualname__}") == name  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", catalogue().names())
def test_every_entry_is_measured_or_has_a_reason(name: str) -> None:
    """Whether or not the library is installed: the cases are written down all the same."""
    listed = [case for modules in LIBRARIES.values() for module in modules for case in module.cases()]
    family = name.removesuffix("*")
    measured = any(f"{name}(" in case.expression or (family != name and family in case.expression) for case in listed)
    assert measured + (name in UNMEASURED) + (name in BY_HAND) == 1


@pytest.mark.parametrize("name", _torch_names())
def test_signature_is_that_of_the_installed_class(name: str) -> None:
    if name in changes.absent():
        pytest.skip(f"torch {installed.version()} has no {name}")
    assert changes.of_signature(name) == changes.recorded().signatures.get(name, "")


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
