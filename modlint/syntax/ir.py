"""The representation that the interpreter runs: a small picklable tree of named tuples, lowered once from libcst.

Every expression that can be pointed at carries `n`, its number within the file; `source.locate` turns numbers into
lines and columns when something is reported. Decision: no positions are stored, because computing them costs more than
parsing.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from typing import Any, NamedTuple, TypeAlias


class Name(NamedTuple):
    id: str
    n: int


class Const(NamedTuple):
    value: Any  # None, bool, int, float, complex, str, bytes or Ellipsis


class Attr(NamedTuple):
    value: Expr
    name: str
    n: int


class Sub(NamedTuple):
    value: Expr
    item: Expr
    n: int


class Slice(NamedTuple):
    lower: Expr | None
    upper: Expr | None
    step: Expr | None


class Arg(NamedTuple):
    value: Expr
    keyword: str | None
    star: str  # "", "*" or "**"


class Call(NamedTuple):
    func: Expr
    args: tuple[Arg, ...]
    n: int


class Sequence(NamedTuple):
    kind: str  # "tuple", "list" or "set"
    items: tuple[Expr, ...]
    n: int


class Starred(NamedTuple):
    value: Expr


class Dict(NamedTuple):
    items: tuple[tuple[Expr | None, Expr], ...]  # a key of None is `**value`
    n: int


class Binary(NamedTuple):
    op: str
    left: Expr
    right: Expr
    n: int


class Unary(NamedTuple):
    op: str
    value: Expr


class Boolean(NamedTuple):
    op: str  # "and" or "or"
    left: Expr
    right: Expr


class Compare(NamedTuple):
    left: Expr
    rest: tuple[tuple[str, Expr], ...]


class IfExp(NamedTuple):
    test: Expr
    body: Expr
    orelse: Expr


class Lambda(NamedTuple):
    params: tuple[Param, ...]
    body: Expr
    n: int


class For(NamedTuple):
    target: Expr
    iter: Expr
    ifs: tuple[Expr, ...]


class Comp(NamedTuple):
    kind: str  # "list", "set", "dict" or "gen"
    key: Expr | None
    value: Expr
    fors: tuple[For, ...]
    n: int


class Walrus(NamedTuple):
    name: str
    value: Expr


SPEC = -2  # the number of a Name that stands for the format of the value before it


class Format(NamedTuple):
    parts: tuple[Expr, ...]


class Yield(NamedTuple):
    value: Expr | None
    whole: bool  # yield from


class Await(NamedTuple):
    value: Expr


Expr: TypeAlias = (
    Name
    | Const
    | Attr
    | Sub
    | Slice
    | Call
    | Sequence
    | Starred
    | Dict
    | Binary
    | Unary
    | Boolean
    | Compare
    | IfExp
    | Lambda
    | Comp
    | Walrus
    | Format
    | Yield
    | Await
)


class Param(NamedTuple):
    name: str
    kind: str  # "positional", "normal", "keyword", "*" or "**"
    default: Expr | None


class ExprStmt(NamedTuple):
    value: Expr


class Assign(NamedTuple):
    targets: tuple[Expr, ...]
    value: Expr


class AugAssign(NamedTuple):
    target: Expr
    op: str
    value: Expr
    n: int


class AnnAssign(NamedTuple):
    target: Expr
    annotation: str  # the leftmost dotted name of the annotation
    value: Expr | None


class Return(NamedTuple):
    value: Expr | None


class Raise(NamedTuple):
    value: Expr | None


class Assert(NamedTuple):
    test: Expr


class Delete(NamedTuple):
    targets: tuple[Expr, ...]


class Jump(NamedTuple):
    kind: str  # "break" or "continue"


class Scope(NamedTuple):
    kind: str  # "global" or "nonlocal"
    names: tuple[str, ...]


class If(NamedTuple):
    test: Expr
    body: Block
    orelse: Block


class ForStmt(NamedTuple):
    target: Expr
    iter: Expr
    body: Block
    orelse: Block
    n: int


class While(NamedTuple):
    test: Expr
    body: Block
    orelse: Block
    n: int


class With(NamedTuple):
    items: tuple[tuple[Expr, Expr | None], ...]
    body: Block


class Handler(NamedTuple):
    type: Expr | None
    name: str | None
    body: Block


class Try(NamedTuple):
    body: Block
    handlers: tuple[Handler, ...]
    orelse: Block
    final: Block


class Case(NamedTuple):
    pattern: Pattern
    guard: Expr | None
    body: Block


class Match(NamedTuple):
    subject: Expr
    cases: tuple[Case, ...]


class MatchValue(NamedTuple):
    value: Expr


class MatchBind(NamedTuple):
    pattern: Pattern | None  # None: anything
    name: str | None


class MatchOr(NamedTuple):
    patterns: tuple[Pattern, ...]


class MatchItems(NamedTuple):
    """A sequence pattern; the one at `star`, if any, takes all items that the others leave."""

    patterns: tuple[Pattern, ...]
    star: int | None


class MatchEntries(NamedTuple):
    """A mapping pattern: patterns by key, and the name that takes the other entries."""

    entries: tuple[tuple[Expr, Pattern], ...]
    rest: str | None


class MatchType(NamedTuple):
    """`Class()` or `Class(...)` with the inner patterns by position and by attribute."""

    cls: Expr
    positional: tuple[Pattern, ...]
    named: tuple[tuple[str, Pattern], ...]


Pattern: TypeAlias = MatchValue | MatchBind | MatchOr | MatchItems | MatchEntries | MatchType


class FuncDef(NamedTuple):
    name: str
    params: tuple[Param, ...]
    body: Block
    decorators: tuple[Expr, ...]
    generator: bool
    n: int


class ClassDef(NamedTuple):
    name: str
    bases: tuple[Arg, ...]
    body: Block
    decorators: tuple[Expr, ...]
    n: int


class Import(NamedTuple):
    names: tuple[tuple[str, str | None], ...]


class ImportFrom(NamedTuple):
    module: str
    level: int
    names: tuple[tuple[str, str | None], ...]  # ("*", None) is a star import


Stmt: TypeAlias = (
    ExprStmt
    | Assign
    | AugAssign
    | AnnAssign
    | Return
    | Raise
    | Assert
    | Delete
    | Jump
    | Scope
    | If
    | ForStmt
    | While
    | With
    | Try
    | Match
    | FuncDef
    | ClassDef
    | Import
    | ImportFrom
)
Block: TypeAlias = tuple[Stmt, ...]


class FileIR(NamedTuple):
    """One file: its statements, the names that it reads, and those that it calls (which builds what is a class)."""

    path: str
    body: Block
    mentions: dict[str, None]  # in order, so that the same source is the same bytes in every process
    calls: dict[str, None]


def _reduced(node: Any) -> tuple[Any, ...]:
    return copyreg.__newobj__, (type(node), *node)  # type: ignore[attr-defined]


_REDUCED = {kind: _reduced for kind in globals().values() if isinstance(kind, type) and issubclass(kind, tuple)}


def pickled(file: FileIR) -> bytes:
    """The bytes that `pickle.dumps` gives, in half the time: it asks each node how it wants to be pickled."""
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _REDUCED
    pickler.dump(file)
    return stream.getvalue()
