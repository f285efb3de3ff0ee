"""Do the given inputs run at all? fx follows a forward without seeing a shape, so wrong inputs would pass unnoticed.

In: a model and its inputs. Raises UserCodeError where the forward raises on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.trace.isolate import copy_of
from modlint.trace.recorded import record
from modlint.trace.tensors import tensors_in
from modlint.trace.users import UserCodeError

if TYPE_CHECKING:
    import torch

    from modlint.trace.inputs import Inputs


def tried(model: torch.nn.Module, inputs: Inputs) -> None:
    """Run a copy of the model in train mode: on the meta device, where only shapes are computed, and where that fails
    for real, since a forward may ask for values. Integers, which may be indices out of range, are tried for real.
    """
    if not _holds_integers(inputs) and _runs_on_meta(model, inputs):
        return
    on_meta = any(parameter.is_meta for parameter in model.parameters())
    try:
        _run(copy_of(model, share=True), inputs)
    except UserCodeError as error:
        if not (on_meta and _asks_for_values(error)):
            raise


def _runs_on_meta(model: torch.nn.Module, inputs: Inputs) -> bool:
    try:
        _run(copy_of(model, meta=True), inputs.to("meta"))
    except UserCodeError:
        return False
    return True


def _run(twin: torch.nn.Module | None, inputs: Inputs) -> None:
    """Under watch, so that modules outside of the model are put back. A model that does not let itself be copied is
    left to the recorded pass, which runs it.
    """
    if twin is not None:
        record(twin.train(), inputs)


def _holds_integers(inputs: Inputs) -> bool:
    tensors = [*tensors_in(inputs.args), *tensors_in(inputs.named)]
    return any(not (t.is_floating_point() or t.is_complex() or t.is_meta) for t in tensors)


def _asks_for_values(error: UserCodeError) -> bool:
    """Whether it failed because tensors on the meta device have none."""
    return error.cause in {"NotImplementedError", "DataDependentOutputException"} or "meta" in error.text.lower()
