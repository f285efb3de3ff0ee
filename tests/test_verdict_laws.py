"""Laws that verdicts keep on any graph: state written twice is named somewhere, and nothing else is."""

from __future__ import annotations

from itertools import product

from handmade import LINEAR, NORM, RELU, Hand
from hypothesis import given, settings
from hypothesis import strategies as st

from modlint.graph import ALWAYS, Use, UseGraph
from modlint.graph.paths import conjoin
from modlint.verdicts import Verdict, judge, verdict_of

BOXES = ("a", "b", "c")  # a box runs only boxes after it, so no graph recurses
LEAVES = ("norm", "fc", "act")
CONDITIONS = [ALWAYS, ALWAYS, *((frozenset({literal}),) for literal in (1, -1, 2, -2))]
ASSIGNMENTS = [frozenset(signs) for signs in product((1, -1), (2, -2))]
_CONDITION, _TIMES = st.sampled_from(CONDITIONS), st.integers(1, 2)
leaf_calls = st.tuples(st.sampled_from(LEAVES), _CONDITION, _TIMES, st.just(()))
box_calls = st.tuples(st.sampled_from(BOXES), _CONDITION, _TIMES, st.deferred(lambda: calls))
calls = st.lists(leaf_calls | box_calls, max_size=4)


def built(program: list) -> UseGraph:
    hand = Hand()
    for box in BOXES:
        hand.box(box, NORM)
    for leaf, state in zip(LEAVES, (NORM, LINEAR, RELU), strict=True):
        hand.leaf(leaf, state)

    def run(body: list, parent: int, condition: tuple, times: int, allowed: tuple[str, ...]) -> None:
        for key, extra, repeat, inner in body:
            if key in BOXES and key not in allowed:
                continue
            here = conjoin(condition, extra)
            order = hand.run(key, parent, condition=here, times=times * repeat)
            run(list(inner), order, here, times * repeat, BOXES[BOXES.index(key) + 1 :] if key in BOXES else ())

    run(program, 0, ALWAYS, 1, BOXES)
    return hand.graph


def most_often(uses: tuple[Use, ...]) -> int:
    """Executions on the path that has most of them, by trying every assignment."""
    return max(
        sum(use.times for use in uses if any(term <= assignment for term in use.condition))
        for assignment in ASSIGNMENTS
    )


@settings(max_examples=300, deadline=None)
@given(calls)
def test_a_norm_that_runs_twice_is_named_and_one_that_does_not_is_not(program):
    graph = built(program)
    named = {
        key.key
        for judgement in judge(graph)
        if judgement.code in {"ML101", "ML102"}
        for key in ((judgement.instance,) if judgement.code == "ML101" else judgement.children)
    }
    assert named == ({"norm"} if most_often(graph.uses_of("norm")) > 1 else set())


@settings(max_examples=200, deadline=None)
@given(calls)
def test_only_what_may_run_twice_is_judged(program):
    graph = built(program)
    for judgement in judge(graph):
        assert most_often(graph.uses_of(judgement.instance.key)) > 1
        assert judgement.count == sum(use.times for use in judgement.uses)


@settings(max_examples=200, deadline=None)
@given(calls)
def test_every_instance_has_a_verdict_where_it_runs_twice_and_none_elsewhere(program):
    graph = built(program)
    expected = {"norm": Verdict.CHANGES_SEMANTICS, "fc": Verdict.DELIBERATE, "act": Verdict.SAFE}
    for key, verdict in expected.items():
        reused = most_often(graph.uses_of(key)) > 1
        assert verdict_of(graph, graph.instance(key)) == (verdict if reused else None)
