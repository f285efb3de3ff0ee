"""One module used twice in a step against two copies of it, under the same seeds: where do they differ?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from catalogue.measure import Case, clone, difference, frozen, snapshot

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_RATE = 0.05
_STEPS = 2


@dataclass(frozen=True)
class Run:
    """What was observed of one arrangement: outputs and input gradients of every step, then state and eval outputs."""

    outputs: tuple[torch.Tensor, ...]
    gradients: tuple[torch.Tensor, ...]
    parameters: tuple[Mapping[str, torch.Tensor], ...]  # of each use
    evaluated: tuple[torch.Tensor, ...]
    state: tuple[Mapping[str, object], ...]  # of each use: buffers and attributes
    learned: bool  # a parameter had a gradient


def shared(case: Case, module: nn.Module) -> Run:
    """Both uses through one module."""
    subject = clone(module)
    return _run(case, (subject, subject), tied=False)


def separate(case: Case, module: nn.Module, *, tied: bool) -> Run:
    """Each use through a copy of its own; `tied` copies take the sum of both gradients: only state sets them apart."""
    return _run(case, (clone(module), clone(module)), tied=tied)


def differing(one: Run, other: Run, *, exact: bool, ignored: Collection[str] = ()) -> set[str]:
    """The observables in which two runs differ; unless `exact`, up to the rounding of a sum of two gradients.

    `ignored` are parameters that a call rewrites before it reads them.
    """
    found = set()
    for name in ("outputs", "gradients", "evaluated"):
        pairs = zip(getattr(one, name), getattr(other, name), strict=True)
        if not all(_equal(mine, others, exact) for mine, others in pairs):
            found.add(name)
    for mine, others in zip(one.parameters, other.parameters, strict=True):
        found |= {name for name in mine if name not in ignored and not _equal(mine[name], others[name], exact)}
    for state, others_state in zip(one.state, other.state, strict=True):
        found |= difference(state, others_state)
    return found


def _equal(one: torch.Tensor, other: torch.Tensor, exact: bool) -> bool:
    if exact or not one.is_floating_point() or one.is_quantized or one.shape != other.shape:
        return frozen(one) == frozen(other)
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)


def _run(case: Case, uses: tuple[nn.Module, nn.Module], *, tied: bool) -> Run:
    copies = tuple(dict.fromkeys(uses))
    outputs: list[torch.Tensor] = []
    gradients: list[torch.Tensor] = []
    learned = False
    for step in range(_STEPS):
        leaves: list[torch.Tensor] = []
        total = torch.zeros(())
        torch.manual_seed(300 + step)
        arguments = [_leaves(case.inputs(10 * step + use), leaves) for use in (1, 2)]
        torch.manual_seed(400 + step)
        for module, given in zip(uses, arguments, strict=True):
            output = case.call(module, given)
            outputs += [tensor.detach().clone() for tensor in _tensors(output)]
            total = total + sum((_loss(tensor) for tensor in _tensors(output) if _is_float(tensor)), torch.zeros(()))
        if total.requires_grad:
            total.backward()
        gradients += [leaf.grad.clone() for leaf in leaves if leaf.grad is not None]
        learned = learned or any(p.grad is not None for module in copies for p in module.parameters())
        if tied:
            _tie(copies)
        _step(copies)
    parameters = tuple({name: p.detach().clone() for name, p in module.named_parameters()} for module in uses)
    state = tuple(_without_parameters(module) for module in uses)
    evaluated: list[torch.Tensor] = []
    for use, module in enumerate(uses, 1):
        torch.manual_seed(500 + use)
        evaluated += _tensors(case.call(clone(module).eval(), case.inputs(30 + use)))
    return Run(tuple(outputs), tuple(gradients), parameters, tuple(evaluated), state, learned)


def _without_parameters(module: nn.Module) -> dict[str, object]:
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    return {name: value for name, value in snapshot(module).items() if name not in parameters}


def _leaves(arguments: tuple[Any, ...], leaves: list[torch.Tensor]) -> tuple[Any, ...]:
    """The arguments, with the gradient of the first asked for; a copy of it is passed, so work in place is allowed."""
    first = arguments[0] if arguments else None
    if isinstance(first, torch.Tensor) and _is_float(first) and first.layout is torch.strided:
        leaves.append(first.detach().requires_grad_())
        return (leaves[-1].clone(), *arguments[1:])
    return arguments


def _is_float(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() and not tensor.is_quantized


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    """The tensors of an output, however they are nested."""
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, (tuple, list)):
        for item in output:
            yield from _tensors(item)
    elif isinstance(output, dict):
        yield from _tensors(list(output.values()))


def _loss(tensor: torch.Tensor) -> torch.Tensor:
    """Weights that no symmetry of a normalisation cancels."""
    flat = tensor.reshape(-1)
    return (flat * torch.linspace(0.5, 1.5, flat.numel(), dtype=flat.dtype)).sum().float()


def _tie(copies: tuple[nn.Module, ...]) -> None:
    for group in zip(*(module.parameters() for module in copies), strict=True):
        grads = [p.grad for p in group if p.grad is not None]
        if grads:
            total = sum(grads[1:], grads[0])
            for parameter in group:
                parameter.grad = total.clone()


def _step(copies: tuple[nn.Module, ...]) -> None:
    with torch.no_grad():
        for module in copies:
            for parameter in module.parameters():
                if parameter.grad is not None:
                    parameter.sub_(parameter.grad.to_dense() * _RATE)
                    parameter.grad = None
