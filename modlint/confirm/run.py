"""One run of the experiment: K seeded training steps and an eval pass of a subject, shared or unshared -> a `Run`."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from modlint.confirm.derivative import LocalDerivatives
from modlint.confirm.determinism import Settings, applied, random_state, seed_all
from modlint.confirm.elementwise import Elementwise
from modlint.confirm.observables import Quantity, Record
from modlint.confirm.replica import replicate
from modlint.confirm.subject import loss_of, tensors_in
from modlint.confirm.unshare import Unshared
from modlint.trace.users import user_code

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from torch import nn

    from modlint.confirm.marked import Tie
    from modlint.confirm.subject import Subject

Tensors = dict[str, tuple[torch.Tensor, ...]]


@dataclass(frozen=True, slots=True)
class Mark:
    """An instance to watch or unshare: its name in the report and the object in the subject's model."""

    name: str
    module: nn.Module


@dataclass(slots=True)
class Own:
    """What one marked instance held at the end of a run, one tensor for each copy."""

    executions: int = 0
    buffers: Tensors = field(default_factory=dict)
    parameters: Tensors = field(default_factory=dict)
    gradients: Tensors = field(default_factory=dict)  # of the first step
    first_parameters: Tensors = field(default_factory=dict)  # after the first step
    kept: list[dict[str, Any]] = field(default_factory=list)  # attributes and buffers, by dotted name


@dataclass(slots=True)
class Run:
    """What a run left behind: everything observed, and what each marked instance held."""

    record: Record = field(default_factory=Record)
    own: dict[str, Own] = field(default_factory=dict)
    differentiable: bool = False
    numbers: int = 0  # elements of the train outputs
    blank_train: bool = False  # the train outputs of every step are NaN or infinite throughout
    blank_eval: bool = False  # the same of the eval outputs
    warned: list[str] = field(default_factory=list)  # texts of warnings


def run(
    subject: Subject,
    marks: Sequence[Mark],
    settings: Settings,
    *,
    apart: Collection[str] = (),
    tie: Mapping[str, Tie] | None = None,
    steps: int | None = None,
    evaluate: bool = True,
) -> Run:
    """Train a replica of the subject for K steps and evaluate it.

    Every execution of the marked instances named in `apart` gets a copy of its own (model B); `tie` says by name which
    parameters the copies have in common. Raises UserCodeError when the model does.
    """
    replica, memo = replicate(subject.model)
    derivatives = LocalDerivatives(Elementwise({mark.name: mark.module for mark in marks}, subject.elementwise))
    marked = [(mark.name, memo.get(id(mark.module), mark.module)) for mark in marks]
    result = Run(own={mark.name: Own() for mark in marks})
    model = Unshared(replica, marked, apart=apart, tie=tie, observer=derivatives)
    with applied(settings), torch.enable_grad(), _caught(result), model.active():
        for step in range(settings.steps if steps is None else steps):
            derivatives.restart(watching=step == 0)
            _train(subject, model, settings, step, result)
            result.record.keep(Quantity.LOCAL_DERIVATIVES, step, derivatives.derivatives())
        result.record.put(Quantity.PARAMETERS, -1, model.tensors("_parameters"))
        for name, own in result.own.items():
            own.executions = model.executions(name)
            own.buffers = _kept(model.tensors_of(name, "_buffers"))
            own.parameters = _kept(model.tensors_of(name, "_parameters"))
            own.kept = model.kept(name)
        if evaluate:
            _evaluate(subject, model, settings, result)
    return result


@contextlib.contextmanager
def _caught(result: Run) -> Iterator[None]:
    """Keep warnings from the user: they would be told once for every run."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    result.warned += dict.fromkeys(str(warning.message) for warning in caught)


def _train(subject: Subject, model: Unshared, settings: Settings, step: int, result: Run) -> None:
    model.change(lambda replica: subject.set_mode(replica, True))
    seed_all(settings.seed + step)
    args, kwargs, inputs = subject.fresh_inputs()
    record = result.record
    with user_code("the forward pass in train mode"):
        outputs = model(*args, **kwargs)
    subject.executions += 1
    found = tensors_in(outputs)
    record.put(Quantity.TRAIN_OUTPUTS, step, found)
    result.numbers += sum(tensor.numel() for tensors in found.values() for tensor in tensors)
    result.blank_train = (step == 0 or result.blank_train) and _blank(found)
    loss = loss_of(outputs, settings.seed)
    if loss is not None:
        result.differentiable = True
        with user_code("the backward pass"):
            loss.backward()
        gradients = {str(i): (leaf.grad,) for i, leaf in enumerate(inputs) if leaf.grad is not None}
        record.put(Quantity.INPUT_GRADIENTS, step, gradients)
        record.keep(Quantity.PARAMETER_GRADIENTS, step, _summed(model.tensors("_parameters")))
        if step == 0:
            for name, own in result.own.items():
                own.gradients = _gradients(model.tensors_of(name, "_parameters"))
        _descend(model.parameters(), settings.rate)
        if step == 0:
            for name, own in result.own.items():
                own.first_parameters = _kept(model.tensors_of(name, "_parameters"))
    record.put(Quantity.BUFFERS, step, model.tensors("_buffers"))
    record.keep(Quantity.RANDOM_STATE, step, {"": (random_state(settings.device),)})


def _evaluate(subject: Subject, model: Unshared, settings: Settings, result: Run) -> None:
    model.change(lambda replica: subject.set_mode(replica, False))
    seed_all(settings.seed)
    args, kwargs, _ = subject.fresh_inputs()
    with torch.no_grad(), user_code("the forward pass in eval mode"):
        outputs = model(*args, **kwargs)
    subject.executions += 1
    found = tensors_in(outputs)
    result.record.put(Quantity.EVAL_OUTPUTS, -1, found)
    result.blank_eval = _blank(found)


def _blank(found: Tensors) -> bool:
    """Whether there are numbers, and all of them are NaN or infinite: equal ones show nothing."""
    every = [tensor for tensors in found.values() for tensor in tensors if tensor.numel()]
    return bool(every) and not any(bool(tensor.isfinite().any()) for tensor in every)


def _descend(parameters: Sequence[nn.Parameter], rate: float) -> None:
    """Plain gradient descent, which keeps no state of its own."""
    with torch.no_grad():
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.add_(parameter.grad, alpha=-rate)
                parameter.grad = None


def _summed(parameters: Mapping[str, tuple[torch.Tensor, ...]]) -> Tensors:
    """The gradient of each parameter, summed over its copies."""
    return {name: (_sum(grads),) for name, grads in _gradients(parameters).items()}


def _gradients(parameters: Mapping[str, tuple[torch.Tensor, ...]]) -> Tensors:
    """Gradients by name; a copy that none has reached counts as zero beside one that has one."""
    return {
        name: tuple(torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in copies)
        for name, copies in parameters.items()
        if any(p.grad is not None for p in copies)
    }


def _sum(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total


def _kept(tensors: Mapping[str, tuple[torch.Tensor, ...]]) -> Tensors:
    return {name: tuple(t.detach().clone() for t in copies) for name, copies in tensors.items()}
