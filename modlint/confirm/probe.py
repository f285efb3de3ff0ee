"""How much of an instance do the outputs of the model depend on? Tells state that is tracked from state that is read.

Found out by disturbing: first the buffers in which the uses differ, then what the instance leaves on itself, then what
it returns. On a noisy machine only what exceeds the noise of equal passes counts.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_map

from modlint.confirm.determinism import applied, seed_all
from modlint.confirm.judging import Reach
from modlint.confirm.noise import MARGIN
from modlint.confirm.observables import distance
from modlint.confirm.replica import replicate
from modlint.confirm.subject import tensors_in
from modlint.trace.users import user_code

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from torch import nn

    from modlint.confirm.determinism import Settings
    from modlint.confirm.outcome import Candidate
    from modlint.confirm.subject import Subject

    Outputs = dict[str, tuple[torch.Tensor, ...]]


def reach_of(
    subject: Subject, candidate: Candidate, settings: Settings, differing: Collection[str], repeats: int = 1
) -> Reach:
    """What of the instance reaches an output, in eval or train mode: eight forward passes or fewer without noise.

    `differing` are the names of the buffers in question, within the instance. With `repeats` above 1 the noise of that
    many equal passes is measured first.
    """
    plain: dict[bool, list[Outputs]] = {}
    for disturb, reach in (
        (functools.partial(_disturb_buffers, names=differing), Reach.BUFFERS),
        (_disturb_attributes, Reach.ATTRIBUTES),
        (_disturb_output, Reach.OUTPUT),
    ):
        for mode in (False, True):
            with applied(settings), torch.no_grad():
                if mode not in plain:
                    equal = [_outputs(subject, candidate, mode, lambda _: None) for _ in range(repeats)]
                    plain[mode] = [outputs for outputs in equal if outputs is not None]
                if not plain[mode]:  # not part of the model: it cannot be disturbed apart from the user's own
                    return Reach.BUFFERS
                first, *again = plain[mode]
                noise = max((_apart(first, other) for other in again), default=0.0)
                if _apart(first, _outputs(subject, candidate, mode, disturb) or {}) > MARGIN * noise:
                    return reach
    return Reach.NOTHING


def _outputs(
    subject: Subject, candidate: Candidate, mode: bool, disturb: Callable[[nn.Module], None]
) -> Outputs | None:
    replica, memo = replicate(subject.model)
    module = memo.get(id(candidate.module))
    if module is None:
        return None
    disturb(module)
    subject.set_mode(replica, mode)
    seed_all(0)
    args, kwargs, _ = subject.fresh_inputs()
    with user_code("a forward pass with an instance disturbed"):
        outputs = replica(*args, **kwargs)
    subject.executions += 1
    return tensors_in(outputs)


def _disturb_buffers(module: nn.Module, names: Collection[str]) -> None:
    """Other values in the buffers, by more than their size and not by the same everywhere: a label may show no less."""
    generator = torch.Generator().manual_seed(0)
    for name, buffer in module.named_buffers():
        if name not in names or not buffer.numel():
            continue
        if buffer.dtype is torch.bool:
            buffer.logical_not_()
        else:
            by = torch.randint(1, 9, buffer.shape, generator=generator).to(buffer.device, torch.float64)
            size = buffer.double().abs().nan_to_num(0.0, 0.0, 0.0).max()
            buffer.add_((by * (1 + size)).to(buffer.dtype))


def _disturb_attributes(module: nn.Module) -> None:
    """Other tensors in the place of those that a forward leaves on the instance, until its next one."""
    before: dict[int, dict[str, Any]] = {}
    hidden: dict[int, dict[str, Any]] = {}

    def begins(inner: nn.Module, _args: Any) -> None:
        vars(inner).update(hidden.pop(id(inner), {}))
        before[id(inner)] = dict(vars(inner))

    def ends(inner: nn.Module, _args: Any, _output: Any) -> None:
        left = {
            name: value
            for name, value in vars(inner).items()
            if torch.is_tensor(value) and value is not before[id(inner)].get(name)
        }
        hidden[id(inner)] = left
        vars(inner).update({name: _other(value) for name, value in left.items()})

    for part in module.modules():
        part.register_forward_pre_hook(begins)
        part.register_forward_hook(ends)


def _disturb_output(module: nn.Module) -> None:
    def disturbed(_module: nn.Module, _args: Any, output: Any) -> Any:
        return tree_map(_other, output)

    module.register_forward_hook(disturbed)


def _other(value: Any) -> Any:
    """Other values of about the same size."""
    if not torch.is_tensor(value) or not value.is_floating_point() or not value.numel():
        return value
    return value.flip(list(range(value.dim()))) + 1


def _apart(one: Outputs, other: Outputs) -> float:
    """The largest difference; infinite where the outputs are not the same ones."""
    if one.keys() != other.keys():
        return math.inf
    return max(
        (float(distance(a, b)[0]) for name in one for a, b in zip(one[name], other[name], strict=True)), default=0.0
    )
