"""How much of an instance do the outputs of the model depend on? Tells state that is tracked from state that is read.

Found out by disturbing: first the instance's buffers, then what it returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_map

from modlint.confirm.determinism import applied, seed_all
from modlint.confirm.judging import Reach
from modlint.confirm.observables import distance
from modlint.confirm.replica import replicate
from modlint.confirm.subject import tensors_in
from modlint.trace.users import user_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from modlint.confirm.determinism import Settings
    from modlint.confirm.outcome import Candidate
    from modlint.confirm.subject import Subject

    Outputs = dict[str, tuple[torch.Tensor, ...]]


def reach_of(subject: Subject, candidate: Candidate, settings: Settings) -> Reach:
    """What of the instance reaches an output, in eval or train mode. At most twelve forward passes."""
    for disturb, reach in (
        (_disturb_buffers, Reach.BUFFERS),
        (_disturb_attributes, Reach.ATTRIBUTES),
        (_disturb_output, Reach.OUTPUT),
    ):
        for mode in (False, True):
            with applied(settings), torch.no_grad():
                plain = _outputs(subject, candidate, mode, lambda _: None)
                if plain is None:  # not part of the model: it cannot be disturbed apart from the user's own
                    return Reach.BUFFERS
                if _differ(plain, _outputs(subject, candidate, mode, disturb) or {}):
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


def _disturb_buffers(module: nn.Module) -> None:
    for buffer in module.buffers():
        if buffer.dtype is torch.bool:
            buffer.logical_not_()
        else:
            buffer.add_(1)


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


def _differ(one: Outputs, other: Outputs) -> bool:
    return one.keys() != other.keys() or any(
        float(distance(a, b)[0]) != 0 for name in one for a, b in zip(one[name], other[name], strict=True)
    )
