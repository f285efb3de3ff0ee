"""The state of an abstract run: cells under a journal, the path condition, forks and joins, unknown values.

How branches work: a fork runs each branch from the same state, collects what it wrote, undoes it, and joins: a cell
that differs becomes a `Choice` under the branches' conditions. A `return`, `break` or `continue` under a fork waits as
a pending `Exit` with its writes until the function or loop ends. So one run covers all paths, and every use carries the
exact condition under which it happens.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from modlint.interpreter.conditions import ALWAYS, NEVER, Cond, Conditions, TooManyPaths
from modlint.interpreter.overlay import overlaid
from modlint.interpreter.values import (
    MISSING,
    Choice,
    Kept,
    Sym,
    Value,
    is_const,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ALTERNATIVES = 8  # values that one Choice may hold


class Dead(Exception):
    """No path goes on: everything raised."""


class GiveUp(Exception):
    """The budget of this model is spent, or the analysis cannot go deeper. `args[0]` is the reason."""


class Exit:
    """A path that has left a block: why, to where, under which condition, with which writes since `mark`."""

    __slots__ = ("cond", "delta", "kind", "mark", "target", "value")

    def __init__(self, kind: str, target: object, cond: Cond, mark: int, value: Value) -> None:
        self.kind = kind
        self.target = target
        self.cond = cond
        self.mark = mark
        self.value = value
        self.delta: dict[tuple[int, Any], tuple[dict[Any, Any], Any, Value]] = {}


class State:
    """Cells, conditions, forks. The interpreter proper builds on it."""

    def __init__(self) -> None:
        self.journal: list[tuple[dict[Any, Any], Any, Value]] = []
        self.pending: list[Exit] = []
        self.conds = Conditions()
        self.pc: Cond = ALWAYS
        self.symbols: dict[tuple[Any, ...], Sym] = {}
        self.count = 0  # the last number that was given
        self.narrowed = False  # whether some paths of this model were left out
        self.born: dict[int, int] = {}  # dicts by identity: the number of what they belong to
        self.writes = 0  # of what values hold: while it stays the same, they hold the same
        self.touched: dict[int, int] = {}  # by the number of what was written into (0: a file's): the last write
        self.lowest = 0  # of these numbers, since somebody asked
        self.oldest: tuple[float, float] = (0, 0)  # unknown value, and condition, that mattered since somebody asked
        self.drafts: list[tuple[int, Callable[[], None]]] = []  # what undoing to before a place in the journal spoils

    def fresh(self) -> int:
        """A number that nothing else bears."""
        self.count += 1
        return self.count

    def number(self, many: int) -> int:
        """The first of as many numbers that nothing else bears."""
        first = self.count + 1
        self.count += many
        return first

    def bear(self, *cells: dict[Any, Any]) -> None:
        """Note that nothing else knows of these dicts yet.

        An identity that was taken over from a dict that is gone does no harm: it became free after that was made.
        """
        for one in cells:
            self.born[id(one)] = self.count

    def conjoin(self, one: Cond, other: Cond) -> Cond:
        """Both conditions hold."""
        try:
            return self.conds.conjoin(one, other)
        except TooManyPaths:
            raise GiveUp("gave up: too many paths") from None

    def disjoin(self, one: Cond, other: Cond) -> Cond:
        """Either condition holds."""
        try:
            return self.conds.disjoin(one, other)
        except TooManyPaths:
            raise GiveUp("gave up: too many paths") from None

    def makes(self, literal: int) -> Cond:
        """The condition that a literal holds."""
        try:
            return self.conds.literal(literal)
        except TooManyPaths:
            raise GiveUp("gave up: too many paths") from None

    def negated(self, cond: Cond) -> Cond:
        """The paths on which a condition does not hold."""
        try:
            return self.conds.negate(cond)
        except TooManyPaths:
            raise GiveUp("gave up: too many paths") from None

    # -- cells ---------------------------------------------------------------------------------------------------

    def set(self, cells: dict[Any, Any], key: Any, value: Value) -> None:
        """Write a cell; MISSING deletes it."""
        self.writes += 1
        born = self.born.get(id(cells), 0)
        self.touched[born] = self.writes
        if born < self.lowest:
            self.lowest = born
        self.journal.append((cells, key, cells.get(key, MISSING)))
        if value is MISSING:
            cells.pop(key, None)
        else:
            cells[key] = value

    def set_local(self, cells: dict[Any, Any], key: Any, value: Value) -> None:
        """Write a variable, which no value holds."""
        self.journal.append((cells, key, cells.get(key, MISSING)))
        if value is MISSING:
            cells.pop(key, None)
        else:
            cells[key] = value

    def _writes_since(self, mark: int) -> dict[tuple[int, Any], tuple[dict[Any, Any], Any, Value]]:
        return {(id(c), k): (c, k, c.get(k, MISSING)) for c, k, _ in self.journal[mark:]}

    def undo(self, mark: int) -> None:
        """Go back to the state at `mark`; pending exits that passed it keep their writes relative to it."""
        for exit in reversed(self.pending):
            if exit.mark <= mark:
                continue
            self._rebase(exit, mark)
        journal = self.journal
        self.writes += 1
        while self.drafts and self.drafts[-1][0] > mark:
            self.drafts.pop()[1]()
        while len(journal) > mark:
            cells, key, old = journal.pop()
            if old is MISSING:
                cells.pop(key, None)
            else:
                cells[key] = old

    def _rebase(self, exit: Exit, mark: int) -> None:
        """Express the writes of `exit` relative to the earlier `mark`."""
        if exit.mark <= mark:
            return
        later: dict[tuple[int, Any], Value] = {}
        for cells, key, old in self.journal[exit.mark :]:
            later.setdefault((id(cells), key), old)
        delta = {}
        for cells, key, _ in self.journal[mark : exit.mark]:
            place = (id(cells), key)
            value = later[place] if place in later else cells.get(key, MISSING)
            delta[place] = (cells, key, value)
        delta.update(exit.delta)
        exit.delta, exit.mark = delta, mark

    def take(self, start: int, target: object, kind: str | None = None) -> list[Exit]:
        """Remove and return the pending exits to `target` that were added since `start`."""
        if len(self.pending) == start:
            return []
        taken = [e for e in self.pending[start:] if e.target is target and (kind is None or e.kind == kind)]
        if taken:
            self.pending[start:] = [e for e in self.pending[start:] if not any(e is t for t in taken)]
        return taken

    def here(self, value: Value = None, kind: str = "next", target: object = None) -> Exit:
        """The present state as an exit."""
        return Exit(kind, target, self.pc, len(self.journal), value)

    def merge(self, exits: Sequence[Exit], since: float = math.inf) -> Value:
        """Join the states of exclusive exits, make the result the present state, and return the joined value.

        What was made after number `since` is known to one of the exits alone, and needs no other value for the rest.
        """
        if len(exits) == 1:
            only = exits[0]
            if only.mark != len(self.journal):
                self.undo(only.mark)
            self._apply(only)
            self.pc = only.cond
            return only.value
        mark = min(exit.mark for exit in exits)
        for exit in exits:
            self._rebase(exit, mark)
        self.undo(mark)
        places: dict[tuple[int, Any], tuple[dict[Any, Any], Any, Value]] = {}
        for exit in exits:
            for place, write in exit.delta.items():
                places.setdefault(place, write)
        for place, (cells, key, value) in places.items():
            if self.born.get(id(cells), 0) > since:
                self.set(cells, key, value)
                continue
            base = cells.get(key, MISSING)
            alts = [(e.cond, e.delta[place][2] if place in e.delta else base) for e in exits]
            if type(cells) is Kept and all(type(value) is Sym or value is MISSING for _, value in alts):
                alts = [alternative for alternative in alts if alternative[1] is not MISSING] or alts
            joined = self.join(alts)
            if joined is not base:
                self.set(cells, key, joined)
        pc: Cond = NEVER
        for exit in exits:
            pc = self.disjoin(pc, exit.cond)
        self.pc = pc
        return self.join([(e.cond, e.value) for e in exits])

    def on_leaving(self, start: int, falls: bool, action: Callable[[], bool]) -> bool:
        """Run `action` on every path that leaves a block: at its end, and at the exits pending since `start`.

        It says whether a path goes on; so does the result, of the paths that fall through.
        """
        if len(self.pending) == start:
            return falls and action()
        exits = self.pending[start:]
        del self.pending[start:]
        if falls:
            exits.append(self.here())
        mark, before = min(exit.mark for exit in exits), self.pc
        for exit in exits:
            self._rebase(exit, mark)
        self.undo(mark)
        left = [one for exit in exits if (one := self._left(exit, mark, action)) is not None]
        self.pending += [exit for exit in left if exit.kind != "next"]
        through = [exit for exit in left if exit.kind == "next"]
        self.pc = before
        if through:
            self.merge(through)
        return bool(through)

    def _left(self, exit: Exit, mark: int, action: Callable[[], bool]) -> Exit | None:
        """An exit after `action`; None where no path goes on."""
        self._apply(exit)
        self.pc = exit.cond
        try:
            goes_on = action()
        except Dead:
            goes_on = False
        after = Exit(exit.kind, exit.target, self.pc, mark, exit.value)
        after.delta = self._writes_since(mark)
        self.undo(mark)
        return after if goes_on else None

    def _apply(self, exit: Exit) -> None:
        for cells, key, value in exit.delta.values():
            self.set(cells, key, value)

    def fork(self, branches: Iterable[tuple[Cond, Callable[[], Value]]], whole: bool = False) -> Value:
        """Run each branch under its condition from the present state and join what they leave and return.

        With too many paths the first that goes on is followed alone, unless the `whole` is wanted: the operands of a
        test, of which one alone may lead to nothing but a `raise`. Raises Dead when no branch goes on.
        """
        if self.conds.crowded and not whole:
            return self._first(branches)
        mark, before, start = len(self.journal), self.pc, self.count
        exits = []
        for cond, branch in branches:
            self.pc = cond
            try:
                value = branch()
            except Dead:
                self.undo(mark)
                continue
            exit = Exit("next", None, self.pc, mark, value)
            exit.delta = self._writes_since(mark)
            exits.append(exit)
            self.undo(mark)
        if not exits:
            self.pc = before
            raise Dead
        return self.merge(exits, start)

    def narrow(self, cond: Cond) -> Cond:
        """One path of a condition, once there are too many: what it finds is still true of that path."""
        self.narrowed = True
        try:
            return self.conds.one_path(cond)
        except TooManyPaths:
            raise GiveUp("gave up: too many paths") from None

    def _first(self, branches: Iterable[tuple[Cond, Callable[[], Value]]]) -> Value:
        """The first branch that goes on, and no other."""
        mark, before = len(self.journal), self.pc
        for cond, branch in branches:
            self.pc = self.narrow(cond)
            try:
                return branch()
            except Dead:
                self.undo(mark)
        self.pc = before
        raise Dead

    def asks_choice(self, value: Choice) -> None:
        """Take notice that it matters which of several values one is."""
        symbol, literal = self.oldest
        newest = min(cond.var for cond, _ in value.alts)
        if newest < literal:
            self.oldest = symbol, newest

    # -- choices -------------------------------------------------------------------------------------------------

    def live(self, value: Value) -> Value:
        """The value with only those alternatives that the present path leaves, under the conditions that they had."""
        if type(value) is not Choice:
            return value
        self.asks_choice(value)
        if self.pc is ALWAYS:
            return value
        alts = [alternative for alternative in value.alts if self.conds.meet(self.pc, alternative[0])]
        if not alts:
            return self.unknown("a path that cannot happen")
        if len(alts) == 1:
            return alts[0][1]
        return value if len(alts) == len(value.alts) else Choice(tuple(alts))

    def join(self, alts: Sequence[tuple[Cond, Value]]) -> Value:
        """One value for several alternatives: the same one, an item-wise join, an unknown, or a Choice."""
        first = alts[0][1]
        for _, value in alts:
            if value is not first:
                break
        else:
            return first
        if type(first) is tuple and all(type(v) is tuple and len(v) == len(first) for _, v in alts):
            return tuple(self.join([(c, v[i]) for c, v in alts]) for i in range(len(first)))
        if type(first) is dict and all(type(v) is dict for _, v in alts):
            whole, differing = overlaid([v for _, v in alts])
            whole.update((key, self.join([(c, v.get(key, MISSING)) for c, v in alts])) for key in differing)
            return whole
        merged: dict[Any, tuple[Cond, Value]] = {}
        symbols: list[Sym] = []
        for cond, value in self._flat(alts):
            key: Any
            if type(value) is Sym:
                symbols.append(value)
                key = Sym
            elif is_const(value):
                key = (type(value), value)
            else:
                key = id(value)
            merged[key] = (self.disjoin(merged[key][0], cond), value) if key in merged else (cond, value)
        if Sym in merged:
            merged[Sym] = (merged[Sym][0], self._joined_symbol(symbols))
        if len(merged) == 1:
            return next(iter(merged.values()))[1]
        if len(merged) > ALTERNATIVES:
            return self.unknown("gave up: too many alternatives")
        return Choice(tuple(merged.values()))

    def _flat(self, alts: Sequence[tuple[Cond, Value]]) -> Iterable[tuple[Cond, Value]]:
        for cond, value in alts:
            if type(value) is Choice:
                for inner, v in value.alts:
                    both = self.conjoin(cond, inner)
                    if both:
                        yield both, v
            else:
                yield cond, value

    def _joined_symbol(self, symbols: list[Sym]) -> Sym:
        first = symbols[0]
        if all(s.id == first.id for s in symbols):
            return first
        taint, src = 0, first.src
        for symbol in symbols:
            taint |= symbol.taint
            src = src | symbol.src
        return Sym(self.fresh(), "join", (), taint, src, first.reason)

    def split(self, value: Value, then: Callable[[Value], Value]) -> Value:
        """`then` on each alternative, each under its condition, joined."""
        if type(value) is not Choice:
            return then(value)
        value = self.live(value)
        if type(value) is not Choice:
            return then(value)
        present = [(self.conjoin(self.pc, c), v) for c, v in value.alts if v is not MISSING]
        return self.fork([(c, partial(then, v)) for c, v in present if c])

    def lift(self, value: Value, then: Callable[[Value], Value]) -> Value:
        """`then`, which changes nothing, on each alternative."""
        if type(value) is not Choice:
            return then(value)
        value = self.live(value)
        if type(value) is not Choice:
            return then(value)
        return self.join([(c, then(v)) for c, v in value.alts if v is not MISSING] or [(ALWAYS, MISSING)])

    # -- unknown values ------------------------------------------------------------------------------------------

    def unknown(self, reason: str, taint: int = 0) -> Sym:
        """A value of which nothing is known, and why."""
        return Sym(self.fresh(), "unknown", (), taint, reason=reason)

    def data(self, taint: int = 0, src: frozenset[int] = frozenset()) -> Sym:
        """A tensor, or what else data computes to."""
        return Sym(self.fresh(), "data", (), taint, src)

    def symbol(self, op: str, *args: Any) -> Sym:
        """The unknown value of an expression: the same expression is the same value."""
        key = (op, *((Sym, a.id) if type(a) is Sym else (type(a), a) if is_const(a) else ("id", id(a)) for a in args))
        found = self.symbols.get(key)
        if found is None:
            taint, src = 0, frozenset[int]()
            for arg in args:
                if type(arg) is Sym:
                    taint |= arg.taint
                    src = src | arg.src
            found = self.symbols[key] = Sym(self.fresh(), op, args, taint, src)
        return found
