"""The statements of a file that is being edited -> their representation under numbers that edits elsewhere leave alone.

A unit is a statement at the margin, the head of a class there, or a statement of such a class. Each has a range of
numbers with room to grow in: a unit that an edit leaves as it was is the same object with the same numbers, wherever
the edit stands. Numbers rise in the order of the text, as those of `parse_source` do; they are only not dense.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modlint.syntax.lower import Lowerer

    _Node = tuple[cst.CSTNode, int | None]  # a statement; of a class whose body follows, how many units that is

_SPARE = 100_000  # numbers left free after a unit, besides as many as it has
_LITTLE = 1_000  # the same after one that is put between others
ENDLESS = 1 << 62


@dataclass(slots=True)
class Unit:
    """`block` is what it is lowered to; of the head of a class, that class without its body."""

    block: ir.Block
    start: int
    span: int  # as many numbers are used
    members: int | None  # of a head, how many units follow that are the body
    earlier: list[ir.FuncDef] = field(default_factory=list)  # versions of the function that it defines

    @property
    def end(self) -> int:
        """The first number after those that it uses."""
        return self.start + self.span

    @property
    def function(self) -> ir.FuncDef | None:
        """The function that it defines."""
        only = self.block[0] if len(self.block) == 1 else None
        return only if isinstance(only, ir.FuncDef) else None

    @property
    def number(self) -> int:
        """Of a head, the number of the class."""
        (head,) = self.block
        assert isinstance(head, ir.ClassDef)
        return head.n

    @property
    def kind(self) -> tuple[str, str]:
        """Whether it defines a function or is the head of a class, and its name."""
        only = self.block[0] if len(self.block) == 1 else None
        if isinstance(only, ir.FuncDef):
            return "function", only.name
        return ("class", only.name) if isinstance(only, ir.ClassDef) and self.members is not None else ("", "")


class Member(NamedTuple):
    """A function at the margin of a file, or in the class there whose number is `owner`."""

    owner: int | None
    function: ir.FuncDef


@dataclass(frozen=True, slots=True)
class Change:
    """From one version of a file to the next: functions that differ, came and went, or more than that (`anew`)."""

    anew: bool = False
    functions: tuple[tuple[ir.FuncDef, ir.FuncDef], ...] = ()  # before and after, where only the body differs
    came: tuple[Member, ...] = ()
    gone: tuple[Member, ...] = ()


ANEW = Change(True)


def lowered(lowerer: Lowerer, module: cst.Module, start: int, end: int = ENDLESS) -> list[Unit] | None:
    """The units of a part of a file, numbered from `start`; None where there is no room for them before `end`."""
    found = []
    for node, members in nodes_of(module):
        unit = Unit(*block_of(lowerer, node, members, start), members)
        start = following(unit, end)
        found.append(unit)
    return None if found and found[-1].end > end else found


def following(unit: Unit, end: int) -> int:
    """Where the numbers of the next unit start."""
    return unit.end + unit.span + (_SPARE if end == ENDLESS else _LITTLE)


def between(end: int, span: int, limit: int) -> int:
    """Where the numbers of a unit start that comes after one that ends at `end`, before one that starts at `limit`."""
    return end + min(span + (_SPARE if limit == ENDLESS else _LITTLE), (limit - end) // 4)


def statements(units: Sequence[Unit]) -> ir.Block:
    """What the units are together."""
    found: list[ir.Stmt] = []
    at = 0
    while at < len(units):
        unit, at = units[at], at + 1
        if unit.members is None:
            found += unit.block
            continue
        (head,) = unit.block
        assert isinstance(head, ir.ClassDef)
        body = units[at : at + unit.members]
        found.append(head._replace(body=tuple(statement for member in body for statement in member.block)))
        at += unit.members
    return tuple(found)


def nodes_of(module: cst.Module) -> Iterator[_Node]:
    """The statements of a part of a file that are units, a class before those of its body."""
    for node in module.body:
        if isinstance(node, cst.ClassDef):
            yield node, len(node.body.body)
            yield from ((member, None) for member in node.body.body)
        else:
            yield node, None


def block_of(lowerer: Lowerer, node: cst.CSTNode, members: int | None, start: int) -> tuple[ir.Block, int, int]:
    """What a statement is lowered to under numbers from `start`; these, and how many they are."""
    lowerer.count = start
    if members is None:
        return lowerer.statements([node]), start, lowerer.count - start
    assert isinstance(node, cst.ClassDef)
    return (lowerer.class_head(node),), start, lowerer.count - start


def same(one: object, other: object) -> bool:
    """Whether two pieces of representation are the same: `==` takes True for 1, and `return x` for `raise x`."""
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other and (type(one) not in (float, complex) or repr(one) == repr(other))
