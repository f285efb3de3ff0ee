"""Path conditions: laws of the algebra, and the search for the heaviest path against brute force."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modlint.graph import ALWAYS, Use
from modlint.graph.paths import conflict, conjoin, disjoin, heaviest, simplified

VARIABLES = 4


def assignments() -> list[frozenset[int]]:
    return [
        frozenset(number if true else -number for number, true in enumerate(values, start=1))
        for values in product((True, False), repeat=VARIABLES)
    ]


def holds(condition: tuple[frozenset[int], ...], assignment: frozenset[int]) -> bool:
    return any(term <= assignment for term in condition)


literals = st.integers(1, VARIABLES).flatmap(lambda number: st.sampled_from((number, -number)))
terms = st.frozensets(literals, max_size=3).filter(lambda term: not any(-literal in term for literal in term))
conditions = st.lists(terms, max_size=3).map(tuple)


@given(conditions, conditions)
def test_conjunction_holds_where_both_hold(one, other):
    both = conjoin(one, other)
    assert all(holds(both, a) == (holds(one, a) and holds(other, a)) for a in assignments())


@given(conditions, conditions)
def test_disjunction_holds_where_either_holds(one, other):
    either = disjoin(one, other)
    assert all(holds(either, a) == (holds(one, a) or holds(other, a)) for a in assignments())


@given(conditions)
def test_simplified_means_the_same_in_no_more_terms(condition):
    short = simplified(condition)
    assert all(holds(short, a) == holds(condition, a) for a in assignments())
    assert len(short) <= len(condition)
    assert not any(one < other for one in short for other in short)


@pytest.mark.parametrize(
    ("given_terms", "expected"),
    [
        pytest.param([{1}, {1, 2}], [{1}], id="a term that implies another is absorbed"),
        pytest.param([{1, 2}, {1, -2}], [{1}], id="a literal and its opposite resolve"),
        pytest.param([{1}, {-1}], [set()], id="both branches together are always"),
        pytest.param([{1, 2}, {-1, -2}], [{-1, -2}, {1, 2}], id="different terms stay"),
        pytest.param([], [], id="never stays never"),
    ],
)
def test_simplified(given_terms, expected):
    assert list(simplified([frozenset(term) for term in given_terms])) == [frozenset(term) for term in expected]


def test_terms_conflict_only_on_an_opposite_literal():
    assert conflict(frozenset({1, 2}), frozenset({-2}))
    assert not conflict(frozenset({1, 2}), frozenset({2, 3}))
    assert not conflict(frozenset(), frozenset({1}))


def brute_force(uses: list[Use]) -> int:
    """The largest sum of times of uses that hold together under some assignment."""
    return max(sum(use.times for use in uses if holds(use.condition, a)) for a in assignments())


uses_on_paths = st.lists(st.tuples(conditions, st.integers(1, 3)), max_size=6).map(
    lambda drawn: [Use(i, "m", None, condition=condition, times=times) for i, (condition, times) in enumerate(drawn)]
)


@given(uses_on_paths)
def test_the_heaviest_path_is_the_heaviest_of_all(uses):
    chosen = heaviest(uses)
    assert sum(use.times for use in chosen) == brute_force(uses)
    assert any(all(holds(use.condition, a) for use in chosen) for a in assignments())
    assert chosen == sorted(chosen, key=lambda use: use.order)


def use(order: int, *condition: set[int], times: int = 1) -> Use:
    return Use(order, "m", None, condition=tuple(frozenset(term) for term in condition), times=times)


@pytest.mark.parametrize(
    ("uses", "expected"),
    [
        pytest.param([use(0, {1}), use(1, {-1})], 1, id="exclusive branches do not add up"),
        pytest.param([use(0, {1}), use(1, {-1}), use(2, set())], 2, id="a use after the branches adds to each of them"),
        pytest.param([use(0, {1}), use(1, {-1, 2}), use(2, {-1, -2})], 1, id="three ways of one chain are exclusive"),
        pytest.param([use(0, {1}), use(1, {2})], 2, id="two conditions that do not exclude each other add up"),
        pytest.param([use(0, {1}), use(1, {-1}), use(2, {-1})], 2, id="an early return leaves what comes after it"),
        pytest.param(
            [use(0, {1}, times=5), use(1, {-1}), use(2, {-1})], 5, id="a loop on one branch outweighs the other"
        ),
        pytest.param([use(0, {1, 2}, {-1}), use(1, {1, -2})], 1, id="alternatives of one use are tried one by one"),
        pytest.param([use(0)], 0, id="a use on no path never happens"),
        pytest.param([], 0, id="no use, no path"),
    ],
)
def test_heaviest(uses, expected):
    assert sum(u.times for u in heaviest(uses)) == expected


def test_a_search_that_is_cut_short_still_answers_a_possible_path():
    pairs = list(combinations(range(1, 41), 2))
    uses = [Use(i, "m", None, condition=(frozenset({-a, b}), frozenset({a, -b}))) for i, (a, b) in enumerate(pairs)]
    chosen = heaviest(uses)
    values: list[frozenset[int]] = [frozenset()]
    for chosen_use in chosen:
        values = [v | t for v in values for t in chosen_use.condition if not conflict(v, t)][:64]
    assert len(chosen) >= 39
    assert values


def test_uses_that_always_happen_are_all_on_the_path():
    uses = [Use(i, "m", None, condition=ALWAYS) for i in range(3)]
    assert heaviest(uses) == uses
