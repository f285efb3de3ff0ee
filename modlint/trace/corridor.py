"""A live model and its inputs -> TracedGraph, in the order of the data: copy, trace, measure, build.

The user's model is left as it was: everything runs on deep copies, or on the model itself between snapshot and restore.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from modlint.errors import LogicError, ModlintError
from modlint.graph import Trait
from modlint.trace.births import Births
from modlint.trace.build import graph_of
from modlint.trace.effects import Effects, measured
from modlint.trace.entries import has_entry
from modlint.trace.inputs import Inputs, find, varied
from modlint.trace.isolate import Snapshot, copy_of, same_random_state
from modlint.trace.live import LiveModel
from modlint.trace.recorded import record
from modlint.trace.states import Measured, own_states
from modlint.trace.symbolic import Traced, trace_symbolically
from modlint.trace.traced import TracedGraph
from modlint.trace.users import UserCodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modlint.trace.calls import Call


@dataclass(slots=True)
class Pass:
    """The calls of one forward pass, on `live` (the model's copy), and what the pass measured, by module id."""

    live: LiveModel
    calls: Sequence[Call]
    measured: dict[int, Measured] = field(default_factory=dict)
    tracer: str = "recorded"


def trace_model(
    model: torch.nn.Module, inputs: Inputs | None = None, births: Births | None = None, target: str = ""
) -> TracedGraph:
    """The use graph of a model in train mode. Raises ModlintError when no inputs fit or the forward raises.

    fx first. An execution is recorded where fx fails, and where the forward leaves something behind of which only an
    execution can tell whether it is state; both passes must then agree, or the recorded one is kept.
    """
    live = LiveModel(model, births or Births())
    with same_random_state():
        given, missing = _inputs(model, inputs)
        symbolic, traced = symbolic_pass(live, given)
        seen, why_not = symbolic, traced.reason
        if symbolic is None or traced.touched:
            if given is None:
                raise missing or LogicError("no inputs and no reason")
            seen = recorded_pass(live, given)
            if symbolic is not None:
                why_not = disagreement(symbolic, seen)
                seen = seen if why_not else Pass(seen.live, seen.calls, seen.measured, "fx")
    assert seen is not None
    graph = TracedGraph(type(model).__name__)
    graph_of(graph, seen.live, seen.calls, own_states(_all(seen), seen.measured))
    graph.inputs, graph.target = given, target
    graph.tracer, graph.why_not_fx = seen.tracer, why_not
    graph.coverage = coverage_of(seen.calls)
    return graph


def _inputs(model: torch.nn.Module, inputs: Inputs | None) -> tuple[Inputs | None, ModlintError | None]:
    """The inputs, or why there are none: fx may do without."""
    if inputs is not None:
        return inputs, None
    try:
        return find(model), None
    except UserCodeError:
        raise
    except ModlintError as error:
        return None, error


def _all(seen: Pass) -> list[torch.nn.Module]:
    for call in seen.calls:
        seen.live.include(call.module)
    return list(seen.live.modules())


def symbolic_pass(live: LiveModel, inputs: Inputs | None) -> tuple[Pass | None, Traced]:
    """The forward as fx sees it, on a copy of its own; None where fx cannot follow it."""
    twin = copy_of(live.root)
    if twin is None:
        return None, Traced(reason="the model does not let itself be copied, and fx changes what it traces")
    twin.train()
    stage = live.copied(twin)
    traced = trace_symbolically(twin, inputs)
    if traced.reason:
        return None, traced
    ran = {id(call.module): call.module for call in traced.calls}
    found = {
        key: Measured(traits=frozenset({Trait.DRAWS_TRAIN}) if key in traced.draws else frozenset())
        for key, module in ran.items()
        if not has_entry(module)
    }
    return Pass(stage, traced.calls, found, "fx"), traced


def disagreement(one: Pass, other: Pass) -> str:
    """The first instance that two passes of one model count differently, or ""."""
    counts = [_counts(one), _counts(other)]
    for key in dict.fromkeys((*counts[0], *counts[1])):
        if counts[0][key] != counts[1][key]:
            return f"fx counts {counts[0][key]} executions of {key!r}, the recorded forward {counts[1][key]}"
    return ""


def _counts(seen: Pass) -> Counter[str]:
    _all(seen)
    return Counter(seen.live.key(call.module) for call in seen.calls)


def coverage_of(calls: Sequence[Call]) -> float:
    """Share of leaf calls seen: what runs inside a compiled ScriptModule is not."""
    callers = {call.parent for call in calls}
    leaves = sum(1 for call in calls if call.order not in callers)
    hidden = sum(_leaves_inside(call.module) for call in calls if isinstance(call.module, torch.jit.ScriptModule))
    opaque = sum(1 for call in calls if isinstance(call.module, torch.jit.ScriptModule) and call.module._modules)
    return 1.0 if not hidden else (leaves - opaque) / (leaves - opaque + hidden)


def _leaves_inside(module: torch.nn.Module) -> int:
    return sum(1 for part in module.modules() if part is not module and not list(part.children()))


def recorded_pass(live: LiveModel, inputs: Inputs) -> Pass:
    """One recorded forward, and a second one where the first left something behind that may be state."""
    with _Stage(live) as stage:
        effects = Effects([m for m in stage.modules() if not has_entry(m)])
        calls = _recorded(stage, inputs, effects)
        left = effects.candidates()
        if left:
            effects.keep(left)
            _again(stage, inputs, effects)
        with torch.no_grad():
            return Pass(stage, calls, measured(effects, bool(left)))


def _recorded(stage: LiveModel, inputs: Inputs, effects: Effects) -> list[Call]:
    try:
        return record(stage.root, inputs, effects, grad=False)
    except UserCodeError as error:
        if "grad" not in error.text:
            raise
    return record(stage.root, inputs, effects, grad=True)  # a forward that differentiates inside itself


def _again(stage: LiveModel, inputs: Inputs, effects: Effects) -> None:
    """The second forward, on other values of the same shapes. A model that refuses it is left in doubt."""
    try:
        record(stage.root, varied(inputs), effects, grad=False)
    except UserCodeError:
        effects.keep(())


class _Stage:
    """The model that is run: a deep copy in train mode, else the model itself, restored afterwards."""

    def __init__(self, live: LiveModel) -> None:
        self._live = live
        self._snapshot: Snapshot | None = None

    def __enter__(self) -> LiveModel:
        twin = copy_of(self._live.root)
        if twin is None:
            self._snapshot = Snapshot(*self._live.root.modules())
            self._live.root.train()
            return self._live
        twin.train()
        return self._live.copied(twin)

    def __exit__(self, *_: Any) -> None:
        if self._snapshot is not None:
            self._snapshot.restore()
