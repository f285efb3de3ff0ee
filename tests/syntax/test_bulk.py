"""Very long literals are left out of what libcst parses, and nothing else moves."""

from __future__ import annotations

import ast

import libcst
import pytest

from modlint.syntax import bulk
from modlint.syntax.bulk import without_bulk
from modlint.syntax.source import parse_source

NAME = bulk._NAME.decode()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take literals of 40 bytes as very long, in files of any size."""
    monkeypatch.setattr(bulk, "_LARGE", 0)
    monkeypatch.setattr(bulk, "_BULKY", 40)


def places(data: bytes) -> set[tuple[object, ...]]:
    """Where names and statements begin and end."""
    return {
        (type(node).__name__, node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
        for node in ast.walk(ast.parse(data))
        if isinstance(node, ast.Name | ast.arg | ast.stmt) and getattr(node, "id", "") != NAME
    }


ROWS = "    'a': [1, -2.5, 'é', b'x', None],\n" * 3


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "source",
    [
        pytest.param(f"x = {{\n{ROWS}}}\ny = 1\n", id="a dictionary"),
        pytest.param(f"x = {{\n{ROWS}}}; y = x\n", id="a statement behind it"),
        pytest.param(f"x = f([\n{'    1,' * 9}\n  # why\n], y)\n", id="an argument"),
        pytest.param(f"class A:\n    x = ({'1, ' * 20})\n    y = 2\n", id="one line of a class"),
        pytest.param(f"def f(x={{{'1, ' * 20}}}, y=(2,)):\n    return x\n", id="a default"),
        pytest.param(f"\ufeffx = [\n{'1,' * 40}\n]\ny = 1\n", id="after a byte order mark"),
        pytest.param(f"\ufeff[{'1,' * 40}]\ny = 1\n", id="at a byte order mark"),
        pytest.param(f"x = [\r\n{'1,' * 40}\r\n]\r\ny = 1\r\n", id="line ends of DOS"),
        pytest.param(f"s = '\u2028'\n\x0c\nx = 'é', [\n{'1,' * 40}\n], '名'\n", id="line ends of others"),
        pytest.param(f"x = ['''\n{'a' * 40}\n  ''']\ny = 1\n", id="text of several lines"),
    ],
)
def test_everything_else_is_where_it_was(source: str) -> None:
    data = source.encode()
    left = without_bulk(data)
    assert left.decode().count(NAME) == 1
    assert places(left) == places(data)
    assert libcst.parse_module(left).bytes == left


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"x = [" + b"f(1), " * 20 + b"]\n", id="calls"),
        pytest.param(b"x = [" + b"y, " * 20 + b"]\n", id="names"),
        pytest.param(b"x = [" + b"1, " * 9 + b"*(y for y in z if y not in range(9))]\n", id="a comprehension"),
        pytest.param(b"x = '" + b"1" * 60 + b"'\n", id="a string"),
        pytest.param(b"x = " + b"1, " * 20 + b"1\n", id="a tuple without brackets"),
        pytest.param(b"x = [" + b"1, " * 20 + b"\n", id="what is torn"),
        pytest.param(b"# coding: latin-1\nx = ['\xe9', " + b"1, " * 20 + b"]\n", id="another encoding"),
    ],
)
def test_what_is_left_as_it_is(data: bytes) -> None:
    assert without_bulk(data) == data


def test_a_file_of_megabytes_is_parsed_without_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    table = b"TABLE = {\n" + b"    'key': [1, 2.5, 'abc'],\n" * 60_000 + b"}\n"
    parsed = []
    real = libcst.parse_module
    monkeypatch.setattr(libcst, "parse_module", lambda data: parsed.append(data) or real(data))
    file = parse_source("x.py", table + b"\n\nclass Net:\n    pass\n")
    assert [type(statement).__name__ for statement in file.body] == ["Assign", "ClassDef"]
    assert [data.count(b"\n") for data in parsed] == [60_006]
    assert len(parsed[0]) < 61_000
