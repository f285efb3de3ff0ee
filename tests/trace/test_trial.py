"""Inputs that the model cannot run are an error, though fx follows the forward without seeing a shape."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

import modlint
from modlint.errors import ModlintError
from modlint.trace.corridor import trace_model
from modlint.trace.inputs import Inputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FEATURES = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.fc, self.act = nn.Embedding(5, 4), nn.Linear(4, 4), nn.ReLU()
            self.shift = torch.ones(4)
        def forward(self, x):
            y = self.words(x) if self.text else x
            y = self.act(self.fc(y + self.shift)) + self.act(y)
            return y[y > 0].sum() if self.picks else y
        text = picks = False

    class Words(Net):
        text = True

    class Picks(Net):
        picks = True
"""


@pytest.mark.parametrize(
    ("name", "inputs", "says"),
    [
        pytest.param("Net", [torch.randn(2, 3)], r"Net on 2x3 raised RuntimeError", id="wrong features"),
        pytest.param("Net", [torch.randn(2, 4), torch.randn(1)], r"on 2x4, 1 raised TypeError", id="one too many"),
        pytest.param("Words", [torch.tensor([[1, 5]])], r"\[1,5\]:1x2 raised IndexError", id="a word out of range"),
        pytest.param("Words", [torch.randn(2, 4)], r"Words on 2x4 raised RuntimeError", id="floats where words go"),
    ],
)
def test_given_inputs_that_do_not_run_are_an_error_with_the_users_line(
    write: Callable[..., Path], name: str, inputs: list[torch.Tensor], says: str
) -> None:
    from modlint.trace.target import load

    target = load(f"{write(FEATURES)}:{name}")
    with pytest.raises(ModlintError, match=says) as caught:
        trace_model(target.model, Inputs.of(inputs), target.births)
    if "TypeError" not in says:
        assert "net.py" in caught.value.message and " in forward" in caught.value.message


@pytest.mark.parametrize(
    ("name", "given"),
    [
        pytest.param("Net", torch.randn(2, 4), id="a tensor outside of the registers, which stays on the CPU"),
        pytest.param("Picks", torch.randn(2, 4), id="a choice by value, which the meta device cannot make"),
        pytest.param("Words", torch.tensor([[1, 4]]), id="words in range"),
    ],
)
def test_inputs_that_run_for_real_alone_are_no_error(traced: Callable[..., object], name: str, given: object) -> None:
    graph: modlint.trace.TracedGraph = traced(FEATURES, given, name=name)  # type: ignore[assignment]
    assert (graph.tracer, len(graph.uses_of("act"))) == ("fx", 2)


def test_a_model_on_the_meta_device_is_believed_where_it_needs_values(write: Callable[..., Path]) -> None:
    from modlint.trace.target import load

    target = load(f"{write(FEATURES)}:Picks", device="meta")
    graph = trace_model(target.model, Inputs.of([torch.randn(2, 4, device="meta")]), target.births)
    assert (graph.tracer, len(graph.uses_of("act"))) == ("fx", 2)
    with pytest.raises(ModlintError, match="2x3"):
        trace_model(load(f"{target.spec.replace('Picks', 'Net')}").model, Inputs.of([torch.randn(2, 3)]))


def test_the_trial_leaves_buffers_and_random_state_alone() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3))
    state = torch.get_rng_state()
    modlint.trace(model, torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))
    assert int(model[1].num_batches_tracked) == 0 and torch.equal(state, torch.get_rng_state())


def test_the_command_ends_with_status_2(write: Callable[..., Path]) -> None:
    command = [sys.executable, "-m", "modlint", "trace", f"{write(FEATURES)}:Net", "--input", "2x3x8x8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the forward pass of Net on 2x3x8x8 raised RuntimeError" in done.stderr and "Traceback" not in done.stderr
