"""The facade: counts, who runs inside whom, own slots, and the networkx view."""

from __future__ import annotations

import json

import pytest

from modlint.errors import LogicError
from modlint.graph import STATELESS, Instance, Slot, State, StateClass, Use, UseGraph, together


def module(key: str, *paths: str) -> Instance:
    return Instance(key, f"torch.nn.{key}", STATELESS, STATELESS, tuple(Slot(path) for path in paths))


@pytest.fixture
def graph() -> UseGraph:
    """net runs block twice, block runs act twice and, where condition 1 holds, norm."""
    graph = UseGraph("Net", [module("net"), module("block", "a", "b"), module("act", "a.act", "b.act")])
    graph.add_instance(module("norm", "a.norm", "b.norm"))
    graph.add_use(Use(0, "net", None))
    for start, condition in ((1, (frozenset({1}),)), (5, (frozenset({2}),))):
        graph.add_use(Use(start, "block", 0))
        graph.add_use(Use(start + 1, "act", start))
        graph.add_use(Use(start + 2, "norm", start, condition=condition))
        graph.add_use(Use(start + 3, "act", start, consumes=(start + 2,)))
    return graph


def test_executions_count_every_use_on_the_path(graph):
    assert graph.counts() == {"net": 1, "block": 2, "act": 4, "norm": 2}
    assert [instance.key for instance in graph.reused()] == ["block", "act", "norm"]
    assert [use.order for use in graph.executions("act").uses] == [2, 4, 6, 8]


def test_executions_of_exclusive_uses_are_the_larger_branch():
    graph = UseGraph("Net", [module("net"), module("act", "act")], [Use(0, "net", None)])
    graph.add_use(Use(1, "act", 0, condition=(frozenset({1}),)))
    graph.add_use(Use(2, "act", 0, condition=(frozenset({-1}),), times=3, at_least=True))
    executions = graph.executions("act")
    assert (executions.count, executions.at_least, [use.order for use in executions.uses]) == (3, True, [2])
    assert len(graph.uses_of("act")) == 2


def test_what_runs_inside_comes_in_the_order_of_execution(graph):
    assert [use.order for use in graph.uses_inside(graph.use(0))] == list(range(1, 9))
    assert [use.order for use in graph.uses_inside(graph.use(5))] == [6, 7, 8]
    assert [instance.key for instance in graph.run_inside("net")] == ["block", "act", "norm"]
    assert [instance.key for instance in graph.run_inside("block")] == ["act", "norm"]
    assert graph.run_inside("act") == ()


def test_callers_are_named_from_the_inside_out(graph):
    assert [use.order for use in graph.ancestors_of(graph.use(6))] == [5, 0]
    assert graph.caller_of(graph.use(0)) is None


def test_a_module_that_calls_itself_does_not_run_inside_itself():
    graph = UseGraph("Net", [module("net")], [Use(0, "net", None), Use(1, "net", 0)])
    assert graph.run_inside("net") == ()


def test_slots_of_an_instance_are_its_own_not_those_of_what_holds_it(graph):
    assert [slot.path for slot in graph.slots_of(graph.instance("act"))] == ["a.act"]
    assert [slot.path for slot in graph.slots_of(graph.instance("block"))] == ["a", "b"]


def test_a_path_through_what_is_no_module_hangs_at_the_nearest_holder(graph):
    assert graph.attachment("a.items.0") == ("block", "items.0")
    assert graph.attachment("b.items.0") == ("block", "items.0")
    assert graph.attachment("loose") == ("", "loose")


def test_slots_are_looked_up_again_after_an_instance_is_added(graph):
    assert graph.attachment("late.act") == ("", "late.act")
    graph.add_instance(module("late", "late"))
    assert graph.attachment("late.act") == ("late", "act")


def test_faults_of_the_front_end_are_refused(graph):
    with pytest.raises(LogicError, match="'act' is in the graph already"):
        graph.add_instance(module("act"))
    with pytest.raises(LogicError, match="use 20 of 'nobody'"):
        graph.add_use(Use(20, "nobody", 0))
    with pytest.raises(LogicError, match="use 20 of 'act'"):
        graph.add_use(Use(20, "act", 19))


def test_together_sums_times_and_keeps_that_it_is_a_lower_bound():
    executions = together([Use(0, "m", None, times=2, at_least=True), Use(1, "m", None)])
    assert (executions.count, executions.at_least) == (3, True)


def test_the_networkx_view_has_a_node_an_instance_and_an_edge_a_use(graph):
    view = graph.networkx()
    assert view.number_of_nodes() == 4
    assert view.number_of_edges() == 8
    assert view.nodes["block"] == {"type": "torch.nn.block", "state": "stateless", "paths": ["a", "b"]}
    assert view.edges["block", "act", 4]["consumes"] == [3]


def test_node_link_data_is_json(graph):
    data = json.loads(json.dumps(graph.node_link()))
    assert {node["id"] for node in data["nodes"]} == {"net", "block", "act", "norm"}
    assert len(data["edges"]) == 8


def test_the_path_of_an_instance_is_its_first_slot_or_its_name():
    assert module("m", "a.b", "c").path == "a.b"
    assert Instance("m", "M", STATELESS, STATELESS, name="NORM").path == "NORM"


def test_unknown_is_between_parametric_and_stateful_when_states_are_joined():
    ranked = sorted(StateClass, key=lambda kind: kind.rank)
    assert [kind.value for kind in ranked] == ["stateless", "stochastic", "parametric", "unknown", "stateful"]
    assert State.unknown("why").certain is False
