"""TracedGraph -> what is printed: the contract's JSON, and a table for people."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modlint.graph import Location
from modlint.verdicts import Verdict, judge, verdict_of

if TYPE_CHECKING:
    from modlint.graph import Instance, Use
    from modlint.trace.traced import TracedGraph
    from modlint.verdicts import Judgement

_USES = 12  # of one instance that the table prints
_NAMES = 8  # of instances on one line


@dataclass(frozen=True, slots=True)
class Row:
    """One instance of the graph with its uses and its verdict; None where it is not reused."""

    instance: Instance
    uses: tuple[Use, ...]
    executions: int
    verdict: Verdict | None
    judgement: Judgement | None  # None where the module around it is what is reused


def rows_of(graph: TracedGraph) -> list[Row]:
    """Every instance in the order of the model."""
    judged = {judgement.instance.key: judgement for judgement in judge(graph)}
    rows = []
    for instance in graph.instances():
        judgement = judged.get(instance.key)
        verdict = verdict_of(graph, instance) if judgement is None else judgement.verdict
        count = graph.executions(instance.key).count
        rows.append(Row(instance, graph.uses_of(instance.key), count, verdict, judgement))
    return rows


def report_json(graph: TracedGraph) -> str:
    """The report of `trace --output-format json`."""
    return json.dumps(report_of(graph), indent=2, allow_nan=False)


def report_of(graph: TracedGraph) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "coverage": graph.coverage,
        "model": graph.model,
        "target": graph.target,
        "tracer": graph.tracer,
        "why_not_fx": graph.why_not_fx or None,
        "inputs": list(graph.inputs.described) if graph.inputs is not None else [],
        "instances": [_instance(row) for row in rows_of(graph)],
        "graph": graph.node_link(),
    }


def _instance(row: Row) -> dict[str, Any]:
    instance = row.instance
    return {
        "paths": [slot.path for slot in instance.slots],
        "type": instance.type,
        "state": instance.state.kind.value,
        "writes": list(instance.own.writes or instance.state.writes),
        "uses": [use_json(use) for use in row.uses],
        "executions": row.executions,
        "verdict": None if row.verdict is None else row.verdict.value,
    }


def use_json(use: Use) -> dict[str, Any]:
    """One use; file, row and column are null where no user code calls (the root)."""
    place = use.place if isinstance(use.place, Location) else None
    return {
        "filename": None if place is None else shown(place.filename),
        "row": None if place is None else place.row,
        "column": None if place is None else place.column,
        "in": use.within,
    }


def shown(filename: str) -> str:
    """A file's name relative to where the command runs, if it lies there."""
    here = os.getcwd().rstrip(os.sep) + os.sep
    return filename[len(here) :] if filename.startswith(here) else filename


def table(graph: TracedGraph) -> str:
    """The reused instances with their slots and uses, for a person."""
    rows = rows_of(graph)
    reused = [row for row in rows if row.judgement is not None and row.instance.key != "."]
    inside = [row for row in rows if row.judgement is None and row.verdict is not None]
    lines = [_headline(graph, len(rows), len(reused)), *_how(graph)]
    for row in sorted(reused, key=lambda row: _ORDER[row.judgement.verdict if row.judgement else Verdict.SAFE]):
        lines += ["", *_block(row)]
    if inside:
        names = [row.instance.path or row.instance.type for row in inside]
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        lines += ["", f"Run again only because the module around them does: {', '.join(names[:_NAMES])}{more}."]
    return "\n".join(lines) + "\n"


_ORDER = {Verdict.CHANGES_SEMANTICS: 0, Verdict.UNKNOWN: 1, Verdict.DELIBERATE: 2, Verdict.SAFE: 3}


def _headline(graph: TracedGraph, instances: int, reused: int) -> str:
    many = "no instance is" if not reused else "1 instance is" if reused == 1 else f"{reused} instances are"
    return f"{graph.model}: {many} reused, of {instances}"


def _how(graph: TracedGraph) -> list[str]:
    inputs = ", ".join(graph.inputs.described) if graph.inputs is not None else ""
    origin = graph.inputs.origin if graph.inputs is not None else "given"
    on = f" on {inputs or 'no arguments'} ({origin})" if graph.inputs is not None else ""
    if graph.tracer == "fx":
        lines = [f"Traced with torch.fx{on or '; no inputs were found on which the forward runs'}."]
    else:
        lines = [f"Recorded from one forward pass{on}, for torch.fx cannot follow it: {graph.why_not_fx}."]
    if graph.coverage < 1:
        lines.append(f"Only {graph.coverage:.0%} of the leaf calls were seen; what runs unseen is not judged.")
    return lines


def _block(row: Row) -> list[str]:
    instance = row.instance
    writes = f" (writes {', '.join(instance.own.writes)})" if instance.own.writes else ""
    code = f" {row.judgement.code}" if row.judgement is not None and row.judgement.code else ""
    verdict = "" if row.verdict is None else row.verdict.value
    name = instance.path or instance.type
    lines = [
        f"{name}  {instance.type}  {instance.state.kind.value}{writes}  runs {row.executions} times  {verdict}{code}"
    ]
    if len(instance.slots) > 1:
        lines.append(f"    slots    {', '.join(slot.path for slot in instance.slots)}")
    if isinstance(instance.created, Location):
        lines.append(f"    created  {_where(instance.created)}")
    if instance.state.reason:
        lines.append(f"    open     {instance.state.reason}")
    if row.judgement is not None and row.judgement.children:
        lines.append(f"    inside   {', '.join(child.path for child in row.judgement.children)}")
    for number, use in enumerate(row.uses[:_USES], 1):
        where = _where(use.place) if isinstance(use.place, Location) else "?"
        through = f"  as {use.slot}" if use.slot is not None and len(instance.slots) > 1 else ""
        frozen = "  in eval mode" if use.frozen else ""
        again = "  recomputed in backward" if use.recomputed else ""
        lines.append(f"    use {number:<4} {where}  in {use.within}{through}{frozen}{again}")
    if len(row.uses) > _USES:
        lines.append(f"    ... and {len(row.uses) - _USES} more uses")
    return lines


def _where(place: Location) -> str:
    return f"{shown(place.filename)}:{place.row}:{place.column}"
