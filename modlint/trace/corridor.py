"""A live model and its inputs -> TracedGraph, in the order of the data: copy, trace, measure, build.

The user's model is left as it was: everything runs on deep copies, or on the model itself between snapshot and restore.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from modlint.trace.births import Births
from modlint.trace.build import graph_of
from modlint.trace.effects import Effects, measured
from modlint.trace.entries import has_entry
from modlint.trace.inputs import Inputs, find, varied
from modlint.trace.isolate import Snapshot, copy_of, same_random_state
from modlint.trace.live import LiveModel
from modlint.trace.recorded import record
from modlint.trace.states import Measured, own_states
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


def trace_model(
    model: torch.nn.Module, inputs: Inputs | None = None, births: Births | None = None, target: str = ""
) -> TracedGraph:
    """The use graph of a model in train mode. Raises ModlintError when no inputs fit or the forward raises."""
    live = LiveModel(model, births or Births())
    given = find(model) if inputs is None else inputs
    with same_random_state():
        seen = recorded_pass(live, given)
    graph = TracedGraph(type(model).__name__)
    graph_of(graph, seen.live, seen.calls, own_states(_all(seen), seen.measured))
    graph.inputs, graph.target = given, target
    return graph


def _all(seen: Pass) -> list[torch.nn.Module]:
    for call in seen.calls:
        seen.live.include(call.module)
    return list(seen.live.modules())


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
            self._snapshot = Snapshot(self._live.root)
            self._live.root.train()
            return self._live
        twin.train()
        return self._live.copied(twin)

    def __exit__(self, *_: Any) -> None:
        if self._snapshot is not None:
            self._snapshot.restore()
