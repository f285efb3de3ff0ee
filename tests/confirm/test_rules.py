"""Every `rules/*/bad.py` is confirmed by the experiment; every `good.py` equals its unshared copy, bit for bit."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from modlint.confirm.job import Choice, Confirmed, Model, confirm_target
from modlint.confirm.outcome import Aim
from modlint.findings import Level
from modlint.verdicts import Verdict

RULES = Path(__file__).parents[2] / "rules"
NO_NUMBERS = {  # rules that say nothing of what a model computes
    "unreadable-source",
    "static-trace-disagreement",
    "unused-suppression",
    "nondeterministic-operation",  # shown below, where there is CUDA
}
BAD = sorted(path for path in RULES.glob("*/bad.py") if path.parent.name not in NO_NUMBERS)
GOOD = sorted(RULES.glob("*/good.py"))
MEASURED = {
    "ML001": Verdict.SAFE,
    "ML002": Verdict.SAFE,
    "ML003": Verdict.DELIBERATE,
}


def target(file: Path) -> str:
    """The model of an example: the class that brings inputs for itself."""
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef) and "example_input_array" in ast.unparse(node):
            return f"{file}:{node.name}"
    raise AssertionError(f"{file} has no model with an example_input_array")


def confirmed(file: Path, device: str) -> Confirmed:
    return confirm_target(Model(target(file)), Choice(device))


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.parent.name)
def test_a_bad_example_is_confirmed(file: Path, device: str) -> None:
    (code,) = set(re.findall(r"# expect: (ML\d+)", file.read_text("utf-8")))
    result = confirmed(file, device).result
    cross = code.startswith("ML3")
    found = [o for o in result.outcomes if o.reused.code == code and (o.reused.aim is Aim.CROSS) == cross]
    assert found, f"{code} is not among {result.outcomes}"
    for outcome in found:
        assert outcome.level is Level.CONFIRMED
        assert outcome.measured is MEASURED.get(code, Verdict.CHANGES_SEMANTICS)
        assert not outcome.tracked_only
    assert result.deterministic


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.parent.name)
def test_a_good_example_is_equal_bit_for_bit(file: Path, device: str) -> None:
    result = confirmed(file, device).result
    assert result.deterministic
    for outcome in result.outcomes:
        assert (outcome.level, outcome.measured) == (Level.CONFIRMED, Verdict.SAFE)
        assert all(measure.difference == 0 for measure in outcome.measures)


@pytest.mark.cuda
def test_the_nondeterministic_example_is_named_on_cuda() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    result = confirmed(RULES / "nondeterministic-operation" / "bad.py", "cuda").result
    assert {n.path for n in result.nondeterministic} & {"up", "pool"}
