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
from modlint.trace.copies import twin_of
from modlint.trace.effects import Effects
from modlint.trace.entries import has_entry
from modlint.trace.inputs import Inputs, bound, find, varied
from modlint.trace.isolate import Snapshot, same_random_state, uncollected, untouched
from modlint.trace.live import LiveModel, globals_of
from modlint.trace.modes import may_write_by_mode
from modlint.trace.reads import reads_watched
from modlint.trace.recorded import record
from modlint.trace.states import Measured, own_states
from modlint.trace.symbolic import Traced, trace_symbolically
from modlint.trace.traced import TracedGraph
from modlint.trace.trial import tried
from modlint.trace.users import UserCodeError, switched
from modlint.trace.walk import modules_of

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

    def __post_init__(self) -> None:
        for call in self.calls:
            self.live.include(call.module)
        self.live.include_new()

    def outside(self) -> list[torch.nn.Module]:
        """The modules that ran and are no part of the model."""
        inside = set(map(id, modules_of(self.live.root)))
        return [call.module for call in self.calls if id(call.module) not in inside]

    def counts(self) -> Counter[str]:
        """Executions by the instance's key."""
        return Counter(self.live.key(call.module) for call in self.calls)


def trace_model(
    model: torch.nn.Module,
    inputs: Inputs | None = None,
    births: Births | None = None,
    target: str = "",
    trial: bool = False,
) -> TracedGraph:
    """The use graph of a model in train mode. Raises ModlintError when no inputs fit or the forward raises.

    fx first. An execution is recorded where fx fails, and where the forward leaves something behind of which only an
    execution can tell whether it is state; both passes must then agree, or the recorded one is kept.

    fx needs no shapes. Where it suffices, given inputs are bound to forward's signature and no more, since a forward
    costs several times what fx does; with `trial` they are run too.
    """
    live = LiveModel(model, births or Births())
    with same_random_state(), untouched(model):
        given, missing = _inputs(model, inputs)
        with uncollected():
            symbolic, traced = symbolic_pass(live, given)
            done = None if symbolic is None or traced.touched else _graph(symbolic, given, target, "")
        if symbolic is not None and done is not None:
            if inputs is not None and trial:
                tried(model, inputs, symbolic.outside())
            elif inputs is not None:
                bound(model, inputs)
            return done
        if given is None:
            raise missing or LogicError("no inputs and no reason")
        seen = recorded_pass(live, given)
        why_not = traced.reason if symbolic is None else disagreement(symbolic, seen)
        if not why_not:
            seen.tracer = "fx"
        return _graph(seen, given, target, why_not)


def _graph(seen: Pass, inputs: Inputs | None, target: str, why_not_fx: str) -> TracedGraph:
    graph = TracedGraph(type(seen.live.root).__name__)
    graph_of(graph, seen.live, seen.calls, own_states(seen.live.modules(), seen.measured))
    graph.inputs, graph.target = inputs, target
    graph.file = str(globals_of(type(seen.live.root)).get("__file__", ""))
    graph.tracer, graph.why_not_fx = seen.tracer, why_not_fx
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


def symbolic_pass(live: LiveModel, inputs: Inputs | None) -> tuple[Pass | None, Traced]:
    """The forward as fx sees it, on a copy of its own; None where fx cannot follow it."""
    twin = twin_of(live.root)
    if twin is None:
        return None, Traced(reason="the model does not let itself be copied, and fx changes what it traces")
    switched(twin.root, True)
    stage = live.copied(twin)
    traced = trace_symbolically(twin.root, inputs)
    if traced.reason:
        return None, traced
    if _reaches_original(live, Pass(stage, traced.calls)):
        return None, Traced(reason="a closure reaches the original of what fx traces a copy of")
    ran = {id(call.module): call.module for call in traced.calls}
    found = {
        key: Measured(traits=frozenset({Trait.DRAWS_TRAIN}) if key in traced.draws else frozenset())
        for key, module in ran.items()
        if not has_entry(module)
    }
    return Pass(stage, traced.calls, found, "fx"), traced


def recorded_pass(live: LiveModel, inputs: Inputs) -> Pass:
    """One recorded forward, and further ones where the first left something behind that may be state."""
    seen = _measured(live, inputs, in_place=False)
    in_place = _reaches_original(live, seen)
    if in_place:
        seen = _measured(live, inputs, in_place)
    for key, more in _in_eval(live, inputs, in_place).items():
        module = seen.live.module(key)
        if module is not None:
            seen.measured[id(module)] = seen.measured.get(id(module), Measured()).joined(more)
    return seen


def _measured(live: LiveModel, inputs: Inputs, in_place: bool) -> Pass:
    with _Stage(live, in_place=in_place) as stage:
        effects = Effects(_unknown(stage))
        calls = record(stage.root, inputs, effects)
        _again(stage, inputs, effects)
        return Pass(stage, calls, effects.measured())


def _reaches_original(live: LiveModel, seen: Pass) -> bool:
    """Whether the copy's forward runs parts of the original: a closure kept on it (a hook) still holds them."""
    if seen.live is live:
        return False
    ours = set(map(id, live.modules()))
    return any(id(call.module) in ours for call in seen.calls)


def _unknown(live: LiveModel) -> list[torch.nn.Module]:
    """The modules that have to be measured."""
    return [module for module in live.modules() if not has_entry(module)]


def _again(stage: LiveModel, inputs: Inputs, effects: Effects) -> None:
    """The second forward, on other values of the same shapes, where the first left candidates.

    A model that refuses it leaves them in doubt.
    """
    left = effects.candidates()
    if not left:
        return
    effects.keep(left)
    effects.forget_reads()
    names = {effects.modules[key]: found for key, found in left.items()}
    try:
        with reads_watched(names, effects.read):
            record(stage.root, varied(inputs), effects)
    except UserCodeError:
        return


def _in_eval(live: LiveModel, inputs: Inputs, in_place: bool) -> dict[str, Measured]:
    """What modules write in eval mode, by key, where some class looks at its mode before it writes."""
    if not any(may_write_by_mode(module) for module in _unknown(live)):
        return {}
    with _Stage(live, train=False, in_place=in_place) as stage:
        effects = Effects(_unknown(stage), Trait.WRITES_EVAL)
        try:
            record(stage.root, inputs, effects)
        except UserCodeError:
            return {}
        _again(stage, inputs, effects)
        return {stage.key(effects.modules[key]): more for key, more in effects.measured().items() if more.writes}


class _Stage:
    """The model that is run: a deep copy in the wanted mode, else the model itself, restored afterwards."""

    def __init__(self, live: LiveModel, train: bool = True, in_place: bool = False) -> None:
        self._live = live
        self._train = train
        self._in_place = in_place
        self._snapshot: Snapshot | None = None

    def __enter__(self) -> LiveModel:
        twin = None if self._in_place else twin_of(self._live.root)
        if twin is None:
            self._snapshot = Snapshot(*self._live.root.modules())
            switched(self._live.root, self._train)
            return self._live
        switched(twin.root, self._train)
        return self._live.copied(twin)

    def __exit__(self, *_: Any) -> None:
        if self._snapshot is not None:
            self._snapshot.restore()


def disagreement(one: Pass, other: Pass) -> str:
    """The first instance that the fx pass and the recorded one count differently, or ""."""
    counts, recorded = one.counts(), other.counts()
    for key in dict.fromkeys((*counts, *recorded)):
        if counts[key] != recorded[key]:
            return f"fx counts {counts[key]} executions of {key!r}, the recorded forward {recorded[key]}"
    return ""


def coverage_of(calls: Sequence[Call]) -> float:
    """Share of leaf calls seen: what runs inside a compiled ScriptModule is not."""
    callers = {call.parent for call in calls}
    opaque = [call for call in calls if isinstance(call.module, torch.jit.ScriptModule) and call.module._modules]
    leaves = sum(1 for call in calls if call.order not in callers) - len(opaque)
    hidden = sum(_leaves_inside(call.module) for call in opaque)
    return leaves / (leaves + hidden) if hidden else 1.0


def _leaves_inside(module: torch.nn.Module) -> int:
    return sum(1 for part in module.modules() if part is not module and not list(part.children()))
