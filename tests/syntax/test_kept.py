"""Assignments that may keep what stands there are an `if` around an assignment, and no others are."""

import pytest

from modlint.syntax import ir
from modlint.syntax.source import parse_source


def lowered(text: str) -> ir.Stmt:
    return parse_source("a.py", text.encode()).body[0]


@pytest.mark.parametrize(
    ("text", "alike"),
    [
        ("self.n = self.n if self.n is not None else v", "if self.n is not None:\n  pass\nelse:\n  self.n = v"),
        ("self.n = v if self.n is None else self.n", "if self.n is None:\n  self.n = v"),
        ("self.n = self.n or v", "if self.n:\n  pass\nelse:\n  self.n = v"),
        ("self.n = self.n and v", "if self.n:\n  self.n = v"),
    ],
)
def test_what_may_be_kept_is_a_conditional_assignment(text: str, alike: str) -> None:
    one, other = lowered(text), lowered(alike)
    assert isinstance(one, ir.If) and isinstance(other, ir.If)
    assert [bool(arm) for arm in (one.body, one.orelse)] == [
        any(isinstance(s, ir.Assign) for s in arm) for arm in (other.body, other.orelse)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "self.n = self.m if c else v",
        "self.n = other.n if c else v",
        "self.n = self.n + 1 if c else v",
        "self.a.n = self.a.n or v",
        "self.n = v or self.n",
        "self.n = self.m = self.n or v",
        "n = n or v",
    ],
)
def test_other_assignments_stay_assignments(text: str) -> None:
    assert isinstance(lowered(text), ir.Assign)
