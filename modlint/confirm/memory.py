"""Running out of memory: once more with a smaller batch, then an error that names one that might fit."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, TypeVar

import torch
from torch.utils._pytree import tree_leaves, tree_map

from modlint.errors import ModlintError
from modlint.trace.inputs import Inputs

if TYPE_CHECKING:
    from collections.abc import Callable

    Result = TypeVar("Result")

RETRIES = 2  # each with half the batch


def fitting(inputs: Inputs, work: Callable[[Inputs], Result]) -> tuple[Result, list[str]]:
    """What `work` returns for the inputs, or for a half or a quarter of their batch where memory runs out, and notes.

    Raises ModlintError when that does not fit either.
    """
    tried: list[int] = []
    notes: list[str] = []
    while True:
        try:
            return work(inputs), notes
        except Exception as error:  # told apart by what it says, whoever wrapped it
            if not out_of_memory(error):
                raise
        free()
        batch = batch_of(inputs)
        if batch is None or batch < 2:
            raise ModlintError(
                f"out of memory{_with(tried, batch)}; give a smaller --input, raise --memory, or use --device cpu in "
                "place of a small GPU"
            )
        tried.append(batch)
        smaller = batch // 2
        if len(tried) > RETRIES:
            raise ModlintError(f"out of memory{_with(tried, None)}; a batch of {smaller} might fit: give it as --input")
        notes.append(f"a batch of {batch} did not fit into memory; {smaller} was tried instead")
        inputs = with_batch(inputs, smaller)


def batch_of(inputs: Inputs) -> int | None:
    """The leading size that all input tensors agree on."""
    tensors = [value for value in tree_leaves((inputs.args, inputs.named)) if torch.is_tensor(value)]
    sizes = {tensor.shape[0] if tensor.dim() else 0 for tensor in tensors}
    return sizes.pop() if len(sizes) == 1 and 0 not in sizes else None


def with_batch(inputs: Inputs, size: int) -> Inputs:
    """The first `size` samples of the batch."""
    args, kwargs = tree_map(lambda v: v[:size] if torch.is_tensor(v) else v, (inputs.args, inputs.named))
    return Inputs.of(args, kwargs, inputs.origin)


def out_of_memory(error: BaseException | None) -> bool:
    """Whether that error, or the one behind it, says that memory ran out."""
    while error is not None:
        text = str(error)
        if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) or "can't allocate memory" in text:
            return True
        if isinstance(error, RuntimeError) and ("out of memory" in text or "CUBLAS_STATUS_ALLOC_FAILED" in text):
            return True
        error = error.__cause__
    return False


def free() -> None:
    """Give cached memory back."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _with(tried: list[int], batch: int | None) -> str:
    sizes = [*tried, *([] if batch is None else [batch])]
    return f" with a batch of {', then '.join(map(str, sizes))}" if sizes else ""
