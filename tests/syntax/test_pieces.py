"""A file parsed in pieces is the file parsed as a whole, whatever was edited, and positions are those of the file.

Numbers of the one are not those of the other, but come in the same order: both are compared by the ranks of theirs.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modlint.syntax import ir, pieces
from modlint.syntax.pieces import PieceParser, pieces_of
from modlint.syntax.source import SourceError, locate, parse_source
from modlint.syntax.units import Change

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


def numbers_in(node: object) -> set[int]:
    if not isinstance(node, tuple):
        return set()
    own = {node.n} if hasattr(node, "n") and node.n >= 0 else set()
    return own.union(*map(numbers_in, node))


def ranked(node: object, ranks: dict[int, int]) -> object:
    """The representation, with the types that `==` does not look at, and numbers by rank."""
    if not isinstance(node, tuple):
        return type(node).__name__, repr(node)
    fields = getattr(node, "_fields", [""] * len(node))
    parts = (
        ranks.get(part, part) if name == "n" else ranked(part, ranks) for name, part in zip(fields, node, strict=True)
    )
    return type(node).__name__, *parts


def comparable(file: ir.FileIR) -> object:
    ranks = {number: rank for rank, number in enumerate(sorted(numbers_in(file.body)))}
    return ranked(file.body, ranks), list(file.mentions), list(file.calls)


def parsed(data: bytes) -> object:
    try:
        return comparable(parse_source("x.py", data))
    except SourceError as error:
        return str(error), error.line, error.column


def in_pieces(parser: PieceParser, data: bytes) -> object:
    try:
        parser.parse("x.py", data)
    except SourceError as error:
        return str(error), error.line, error.column
    assert parser.ir is not None
    return comparable(parser.ir)


def functions_of(block: ir.Block) -> dict[int, ir.FuncDef]:
    """The functions at the margin and in classes there, by their numbers."""
    found = {}
    for statement in block:
        if isinstance(statement, ir.FuncDef):
            found[statement.n] = statement
        elif isinstance(statement, ir.ClassDef):
            found.update({member.n: member for member in statement.body if isinstance(member, ir.FuncDef)})
    return found


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
        assert_located(parser, data)
        parser.parse("x.py", b"# one more line\n" + data.removeprefix(b"\xef\xbb\xbf"))
        assert_located(parser, b"# one more line\n" + data.removeprefix(b"\xef\xbb\xbf"))


def assert_located(parser: PieceParser, data: bytes) -> None:
    assert parser.ir is not None
    ours, theirs = (sorted(numbers_in(file.body)) for file in (parser.ir, parse_source("x.py", data)))
    there = locate(data, theirs)
    assert list(parser.locate(ours).values()) or not ours
    assert [parser.locate([number])[number] for number in ours] == [there[number] for number in theirs]


def test_only_what_changed_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = PieceParser()
    parser.parse("x.py", MODULE)
    texts: list[bytes] = []
    real = pieces.parse_module
    monkeypatch.setattr(pieces, "parse_module", lambda path, text: texts.append(text) or real(path, text))
    changed = MODULE.replace(b"x = 1", b"x = 2")
    assert in_pieces(parser, changed) == parsed(changed)
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


def test_what_an_edit_leaves_as_it_was_is_the_same_object() -> None:
    parser = PieceParser()
    assert parser.parse("x.py", MODULE).anew
    assert parser.ir is not None
    before = functions_of(parser.ir.body)
    assert parser.parse("x.py", b"# moves all\n" + MODULE) == Change()
    assert {n: id(f) for n, f in functions_of(parser.ir.body).items()} == {n: id(f) for n, f in before.items()}
    change = parser.parse("x.py", MODULE.replace(b"return self.x", b"return self.x + self.y[0]"))
    ((old, new),) = change.functions
    after = functions_of(parser.ir.body)
    assert not change.anew and old is before[old.n] and new is after[new.n] and old.n == new.n
    assert [after[n] is before[n] for n in before if n != old.n] == [True, True]
    ((_, again),) = parser.parse("x.py", MODULE).functions
    assert again is old, "an edit that is taken back is the version from before"


def test_functions_that_come_and_go() -> None:
    parser = PieceParser()
    parser.parse("x.py", MODULE)
    assert parser.ir is not None
    (owner,) = (statement.n for statement in parser.ir.body if isinstance(statement, ir.ClassDef))
    before = functions_of(parser.ir.body)
    for text, came, gone in (
        (MODULE.replace(b"    def f", b"    def e(self): pass\n    def f"), [(owner, "e")], []),
        (MODULE, [], [(owner, "e")]),
        (MODULE.replace(b"def f(self)", b"def f(self, y)"), [(owner, "f")], [(owner, "f")]),
        (MODULE.replace(b"def f(self)", b"def e(self)"), [(owner, "e")], [(owner, "f")]),
        (MODULE.replace(b"y = g(1)", b"def i(): pass\ny = g(1)"), [(owner, "f"), (None, "i")], [(owner, "e")]),
        (MODULE + b"def j(): pass\n", [(None, "j")], [(None, "i")]),
    ):
        change = parser.parse("x.py", text)
        assert not change.anew and not change.functions
        assert [(member.owner, member.function.name) for member in change.came] == came
        assert [(member.owner, member.function.name) for member in change.gone] == gone
        assert comparable(parser.ir) == parsed(text)
        now = functions_of(parser.ir.body)
        assert all(now[n] is function for n, function in before.items() if function.name in "gh")


def test_numbers_for_what_comes_may_run_out() -> None:
    parser = PieceParser()
    text = b"class A:\n    x = 1\n    def f0(): pass\n"
    changes = [parser.parse("x.py", text)]
    for number in range(1, 30):
        text = text.replace(b"    x = 1\n", b"    x = 1\n    def f%d(): pass\n" % number)
        changes.append(parser.parse("x.py", text))
        assert parser.ir is not None and comparable(parser.ir) == parsed(text)
    assert not changes[1].anew and any(change.anew for change in changes[2:])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"return self.x", b"raise self.x", id="a statement of another kind with the same parts"),
        pytest.param(b"return self.x", b"return 1", id="a constant"),
        pytest.param(b"x = 1", b"x = True", id="True for 1, which are equal"),
        pytest.param(b"x = 1", b"x = 1.0", id="1.0 for 1"),
        pytest.param(b"def f(self)", b"def f(self, y=1)", id="a parameter"),
        pytest.param(b"class A(B)", b"class A(C)", id="a base"),
        pytest.param(b"await g(3)", b"yield g(3)", id="a generator"),
        pytest.param(b"@again", b"@other", id="a decorator"),
        pytest.param(b"    x = 1\n", b"", id="a statement less"),
        pytest.param(b"y = g(1)", b"y = g(2)", id="a statement at the margin"),
    ],
)
def test_nothing_that_means_something_is_taken_for_the_same(before: bytes, after: bytes) -> None:
    parser = PieceParser()
    parser.parse("x.py", MODULE)
    assert before in MODULE
    change = parser.parse("x.py", MODULE.replace(before, after))
    assert change.anew or change.functions or (change.came and change.gone)
    assert in_pieces(parser, MODULE.replace(before, after)) == parsed(MODULE.replace(before, after))


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
        result = in_pieces(parser, source)
        assert result == parsed(source)
        if parser.ir is not None and result == comparable(parser.ir):
            assert_located(parser, source)
