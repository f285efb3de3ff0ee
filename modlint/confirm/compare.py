"""Are two models the same function? State of A mapped onto B, then the observables of both, as the thread asked.

The thread's own script compared a gradient with itself; this compares every observable of A with that of B, beside the
distance of two equal runs of A.
"""

from __future__ import annotations

import inspect
import time
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from modlint.confirm.determinism import Settings, applied
from modlint.confirm.judging import measures
from modlint.confirm.locate import locate
from modlint.confirm.memory import fitting
from modlint.confirm.noise import compare as compare_runs
from modlint.confirm.observables import Key, Quantity, Record, equal, gaps, worst
from modlint.confirm.replica import replicate
from modlint.confirm.run import run
from modlint.confirm.subject import prepare
from modlint.errors import ModlintError
from modlint.trace.inputs import Inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from modlint.confirm.outcome import Measure, Nondeterministic
    from modlint.confirm.subject import Subject

REPEATS = 6  # runs of each on a noisy machine

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer. `same` is None where equal runs of A differ and B differs by no more than they do.

    `outputs_close` and `gradients_close` are `torch.allclose` of the first training step, as in the thread.
    """

    models: tuple[str, str]
    device: str
    torch: str
    settings: dict[str, Any]
    seeds: tuple[int, ...]
    steps: int
    noise: tuple[tuple[Quantity, float], ...]
    measures: tuple[Measure, ...]
    same: bool | None
    outputs_close: bool
    gradients_close: bool
    mapping: tuple[tuple[str, str], ...] = ()  # names in A and B, where they differ
    nondeterministic: tuple[Nondeterministic, ...] = ()
    notes: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    seconds: float = 0.0


def compare_models(
    one: nn.Module,
    other: nn.Module,
    inputs: Inputs,
    settings: Settings,
    calls: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
) -> Comparison:
    """Run both on the same inputs, from the same state. `calls` are extra arguments of each one's forward.

    Neither model is changed. Raises ModlintError where the state of `one` does not fit `other`.
    """
    began = time.perf_counter()
    twin, _ = replicate(other)
    mapping = mapped(one, twin)
    transfer(one, twin, mapping)
    names = {name_b: name_a for name_a, name_b in mapping}

    def measured(fit: Inputs) -> Comparison:
        a, _ = prepare(one, called(one, fit, calls[0], "--call"), settings, awaken=False)
        b, _ = prepare(twin, called(twin, fit, calls[1], "--call-b"), settings, awaken=False)
        return _measured(a, b, settings, names)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result, notes = fitting(inputs, measured)
    return replace(
        result,
        notes=(*notes, *result.notes),
        models=(type(one).__name__, type(other).__name__),
        mapping=tuple(pair for pair in mapping if pair[0] != pair[1]),
        inputs=inputs.described,
        seconds=time.perf_counter() - began,
    )


def called(model: nn.Module, inputs: Inputs, call: Mapping[str, Any], option: str = "--call") -> Inputs:
    """The inputs with the arguments of `call` put in the place of what they hold under those names.

    Raises ModlintError where forward takes other arguments; `option` is where the user gives those of `call`.
    """
    merged = _merged(model, inputs, call) if call else inputs
    try:
        signature = inspect.signature(model.forward)
    except ValueError:  # that of a compiled forward is not known
        return merged
    try:
        signature.bind(*merged.args, **merged.named)
    except TypeError as error:
        needed = [name for name, p in signature.parameters.items() if p.default is p.empty and p.kind not in _VARIADIC]
        raise ModlintError(
            f"forward of {type(model).__name__} takes {', '.join(needed) or 'no arguments'}: {error} where it is given "
            f"{', '.join(merged.described) or 'nothing'}; further arguments are given with {option} "
            "'{\"name\": value}'"
        ) from error
    return merged


_VARIADIC = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def _merged(model: nn.Module, inputs: Inputs, call: Mapping[str, Any]) -> Inputs:
    try:
        bound = inspect.signature(model.forward).bind_partial(*inputs.args, **inputs.named)
        inspect.signature(model.forward).bind_partial(**call)
    except TypeError as error:
        raise ModlintError(f"forward of {type(model).__name__} does not take these arguments: {error}") from error
    positional = list(bound.args)
    names = [name for name in bound.signature.parameters if name in bound.arguments]
    cut = min((names.index(name) for name in call if name in names[: len(positional)]), default=len(positional))
    later = {name: bound.arguments[name] for name in names[cut : len(positional)]}
    return Inputs.of(positional[:cut], {**later, **bound.kwargs, **call}, inputs.origin)


def mapped(one: nn.Module, other: nn.Module) -> Pairs:
    """Names of parameters and buffers of `one` beside those of `other`: equal names, else by order and shape.

    Raises ModlintError naming the first tensor that does not fit.
    """
    pairs: Pairs = []
    for kind in ("parameters", "buffers"):
        ours, theirs = (dict(getattr(model, f"named_{kind}")()) for model in (one, other))
        if _shapes(ours) == _shapes(theirs):
            pairs += [(name, name) for name in ours]
        else:
            pairs += _in_order(kind.removesuffix("s"), ours, theirs)
    return pairs


def transfer(one: nn.Module, other: nn.Module, mapping: Pairs) -> None:
    """Copy the state of `one` into `other`."""
    ours = {**dict(one.named_parameters()), **dict(one.named_buffers())}
    theirs = {**dict(other.named_parameters()), **dict(other.named_buffers())}
    with torch.no_grad():
        for name_a, name_b in mapping:
            theirs[name_b].copy_(ours[name_a])


def _shapes(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _in_order(kind: str, ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor]) -> Pairs:
    pairs: Pairs = []
    for number, ((name_a, a), (name_b, b)) in enumerate(zip(ours.items(), theirs.items(), strict=False), start=1):
        if a.shape != b.shape:
            raise ModlintError(
                f"{kind} {number} does not fit: {name_a!r} is {_size(a)} in the first model, {name_b!r} is {_size(b)} "
                "in the second; two models can be compared when their states agree in order and shape"
            )
        pairs.append((name_a, name_b))
    if len(ours) != len(theirs):
        longer, where, other = (ours, "first", "second") if len(ours) > len(theirs) else (theirs, "second", "first")
        name = list(longer)[len(pairs)]
        raise ModlintError(
            f"{kind} {name!r} ({_size(longer[name])}) of the {where} model has no counterpart: "
            f"the {other} has {len(pairs)} {kind}s, the {where} {len(longer)}; to compare one shared instance with "
            "separate ones, let modlint confirm make them"
        )
    return pairs


def _size(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"


def _measured(a: Subject, b: Subject, settings: Settings, names: Mapping[str, str]) -> Comparison:
    first, again = run(a, (), settings).record, run(a, (), settings).record
    second = _renamed(run(b, (), settings).record, names)
    found = gaps(first, second)
    noise = {quantity: gap.difference for quantity, gap in worst(gaps(first, again)).items()}
    noisy = any(noise.values())
    same: bool | None = equal(found)
    if noisy:
        same = None if not _apart(a, b, settings, names, [first, again], [second]) else False
    with applied(settings):
        described = settings.described()
    return Comparison(
        models=("", ""),
        device=str(settings.device),
        torch=torch.__version__,
        settings=described,
        seeds=tuple(settings.seed + step for step in range(settings.steps)),
        steps=settings.steps,
        noise=tuple(noise.items()),
        measures=measures(found, noise),
        same=same,
        outputs_close=_close(first, second, Quantity.TRAIN_OUTPUTS),
        gradients_close=_close(first, second, Quantity.PARAMETER_GRADIENTS),
        nondeterministic=tuple(locate(a, settings)) if noisy else (),
        notes=tuple(dict.fromkeys(a.notes + b.notes)),
    )


def _apart(
    a: Subject, b: Subject, settings: Settings, names: Mapping[str, str], ours: list[Record], theirs: list[Record]
) -> bool:
    while len(theirs) < REPEATS:
        if len(ours) < REPEATS:
            ours.append(run(a, (), settings).record)
        theirs.append(_renamed(run(b, (), settings).record, names))
    return compare_runs(ours, theirs).apart


def _renamed(record: Record, names: Mapping[str, str]) -> Record:
    """The record of B under the names of A."""
    own = {Quantity.PARAMETERS, Quantity.PARAMETER_GRADIENTS, Quantity.BUFFERS}
    return Record(
        {
            Key(key.quantity, key.step, names.get(key.name, key.name) if key.quantity in own else key.name): tensors
            for key, tensors in record.tensors.items()
        }
    )


def _close(one: Record, other: Record, quantity: Quantity) -> bool:
    """`torch.allclose` of everything of that quantity in the first step."""
    keys = [key for key in one.tensors if key.quantity is quantity and key.step == 0]
    return all(
        key in other.tensors
        and a.shape == b.shape
        and torch.allclose(a.to_dense(), b.to_dense().to(a.dtype), equal_nan=True)
        for key in keys
        for a, b in zip(one.tensors[key], other.tensors.get(key, ()), strict=False)
    )
