"""Running out of memory: a smaller batch, then an error that names one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import modlint
from modlint.confirm.memory import out_of_memory
from modlint.errors import ModlintError
from modlint.verdicts import Verdict
from tests.confirm.models import Flat, images


class Limited(Flat):
    """Runs out of memory above a batch size."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__(nn.ReLU())
        self.most, self.error = most, error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > self.most:
            raise self.error
        return super().forward(x)


CUDA = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
CPU = RuntimeError("[enforce fail] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")


@pytest.mark.parametrize("error", [CUDA, CPU, MemoryError()])
def test_a_batch_that_does_not_fit_is_halved(error: Exception) -> None:
    result = modlint.confirm(Limited(8, error), images(32, 5), device="cpu")
    assert result.outcome("m").measured is Verdict.SAFE
    assert result.notes == (
        "a batch of 32 did not fit into memory; 16 was tried instead",
        "a batch of 16 did not fit into memory; 8 was tried instead",
    )


def test_the_error_names_what_was_tried_and_what_might_fit() -> None:
    with pytest.raises(ModlintError) as caught:
        modlint.confirm(Limited(0, CUDA), images(64, 5), device="cpu")
    message = "out of memory with a batch of 64, then 32, then 16; a batch of 8 might fit: give it as --input"
    assert str(caught.value) == message


def test_a_single_sample_that_does_not_fit_names_the_other_ways_out() -> None:
    with pytest.raises(ModlintError, match="out of memory with a batch of 1; give a smaller --input, raise --memory"):
        modlint.confirm(Limited(0, CUDA), images(1, 5), device="cpu")


def test_other_errors_are_not_taken_for_memory() -> None:
    assert not out_of_memory(RuntimeError("shapes do not match"))
    assert not out_of_memory(ValueError("out of memory"))
    assert not out_of_memory(None)
