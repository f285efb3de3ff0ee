"""The calls of one forward pass and the facts of a live model -> UseGraph. Both tracers end here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from modlint.graph import Instance, State, StateClass, Trait, Use, UseGraph
from modlint.trace.live import LiveModel, type_name
from modlint.trace.placement import called_name
from modlint.trace.walk import modules_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modlint.trace.calls import Call


@dataclass(slots=True)
class _Slots:
    """Slots by which the uses reach their instances, worked out caller by caller."""

    live: LiveModel
    by_order: dict[int, str | None] = field(default_factory=dict)

    def of(self, call: Call, caller: Call | None) -> str | None:
        """The slot of `call`: the only one under the caller's slot, else by position in a Sequential or by name."""
        paths = self.live.paths(call.module)
        if caller is None or len(paths) < 2:
            return paths[0] if paths else None
        base = self.by_order.get(caller.order)
        prefix = f"{base}." if base else ""
        below = [path for path in paths if path.startswith(prefix)] or list(paths)
        if len(below) == 1:
            return below[0]
        name = _position(caller, call) or (called_name(call.place) if call.place else "") or call.hint
        if name and prefix + name in below:
            return prefix + name
        named = [path for path in below if name and path.rsplit(".", 1)[-1] == name]
        return named[0] if len(named) == 1 else None


def _position(caller: Call, call: Call) -> str | None:
    if type(caller.module).forward is not torch.nn.Sequential.forward:
        return None
    names = list(caller.module._modules)
    return names[call.position] if call.position < len(names) else None


def graph_of(graph: UseGraph, live: LiveModel, calls: Sequence[Call], states: Mapping[int, State]) -> None:
    """Fill a use graph. `states` are the modules' own states by id; those of containers take in their children's.

    Keys are an instance's first path, "." for the root, "<n>" for one that is registered nowhere.
    """
    keys: dict[int, str] = {}
    for module in live.modules():
        keys[id(module)] = key = live.key(module)
        own = states[id(module)]
        graph.add_instance(
            Instance(
                key=key,
                type=type_name(module),
                state=joined(own, [states[id(part)] for part in _parts(module) if id(part) in states]),
                own=own,
                slots=live.slots(module),
                created=live.created(module),
                origin=live.origin(module),
                container=bool(module._modules),
                name=live.name(module),
            )
        )
    slots = _Slots(live)
    for call in calls:
        caller = None if call.parent is None else calls[call.parent]
        slots.by_order[call.order] = slots.of(call, caller)
        graph.add_use(
            Use(
                order=call.order,
                instance=keys[id(call.module)],
                parent=call.parent,
                place=call.place,
                within=call.within,
                slot=slots.by_order[call.order],
                frozen=not call.training and Trait.WRITES_EVAL not in states[id(call.module)].traits,
                recomputed=call.recomputed_by is not None,
                recomputed_by=call.recomputed_by,
                consumes=call.consumes,
            )
        )


def _parts(module: torch.nn.Module) -> list[torch.nn.Module]:
    return modules_of(module)[1:]


def joined(own: State, parts: Sequence[State]) -> State:
    """The state of a container: the strongest of its own and its parts', all traits together."""
    strongest = max((own, *parts), key=lambda state: state.kind.rank)
    if strongest is own and not parts:
        return own
    traits = own.traits.union(*(part.traits for part in parts))
    writes = tuple(dict.fromkeys(name for state in (own, *parts) for name in state.writes))
    certain = all(state.certain for state in (own, *parts))
    if strongest.kind is StateClass.UNKNOWN:
        return State(StateClass.UNKNOWN, traits, writes, False, strongest.reason)
    reason = "" if certain else next(state.reason for state in (own, *parts) if not state.certain)
    return State(strongest.kind, traits, writes, certain, reason)
