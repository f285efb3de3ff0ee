"""Inputs for a model of which nobody said what it takes: guesses from its signature, mended by what its layers demand.

Each attempt runs the model; the layers that an argument reaches directly say what it must look like, and the next
attempt obeys. What no layer says (spatial size, rank, flags) is searched.
"""

from __future__ import annotations

import inspect
import itertools
import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from modlint.errors import ModlintError
from modlint.trace.calls import Call, Recorder
from modlint.trace.copies import copy_of
from modlint.trace.demands import BATCH, LENGTH, SPATIAL, Demand, demand_of
from modlint.trace.inputs import Inputs, InputSpec, described, matched, seeded, unpacked
from modlint.trace.isolate import same_random_state
from modlint.trace.recorded import TensorFlow, watching
from modlint.trace.users import UserCodeError, switched, user_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUDGET = 20.0  # seconds for the whole search
_ROUNDS = 12  # mends of one guess
_SIZES = (32, 64, 28, 224, 128, 16, 8, 96, 48, 24, 256, 112, 299, 512)

Guess = InputSpec | bool | int | float | None | list[InputSpec] | str


@dataclass(slots=True)
class _Argument:
    """One argument of forward, and what to give it. `fixed`: no layer has a say in it."""

    name: str
    keyword: bool
    guess: Any
    others: tuple[Any, ...] = ()


@dataclass(slots=True)
class _Outcome:
    """One attempt: the error if it failed, and what layers demand of the arguments that reach them directly."""

    error: UserCodeError | None
    demands: dict[int, Demand] = field(default_factory=dict)


class _Reached:
    """Observes which layers the arguments reach before any other layer has changed them."""

    def __init__(self) -> None:
        self.demands: dict[int, Demand] = {}

    def begins(self, call: Call, values: Any) -> None:
        """Keep the demand of the first layer that has one, for each argument."""
        arguments = [-order - 1 for order in call.consumes if order < 0]
        if len(arguments) == 1 and arguments[0] not in self.demands:
            demand = demand_of(call.module)
            if demand is not None:
                self.demands[arguments[0]] = demand

    def ends(self, call: Call) -> None:
        """Nothing to do."""

    def computes(self, call: Call | None, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Nothing to do."""


def synthesised(model: torch.nn.Module, seed: int = 0, budget: float = BUDGET) -> Inputs:
    """Inputs that the model's forward takes, in train mode.

    Raises ModlintError naming what was tried when nothing fits within `budget` seconds.
    """
    search = _Search(model, seed, time.monotonic() + budget)
    with same_random_state():
        found = search.run()
    if found is None:
        raise _failure(model, search)
    return found


def _failure(model: torch.nn.Module, search: _Search) -> ModlintError:
    shown = "; ".join(search.tried[:4] + (["..."] if len(search.tried) > 4 else []))
    text = (
        f"no inputs found for {type(model).__name__}: {len(search.tried)} tried ({shown}); "
        f"give them with --input 2x3x32x32 (repeatable) or --inputs module:function"
    )
    error = search.furthest
    if error is None:
        return ModlintError(text)
    return ModlintError(f"{text}. The attempt that got furthest: {error.message}", file=error.file, line=error.line)


class _Search:
    """The attempts on one model."""

    def __init__(self, model: torch.nn.Module, seed: int, deadline: float) -> None:
        self._model = copy_of(model) or model
        self._seed = seed
        self._deadline = deadline
        self.tried: list[str] = []
        self.furthest: UserCodeError | None = None
        self._calls = -1

    def run(self) -> Inputs | None:
        """The first inputs that work."""
        arguments = _arguments(self._model)
        choices = [(a.guess, *a.others) for a in arguments]
        for combination in itertools.islice(itertools.product(*choices), 64):
            guesses = list(combination)
            found = self._mended(arguments, guesses) or self._resized(arguments, guesses)
            if found is not None or self._late():
                return found
        return self._dummy()

    def _late(self) -> bool:
        return time.monotonic() > self._deadline

    def _mended(self, arguments: list[_Argument], guesses: list[Any]) -> Inputs | None:
        """Attempt, obey the layers, attempt again, until nothing changes. `guesses` is mended in place."""
        for _ in range(_ROUNDS):
            inputs = self._inputs(arguments, guesses)
            outcome = self._attempt(inputs)
            if outcome.error is None:
                return inputs
            changed = False
            for index, demand in outcome.demands.items():
                guess = guesses[index]
                if isinstance(guess, InputSpec) and not demand.met_by(guess):
                    guesses[index] = demand.applied(guess)
                    changed = changed or guesses[index] != guess
            if not changed or self._late():
                return None
        return None

    def _resized(self, arguments: list[_Argument], guesses: list[Any]) -> Inputs | None:
        """Other spatial sizes, lengths and ranks with the same channels."""
        meta = copy_of(self._model, meta=True)
        for shapes in self._shapes(guesses):
            if self._late():
                return None
            inputs = self._inputs(arguments, shapes)
            if meta is not None and not _is_plausible(meta, inputs):
                self._note(inputs)
                continue
            if self._attempt(inputs).error is None:
                return inputs
        return None

    def _shapes(self, guesses: list[Any]) -> Iterator[list[Any]]:
        spatial = [i for i, g in enumerate(guesses) if isinstance(g, InputSpec) and len(g.shape) > 2]
        if spatial:
            for size in _sizes(self._model):
                yield [_sized(g, size) if i in spatial else g for i, g in enumerate(guesses)]
        for guess in dict.fromkeys(g for g in guesses if isinstance(g, InputSpec)):
            for shape in _other_ranks(guess):
                yield [replace(guess, shape=shape) if g == guess else g for g in guesses]  # those alike, together
        for index, guess in enumerate(guesses):
            if isinstance(guess, InputSpec) and guesses.count(guess) > 1:
                for shape in _other_ranks(guess):
                    yield [replace(guess, shape=shape) if i == index else g for i, g in enumerate(guesses)]

    def _inputs(self, arguments: list[_Argument], guesses: list[Any]) -> Inputs:
        generator = seeded(self._seed)
        values = [_value(guess, generator) for guess in guesses]
        args = [v for a, v in zip(arguments, values, strict=True) if not a.keyword]
        kwargs = {a.name: v for a, v in zip(arguments, values, strict=True) if a.keyword}
        return matched(self._model, Inputs.of(args, kwargs, "synthesised"))

    def _attempt(self, inputs: Inputs) -> _Outcome:
        """Run a copy of the model, in train mode, without gradients."""
        model = copy_of(self._model) or self._model  # no state from the last attempt
        switched(model, True)
        reached = _Reached()
        recorder = Recorder(TensorFlow(), observer=reached)
        values = [*inputs.args, *inputs.named.values()]
        for index, value in enumerate(values):
            recorder.dataflow.set(value, frozenset({-index - 1}))
        self._note(inputs)
        try:
            with torch.no_grad(), watching(model, recorder), user_code(type(model).__name__):
                model(*inputs.args, **inputs.named)
        except UserCodeError as error:
            if len(recorder.calls) > self._calls:
                self._calls, self.furthest = len(recorder.calls), error
            return _Outcome(error, reached.demands)
        return _Outcome(None, reached.demands)

    def _note(self, inputs: Inputs) -> None:
        text = ", ".join(inputs.described) or "no arguments"
        if text not in self.tried:
            self.tried.append(text)

    def _dummy(self) -> Inputs | None:
        """The model's own `dummy_inputs` (transformers' convention), where nothing else worked."""
        dummy = getattr(self._model, "dummy_inputs", None)
        if not isinstance(dummy, dict):
            return None
        inputs = unpacked(dummy, "synthesised")
        return inputs if self._attempt(inputs).error is None else None


def _is_plausible(meta: torch.nn.Module, inputs: Inputs) -> bool:
    """Whether the shapes fit, tried on the meta device, where it costs next to nothing. In doubt: yes."""
    try:
        with torch.no_grad(), user_code("the meta forward"):
            meta.train()(*inputs.to("meta").args, **inputs.to("meta").named)
    except UserCodeError as error:
        return not any(word in error.text.lower() for word in _SHAPE_WORDS)
    return True


_SHAPE_WORDS = ("shape", "size", "dimension", "channels", "broadcast", "elements")


def _is_lazy(model: torch.nn.Module) -> bool:
    return any(isinstance(module, torch.nn.modules.lazy.LazyModuleMixin) for module in model.modules())


def _arguments(model: torch.nn.Module) -> list[_Argument]:
    """The arguments to give: those without default, else the first that a model with only optional ones names."""
    signature = inspect.signature(model.forward)
    plain = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    parameters = [p for p in signature.parameters.values() if p.kind in plain]
    wanted = [p for p in parameters if p.default is p.empty]
    if not wanted and parameters:
        main = getattr(model, "main_input_name", None)
        wanted = [next((p for p in parameters if p.name == main), parameters[0])]
        return [_argument(wanted[0], model, 0, keyword=True)]
    if not wanted and any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values()):
        return [_Argument("args", False, _entry(model), ())]
    return [_argument(p, model, i, p.kind is p.KEYWORD_ONLY) for i, p in enumerate(wanted)]


def _argument(parameter: inspect.Parameter, model: torch.nn.Module, index: int, keyword: bool) -> _Argument:
    name, annotation = parameter.name.lower(), str(parameter.annotation).lower()
    entry = _entry(model)
    if parameter.annotation is bool or annotation == "bool" or name.startswith(_FLAGS):
        return _Argument(parameter.name, keyword, True, (False,))
    if parameter.annotation in {int, float} or annotation in {"int", "float"}:
        return _Argument(parameter.name, keyword, 1, (4, 0))
    if "list[" in annotation and "tensor" in annotation:
        return _Argument(parameter.name, keyword, [replace(entry, shape=entry.shape[1:])] * BATCH, ([entry], entry))
    if name in _IDS or name.endswith("_ids"):
        return _Argument(parameter.name, keyword, InputSpec((BATCH, LENGTH), torch.int64, 0, 1), (entry,))
    if name in _STEPS:
        one = InputSpec((BATCH,), torch.int64, 0, 1)
        return _Argument(parameter.name, keyword, one, (replace(one, dtype=torch.float32), 1, entry))
    if "mask" in name:
        return _Argument(parameter.name, keyword, None, (InputSpec((BATCH, LENGTH), torch.bool),))
    if "length" in name:
        return _Argument(parameter.name, keyword, InputSpec((BATCH,), torch.int64, 4, 4), (entry,))
    others = () if index == 0 else (True, None, InputSpec((BATCH,), torch.int64, 0, 1), 1)
    return _Argument(parameter.name, keyword, entry, others)


_FLAGS = ("use_", "return_", "is_", "with_", "do_", "flag", "training", "train")
_IDS = {"ids", "tokens", "token", "idx", "indices", "words", "text", "input_ids"}
_STEPS = {"t", "step", "steps", "timestep", "timesteps", "time", "times", "label", "labels", "y"}


def _entry(model: torch.nn.Module) -> InputSpec:
    """The input that the first layer with a demand takes."""
    start = InputSpec((BATCH, 3, SPATIAL, SPATIAL))
    for module in model.modules():
        demand = demand_of(module)
        if demand is None:
            continue
        if not demand.ranks and demand.vocabulary is None:
            return demand.applied(InputSpec((BATCH, 3)))
        return demand.applied(start)
    return start


def _sizes(model: torch.nn.Module) -> Iterator[int]:
    """Spatial sizes: the usual ones, those that a Linear behind a flatten hints at, then all of them."""
    hinted: list[int] = []
    channels = {getattr(m, "out_channels", 0) or getattr(m, "num_features", 0) for m in model.modules()} - {0}
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            for channel in channels:
                side = math.isqrt(module.in_features // channel)
                if side > 1 and side * side * channel == module.in_features:
                    hinted += [side * factor for factor in (1, 2, 4, 8, 16, 32)]
    yield from dict.fromkeys([*_SIZES, *sorted(h for h in hinted if h <= 1024), *range(1, 257)])


def _sized(spec: InputSpec, size: int) -> InputSpec:
    return replace(spec, shape=(*spec.shape[:2], *(size for _ in spec.shape[2:])))


def _other_ranks(spec: InputSpec) -> Iterator[tuple[int, ...]]:
    """The same features with a sequence dimension more or less, one sample, or a flat batch."""
    if len(spec.shape) == 2 and spec.dtype.is_floating_point:
        yield (BATCH, LENGTH, spec.shape[1])
        yield (BATCH, SPATIAL, SPATIAL, spec.shape[1])
        yield from ((BATCH, spec.shape[1], size, size) for size in (SPATIAL, 28))
    if len(spec.shape) == 4:
        yield (BATCH, spec.shape[1], 28, 28)
        yield (BATCH, math.prod(spec.shape[1:]))
    if len(spec.shape) > 1:
        yield (1, *spec.shape[1:])
        yield spec.shape[1:]
    if len(spec.shape) == 2 and not spec.dtype.is_floating_point:
        yield (BATCH,)


def _value(guess: Any, generator: torch.Generator) -> Any:
    if isinstance(guess, InputSpec):
        return guess.tensor(generator)
    if isinstance(guess, list):
        return [_value(item, generator) for item in guess]
    return guess


__all__ = ["described", "synthesised"]
