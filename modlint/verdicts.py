"""UseGraph -> judgements: what is reused, at which level, whether it matters, and which rule says so.

Pure functions of the graph; they cannot tell which pass built it.

Reuse is judged where it happens. An instance that runs n times only because the module around it runs n times is not
reused on its own: the enclosing module is (`level`). So a shared head with three norms in it is one
finding, on the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from modlint.graph import Instance, Manner, Origin, Place, StateClass, Use

if TYPE_CHECKING:
    from modlint.graph import Executions, UseGraph


class Verdict(str, Enum):
    """What reuse of an instance means for the model."""

    SAFE = "safe"
    CHANGES_SEMANTICS = "changes-semantics"
    DELIBERATE = "deliberate"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One reused instance, judged. `code` is "" where no rule speaks (verdict unknown)."""

    code: str
    verdict: Verdict
    instance: Instance
    primary: Place | None
    uses: tuple[Use, ...]
    count: int
    at_least: bool = False
    children: tuple[Instance, ...] = ()


def judge(graph: UseGraph) -> list[Judgement]:
    """Every reused instance of the graph with its verdict, and every instance that several models share."""
    found: list[Judgement] = []
    for instance in graph.instances():
        uses = graph.uses_of(instance.key)
        if not uses:
            continue
        runs = graph.executions(instance.key)
        judgement = (
            _cross_model(graph, instance, runs) or _recomputed(graph, instance, uses) or _reuse(graph, instance, runs)
        )
        if judgement is not None:
            found.append(judgement)
    return found


def verdict_of(graph: UseGraph, instance: Instance) -> Verdict | None:
    """The verdict of one instance; None where it is not reused. An instance inside a reused module shares its fate."""
    runs = graph.executions(instance.key)
    if runs.count < 2:
        return None
    judgement = _reuse(graph, instance, runs)
    return _state_verdict(graph, instance, runs) if judgement is None else judgement.verdict


def owns_reuse(graph: UseGraph, runs: Executions) -> bool:
    """Whether the reuse happens at this instance rather than at a module around it.

    It does when some use repeats where it stands, or two uses run inside one use of the caller, or inside uses of two
    different callers.
    """
    if runs.count < 2:
        return False
    if any(use.times > 1 for use in runs.uses):
        return True
    callers = [use.parent for use in runs.uses]
    if len(set(callers)) < len(callers):
        return True
    return len({graph.use(caller).instance for caller in callers if caller is not None}) > 1


def _reuse(graph: UseGraph, instance: Instance, runs: Executions) -> Judgement | None:
    if not owns_reuse(graph, runs):
        return None
    live = tuple(use for use in runs.uses if not use.frozen)
    if _writes(instance, live):
        return _judgement("ML101", Verdict.CHANGES_SEMANTICS, graph, instance, runs)
    children = _stateful_children(graph, instance)
    if children:
        return _judgement("ML102", Verdict.CHANGES_SEMANTICS, graph, instance, runs, children)
    if instance.state.kind in {StateClass.UNKNOWN, StateClass.STATEFUL} and not _all_frozen(instance, runs):
        return _judgement("", Verdict.UNKNOWN, graph, instance, runs)
    return _weaker(graph, instance, runs)


def _writes(instance: Instance, live: tuple[Use, ...]) -> bool:
    """The instance itself keeps state that two of its uses in train mode write."""
    return _keeps_state(instance) and sum(use.times for use in live) > 1


def _keeps_state(instance: Instance) -> bool:
    return instance.own.kind is StateClass.STATEFUL and instance.own.certain


def _all_frozen(instance: Instance, runs: Executions) -> bool:
    return instance.state.kind is StateClass.STATEFUL and sum(use.times for use in runs.uses if not use.frozen) < 2


def _stateful_children(graph: UseGraph, instance: Instance) -> tuple[Instance, ...]:
    """The instances with state of their own that are reused because `instance` is."""
    found = []
    for child in graph.run_inside(instance.key) if instance.container else ():
        runs = graph.executions(child.key)
        if runs.count < 2 or owns_reuse(graph, runs):
            continue
        inside = {caller.instance for use in runs.uses for caller in graph.ancestors_of(use)}
        if instance.key in inside and _writes(child, tuple(use for use in runs.uses if not use.frozen)):
            found.append(child)
    return tuple(found)


def _weaker(graph: UseGraph, instance: Instance, runs: Executions) -> Judgement:
    """Reuse of what keeps nothing between calls: safe, or a tie of parameters, deliberate or not."""
    verdict = _state_verdict(graph, instance, runs)
    if verdict is Verdict.SAFE:
        code = "ML002" if instance.state.kind is StateClass.STOCHASTIC else "ML001"
        return _judgement(code, verdict, graph, instance, runs)
    if verdict is Verdict.DELIBERATE:
        return _judgement("ML003", verdict, graph, instance, runs)
    return _judgement(_tie(graph, instance, runs), verdict, graph, instance, runs)


def _state_verdict(graph: UseGraph, instance: Instance, runs: Executions) -> Verdict:
    match instance.state.kind:
        case StateClass.STATELESS | StateClass.STOCHASTIC:
            return Verdict.SAFE
        case StateClass.UNKNOWN:
            return Verdict.UNKNOWN
        case StateClass.STATEFUL if not _all_frozen(instance, runs):
            return Verdict.CHANGES_SEMANTICS
        case _:
            return Verdict.CHANGES_SEMANTICS if _tie(graph, instance, runs) else Verdict.DELIBERATE


def _tie(graph: UseGraph, instance: Instance, runs: Executions) -> str:
    """The params rule that a shared parametric instance breaks, or "" where the sharing is deliberate."""
    if instance.shared:
        return ""
    if len(instance.slots) > 1:
        if any(slot.manner is Manner.REPEATED for slot in instance.slots[1:]):
            return "ML201"
        if len({use.slot for use in runs.uses}) > 1 or all(use.slot is None for use in runs.uses):
            return "ML202"
    return "ML203" if not instance.container and _chained(graph, runs) else ""


def _chained(graph: UseGraph, runs: Executions) -> bool:
    """Straight-line code applies the instance to its own output."""
    if any(use.loop is not None or use.times > 1 for use in runs.uses):
        return False
    orders = {use.order for use in runs.uses}
    return any(_reaches(graph, use, orders - {use.order}) for use in runs.uses)


def _reaches(graph: UseGraph, use: Use, targets: set[int]) -> bool:
    """Whether the inputs of `use` come from one of the uses in `targets` within the same call of the parent."""
    seen: set[int] = set()
    front = list(use.consumes)
    while front:
        order = front.pop()
        if order in targets:
            return True
        if order not in seen:
            seen.add(order)
            front.extend(graph.use(order).consumes)
    return False


def _recomputed(graph: UseGraph, instance: Instance, uses: tuple[Use, ...]) -> Judgement | None:
    """Activation checkpointing runs a stateful instance a second time in backward (ML103), at the outermost module."""
    again = tuple(use for use in uses if use.recomputed and not use.frozen and not _inside_recomputed(graph, use))
    if not again:
        return None
    children = tuple(
        child
        for child in (graph.run_inside(instance.key) if instance.container else ())
        if _keeps_state(child) and not all(u.frozen for u in graph.uses_of(child.key))
    )
    if not _keeps_state(instance) and not children:
        return None
    count = len(again) + 1
    return Judgement("ML103", Verdict.CHANGES_SEMANTICS, instance, again[0].place, again, count, children=children)


def _inside_recomputed(graph: UseGraph, use: Use) -> bool:
    caller = graph.caller_of(use)
    return caller is not None and caller.recomputed


_CROSS_MODEL = {
    Origin.DEFAULT_ARGUMENT: "ML301",
    Origin.CLASS_ATTRIBUTE: "ML302",
    Origin.MODULE_LEVEL: "ML303",
}


def _cross_model(graph: UseGraph, instance: Instance, runs: Executions) -> Judgement | None:
    """An instance that every model shares because it is created once, outside of any constructor."""
    code = _CROSS_MODEL.get(instance.origin)
    heavy = instance.state.kind in {StateClass.PARAMETRIC, StateClass.STATEFUL} and instance.state.certain
    if code is None or not heavy or instance.shared:
        return None
    children = tuple(c for c in graph.run_inside(instance.key) if c.own.kind is StateClass.STATEFUL)
    return Judgement(
        code, Verdict.CHANGES_SEMANTICS, instance, instance.created, runs.uses, runs.count, runs.at_least, children
    )


def _judgement(
    code: str,
    verdict: Verdict,
    graph: UseGraph,
    instance: Instance,
    runs: Executions,
    children: tuple[Instance, ...] = (),
) -> Judgement:
    primary = _primary(code, instance, runs)
    return Judgement(code, verdict, instance, primary, runs.uses, runs.count, runs.at_least, children)


def _primary(code: str, instance: Instance, runs: Executions) -> Place | None:
    """What makes it reuse: a repetition; the second slot where slots are the matter; else the second use.

    When every use stands at one place (a container that runs its items), that is the second slot, if there is one.
    """
    repeated = [slot.place for slot in instance.slots if slot.manner is Manner.REPEATED and slot.place is not None]
    if repeated:
        return repeated[0]
    second_slot = instance.slots[1].place if len(instance.slots) > 1 else None
    if code == "ML202" and second_slot is not None:
        return second_slot
    places = [use.place for use in runs.uses]
    for place in places[1:]:
        if place is not None and place != places[0]:
            return place
    return second_slot or (places[-1] if places else instance.created)
