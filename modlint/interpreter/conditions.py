"""Path conditions of the interpreter: reduced ordered binary decision diagrams over numbered literals.

Decision: conditions in disjunctive form grow exponentially under early returns and loops with breaks; decision diagrams
stay linear there, are equal when they mean the same, and are empty exactly when no path is left. The newest literal is
at the top, so that entering and joining a branch is one node, whatever the path to it was.
The graph gets them as disjunctions (`terms`), because that is what a reader and a test can write down.
Source of the algorithms: R. E. Bryant, Graph-Based Algorithms for Boolean Function Manipulation, 1986.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MANY_NODES = 4_000  # from here on one path is followed instead of all
MOST_NODES = 60_000
MOST_TERMS = 12


class TooManyPaths(Exception):
    """The conditions of this model have outgrown their bound."""


class Cond:
    """A node: if literal `var` holds then `high` else `low`. False in a boolean context when it is `NEVER`."""

    __slots__ = ("high", "low", "var")

    def __init__(self, var: int, high: Cond | None, low: Cond | None) -> None:
        self.var = var
        self.high = high
        self.low = low

    def __bool__(self) -> bool:
        return self is not NEVER

    def __repr__(self) -> str:
        return "ALWAYS" if self is ALWAYS else "NEVER" if self is NEVER else f"Cond({self.var})"


ALWAYS = Cond(0, None, None)
NEVER = Cond(0, None, None)


class Conditions:
    """Makes conditions; equal ones are the same object. `clear` before each model."""

    def __init__(self) -> None:
        self.against = False  # whether a single path is one on which the newest literals do not hold
        self.most = MOST_NODES  # nodes that may be made, lower while something runs that is not worth as many
        self.spared = 0  # nodes that were made for what was then left undone
        self._nodes: dict[tuple[int, Cond, Cond], Cond] = {}
        self._and: dict[tuple[Cond, Cond], Cond] = {}
        self._or: dict[tuple[Cond, Cond], Cond] = {}
        self._not: dict[Cond, Cond] = {}
        self._apart: set[tuple[Cond, Cond]] = set()  # those that never hold both
        self._paths: set[Cond] = set()  # nodes that are single paths
        self._terms: dict[Cond, tuple[frozenset[int], ...]] = {}

    def clear(self) -> None:
        """Forget everything made so far."""
        self.most, self.spared = MOST_NODES, 0
        self._nodes.clear()
        self._and.clear()
        self._or.clear()
        self._not.clear()
        self._apart.clear()
        self._paths.clear()
        self._terms.clear()

    def _node(self, var: int, high: Cond, low: Cond) -> Cond:
        if high is low:
            return high
        key = (var, high, low)
        found = self._nodes.get(key)
        if found is None:
            if len(self._nodes) > self.most:
                raise TooManyPaths
            found = self._nodes[key] = Cond(var, high, low)
        return found

    @property
    def made(self) -> int:
        """How many nodes were made."""
        return len(self._nodes)

    @property
    def crowded(self) -> bool:
        """Whether there are so many conditions that following every path costs too much."""
        return len(self._nodes) - self.spared > MANY_NODES

    def one_path(self, one: Cond) -> Cond:
        """A single path of a condition, one on which the newest literals hold (or, `against` that, do not)."""
        chosen: list[int] = []
        node = one
        while node.var and node not in self._paths:
            assert node.high is not None and node.low is not None
            take_high = node.low is NEVER if self.against else node.high is not NEVER
            chosen.append(node.var if take_high else -node.var)
            node = node.high if take_high else node.low
        result = node
        for literal in reversed(chosen):
            result = self._node(abs(literal), *((result, NEVER) if literal > 0 else (NEVER, result)))
            self._paths.add(result)
        return result

    def literal(self, number: int) -> Cond:
        """The condition that literal `number` holds, or, for a negative number, that it does not."""
        return self._node(number, ALWAYS, NEVER) if number > 0 else self._node(-number, NEVER, ALWAYS)

    def conjoin(self, one: Cond, other: Cond) -> Cond:
        """Both hold."""
        if one is other or other is ALWAYS:
            return one
        if one is ALWAYS:
            return other
        if one is NEVER or other is NEVER:
            return NEVER
        if one in self._paths:
            return self._along(one, other)
        if other in self._paths:
            return self._along(other, one)
        return self._apply(self._and, NEVER, ALWAYS, one, other)

    def meet(self, one: Cond, other: Cond) -> bool:
        """Whether both can hold. Nothing is made for it, and a path on which they do is mostly soon found."""
        if one is NEVER or other is NEVER:
            return False
        if one is ALWAYS or other is ALWAYS or one is other:
            return True
        if one.var < other.var or (one.var == other.var and id(one) > id(other)):
            one, other = other, one
        if (one, other) in self._apart:
            return False
        assert one.high is not None and one.low is not None and other.high is not None and other.low is not None
        same = one.var == other.var
        if self.meet(one.high, other.high if same else other) or self.meet(one.low, other.low if same else other):
            return True
        self._apart.add((one, other))
        return False

    def _along(self, path: Cond, other: Cond) -> Cond:
        """A single path and another condition, which mostly is decided on it: then no node is made."""
        if other.var > path.var:
            found = self._and.get((other, path))
            if found is None:
                assert other.high is not None and other.low is not None
                found = self._node(other.var, self.conjoin(path, other.high), self.conjoin(path, other.low))
                self._and[other, path] = found
            return found
        way: Cond | None = path
        rest: Cond | None = other
        while rest is not None and rest.var:
            while way is not None and way.var > rest.var:
                way = way.low if way.high is NEVER else way.high
            if way is None or way.var != rest.var:
                return self._apply(self._and, NEVER, ALWAYS, path, other)
            rest = rest.low if way.high is NEVER else rest.high
        return path if rest is ALWAYS else NEVER

    def disjoin(self, one: Cond, other: Cond) -> Cond:
        """Either holds."""
        if one is other or other is NEVER:
            return one
        if one is NEVER:
            return other
        if one is ALWAYS or other is ALWAYS:
            return ALWAYS
        return self._apply(self._or, ALWAYS, NEVER, one, other)

    def _apply(self, memo: dict[tuple[Cond, Cond], Cond], strong: Cond, weak: Cond, one: Cond, other: Cond) -> Cond:
        """The operation of `memo`, in which `strong` with anything is itself and `weak` with anything is that.

        This is where a run with many paths spends its time: the ends of the recursion are tested before the calls.
        """
        var = one.var
        if var < other.var or (var == other.var and id(one) > id(other)):
            one, other = other, one
            var = one.var
        found = memo.get((one, other))
        if found is not None:
            return found
        if other.var == var:
            with_high, with_low = other.high, other.low
        else:
            with_high = with_low = other
        high, low = one.high, one.low
        assert high is not None and low is not None and with_high is not None and with_low is not None
        if high is strong or with_high is strong:
            high = strong
        elif high is weak:
            high = with_high
        elif with_high is not weak and with_high is not high:
            high = self._apply(memo, strong, weak, high, with_high)
        if low is strong or with_low is strong:
            low = strong
        elif low is weak:
            low = with_low
        elif with_low is not weak and with_low is not low:
            low = self._apply(memo, strong, weak, low, with_low)
        made = memo[one, other] = self._node(var, high, low)
        return made

    def negate(self, one: Cond) -> Cond:
        """It does not hold."""
        if one is ALWAYS:
            return NEVER
        if one is NEVER:
            return ALWAYS
        found = self._not.get(one)
        if found is not None:
            return found
        assert one.high is not None and one.low is not None
        made = self._node(one.var, self.negate(one.high), self.negate(one.low))
        self._not[one] = made
        self._not[made] = one
        return made

    def whatever(self, one: Cond, variables: frozenset[int]) -> Cond:
        """The part of a condition that holds whatever the given literals are."""
        memo: dict[Cond, Cond] = {}

        def walk(node: Cond) -> Cond:
            if node is ALWAYS or node is NEVER:
                return node
            if node not in memo:
                assert node.high is not None and node.low is not None
                high, low = walk(node.high), walk(node.low)
                both = node.var in variables
                memo[node] = self.conjoin(high, low) if both else self._node(node.var, high, low)
            return memo[node]

        return walk(one)

    def terms(self, one: Cond) -> tuple[frozenset[int], ...]:
        """The condition as a disjunction of sets of literals, cut to MOST_TERMS: a path less is no false alarm."""
        known = self._terms.get(one)
        if known is None:
            known = self._terms[one] = tuple(islice(_paths(one), MOST_TERMS))
        return known


def mentions(one: Cond, literals: Collection[int]) -> bool:
    """Whether a condition depends on one of the literals."""
    todo, seen = [one], set[int]()
    while todo:
        node = todo.pop()
        if node.high is None or node.low is None or id(node) in seen:
            continue
        if node.var in literals:
            return True
        seen.add(id(node))
        todo += (node.high, node.low)
    return False


def _paths(one: Cond) -> Iterator[frozenset[int]]:
    """The sets of literals on which the condition holds. The way to a node is a linked list: copies are costly."""
    stack: list[tuple[Cond, Any]] = [(one, None)]
    while stack:
        node, way = stack.pop()
        if node is ALWAYS:
            yield frozenset(_literals(way))
        elif node is not NEVER:
            assert node.high is not None and node.low is not None
            stack.append((node.low, (-node.var, way)))
            stack.append((node.high, (node.var, way)))


def _literals(way: Any) -> Iterator[int]:
    while way is not None:
        literal, way = way
        yield literal
