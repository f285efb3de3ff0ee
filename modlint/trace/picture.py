"""What a drawing of the use graph shows: instances as nodes, the uses that one makes of another as a numbered edge.

A large model is collapsed by module path: what lies deeper is counted on the module that holds it. Reused instances
stay as long as there is room, those that change what is computed always.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from modlint.graph import StateClass
from modlint.trace.report import rows_of
from modlint.verdicts import Verdict

if TYPE_CHECKING:
    from modlint.graph import Use
    from modlint.trace.report import Row
    from modlint.trace.traced import TracedGraph

ROOM = 64  # nodes of one drawing
_CROWD = 2 * ROOM  # where more than that change what is computed
_NUMBERS = 6  # on one edge

COLOURS = {
    StateClass.STATELESS: "#e8f1e4",
    StateClass.STOCHASTIC: "#e3ecf7",
    StateClass.PARAMETRIC: "#f6f0d8",
    StateClass.STATEFUL: "#f7dcd2",
    StateClass.UNKNOWN: "#e6e6e6",
}
OUTLINES = {
    Verdict.CHANGES_SEMANTICS: "#c0392b",
    Verdict.UNKNOWN: "#7f8c8d",
    Verdict.DELIBERATE: "#8e6d13",
    Verdict.SAFE: "#2e6da4",
}
PLAIN = "#9aa0a6"


class Standing(Enum):
    """Why a node is drawn as it is: reused itself, run again because the module around it is, or neither."""

    PLAIN = "plain"
    INSIDE = "inside"
    REUSED = "reused"


@dataclass(frozen=True, slots=True)
class Node:
    """One instance: two lines of text, fill and outline; reused ones stand out. `depth` is that of its first call."""

    key: str
    title: str
    subtitle: str
    fill: str
    outline: str
    standing: Standing
    depth: int


@dataclass(frozen=True, slots=True)
class Edge:
    """All uses that `caller` makes of `callee`, by their numbers in the order of execution."""

    caller: str
    callee: str
    label: str
    outline: str
    reused: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Nodes in the order of their first use, and edges. `summary` is one line about the whole graph."""

    title: str
    summary: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def picture_of(graph: TracedGraph) -> Picture:
    """The drawing of a graph, collapsed to `ROOM` nodes where that is possible."""
    rows = {row.instance.key: row for row in rows_of(graph) if row.uses}
    visible = _visible(rows)
    shown = [use for use in graph.uses() if use.instance in visible]
    callers = {use.order: _caller(graph, use, visible) for use in shown}
    depth: dict[str, int] = {}
    pairs: dict[tuple[str, str], list[int]] = {}
    for number, use in enumerate(shown):
        caller = callers[use.order]
        depth.setdefault(use.instance, 0 if caller is None else depth[caller] + 1)
        if caller is not None:
            pairs.setdefault((caller, use.instance), []).append(number)
    hidden = _hidden(rows, visible)
    nodes = tuple(_node(rows[key], depth[key], hidden.get(key, 0)) for key in depth)
    looks = {node.key: node for node in nodes}
    edges = tuple(
        Edge(caller, callee, _numbers(numbers), looks[callee].outline, looks[callee].standing is Standing.REUSED)
        for (caller, callee), numbers in pairs.items()
    )
    return Picture(graph.model, _summary(graph, rows, visible), nodes, edges)


def _summary(graph: TracedGraph, rows: dict[str, Row], visible: set[str]) -> str:
    reused = [row for row in rows.values() if row.judgement is not None and row.instance.key != "."]
    loud = [row for row in reused if row.verdict is Verdict.CHANGES_SEMANTICS]
    lost = sum(row.instance.key not in visible for row in loud)
    way = "traced with torch.fx" if graph.tracer == "fx" else "recorded from one forward pass"
    inputs = f" on {', '.join(graph.inputs.described)}" if graph.inputs is not None and graph.inputs.described else ""
    many = "1 is reused" if len(reused) == 1 else f"{len(reused)} are reused"
    change = f", {len(loud)} of them with an effect on what is computed" if loud else ""
    missing = f" ({lost} of these not drawn)" if lost else ""
    return f"{len(rows)} instances run, {many}{change}{missing}; {way}{inputs}"


def _visible(rows: dict[str, Row]) -> set[str]:
    """The instances to draw: the least loss of depth that fits."""
    depths = {key: 0 if key == "." else key.count(".") + 1 for key in rows}
    owned = {key for key, row in rows.items() if row.judgement is not None}
    loud = {key for key in owned if rows[key].verdict is Verdict.CHANGES_SEMANTICS}
    found = {"."} | loud
    for kept in (owned, loud):
        for limit in range(max(depths.values(), default=0), -1, -1):
            found = {key for key, depth in depths.items() if depth <= limit} | kept
            if len(found) <= ROOM:
                return found
    return {".", *sorted(loud, key=lambda key: depths[key])[:_CROWD]} if len(found) > _CROWD else found


def _caller(graph: TracedGraph, use: Use, visible: set[str]) -> str | None:
    return next((outer.instance for outer in graph.ancestors_of(use) if outer.instance in visible), None)


def _hidden(rows: dict[str, Row], visible: set[str]) -> dict[str, int]:
    """How many instances each visible one stands for besides itself, by path."""
    counts: dict[str, int] = {}
    for key in rows:
        if key not in visible:
            prefix = key
            while prefix and prefix not in visible:
                prefix = prefix.rpartition(".")[0]
            counts[prefix or "."] = counts.get(prefix or ".", 0) + 1
    return counts


def _node(row: Row, depth: int, hidden: int) -> Node:
    instance = row.instance
    name = instance.type.rpartition(".")[2]
    times = f" ×{row.executions}" if row.executions > 1 else ""
    more = f"+{hidden}" if hidden else ""
    subtitle = " ".join(part for part in (name if instance.path else "", more) if part)
    standing = _standing(row)
    outline = PLAIN if standing is Standing.PLAIN or row.verdict is None else OUTLINES[row.verdict]
    fill = COLOURS[instance.state.kind]
    return Node(instance.key, (instance.path or name) + times, subtitle, fill, outline, standing, depth)


def _standing(row: Row) -> Standing:
    if row.instance.key == "." or row.verdict is None:
        return Standing.PLAIN
    return Standing.INSIDE if row.judgement is None else Standing.REUSED


def _numbers(numbers: list[int]) -> str:
    if len(numbers) <= _NUMBERS:
        return ", ".join(map(str, numbers))
    return f"{', '.join(map(str, numbers[: _NUMBERS - 1]))}, … {numbers[-1]}"
