"""When a value is true, and which constant it is under assumed trip counts: what branches and loops ask."""

from __future__ import annotations

from typing import Any

from modlint.interpreter.conditions import ALWAYS, NEVER, Cond
from modlint.interpreter.constants import ARITHMETIC, arithmetic
from modlint.interpreter.machine import State
from modlint.interpreter.values import (
    MISSING,
    PLAIN,
    Choice,
    DictObj,
    ListObj,
    ModuleObj,
    Obj,
    Sym,
    Tensor,
    Value,
    is_const,
)

TRIPS = 3  # iterations of a loop whose count is not known: two are claimed, one more shows what a third would do


class Truths(State):
    """Unknown values as conditions: each is a literal, so that a test of the same value is the same condition."""

    def __init__(self) -> None:
        super().__init__()
        self.literals: dict[tuple[Any, ...], int] = {}
        self._equalities: dict[int, list[tuple[Any, Cond]]] = {}
        self._lasting: dict[tuple[Any, ...], int] = {}  # literals that values at the top level of files depend on
        self.numbered = 0  # literals that were ever made: none gets the number of another
        self._drawn: dict[tuple[Any, ...], list[tuple[int, Cond]]] = {}  # by iterable and key: which item was that key
        self._assumed: dict[int, int] = {}
        self._configured: dict[int, bool] = {}  # literals: whether a constructor argument of the model decides them

    def forget_truths(self) -> None:
        """Make ready for another model."""
        self.literals.clear()
        self._equalities.clear()
        self._drawn.clear()
        self._assumed.clear()
        self._configured.clear()

    def made_so_far(self) -> tuple[int, int, int, int]:
        """How many unknown values, conditions, keys and trip counts this model has so far: they only get more."""
        drawn = sum(map(len, self._drawn.values()))
        return len(self.symbols), len(self.literals), drawn, len(self._assumed)

    def _asks(self, value: Sym) -> None:
        if value.id < self.oldest[0]:
            self.oldest = value.id, self.oldest[1]

    def concrete(self, value: Value) -> Value:
        """The constant that the value is under the trip counts assumed so far, or MISSING."""
        if is_const(value):
            return value
        if type(value) is Obj:
            return value.cells.get(PLAIN, MISSING)
        if type(value) is not Sym:
            return MISSING
        if value.id in self._assumed:
            self._asks(value)
            return self._assumed[value.id]
        if not self._assumed or value.op not in ARITHMETIC:
            return MISSING
        parts = [self.concrete(arg) for arg in value.args]
        if any(part is MISSING for part in parts):
            return MISSING
        return arithmetic(value.op, parts[0], parts[1])

    def trips(self, value: Value) -> tuple[int, bool]:
        """An iteration count for `value`, and whether it is known; unknown leaves are TRIPS from then on."""
        if isinstance(value, int):
            return max(int(value), 0), True
        if type(value) is not Sym:
            return TRIPS, False
        for leaf in _leaves(value):
            self._assumed.setdefault(leaf.id, TRIPS)
        count = self.concrete(value)
        if not isinstance(count, int) or not 0 <= count <= 4 * TRIPS:
            self._assumed[value.id] = count = TRIPS
        return int(count), False

    def literal(self, *key: Any) -> int:
        """The number of a condition."""
        found = self.literals.get(key) or self._lasting.get(key)
        if found is None:
            self.numbered += 1
            found = self.literals[key] = self.numbered
        return found

    def keep_literals(self, after: int) -> None:
        """Let the literals numbered above `after` outlive this model: a file's top level made them."""
        for key, number in reversed(self.literals.items()):
            if number <= after:
                break
            self._lasting[key] = number

    def _of_symbol(self, symbol: Sym, *key: Any) -> int:
        literal = self.literal(*key)
        if literal not in self._configured:
            self._configured[literal] = symbol.configured
        return literal

    def unconfigured(self, cond: Cond) -> Cond:
        """The part of a condition that holds whatever the model's constructor was given, of what it takes."""
        return self.conds.whatever(cond, frozenset(n for n, depends in self._configured.items() if depends))

    def truth(self, value: Value) -> tuple[Cond, Cond]:
        """When the value is true, and when it is false."""
        if is_const(value):
            return (ALWAYS, NEVER) if value else (NEVER, ALWAYS)
        if type(value) is Sym:
            return self._truth_of_symbol(value)
        if type(value) is Choice:
            return self._truth_of_choice(value)
        if type(value) is Tensor:
            return self._truth_of_symbol(self.content(value))
        size = self.told_truth(value)
        if size is MISSING:
            size = self.size(value)
        if size is None:
            return ALWAYS, NEVER
        return self.truth(size)

    def told_truth(self, value: Value) -> Value:
        """What the class of an object says of its truth: nothing, as far as is known here."""
        return MISSING

    def content(self, tensor: Tensor) -> Sym:
        """What a registered tensor holds now: another value after every write in forward."""
        owner = tensor.owner
        version = 0 if owner is None else self.live(owner.facts.get(f"version of {tensor.name}", 0))
        return self.symbol("content", tensor, version if is_const(version) else self.fresh())

    def size(self, value: Value) -> Value:
        """The length of a container as a constant or unknown value, or None for what has none."""
        if type(value) in (tuple, frozenset):
            return len(value)
        if isinstance(value, ListObj) and value.length is not None:
            return value.length
        if isinstance(value, ListObj | DictObj):
            items = self.live(value.cells["items"])
            if type(items) is Sym:
                return self.symbol("len", items)
            if isinstance(value, DictObj) and value.open and not items:
                return self.symbol("len", self.unknown("an open dict"))
            return self.lift(items, lambda v: len(v) if type(v) in (tuple, dict) else self.symbol("len", v))
        if isinstance(value, ModuleObj) and value.entry is not None and value.entry.container:
            unknown = not value.mods and self.live(value.facts.get("unknown-children", False))
            return self.symbol("len", value) if unknown else len(value.mods)
        return None

    def _truth_of_choice(self, value: Choice) -> tuple[Cond, Cond]:
        self.asks_choice(value)
        true: Cond = NEVER
        false: Cond = NEVER
        for cond, alternative in value.alts:
            if alternative is MISSING:
                continue
            yes, no = self.truth(alternative)
            true = self.disjoin(true, self.conjoin(cond, yes))
            false = self.disjoin(false, self.conjoin(cond, no))
        return true, false

    def _truth_of_symbol(self, value: Sym) -> tuple[Cond, Cond]:
        self._asks(value)
        known = self.concrete(value)
        if known is not MISSING:
            return self.truth(known)
        if value.op == "not":
            true, false = self.truth(value.args[0])
            return false, true
        if value.op == "eq" and type(value.args[0]) is Sym:
            return self._truth_of_equality(value.args[0], value.args[1])
        literal = self._of_symbol(value, "true", value.id)
        return self.makes(literal), self.makes(-literal)

    def _truth_of_equality(self, symbol: Sym, constant: Value) -> tuple[Cond, Cond]:
        """A value equals one constant at most, and is as true as the constant is.

        The two answers are complements, so that the branches of a test join to what was before it.
        """
        known = self._equalities.setdefault(symbol.id, [])
        for other, yes in known:
            if other == constant and type(other) is type(constant):
                return yes, self.negated(yes)
        literal = self._of_symbol(symbol, "eq", symbol.id, constant, type(constant))
        as_truth = self._of_symbol(symbol, "true", symbol.id)
        yes = self.conjoin(self.makes(literal), self.makes(as_truth if constant else -as_truth))
        for other, before in known:
            if other != constant:
                yes = self.conjoin(yes, self.negated(before))
        known.append((constant, yes))
        return yes, self.negated(yes)

    def drawn_once(self, index: Sym, key: Value, when: Cond) -> Cond:
        """`when`, less the paths on which an earlier item of the same unknown iterable is that key already.

        Names that come from a dict or a list of names are different ones; that they are not is nothing to assume.
        """
        root, path = index, list[Any]()
        while root.op == "item" and type(root.args[0]) is Sym:
            path.insert(0, root.args[1])
            root = root.args[0]
        return self._once(index, (root.id, *path[1:], key), when) if path else when

    def other_key(self, table: Value, index: Sym, key: Value, when: Cond) -> Cond:
        """`when`, less the paths on which another unknown value was that key of the same table of modules already.

        Two values of which nothing is known may be the same and may be not: that they are is nothing to claim.
        """
        return self._once(index, ("table", table.id, key), when)

    def _once(self, index: Sym, place: tuple[Any, ...], when: Cond) -> Cond:
        before = self._drawn.setdefault(place, [])
        for item, taken in before:
            if item != index.id:
                when = self.conjoin(when, self.negated(taken))
        if all(item != index.id for item, _ in before):
            before.append((index.id, when))
        return when


def _leaves(symbol: Sym) -> list[Sym]:
    """The unknown values that an expression is computed from."""
    if symbol.op in ARITHMETIC:
        return [leaf for arg in symbol.args if type(arg) is Sym for leaf in _leaves(arg)]
    return [symbol]
