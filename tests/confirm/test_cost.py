"""What the experiment costs, counted, and the small module that an instance of a large model is tried in."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from modlint.confirm import confirm_model
from modlint.confirm.candidates import candidates_of
from modlint.confirm.determinism import Settings, pick_device
from modlint.confirm.experiment import Experiment
from modlint.confirm.observables import Quantity
from modlint.confirm.outcome import Aim, Candidate, ConfirmResult, Home, Reused
from modlint.findings import Level
from modlint.trace import trace_model
from modlint.trace.inputs import Inputs
from modlint.verdicts import Verdict
from tests.confirm.models import images

K = 3
RUN = K + 1  # forward passes of one run: the steps and the eval pass


class Block(nn.Module):
    """A residual block whose two convolutions may share a norm, and share an activation always."""

    def __init__(self, width: int, shared: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.bn2 = self.bn1 if shared else nn.BatchNorm2d(width)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(x + self.bn2(self.conv2(self.act(self.bn1(self.conv1(x))))))


class Network(nn.Module):
    def __init__(self, depth: int, sharing: int, width: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.Sequential(*[Block(width, number < sharing) for number in range(depth)])
        self.fc = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.blocks(self.stem(x)).mean(dim=(2, 3)))


def confirm(model: nn.Module, x: torch.Tensor | None = None, device: str = "cpu") -> ConfirmResult:
    return confirm_model(model, Inputs.of([images() if x is None else x]), Settings(pick_device(device)))


@pytest.mark.parametrize("warned", [0, 1, 2])
def test_the_number_of_executions_is_that_of_the_protocol(warned: int) -> None:
    """2 runs of A, 1 of B with all that is safe, 1 for each warned instance; two blocks are too few to try apart."""
    result = confirm(Network(2, warned))
    assert sum(o.measured is Verdict.CHANGES_SEMANTICS for o in result.outcomes) == warned
    needed = (2 + 1 + warned) * RUN
    assert result.executions <= 1.3 * needed


def test_an_instance_of_a_large_model_is_tried_in_the_smallest_module_around_its_uses(device: str) -> None:
    result = confirm(Network(12, 3), device=device)
    whole = (2 + 1) * RUN
    assert result.executions == whole + 2, "two passes to see what reaches the parts"
    for number in range(3):
        found = result.outcome(f"blocks.{number}.bn1")
        assert found.within == f"blocks.{number}"
        assert (found.level, found.measured) == (Level.CONFIRMED, Verdict.CHANGES_SEMANTICS)
        assert found.harm.eval > 0
        assert found.harm.skew > 0
        assert found.executions == 2


def test_a_part_keeps_the_modes_that_the_whole_model_sets() -> None:
    class Frozen(Network):
        def train(self, mode: bool = True) -> Frozen:
            super().train(mode)
            self.blocks[0].bn1.eval()
            return self

    torch.manual_seed(0)
    model = Frozen(12, 2)
    candidates = [
        Candidate(Reused(f"blocks.{n}.bn1", Aim.STATE), model.blocks[n].bn1, Home(f"blocks.{n}", model.blocks[n], 0.1))
        for n in range(2)
    ]
    result = confirm_model(model, Inputs.of([images()]), candidates=candidates)
    frozen, live = result.outcome("blocks.0.bn1"), result.outcome("blocks.1.bn1")
    assert (frozen.within, frozen.level) == ("blocks.0", Level.REFUTED)
    assert (live.within, live.level) == ("blocks.1", Level.CONFIRMED)


def test_what_a_part_shows_is_what_the_whole_model_shows() -> None:
    torch.manual_seed(0)
    model = Network(8, 1)
    part = confirm(model).outcome("blocks.0.bn1")
    inputs = Inputs.of([images()])
    candidates = [
        Candidate(c.reused, c.module) for c in candidates_of(trace_model(model, inputs), model, inputs).candidates
    ]
    whole = confirm_model(model, inputs, candidates=candidates).outcome("blocks.0.bn1")
    assert (part.within, whole.within) == ("blocks.0", "")
    assert part.measured is whole.measured is Verdict.CHANGES_SEMANTICS
    quantities = [{m.quantity: m.difference > 0 for m in found.measures} for found in (part, whole)]
    assert quantities[0][Quantity.BUFFERS] and quantities[1][Quantity.BUFFERS]
    assert quantities[0][Quantity.EVAL_OUTPUTS] and quantities[1][Quantity.EVAL_OUTPUTS]


def test_the_time_is_that_of_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processor time beside that of the bare training steps and eval passes, measured in turn, the best of three.

    The bound leaves room for a busy machine, on which torch's threads wait for each other: it is there to notice an
    experiment that does twice the work.

    `benchmarks/cuda.py` measures the same on a ResNet-50, where it must stay below 1.3.
    """
    torch.manual_seed(0)
    model = Network(3, 1, width=48)
    x = images(8, 3, 32, 32)
    spent: list[float] = []
    conduct = Experiment.conduct

    def timed(self: Experiment) -> None:
        began = time.process_time()
        conduct(self)
        spent.append(time.process_time() - began)

    monkeypatch.setattr(Experiment, "conduct", timed)
    runs = 2 + 1 + 1
    ratios = []
    for _ in range(3):
        plain = _plain(model, x)
        confirm(model, x)
        ratios.append(spent[-1] / (runs * (plain + _plain(model, x)) / 2))
    assert min(ratios) <= 2.0


def _plain(model: nn.Module, x: torch.Tensor) -> float:
    """Seconds of one run without any experiment around it."""
    began = time.process_time()
    for _ in range(K):
        model.train()
        model(x).square().mean().backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.sub_(1e-3 * parameter.grad)
        model.zero_grad()
    model.eval()
    with torch.no_grad():
        model(x)
    return time.process_time() - began
