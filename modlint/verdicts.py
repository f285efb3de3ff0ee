"""UseGraph -> judgements: what is reused, at which level, whether it matters, and which rule says so.

Pure functions of the graph; they cannot tell which pass built it.

Reuse is judged where it happens. An instance that runs n times only because the module around it runs n times is not
reused on its own: the enclosing module is (`owns_reuse`). So a shared head with three norms in it is one finding, on
the head. Where a module repeats inside one that repeats, both are reused, for giving either its own instances changes
what is computed.

State is judged at the instance that keeps it, and only where two uses write it in one forward pass: a use in eval mode
writes what eval mode writes. What may keep state but is not known to, makes the verdict unknown; its siblings are still
judged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from itertools import combinations
from typing import TYPE_CHECKING

from modlint.graph import Instance, Manner, Origin, Place, State, StateClass, Trait, Use, together
from modlint.graph.paths import conjoin, simplified

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.graph import Executions, Slot, UseGraph


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
        if not graph.uses_of(instance.key):
            continue
        judgement = _cross_model(graph, instance) or _reuse(graph, instance)
        if judgement is not None:
            found.append(judgement)
    return found


def verdict_of(graph: UseGraph, instance: Instance) -> Verdict | None:
    """The verdict of one instance; None where it is not reused. An instance inside a reused module shares its fate."""
    runs = graph.executions(instance.key)
    if runs.count < 2:
        return None
    judgement = _reuse(graph, instance)
    return _fate(graph, instance, runs) if judgement is None else judgement.verdict


def _fate(graph: UseGraph, instance: Instance, runs: Executions) -> Verdict:
    """The verdict of an instance that is reused because modules around it are."""
    around = dict.fromkeys(caller.instance for use in runs.uses for caller in graph.ancestors_of(use))
    owners = [graph.instance(key) for key in around if owns_reuse(graph, graph.executions(key))]
    members = _members(graph, instance)
    if any(_written_again(graph, owner, _keeps_state) & members for owner in owners):
        return Verdict.CHANGES_SEMANTICS
    kinds = {_remaining_kind(graph, owner, instance) for owner in owners}
    if StateClass.UNKNOWN in kinds:
        return Verdict.UNKNOWN
    if StateClass.PARAMETRIC not in kinds:
        return Verdict.SAFE
    tied = any(_tie(graph, owner, graph.executions(owner.key)) for owner in owners)
    return Verdict.CHANGES_SEMANTICS if tied else Verdict.DELIBERATE


def owns_reuse(graph: UseGraph, runs: Executions) -> bool:
    """Whether the reuse happens at this instance rather than at a module around it.

    It does when some use repeats where it stands, or when two uses part here: below the call that both run inside, no
    module that runs again leads to both.
    """
    if runs.count < 2:
        return False
    callers = [graph.caller_of(use) for use in runs.uses]
    if any(use.times > (1 if caller is None else caller.times) for use, caller in zip(runs.uses, callers, strict=True)):
        return True
    if len({use.parent for use in runs.uses}) < len(callers):
        return True
    if len({None if caller is None else caller.instance for caller in callers}) == 1:
        return False
    return any(_part_here(graph, one, other) for one, other in combinations(runs.uses, 2))


def _part_here(graph: UseGraph, one: Use, other: Use) -> bool:
    first = {use.order: use.instance for use in graph.ancestors_of(one)}
    second = {use.order: use.instance for use in graph.ancestors_of(other)}
    below = [
        {chain[order] for order in chain.keys() - rest.keys()} for chain, rest in ((first, second), (second, first))
    ]
    return not below[0] & below[1]


def _reuse(graph: UseGraph, instance: Instance) -> Judgement | None:
    return _stateful(graph, instance) or _recomputed(graph, instance) or _weaker(graph, instance)


def _stateful(graph: UseGraph, instance: Instance) -> Judgement | None:
    """ML101 where the instance itself keeps state that two uses write, ML102 where something inside it does."""
    written = _written_again(graph, instance, _keeps_state)
    if not written:
        return None
    children = tuple(
        child for child in graph.run_inside(instance.key) if child.key in written and _brought_by(instance, child)
    )
    if instance.key in written:
        live = together([use for use in graph.uses_of(instance.key) if _live(instance, use)])
        return _judgement("ML101", Verdict.CHANGES_SEMANTICS, graph, instance, live, children)
    if children:
        runs = graph.executions(instance.key)
        return _judgement("ML102", Verdict.CHANGES_SEMANTICS, graph, instance, runs, children)
    return None


def _live(instance: Instance, use: Use) -> bool:
    """Whether the instance may write its state at this use."""
    return not use.frozen or instance.own.kind is StateClass.UNKNOWN or Trait.WRITES_EVAL in instance.own.traits


def _keeps_state(instance: Instance) -> bool:
    return instance.own.kind is StateClass.STATEFUL and instance.own.certain


def _may_keep_state(instance: Instance) -> bool:
    return instance.own.kind is StateClass.UNKNOWN or (
        instance.own.kind is StateClass.STATEFUL and not instance.own.certain
    )


def _brought_by(container: Instance, child: Instance) -> bool:
    """Whether another container would bring another child: not where the child is made once for all models."""
    return child.origin is Origin.CONSTRUCTOR or child.origin is container.origin


def _written_again(graph: UseGraph, container: Instance, writes: Callable[[Instance], bool]) -> set[str]:
    """The keys of `container` and of what runs inside it that its reuse makes write their state twice.

    `writes` says what keeps state. For each of them every use of the container is taken under the condition that it
    runs there, and what is left must be reuse of the container's own.
    """
    if not graph.may_repeat(container.key):
        return set()
    runs: dict[str, list[Use]] = {}
    for use in graph.uses_of(container.key):
        terms: dict[str, list[frozenset[int]]] = {}
        for inner in (use, *graph.uses_inside(use)):
            member = graph.instance(inner.instance)
            if writes(member) and _live(member, inner):
                terms.setdefault(member.key, []).extend(inner.condition)
        for key, condition in terms.items():
            runs.setdefault(key, []).append(replace(use, condition=conjoin(use.condition, simplified(condition))))
    return {key for key, uses in runs.items() if owns_reuse(graph, together(uses))}


def _members(graph: UseGraph, instance: Instance) -> set[str]:
    return {instance.key, *(inner.key for inner in graph.run_inside(instance.key))}


def _weaker(graph: UseGraph, instance: Instance) -> Judgement | None:
    """Reuse in which no state is written twice for certain: safe, a tie of parameters, or unknown."""
    if not graph.may_repeat(instance.key):
        return None
    runs = graph.executions(instance.key)
    if not owns_reuse(graph, runs):
        return None
    match _remaining_kind(graph, instance, instance):
        case StateClass.STATELESS:
            return _judgement("ML001", Verdict.SAFE, graph, instance, runs)
        case StateClass.STOCHASTIC:
            return _judgement("ML002", Verdict.SAFE, graph, instance, runs)
        case StateClass.PARAMETRIC:
            return _parametric(graph, instance, runs)
        case _:
            return _judgement("", Verdict.UNKNOWN, graph, instance, runs)


def _parametric(graph: UseGraph, instance: Instance, runs: Executions) -> Judgement:
    code = _tie(graph, instance, runs)
    if not code:
        return _judgement("ML003", Verdict.DELIBERATE, graph, instance, runs)
    if not _surely_heavy(graph, instance):
        return _judgement("", Verdict.UNKNOWN, graph, instance, runs)
    return _judgement(code, Verdict.CHANGES_SEMANTICS, graph, instance, runs)


def _remaining_kind(graph: UseGraph, owner: Instance, instance: Instance) -> StateClass:
    """The class that counts for an instance in the reuse of `owner` when its known state is not written twice."""
    state = instance.state
    if state.kind is not StateClass.STATEFUL:
        return state.kind
    members = _members(graph, instance)
    if _written_again(graph, owner, _may_keep_state) & members:
        return StateClass.UNKNOWN
    if instance.container and len(members) == 1 and not _keeps_state(instance) and not _all_frozen(graph, instance):
        return StateClass.UNKNOWN  # where its state is, and whether it is written, was not seen
    writes = {Trait.WRITES_TRAIN, Trait.WRITES_EVAL}
    return State.of(state.traits - writes).kind if state.traits else StateClass.PARAMETRIC


def _all_frozen(graph: UseGraph, instance: Instance) -> bool:
    return Trait.WRITES_EVAL not in instance.state.traits and all(u.frozen for u in graph.uses_of(instance.key))


def _tie(graph: UseGraph, instance: Instance, runs: Executions) -> str:
    """The params rule that a shared parametric instance breaks, or "" where the sharing is deliberate."""
    if instance.shared:
        return ""
    slots = graph.slots_of(instance)
    if any(slot.manner is Manner.REPEATED for slot in slots[1:]):
        return "ML201"
    if len(slots) > 1:
        used = {_slot_used(graph, instance, use) for use in runs.uses}
        if len(used) > 1 or None in used:
            return "ML202"
    return "ML203" if not instance.container and _chained(graph, runs) else ""


def _slot_used(graph: UseGraph, instance: Instance, use: Use) -> tuple[str, str] | None:
    """The attachment that a use goes through; None where it may be any, as for a local or the items of a container."""
    if use.slot is None:
        return None
    own = {graph.attachment(slot.path): slot.path for slot in instance.slots}
    through = graph.attachment(use.slot)
    if through in own:
        return through
    inside = [attachment for attachment, path in own.items() if path.startswith(f"{use.slot}.")]
    return inside[0] if len(inside) == 1 else None


def _chained(graph: UseGraph, runs: Executions) -> bool:
    """Straight-line code applies the instance to its own output: two call sites in one call of the caller."""
    if any(use.loop is not None or use.times > 1 for use in runs.uses):
        return False
    for use in runs.uses:
        earlier = {
            other.order
            for other in runs.uses
            if other.order < use.order
            and other.parent == use.parent
            and (other.place != use.place or other.place is None)
        }
        if _reaches(graph, use, earlier):
            return True
    return False


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


def _recomputed(graph: UseGraph, instance: Instance) -> Judgement | None:
    """Activation checkpointing runs a stateful instance a second time in backward (ML103), at the outermost module."""
    again = [
        use
        for use in graph.uses_of(instance.key)
        if use.recomputed and not any(caller.recomputed for caller in graph.ancestors_of(use))
    ]
    if not again:
        return None
    inside = {inner.order for use in again for inner in graph.uses_inside(use)}
    children = tuple(
        child
        for child in graph.run_inside(instance.key)
        if _keeps_state(child) and any(u.order in inside and _live(child, u) for u in graph.uses_of(child.key))
    )
    if not children and not (_keeps_state(instance) and any(_live(instance, use) for use in again)):
        return None
    runs = together(again)
    return Judgement(
        "ML103",
        Verdict.CHANGES_SEMANTICS,
        instance,
        runs.uses[0].recomputed_by or runs.uses[0].place,
        runs.uses,
        2 * runs.count,
        runs.at_least,
        children,
    )


_CROSS_MODEL = {
    Origin.DEFAULT_ARGUMENT: "ML301",
    Origin.CLASS_ATTRIBUTE: "ML302",
    Origin.MODULE_LEVEL: "ML303",
}


def _cross_model(graph: UseGraph, instance: Instance) -> Judgement | None:
    """An instance that every model shares because it is created once, outside of any constructor.

    One finding on the outermost such instance. A name that says so speaks for shared weights, never for shared state,
    nor for weights on the class, which are in no `parameters()` whatever they are called.
    """
    code = _CROSS_MODEL.get(instance.origin)
    if code is None or not _surely_heavy(graph, instance) or _inside_shared(graph, instance):
        return None
    children = tuple(child for child in graph.run_inside(instance.key) if _keeps_state(child))
    if instance.shared and code != "ML302" and not children and not _keeps_state(instance):
        return None
    runs = graph.executions(instance.key)
    return Judgement(
        code, Verdict.CHANGES_SEMANTICS, instance, instance.created, runs.uses, runs.count, runs.at_least, children
    )


def _surely_heavy(graph: UseGraph, instance: Instance) -> bool:
    """Whether there is something for certain that sharing ties: parameters or state, here or in what runs inside."""
    heavy = {StateClass.PARAMETRIC, StateClass.STATEFUL}
    states = [instance.state, instance.own, *(inner.own for inner in graph.run_inside(instance.key))]
    return any(state.kind in heavy and state.certain for state in states)


def _inside_shared(graph: UseGraph, instance: Instance) -> bool:
    """Whether every use is inside another instance that is created once for all models."""
    return all(
        any(graph.instance(caller.instance).origin in _CROSS_MODEL for caller in graph.ancestors_of(use))
        for use in graph.uses_of(instance.key)
    )


def _judgement(
    code: str,
    verdict: Verdict,
    graph: UseGraph,
    instance: Instance,
    runs: Executions,
    children: tuple[Instance, ...] = (),
) -> Judgement:
    primary = _primary(code, graph.slots_of(instance), instance, runs)
    return Judgement(code, verdict, instance, primary, runs.uses, runs.count, runs.at_least, children)


def _primary(code: str, slots: tuple[Slot, ...], instance: Instance, runs: Executions) -> Place | None:
    """What makes it reuse: a repetition; the second slot where slots are the matter; else the second use.

    When every use stands at one place (a container that runs its items), that is the second slot, if there is one.
    """
    repeated = [slot.place for slot in slots[1:] if slot.manner is Manner.REPEATED and slot.place is not None]
    if repeated:
        return repeated[0]
    second_slot = slots[1].place if len(slots) > 1 else None
    if code == "ML202" and second_slot is not None:
        return second_slot
    places = [use.place for use in runs.uses]
    for place in places[1:]:
        if place is not None and place != places[0]:
            return place
    return second_slot or (places[-1] if places else instance.created)
