"""Patterns of `re` that the static pass computes: only those that cannot take long."""

from __future__ import annotations

import pytest

from modlint.interpreter.pattern_models import is_quick


@pytest.mark.parametrize(
    ("pattern", "text", "quick"),
    [
        pytest.param(r"(\d.*)", "c32", True, id="a number and what follows"),
        pytest.param(r"[._-]", "a.b_c-d", True, id="separators"),
        pytest.param(r"(a+)+$", "aaaa", False, id="a repeated group that repeats"),
        pytest.param(r"(a|aa){2,}", "aaaa", False, id="a repeated group of alternatives"),
        pytest.param(r"(?x) (a|a) *$", "aaaa", False, id="a repeated group of a pattern with spaces"),
        pytest.param(r".*.*.*.*.*x", "aaaa", False, id="five repetitions"),
        pytest.param(r"\d+", "7" * 300, False, id="a long text"),
    ],
)
def test_only_patterns_that_cannot_take_long_are_quick(pattern: str, text: str, quick: bool) -> None:
    assert is_quick(pattern, text) is quick
