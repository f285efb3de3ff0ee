"""Running out of memory: once more with a smaller batch, then an error that names one that might fit."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, TypeVar

import torch

from modlint.errors import ModlintError

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.confirm.subject import Subject

    Result = TypeVar("Result")

RETRIES = 2  # each with half the batch


def fitting(subject: Subject, work: Callable[[Subject], Result]) -> Result:
    """What `work` returns for the subject, or for a half or a quarter of its batch where memory runs out.

    Raises ModlintError when that does not fit either.
    """
    tried: list[int] = []
    while True:
        try:
            return work(subject)
        except Exception as error:  # told apart by what it says, whoever wrapped it
            if not out_of_memory(error):
                raise
        free()
        batch = subject.batch
        smaller = None if batch is None or batch < 2 else batch // 2
        if smaller is None:
            raise ModlintError(
                f"out of memory{_with(tried, batch)}; give a smaller --input, or use --device cpu for a small GPU"
            )
        tried.append(batch or 0)
        if len(tried) > RETRIES:
            raise ModlintError(f"out of memory{_with(tried, None)}; a batch of {smaller} might fit: give it as --input")
        subject.notes.append(f"a batch of {batch} did not fit into memory; {smaller} was tried instead")
        subject = subject.with_batch(smaller)


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
