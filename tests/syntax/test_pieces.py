"""A file parsed in pieces is the file parsed as a whole, whatever was edited, and positions are those of the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modlint.syntax import pieces
from modlint.syntax.pieces import PieceParser, pieces_of
from modlint.syntax.source import SourceError, locate, parse_source

ROOT = Path(__file__).parents[2]
SOURCES = [file.read_bytes() for file in sorted((ROOT / "rules").glob("*/*.py"))]
MODULE = b'''"""Text.

@misc{bibtex, class of its own}
"""
import a
@decorated(
    1,
)
# why
@again
class A(B):
    x = 1
    def f(self): return self.x

def g(\xc3\xa9, *c):
    return [\xc3\xa9 for d in c]
y = g(1)
if y:
    pass
else:
    z = 2
async def h():
    await g(3)
'''


def parsed(data: bytes) -> object:
    try:
        return parse_source("x.py", data)
    except SourceError as error:
        return str(error)


def in_pieces(parser: PieceParser, data: bytes) -> object:
    try:
        return parser.parse("x.py", data)
    except SourceError as error:
        return str(error)


def test_a_piece_begins_at_a_definition_with_its_decorators() -> None:
    found = list(pieces_of(MODULE))
    assert b"".join(found) == MODULE
    assert [piece.split(b"\n")[0] for piece in found[1:]] == [
        b"@decorated(",
        b"def g(\xc3\xa9, *c):",
        b"async def h():",
    ]


def test_positions_are_those_of_the_whole_file() -> None:
    for data in (MODULE, b"\xef\xbb\xbf" + MODULE, MODULE.replace(b"\n", b"\r\n")):
        parser = PieceParser()
        parser.parse("x.py", data)
        numbers = range(sum(1 for _ in locate_all(data)))
        assert len(numbers) > 10
        assert parser.locate(data, numbers) == locate(data, numbers)
        assert parser.locate(SOURCES[0], [3]) == locate(SOURCES[0], [3])  # another text than the one it knows


def locate_all(data: bytes) -> range:
    from modlint.syntax.lower import Lowerer
    from modlint.syntax.source import parse_module

    lowerer = Lowerer()
    lowerer.statements(parse_module("x.py", data).body)
    return range(lowerer.count)


def test_only_what_changed_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = PieceParser()
    parser.parse("x.py", MODULE)
    texts: list[bytes] = []
    real = pieces.parse_module
    monkeypatch.setattr(pieces, "parse_module", lambda path, text: texts.append(text) or real(path, text))
    changed = MODULE.replace(b"x = 1", b"x = 2")
    assert parser.parse("x.py", changed) == parse_source("x.py", changed)
    assert [text.split(b"\n")[0] for text in texts] == [b"@decorated("]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'x = """\ndef f():\n    pass\n"""\n', id="a definition inside of a string"),
        pytest.param(b"x = (\ndef f(): pass\n", id="inside of a bracket"),
        pytest.param(b"x = 1 + \\\ndef f(): pass\n", id="after a backslash"),
        pytest.param(b"x = 1 \\\ndef f(): pass\n", id="after a backslash that ends a statement"),
        pytest.param(b"try:\n    def f(): pass\nexcept A: pass\ndef g(): pass\n", id="a compound statement"),
        pytest.param(b"@f[0]\ndef f(): pass\n", id="a decorator that is not seen as one"),
        pytest.param(b"# coding: latin-1\nx = '\xe9'\ndef f(): pass\n", id="an encoding"),
        pytest.param(b"def f(): pass\n# coding: latin-1\ndef g(x='\xe9'): pass\n", id="a declaration further down"),
        pytest.param(b"\xef\xbb\xbfdef f(): pass\ndef g(): pass\n", id="a byte order mark"),
        pytest.param(b"def f(): pass\n\xef\xbb\xbfdef g(): pass\n", id="a byte order mark in the middle"),
        pytest.param(b"def f(): pass\n\0def g(): pass\n", id="a NUL"),
        pytest.param(b"@f\n", id="a decorator of nothing"),
        pytest.param(b"@f\n@g\n", id="two of them"),
        pytest.param(b"if a:\n    pass\n@f\ndef g(): pass\nelse:\n    pass\n", id="an else that belongs to nothing"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"def f(): pass", id="no end of line"),
        pytest.param(b"def f():\n\tpass\ndef g():\n  pass\n", id="tabs and spaces"),
        pytest.param(b"def f():\n    pass\n\x0cdef g(): pass\n", id="a form feed"),
    ],
)
def test_pieces_that_cannot_stand_alone(data: bytes) -> None:
    assert in_pieces(PieceParser(), data) == parsed(data)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    source=st.sampled_from(SOURCES),
    edits=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.integers(0, 40),
            st.sampled_from(
                [
                    b"",
                    b"\n",
                    b"def f():\n",
                    b"@f\n",
                    b'"""',
                    b"'",
                    b"(",
                    b"\\\n",
                    b"    ",
                    b"class A: pass\n",
                    b"#",
                    b"x",
                ]
            ),
        ),
        max_size=4,
    ),
)
def test_any_edits(source: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    parser = PieceParser()
    assert in_pieces(parser, source) == parsed(source)
    for share, removed, put in edits:
        at = int(len(source) * share)
        source = source[:at] + put + source[at + removed :]
        assert in_pieces(parser, source) == parsed(source)
