"""Inputs that the model cannot run are an error, though fx follows the forward without seeing a shape."""

from __future__ import annotations

import functools
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
from modlint.trace.session import Request, trace_job

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
        trace_model(target.model, Inputs.of(inputs), target.births, trial=True)
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
    graph = trace_model(target.model, Inputs.of([torch.randn(2, 4, device="meta")]), target.births, trial=True)
    assert (graph.tracer, len(graph.uses_of("act"))) == ("fx", 2)
    with pytest.raises(ModlintError, match="2x3"):
        trace_model(load(target.spec.replace("Picks", "Net")).model, Inputs.of([torch.randn(2, 3)]), trial=True)


def test_the_trial_leaves_buffers_and_random_state_alone() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3))
    state = torch.get_rng_state()
    trace_model(model, Inputs.of([torch.randn(4, 3, generator=torch.Generator().manual_seed(0))]), trial=True)
    assert int(model[1].num_batches_tracked) == 0 and torch.equal(state, torch.get_rng_state())


class _Counted(nn.Linear):
    runs = 0

    def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        _Counted.runs += not isinstance(x, torch.fx.Proxy)
        return super().forward(x) * scale


def test_the_library_runs_no_forward_where_fx_suffices() -> None:
    _Counted.runs = 0
    assert modlint.trace(_Counted(3, 3), torch.randn(2, 7), scale=2.0).tracer == "fx"
    assert _Counted.runs == 0


@pytest.mark.parametrize(
    ("count", "keywords", "says"),
    [
        pytest.param(3, {}, "does not take 2x3, 2x3, 2x3: too many positional arguments", id="too many"),
        pytest.param(0, {"scale": 2.0}, "does not take scale=2.0: missing a required argument: 'x'", id="one missing"),
        pytest.param(1, {"factor": 2.0}, "unexpected keyword argument 'factor'", id="an unknown name"),
    ],
)
def test_the_library_binds_the_arguments(count: int, keywords: dict[str, float], says: str) -> None:
    with pytest.raises(ModlintError, match=says) as caught:
        modlint.trace(_Counted(3, 3), *[torch.randn(2, 3)] * count, **keywords)
    assert "_Counted.forward(x: " in caught.value.message


def test_what_comes_between_the_call_and_forward_may_change_the_arguments() -> None:
    hooked, wrapped = _Counted(3, 3), _Wrapped()
    hooked.register_forward_pre_hook(lambda module, args: args[:1])
    for model in (hooked, wrapped):
        assert len(modlint.trace(model, torch.randn(2, 3), 1.0, "more").uses_of(".")) == 1


def _first_alone(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    @functools.wraps(function)
    def wrapper(self: nn.Module, x: torch.Tensor, *_: object) -> torch.Tensor:
        return function(self, x)

    return wrapper


class _Wrapped(nn.Module):
    @_first_alone
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1


def test_inputs_take_the_floating_type_of_the_model(write: Callable[..., Path]) -> None:
    source = "class Net(nn.Linear):\n    def __init__(self):\n        super().__init__(3, 3, dtype=torch.bfloat16)\n"
    for given in (("2x3",), ("float32:2x3",), ()):
        graph = trace_job(Request(f"{write(source)}:Net", input=given))
        assert graph.inputs.described == ("bfloat16:2x3",)


def test_the_command_ends_with_status_2(write: Callable[..., Path]) -> None:
    command = [sys.executable, "-m", "modlint", "trace", f"{write(FEATURES)}:Net", "--input", "2x3x8x8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the forward pass of Net on 2x3x8x8 raised RuntimeError" in done.stderr and "Traceback" not in done.stderr
