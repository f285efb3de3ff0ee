"""The closed language of conditions: three truth values, and what is refused."""

from __future__ import annotations

import pytest

from modlint.catalogue import NOT_NONE, UNKNOWN, Condition


@pytest.mark.parametrize(
    ("text", "arguments", "truth"),
    [
        pytest.param("affine", {"affine": True}, True, id="a name is its truth"),
        pytest.param("affine", {"affine": None}, False, id="None is false"),
        pytest.param("affine", {"affine": UNKNOWN}, None, id="an unknown name is unknown"),
        pytest.param("affine", {}, None, id="a name without a value is unknown"),
        pytest.param("affine", {"affine": NOT_NONE}, None, id="an object may be false"),
        pytest.param("not affine", {"affine": UNKNOWN}, None, id="not unknown is unknown"),
        pytest.param("a and b", {"a": UNKNOWN, "b": False}, False, id="and is decided by one false"),
        pytest.param("a and b", {"a": UNKNOWN, "b": True}, None, id="and waits for the unknown"),
        pytest.param("a or b", {"a": UNKNOWN, "b": True}, True, id="or is decided by one true"),
        pytest.param("a or b", {"a": UNKNOWN, "b": False}, None, id="or waits for the unknown"),
        pytest.param("0 < p < 1", {"p": 0.5}, True, id="comparisons chain"),
        pytest.param("0 < p < 1", {"p": 1.0}, False, id="one false comparison of a chain decides"),
        pytest.param("0 < p < 1", {"p": UNKNOWN}, None, id="a comparison with an unknown is unknown"),
        pytest.param("norm is not None", {"norm": NOT_NONE}, True, id="an object is not None"),
        pytest.param("norm is None", {"norm": NOT_NONE}, False, id="an object is never None"),
        pytest.param("norm is None", {"norm": UNKNOWN}, None, id="an unknown may be None"),
        pytest.param("kind in ('a', 'b')", {"kind": "b"}, True, id="membership"),
        pytest.param("kind not in (None, 'b')", {"kind": UNKNOWN}, None, id="membership of an unknown is unknown"),
        pytest.param("momentum > 0", {"momentum": None}, None, id="what cannot be compared is unknown"),
        pytest.param("dim == -1", {"dim": -1}, True, id="negative numbers are literals"),
        pytest.param("True", {}, True, id="a constant asks nothing"),
    ],
)
def test_truth(text: str, arguments: dict[str, object], truth: bool | None) -> None:
    assert Condition(text).holds(arguments) is truth


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("affine and", "is not an expression", id="half an expression"),
        pytest.param("len(shape) > 1", "Call is not allowed", id="a call"),
        pytest.param("self.affine", "Attribute is not allowed", id="an attribute"),
        pytest.param("p * 2 > 1", "BinOp is not allowed", id="arithmetic"),
        pytest.param(
            "afine", "'afine' in 'afine' is not a parameter; the signature has affine, p", id="a misspelt name"
        ),
    ],
)
def test_fault_says_what_is_allowed(text: str, words: str) -> None:
    assert words in Condition(text).fault(["affine", "p"])


def test_a_good_condition_has_no_fault() -> None:
    assert Condition("affine and 0 < p <= 1").fault(["affine", "p"]) == ""
