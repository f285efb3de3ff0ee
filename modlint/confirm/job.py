"""What the worker runs for `modlint confirm`, `modlint compare` and `--confirm`: a target -> a result that pickles."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from modlint.confirm.candidates import candidates_of
from modlint.confirm.compare import compare_models
from modlint.confirm.cross import confirm_sharing
from modlint.confirm.determinism import restored, seed_all
from modlint.confirm.intent import with_intent
from modlint.confirm.library import confirm_model, settings_of
from modlint.confirm.memory import fitting
from modlint.confirm.outcome import ranked
from modlint.errors import ModlintError
from modlint.graph import Location
from modlint.trace.corridor import trace_model
from modlint.trace.entries import use_tables
from modlint.trace.inputs import Inputs, find, matched
from modlint.trace.report import report_of
from modlint.trace.session import parse_init
from modlint.trace.target import load, named
from modlint.verdicts import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from modlint.confirm.compare import Comparison
    from modlint.confirm.determinism import Settings
    from modlint.confirm.outcome import ConfirmResult
    from modlint.trace.traced import TracedGraph
    from modlint.verdicts import Judgement

    Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Model:
    """A target as the command line has it: `init` and `call` are JSON objects, or ""."""

    target: str
    init: str = ""
    input: tuple[str, ...] = ()
    inputs: str = ""
    call: str = ""
    states: tuple[str, ...] = ()  # the user's tables of state classes


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings of an experiment, in the words of the command line."""

    device: str = "auto"
    dtype: str | None = None
    deterministic: bool = True
    steps: int = 3
    seed: int = 0

    @property
    def settings(self) -> Settings:
        """The same, checked. Raises ModlintError."""
        return settings_of(self.device, self.dtype, self.deterministic, self.steps, self.seed)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The result on one target, with the judgements of its trace that the outcomes belong to."""

    result: ConfirmResult
    judgements: tuple[Judgement, ...]
    traced: dict[str, Any]  # the report of `modlint trace`
    types: dict[str, str]  # by key, in the order of the report's instances
    places: dict[str, Location] = field(default_factory=dict)  # by path, where a module is used or made


def confirm_target(model: Model, choice: Choice, progress: Progress | None = None) -> Confirmed:
    """Build the target, trace it, run the experiment. Raises ModlintError."""
    settings = choice.settings
    use_tables(model.states)
    seed_all(choice.seed)
    init = parse_init(model.init)
    target = load(model.target, init)
    inputs = matched(target.model, _inputs(target.model, model, choice.seed))
    with restored():
        (graph, inputs), notes = fitting(
            inputs, lambda fit: (trace_model(target.model, fit, target.births, model.target), fit)
        )
    with_intent(graph)
    found = candidates_of(graph, target.model, inputs)
    result = confirm_model(found.model, inputs, settings, found.candidates, progress)
    shared = confirm_sharing(graph, lambda: _builder(model.target, init), inputs, settings)
    result = replace(result, outcomes=ranked([*result.outcomes, *shared]), notes=(*notes, *result.notes))
    return _confirmed(result, graph)


def confirm_all(models: Sequence[Model], choice: Choice) -> list[Confirmed | ModlintError]:
    """Several targets, one after another; what one of them raises stands in its place."""
    return [_confirmed_or_error(model, choice) for model in models]


def _confirmed_or_error(model: Model, choice: Choice) -> Confirmed | ModlintError:
    try:
        return confirm_target(model, choice)
    except ModlintError as error:
        return ModlintError(error.message, file=error.file, line=error.line)


def compare_targets(one: Model, other: Model, choice: Choice) -> Comparison:
    """Build both targets and compare them on the inputs of the first. Raises ModlintError."""
    models = []
    for model in (one, other):
        seed_all(choice.seed)
        models.append(load(model.target, parse_init(model.init)).model)
    calls = (_json(one.call, "--call"), _json(other.call, "--call-b"))
    inputs = _inputs(models[0], one, choice.seed)
    return compare_models(models[0], models[1], inputs, choice.settings, calls)


def _builder(target: str, init: dict[str, Any]) -> Callable[[], nn.Module] | None:
    """What makes new models of the target, all from one import of it; None for an instance."""
    thing = named(target)
    return None if isinstance(thing, torch.nn.Module) else functools.partial(thing, **init)


def _inputs(module: nn.Module, model: Model, seed: int) -> Inputs:
    return find(module, model.input, model.inputs or None, seed)


def _json(text: str, option: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModlintError(f"{option} is no JSON ({error}); write it like {option} '{{\"width\": 64}}'") from error
    if not isinstance(value, dict):
        raise ModlintError(f"{option} must be a JSON object of keyword arguments, like '{{\"width\": 64}}'")
    return value


def _confirmed(result: ConfirmResult, graph: TracedGraph) -> Confirmed:
    judgements = tuple(judge(graph))
    types = {instance.key: instance.type for instance in graph.instances()}
    return Confirmed(result, judgements, report_of(graph), types, _places(graph))


def _places(graph: TracedGraph) -> dict[str, Location]:
    """Where each instance is used first, by every path it has; else where it was created."""
    found: dict[str, Location] = {}
    for instance in graph.instances():
        places = [*(use.place for use in graph.uses_of(instance.key)), instance.created]
        place = next((place for place in places if isinstance(place, Location)), None)
        if place is not None:
            found.update((path, place) for path in (instance.key, *(slot.path for slot in instance.slots)))
    return found
