"""Source that is deep, long or large: an answer in bounded time, and no RecursionError on the way."""

from __future__ import annotations

import pytest
from fuzzing import FINDING, MODEL, codes, lint_text


def inside_each_other(opening: str, count: int) -> str:
    """`opening` in itself `count` times, each a step deeper."""
    return "".join(" " * i + opening for i in range(count)) + " " * count + "pass\n"


def names(count: int) -> str:
    """A list of names."""
    return ", ".join(f"a{i}" for i in range(count))


_DEPTHS = [90, 1_000]
_NESTED = {
    "brackets": ("(", "0", ")"),
    "lists": ("[", "", "]"),
    "dicts": ("{0: ", "0", "}"),
    "calls": ("f(", "", ")"),
    "minus signs": ("-", "0", ""),
    "nots": ("not ", "0", ""),
    "lambdas": ("lambda: ", "0", ""),
    "conditional expressions": ("0 if 0 else ", "0", ""),
    "attributes": ("", "a", ".b"),
    "subscripts": ("", "a", "[0]"),
    "call chains": ("", "a", "()"),
    "sums": ("", "0", " + 1"),
    "comparisons": ("", "0", " < 1"),
    "conjunctions": ("", "0", " and 1"),
    "powers": ("2 ** ", "2", ""),
    "concatenated strings": ("", "''", " ''"),
    "comprehensions": ("[0 for x in ", "[]", "]"),
    "generators": ("sum(x for x in ", "[]", ")"),
    "conversions": ("f'{", "0", "}'"),
    "starred arguments": ("f(*", "[]", ")"),
    "walruses": ("(x := ", "0", ")"),
    "chained assignments": ("", "x = 0", " = 0"),
}
_NOT_PYTHON = {"conversions", "chained assignments"}  # at that depth, or in that place


@pytest.mark.parametrize("depth", _DEPTHS)
@pytest.mark.parametrize("kind", _NESTED)
def test_an_expression_nested_deeply(kind: str, depth: int) -> None:
    before, inside, after = _NESTED[kind]
    assert codes(f"x = {before * depth}{inside}{after * depth}\n") <= {"ML901"}


@pytest.mark.parametrize("kind", [kind for kind, (before, _, _) in _NESTED.items() if set(before) & set("([{")])
def test_brackets_deeper_than_python_reads_are_ml901(kind: str) -> None:
    """libcst alone would overflow the machine's stack."""
    before, inside, after = _NESTED[kind]
    assert codes(f"x = {before * 5_000}{inside}{after * 5_000}\n") == {"ML901"}


_CHAINS = [
    "lambdas",
    "attributes",
    "subscripts",
    "call chains",
    "sums",
    "comparisons",
    "conjunctions",
    "powers",
    "nots",
]


@pytest.mark.parametrize("between", [pytest.param(" ", id="on one line"), pytest.param("\n", id="on many lines")])
@pytest.mark.parametrize("kind", _CHAINS)
def test_chains_longer_than_libcst_reads_are_ml901(kind: str, between: str) -> None:
    """libcst alone would take minutes or overflow the machine's stack."""
    before, inside, after = (part and f"{part}{between}" for part in _NESTED[kind])
    assert codes(f"x = ({before * 20_000}{inside}{after * 20_000})\n") == {"ML901"}


def test_a_long_line_of_short_expressions_is_read() -> None:
    table = "table = [" + "1 + 2 * 3, " * 3_000 + "]\n"
    code, row = FINDING
    assert lint_text(MODEL.replace("import torch\n", f"import torch\n{table}")) == [(code, row + 1)]


def test_brackets_in_strings_are_not_nested() -> None:
    smileys = "import torch\nopen = [\n" + "    ':-(', '[', '{',  # ((\n" * 300 + "]\n"
    code, row = FINDING
    assert lint_text(MODEL.replace("import torch\n", smileys)) == [(code, row + 302)]


@pytest.mark.parametrize("kind", _NESTED)
def test_a_deep_expression_in_a_forward_leaves_the_rest_of_the_model(kind: str) -> None:
    before, inside, after = _NESTED[kind]
    first = "        x = self.bn(self.conv(x))\n"
    deep = f"        y = {before * 30}{inside}{after * 30}\n"
    found = lint_text(MODEL.replace(first, first + deep))
    code, row = FINDING
    assert found == [(code, row + 1)] or (kind in _NOT_PYTHON and found[0][0] == "ML901")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(inside_each_other("if x:\n", 90), id="ninety ifs inside each other"),
        pytest.param(inside_each_other("def f():\n", 90), id="ninety functions inside each other"),
        pytest.param(inside_each_other("class A:\n", 90), id="ninety classes inside each other"),
        pytest.param("if x:\n pass\n" + "elif x:\n pass\n" * 500, id="five hundred elifs"),
        pytest.param("x = 0\n" * 5_000, id="five thousand statements"),
        pytest.param("x = 0;" * 5_000 + "\n", id="five thousand statements on a line"),
        pytest.param("#\n" * 20_000, id="twenty thousand comments"),
        pytest.param("\n" * 100_000, id="a hundred thousand empty lines"),
        pytest.param("@f\n" * 300 + "def g(): pass\n", id="three hundred decorators"),
        pytest.param(f"def f({names(2_000)}): pass\n", id="two thousand parameters"),
        pytest.param(f"f({names(2_000).replace(',', '=0,')})\n", id="two thousand arguments"),
        pytest.param(f"from m import {names(2_000)}\n", id="two thousand imported names"),
        pytest.param("import " + ".".join("abcdefgh" * 40) + "\n", id="a module path of 320 parts"),
    ],
)
def test_source_of_great_length(source: str) -> None:
    assert codes(source) <= {"ML901"}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("'" + "a" * 2_000_000 + "'", id="a string of two million characters"),
        pytest.param("'''" + "\n" * 100_000 + "'''", id="a string of a hundred thousand lines"),
        pytest.param("b'" + "\\x00" * 50_000 + "'", id="fifty thousand NUL escapes"),
        pytest.param("9" * 4_000, id="an integer of four thousand digits"),
        pytest.param("9" * 40_000, id="an integer longer than int() takes"),
        pytest.param("0x" + "f" * 100_000, id="a hexadecimal of a hundred thousand digits"),
        pytest.param("1e999999999", id="an infinite float"),
        pytest.param("0." + "3" * 10_000, id="ten thousand decimals"),
        pytest.param("[" + "0, " * 5_000 + "]", id="a list of five thousand items"),
        pytest.param("{" + ", ".join(f"{i}: {i}" for i in range(3_000)) + "}", id="a dict of three thousand items"),
        pytest.param("f'" + "{x}" * 3_000 + "'", id="a format string of three thousand parts"),
        pytest.param("x" * 100_000, id="a name of a hundred thousand letters"),
    ],
)
def test_a_huge_literal_beside_a_model(value: str) -> None:
    found = lint_text(MODEL.replace("import torch\n", f"huge = {value}\n"))
    assert [code for code, _ in found] in (["ML101"], ["ML901"])
