"""Models that go wrong: a clear result or a clear error for each."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

import modlint
from modlint.confirm.observables import Quantity
from modlint.errors import ModlintError
from modlint.findings import Level
from modlint.verdicts import Verdict
from tests.confirm.models import Flat, Reusing, images, vectors

if TYPE_CHECKING:
    from pathlib import Path


def test_a_model_that_raises_is_shown_with_the_users_lines() -> None:
    class Raising(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise KeyError("no such table")

    with pytest.raises(ModlintError, match=r"(?s)raised KeyError: 'no such table'.*test_bad_input\.py:\d+ in forward"):
        modlint.confirm(Raising(nn.ReLU()), vectors(), device="cpu")


def test_a_model_that_raises_in_eval_mode_alone_says_so() -> None:
    class Raising(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if not self.training:
                raise ValueError("not trained")
            return super().forward(x)

    with pytest.raises(ModlintError, match="eval mode raised ValueError: not trained"):
        modlint.confirm(Raising(nn.ReLU()), vectors(), device="cpu")


def test_a_backward_that_raises_says_so() -> None:
    class Changed(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.sigmoid(super().forward(x))
            z = y * 2
            y.add_(1)
            return z

    with pytest.raises(ModlintError, match="the backward pass raised RuntimeError"):
        modlint.confirm(Changed(nn.ReLU()), vectors(), device="cpu")


def test_outputs_without_gradient_are_compared_all_the_same() -> None:
    class Labels(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).argmax(dim=1)

    result = modlint.confirm(Labels(nn.BatchNorm1d(4)), vectors(), device="cpu")
    assert "no output of the model is differentiable: gradients were not compared" in result.notes
    found = result.outcome("m")
    quantities = {measure.quantity for measure in found.measures}
    assert Quantity.PARAMETER_GRADIENTS not in quantities
    assert {Quantity.TRAIN_OUTPUTS, Quantity.BUFFERS, Quantity.EVAL_OUTPUTS} <= quantities
    assert found.level in {Level.CONFIRMED, Level.INCONCLUSIVE}
    assert modlint.confirm(Labels(nn.ReLU()), vectors(), device="cpu").outcome("m").measured is Verdict.SAFE


def test_a_model_without_parameters() -> None:
    model = nn.Sequential(act := nn.ReLU(), nn.MaxPool2d(2), act)
    found = modlint.confirm(model, images(), device="cpu").outcome("0")
    assert found.measured is Verdict.SAFE
    norm = nn.BatchNorm2d(3, affine=False)
    found = modlint.confirm(nn.Sequential(norm, nn.Tanh(), norm), images(), device="cpu").outcome("0")
    assert found.measured is Verdict.CHANGES_SEMANTICS


def test_integer_inputs() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(7, 4)
            self.m = nn.BatchNorm1d(4)

        def forward(self, words: torch.Tensor) -> torch.Tensor:
            return self.m(torch.tanh(self.m(self.embed(words))))

    found = modlint.confirm(Words(), torch.arange(6), device="cpu").outcome("m")
    assert found.measured is Verdict.CHANGES_SEMANTICS
    assert Quantity.INPUT_GRADIENTS not in {measure.quantity for measure in found.measures}


def test_sparse_gradients() -> None:
    class Sparse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.m = nn.Embedding(7, 4, sparse=True)

        def forward(self, words: torch.Tensor) -> torch.Tensor:
            return self.m(words) * self.m(words.flip(0))

    found = modlint.confirm(Sparse(), torch.arange(6), device="cpu").outcome("m")
    assert (found.level, found.measured) == (Level.CONFIRMED, Verdict.DELIBERATE)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_model_in_half_precision(dtype: torch.dtype) -> None:
    safe = modlint.confirm(Reusing(nn.ReLU()).to(dtype), images(), device="cpu")
    assert safe.outcome("m").measured is Verdict.SAFE
    norm = modlint.confirm(Reusing(nn.BatchNorm2d(4)).to(dtype), images().to(dtype), device="cpu")
    assert norm.outcome("m").measured is Verdict.CHANGES_SEMANTICS


def test_a_forward_that_is_random_by_itself_repeats_under_the_seeds() -> None:
    class Random(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            import random

            import numpy

            drawn = random.random() + float(numpy.random.rand())
            return super().forward(x + torch.randn_like(x)) * drawn

    result = modlint.confirm(Random(nn.Dropout()), vectors(), device="cpu")
    assert result.deterministic
    assert result.outcome("m").measured is Verdict.SAFE


def test_a_forward_with_a_generator_of_its_own_repeats_too() -> None:
    class Own(Flat):
        def __init__(self, between: nn.Module) -> None:
            super().__init__(between)
            self.generator = torch.Generator().manual_seed(1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x + torch.randn(x.shape, generator=self.generator))

    result = modlint.confirm(Own(nn.ReLU()), vectors(), device="cpu")
    assert result.deterministic
    assert result.outcome("m").measured is Verdict.SAFE


def test_a_forward_that_takes_no_inputs_with_gradients() -> None:
    class ToNumpy(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(torch.from_numpy(x.numpy() * 2))

    result = modlint.confirm(ToNumpy(nn.ReLU()), vectors(), device="cpu")
    assert "the model does not take inputs that require gradients: none were measured" in result.notes
    assert result.outcome("m").measured is Verdict.SAFE


def test_outputs_that_are_not_finite() -> None:
    class Infinite(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) / torch.zeros(4)

    outcome = modlint.confirm(Infinite(nn.ReLU()), vectors(), device="cpu").outcome("m")
    assert (outcome.level, outcome.measured) == (Level.INCONCLUSIVE, None)  # NaN after a step, whatever is shared


def test_a_compiled_instance_is_named() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = Flat(torch.jit.script(nn.BatchNorm1d(4)))
        with pytest.raises(ModlintError, match="'m' is compiled TorchScript, which cannot be taken apart"):
            modlint.confirm(model, vectors(), device="cpu")


def test_nothing_to_compare_is_no_proof() -> None:
    """An empty batch, and a model that returns no tensor."""

    class Silent(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            super().forward(x)
            return None

    for model, x in ((Flat(nn.ReLU()), torch.zeros(0, 5)), (Silent(nn.ReLU()), vectors())):
        found = modlint.confirm(model, x, device="cpu").outcome("m")
        assert (found.level, found.measured) == (Level.INCONCLUSIVE, None)
        assert found.note == "the outputs of the model hold no numbers on these inputs to compare"


def test_a_batch_of_one_that_batchnorm_refuses() -> None:
    with pytest.raises(ModlintError, match="Expected more than 1 value per channel"):
        modlint.confirm(Flat(nn.BatchNorm1d(4)), torch.randn(1, 5), device="cpu")


def test_a_model_that_cannot_be_copied() -> None:
    import threading

    model = Flat(nn.ReLU())
    model.lock = threading.Lock()
    with pytest.raises(ModlintError, match="cannot be copied"):
        modlint.confirm(model, vectors(), device="cpu")


MODELS = """
    import time
    import torch
    from torch import nn

    class Endless(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            while x.sum() == x.sum():
                time.sleep(0.1)
            return x

    class Raising(Endless):
        def forward(self, x):
            print("chatter")
            raise RuntimeError("boom")

    class Chatty(Endless):
        def forward(self, x):
            print("chatter")
            return self.act(self.fc(self.act(x)))

    class Greedy(Endless):
        def forward(self, x):
            kept = [torch.ones(2**27) for _ in range(64)]
            return self.fc(x)
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    file = tmp_path / "net.py"
    file.write_text(textwrap.dedent(MODELS), "utf-8")
    return file


def confirm(*arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modlint", "confirm", *map(str, arguments), "--input", "2x4", "--device", "cpu"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_model_that_never_ends_runs_into_the_time_limit(models: Path) -> None:
    done = confirm(f"{models}:Endless", "--timeout", "8")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "the model was still running after 8 s; give it more with --timeout" in done.stderr


def test_a_model_that_takes_too_much_memory_runs_into_the_limit(models: Path) -> None:
    done = confirm(f"{models}:Greedy", "--memory", "3")
    assert done.returncode == 2
    assert "out of memory with a batch of 2, then 1; give a smaller --input, raise --memory" in done.stderr


def test_what_the_model_raises_and_prints_stays_off_stdout(models: Path) -> None:
    done = confirm(f"{models}:Raising")
    assert (done.returncode, done.stdout) == (2, "")
    assert "RuntimeError: boom" in done.stderr
    assert "net.py" in done.stderr
    done = confirm(f"{models}:Chatty")
    assert done.returncode == 0
    assert "chatter" not in done.stdout
    assert "ML001 ReLU 'act' runs 2 times: confirmed: safe" in done.stdout
