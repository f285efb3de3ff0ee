"""Which instances of two graphs of one model are the same."""

from __future__ import annotations

from modlint.graph import STATELESS, Instance, Slot, State, StateClass, UseGraph
from modlint.trace.matching import pairs_of
from modlint.trace.traced import TracedGraph


def graph_with(graph: UseGraph, *types: str) -> UseGraph:
    for number, name in enumerate(types):
        state = State(StateClass.STOCHASTIC) if "Dropout" in name else STATELESS
        graph.add_instance(Instance(f"drop-{number}", name, state, state, (Slot("drop"),)))
    return graph


def pair(traced: str, *static: str) -> str:
    theirs = graph_with(TracedGraph("Net"), traced)
    assert isinstance(theirs, TracedGraph)
    return next(p.static.type for p in pairs_of(graph_with(UseGraph("Net"), *static), theirs, lambda place: place))


def test_of_two_alternatives_at_one_path_the_traced_class_counts() -> None:
    alternatives = ("torch.nn.Dropout", "torch.nn.Identity")
    assert pair("torch.nn.Dropout", *alternatives) == "torch.nn.Dropout"
    assert pair("torch.nn.Identity", *alternatives) == "torch.nn.Identity"
    assert pair("torch.nn.Identity", *reversed(alternatives)) == "torch.nn.Identity"


def test_another_class_at_the_path_is_still_the_same_place() -> None:
    assert pair("torch.nn.PReLU", "torch.nn.Identity", "torch.nn.Dropout") == "torch.nn.Identity"
