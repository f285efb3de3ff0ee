"""The units of a part of a file before an edit, and its text after it -> its units now, and what is new in them.

New can be bodies of functions, and functions that came or went, at the margin or in a class there: whoever has run the
file can put these into what it has, and take them out. Everything else must be as it was. What stays keeps its numbers;
what came gets numbers from the room between its neighbours.
"""

from __future__ import annotations

from dataclasses import replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from modlint.syntax.units import Change, Member, Unit, between, block_of, nodes_of, same

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modlint.syntax import ir
    from modlint.syntax.lower import Lowerer

    Part = tuple[Lowerer, cst.Module]
    _Key = tuple[str, str, str]  # what it is, of which class, and its name: alike for what may be the same

_VERSIONS = 8  # of a function that are remembered, for an edit that is taken back


class _New(NamedTuple):
    """A statement after the edit, and in which part it stands."""

    part: int
    node: cst.CSTNode
    members: int | None

    @property
    def kind(self) -> tuple[str, str]:
        """What it is and its name, as of a unit."""
        node = self.node
        if isinstance(node, cst.FunctionDef):
            return "function", node.name.value
        return ("class", node.name.value) if isinstance(node, cst.ClassDef) and self.members is not None else ("", "")


def fitted(
    parts: Sequence[Part], before: Sequence[Unit], start: int, end: int
) -> tuple[list[list[Unit]], Change] | None:
    """The units of each part, in the place of those of `before`; None where more than functions differs.

    The numbers from `start` to `end` are free for them.
    """
    news = [_New(part, *node) for part, (_, module) in enumerate(parts) for node in nodes_of(module)]
    pairs = _aligned(news, before)
    fit = _Fit(parts, before, start)
    fits = all(fit.take(new, old, limit) for (new, old), limit in zip(pairs, _limits(pairs, end), strict=True))
    return (fit.units, fit.change()) if fits else None


def _aligned(news: Sequence[_New], before: Sequence[Unit]) -> list[tuple[_New | None, Unit | None]]:
    """What is now beside what was, by name, in order; None beside what came and what went."""
    was = _keys([unit.kind for unit in before], [unit.members for unit in before])
    now = _keys([new.kind for new in news], [new.members for new in news])
    pairs: list[tuple[_New | None, Unit | None]] = []
    for kind, one, other, start, stop in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if kind == "equal":
            pairs += zip(news[start:stop], before[one:other], strict=True)
        else:
            pairs += [(None, unit) for unit in before[one:other]]
            pairs += [(new, None) for new in news[start:stop]]
    return pairs


def _keys(kinds: Sequence[tuple[str, str]], members: Sequence[int | None]) -> list[_Key]:
    owners = [None if head is None else kinds[head][1] for head in _heads(members)]
    return [(kind, owner or "", name) for (kind, name), owner in zip(kinds, owners, strict=True)]


def _heads(members: Iterable[int | None]) -> list[int | None]:
    """For each unit the index of the class in whose body it stands."""
    found: list[int | None] = []
    head, left = 0, 0
    for index, count in enumerate(members):
        found.append(head if left else None)
        head, left = (head, left - bool(left)) if count is None else (index, count)
    return found


def _limits(pairs: Sequence[tuple[_New | None, Unit | None]], end: int) -> list[int]:
    """For each pair where the numbers of the next unit that stays start."""
    limits = []
    for new, old in reversed(pairs):
        limits.append(end)
        if new is not None and old is not None:
            end = old.start
    return limits[::-1]


class _Fit:
    """What is found from the top on."""

    def __init__(self, parts: Sequence[Part], before: Sequence[Unit], start: int) -> None:
        self.units: list[list[Unit]] = [[] for _ in parts]
        self._parts = parts
        self._owners = {
            id(unit): None if head is None else before[head].number
            for unit, head in zip(before, _heads(unit.members for unit in before), strict=True)
        }
        self._head: Unit | None = None  # of the class under way, and how many units of it are left
        self._left = 0
        self._end, self._span = start, 0  # where the last unit ends, and how long it is
        self._bodies: list[tuple[ir.FuncDef, ir.FuncDef]] = []
        self._came: list[Member] = []
        self._gone: list[Member] = []

    def change(self) -> Change:
        """All that is new."""
        return Change(False, tuple(self._bodies), tuple(self._came), tuple(self._gone))

    def take(self, new: _New | None, old: Unit | None, limit: int) -> bool:
        """Go on by a unit that came, went, or is there as before; False where that is more than a function may do."""
        if new is None:
            return old is not None and self._goes(old)
        start = between(self._end, self._span, limit) if old is None else old.start
        unit = Unit(*block_of(self._parts[new.part][0], new.node, new.members, start), new.members)
        if old is not None and same(unit.block, old.block):
            alike = (unit.span, unit.members) == (old.span, old.members)
            return self._put(new, old if alike else replace(unit, block=old.block, earlier=old.earlier))
        if unit.end > limit:
            return False
        if old is not None and (pair := _versions(old, unit)) is not None:
            self._bodies.append(pair)
            return self._put(new, unit)
        return (old is None or self._goes(old)) and self._comes(unit) and self._put(new, unit)

    def _put(self, new: _New, unit: Unit) -> bool:
        self.units[new.part].append(unit)
        self._end, self._span = unit.end, unit.span
        self._left -= bool(self._left)
        if unit.members is not None:
            self._head, self._left = unit, unit.members
        return True

    def _comes(self, unit: Unit) -> bool:
        owner = self._head.number if self._head is not None and self._left else None
        return _noted(self._came, owner, unit)

    def _goes(self, old: Unit) -> bool:
        return _noted(self._gone, self._owners[id(old)], old)


def _noted(members: list[Member], owner: int | None, unit: Unit) -> bool:
    """Note a function that no decorator has seen; False where the unit is none."""
    function = unit.function
    if function is None or function.decorators:
        return False
    members.append(Member(owner, function))
    return True


def _versions(old: Unit, unit: Unit) -> tuple[ir.FuncDef, ir.FuncDef] | None:
    """The function that a unit defines, before and after; an earlier version that it is again takes its place."""
    one, other = old.function, unit.function
    if one is None or other is None or not same(_signature(one), _signature(other)):
        return None
    known = next((version for version in old.earlier if same(version, other)), other)
    others = [version for version in old.earlier if version is not known and version is not one]
    unit.block, unit.earlier = (known,), [*others, one][-_VERSIONS:]
    return one, known


def _signature(function: ir.FuncDef) -> ir.FuncDef:
    return function._replace(body=(), generator=False)
