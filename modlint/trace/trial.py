"""Do the given inputs run at all? fx follows a forward without seeing a shape, so wrong inputs would pass unnoticed.

In: a model and its inputs. Raises UserCodeError where the forward raises on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from modlint.trace.copies import copy_of
from modlint.trace.inputs import running
from modlint.trace.isolate import Snapshot
from modlint.trace.tensors import tensors_in
from modlint.trace.users import UserCodeError, switched, user_code

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modlint.trace.inputs import Inputs


def tried(model: torch.nn.Module, inputs: Inputs, outside: Iterable[torch.nn.Module] = ()) -> None:
    """Run a copy of the model in train mode: on the meta device, where only shapes are computed, and where that fails
    for real, since a forward may ask for values. Integers, which may be indices out of range, are tried for real.

    `outside` are modules that the forward runs and that are no part of the model; they are put back as they were.
    """
    before = Snapshot(*outside)
    try:
        if not _holds_integers(inputs) and _runs_on_meta(model, inputs):
            return
        _run(copy_of(model), inputs)
    except UserCodeError as error:
        on_meta = any(parameter.is_meta for parameter in model.parameters())
        if not (on_meta and _asks_for_values(error)):
            raise
    finally:
        before.restore()


def _runs_on_meta(model: torch.nn.Module, inputs: Inputs) -> bool:
    try:
        _run(copy_of(model, meta=True), inputs.to("meta"))
    except UserCodeError:
        return False
    return True


def _run(twin: torch.nn.Module | None, inputs: Inputs) -> None:
    """A model that does not let itself be copied is left to the recorded pass, which runs it."""
    if twin is not None:
        with torch.no_grad(), user_code(running(twin, inputs)):
            switched(twin, True)(*inputs.args, **inputs.named)


def _holds_integers(inputs: Inputs) -> bool:
    tensors = [*tensors_in(inputs.args), *tensors_in(inputs.named)]
    return any(not (t.is_floating_point() or t.is_complex() or t.is_meta) for t in tensors)


def _asks_for_values(error: UserCodeError) -> bool:
    """Whether it failed because tensors on the meta device have none."""
    return error.cause in {"NotImplementedError", "DataDependentOutputException"} or "meta" in error.text.lower()
