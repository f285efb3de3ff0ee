"""Path conditions against truth tables: every operation means what it says, and equal conditions are one object."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from modlint.interpreter.conditions import ALWAYS, NEVER, Cond, Conditions

if TYPE_CHECKING:
    from collections.abc import Callable

LITERALS = 7
WORLDS = [[bool(number >> bit & 1) for bit in range(LITERALS)] for number in range(1 << LITERALS)]


def _holds(cond: Cond, world: list[bool]) -> bool:
    while cond.var:
        branch = cond.high if world[cond.var - 1] else cond.low
        assert branch is not None
        cond = branch
    return cond is ALWAYS


def _table(cond: Cond) -> tuple[bool, ...]:
    return tuple(_holds(cond, world) for world in WORLDS)


@pytest.mark.parametrize("seed", range(300))
def test_operations_on_conditions_mean_what_they_say(seed: int) -> None:
    random, conds = Random(seed), Conditions()
    made = [ALWAYS, NEVER]
    by_table: dict[tuple[bool, ...], Cond] = {}

    def any_made() -> tuple[Cond, tuple[bool, ...]]:
        cond = random.choice(made)
        return cond, _table(cond)

    def literal() -> Cond:
        number = random.choice([1, -1]) * random.randint(1, LITERALS)
        cond = conds.literal(number)
        assert _table(cond) == tuple(world[abs(number) - 1] is (number > 0) for world in WORLDS)
        return cond

    def both() -> Cond:
        (one, first), (other, second) = any_made(), any_made()
        cond = conds.conjoin(one, other)
        assert _table(cond) == tuple(a and b for a, b in zip(first, second, strict=True))
        return cond

    def either() -> Cond:
        (one, first), (other, second) = any_made(), any_made()
        cond = conds.disjoin(one, other)
        assert _table(cond) == tuple(a or b for a, b in zip(first, second, strict=True))
        return cond

    def opposite() -> Cond:
        one, table = any_made()
        cond = conds.negate(one)
        assert _table(cond) == tuple(not a for a in table)
        return cond

    def path() -> Cond:
        one, table = any_made()
        cond = conds.one_path(one)
        assert all(a for a, b in zip(table, _table(cond), strict=True) if b)
        assert any(_table(cond)) == any(table)
        return cond

    makers: list[Callable[[], Cond]] = [literal, both, either, opposite, path]
    for _ in range(40):
        cond = random.choice(makers)()
        assert by_table.setdefault(_table(cond), cond) is cond
        made.append(cond)


def test_a_path_and_a_condition_with_many_paths_take_steps_by_the_node() -> None:
    conds = Conditions()
    path = conds.one_path(conds.conjoin(conds.literal(1), conds.literal(2)))
    parity = conds.literal(3)
    for number in range(4, 200):  # 2^196 paths on 400 nodes
        one = conds.literal(number)
        parity = conds.disjoin(conds.conjoin(one, conds.negate(parity)), conds.conjoin(conds.negate(one), parity))
    both = conds.conjoin(path, parity)
    assert conds.conjoin(both, conds.negate(parity)) is NEVER
    assert conds.conjoin(both, path) is both
