"""Does any output depend on the buffers of an instance? Tells state that is tracked from state that is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from modlint.confirm.determinism import applied, seed_all
from modlint.confirm.observables import distance
from modlint.confirm.replica import replicate
from modlint.confirm.subject import tensors_in
from modlint.trace.users import user_code

if TYPE_CHECKING:
    from torch import nn

    from modlint.confirm.determinism import Settings
    from modlint.confirm.outcome import Candidate
    from modlint.confirm.subject import Subject


def reads_buffers(subject: Subject, candidate: Candidate, settings: Settings) -> bool:
    """Whether other values in the instance's buffers change an output in eval or train mode. Four forward passes."""
    with applied(settings), torch.no_grad():
        return any(
            _differ(_outputs(subject, candidate, mode, False), _outputs(subject, candidate, mode, True))
            for mode in (False, True)
        )


def _outputs(subject: Subject, candidate: Candidate, mode: bool, disturbed: bool) -> Any:
    replica, memo = replicate(subject.model)
    module = memo.get(id(candidate.module))
    if module is None:  # not part of the model: it cannot be disturbed apart from the user's own
        return {}
    if disturbed:
        _disturb(module)
    subject.set_mode(replica, mode)
    seed_all(0)
    args, kwargs, _ = subject.fresh_inputs()
    with user_code("a forward pass with other buffers"):
        outputs = replica(*args, **kwargs)
    subject.executions += 1
    return tensors_in(outputs)


def _disturb(module: nn.Module) -> None:
    for buffer in module.buffers():
        if buffer.dtype is torch.bool:
            buffer.logical_not_()
        else:
            buffer.add_(1)


def _differ(one: dict[str, tuple[torch.Tensor, ...]], other: dict[str, tuple[torch.Tensor, ...]]) -> bool:
    return one.keys() != other.keys() or any(
        float(distance(a, b)[0]) != 0 for name in one for a, b in zip(one[name], other[name], strict=True)
    )
