"""A node that is located in its definition's own text stands where it does in the file; in doubt the file is parsed."""

from __future__ import annotations

from pathlib import Path

import pytest

from modlint.syntax import spans
from modlint.syntax.source import locate, parse_source
from modlint.syntax.spans import located

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "rules").glob("*/*.py")) + sorted((ROOT / "modlint" / "syntax").glob("*.py"))

PLAIN = b'''"""Text."""
import a

def f(x):
    return x

# why
@again
class A(B):
    def f(self): return self.x
y = f(1)
async def g(*c):
    return [await f(d) for d in c]
'''


def numbers_in(node: object) -> set[int]:
    if not isinstance(node, tuple):
        return set()
    own = {node.n} if hasattr(node, "n") and node.n >= 0 else set()
    return own.union(*map(numbers_in, node))


@pytest.fixture
def parsed_whole(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The numbers for which a whole file was parsed."""
    asked: list[list[int]] = []

    def counting(data: bytes, numbers: list[int]) -> object:
        asked.append(numbers)
        return locate(data, numbers)

    monkeypatch.setattr(spans, "locate", counting)
    return asked


@pytest.mark.parametrize("file", [pytest.param(file, id=f"{file.parent.name}/{file.name}") for file in SOURCES])
def test_every_number_of_a_real_file_is_where_it_was(file: Path) -> None:
    data = file.read_bytes()
    body = parse_source("x.py", data).body
    numbers = sorted(numbers_in(body))
    assert located(data, body, numbers) == locate(data, numbers)


def test_what_stands_in_definitions_is_found_without_parsing_the_file(parsed_whole: list[list[int]]) -> None:
    body = parse_source("x.py", PLAIN).body
    inside = sorted(numbers_in((body[1], body[2], body[4])))
    assert located(PLAIN, body, inside) == locate(PLAIN, inside)
    assert not parsed_whole


def test_what_stands_between_definitions_is_looked_for_in_the_file(parsed_whole: list[list[int]]) -> None:
    body = parse_source("x.py", PLAIN).body
    between = sorted(numbers_in(body[3]))
    assert located(PLAIN, body, between) == locate(PLAIN, between)
    assert parsed_whole == [between]


@pytest.mark.parametrize(
    ("data", "at", "whole"),
    [
        pytest.param(b"def f():\n    a\n\n\ndef f():\n    b(c)\n", 1, False, id="the second of a name is the second"),
        pytest.param(b"x = '''\ndef f():\n    b(c)\n'''\ndef f():\n    b(c)\n", 1, True, id="a string looks like it"),
        pytest.param(b"def f():\n    '''\ndef g(): 1\n'''\n    b(c)\n", 0, True, id="a string tears it apart"),
        pytest.param(b"if x:\n  def f(): a\nelse:\n  def f(): b\ndef f(): c\n", 1, False, id="others are indented"),
        pytest.param("# -*- coding: latin-1 -*-\ndef f():\n    é = b(c)\n".encode("latin-1"), 0, True, id="latin-1"),
        pytest.param("\ufeffx = 1\ndef f():\n    é = b(c)\n".encode(), 1, False, id="a byte order mark"),
        pytest.param("\ufeffdef f():\n    é = b(c)\n".encode(), 0, True, id="a byte order mark right before it"),
        pytest.param(b"x = 1\r\n\r\ndef f():\r\n    b(c)\r\n", 1, False, id="line ends of Windows"),
        pytest.param(b"x = 1; y = \\\n  2\ndef f(): b(c)\n", 2, False, id="joined lines before it"),
    ],
)
def test_texts_that_are_hard_to_tell_apart(data: bytes, at: int, whole: bool, parsed_whole: list[list[int]]) -> None:
    body = parse_source("x.py", data).body
    numbers = sorted(numbers_in(body[at]))
    assert located(data, body, numbers) == locate(data, numbers)
    assert bool(parsed_whole) is whole
