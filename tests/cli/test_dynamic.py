"""`modlint PATH --trace` and `--confirm`: evidence in the findings. These run the models, in processes of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Done

MODEL = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, width, 3), nn.Conv2d(width, width, 3)
        self.bn, self.act = nn.BatchNorm2d(width), nn.ReLU()

    def forward(self, x):
        x = self.act(self.bn(self.conv1(x)))
        return self.act(self.bn(self.conv2(x)))
"""
CONFIGURED = """
[[tool.modlint.models]]
target = "src/net.py:Net"
init = { width = 8 }
input = ["2x3x8x8"]
"""


@pytest.fixture
def model(project: Path) -> Path:
    (project / "src" / "net.py").write_text(MODEL)
    (project / "src" / "clean.py").unlink()
    (project / "pyproject.toml").write_text("[tool.modlint]\n" + CONFIGURED)
    return project


@pytest.mark.parametrize(
    ("flag", "level"),
    [pytest.param("--trace", "traced", id="trace"), pytest.param("--confirm", "confirmed", id="confirm")],
)
def test_the_evidence_reaches_the_finding(model: Path, run: Callable[..., Done], flag: str, level: str) -> None:
    done = run("src", flag, "--device", "cpu", "--output-format", "json")
    found = [entry for entry in json.loads(done.out) if entry["code"] == "ML101"]
    assert [entry["evidence"]["level"] for entry in found] == [level], done.err
    assert (done.status, found[0]["filename"]) == (1, "src/net.py")
    if flag == "--confirm":
        assert any(o["difference"] > o["noise"] for o in found[0]["evidence"]["observables"].values())


def test_a_model_that_cannot_be_built_is_a_note_and_its_findings_stay(model: Path, run: Callable[..., Done]) -> None:
    (model / "src" / "net.py").write_text(MODEL.replace("super().__init__()", "super().__init__(); 1 / 0"))
    done = run("src", "--trace", "--output-format", "json")
    assert [entry["code"] for entry in json.loads(done.out)] == ["ML101"]
    assert "was not traced" in done.err and "Traceback" not in done.err


def test_a_device_that_is_not_there_is_one_error(model: Path, run: Callable[..., Done]) -> None:
    done = run("src", "--confirm", "--device", "cuda:99")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("modlint: no device 'cuda:99': ")
    assert len(done.err.splitlines()) == 1
    assert "unknown device 'gpu'; give auto, cpu, cuda or cuda:N" in run("src", "--confirm", "--device", "gpu").err


NOISY = """\
import os

import torch
from torch import nn


class Noise(nn.Module):
    def forward(self, x):
        generator = torch.Generator().manual_seed(int.from_bytes(os.urandom(7), "little"))
        return x + 1e-6 * torch.randn(x.shape, generator=generator)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.noise = nn.Linear(4, 4), Noise()
        self.example_input_array = torch.randn(5, 4)

    def forward(self, x):
        x = self.fc(x)
        return self.noise(x)  #
"""


@pytest.mark.parametrize(
    ("comment", "table", "expected"),
    [
        pytest.param("", "", ["ML601"], id="it is told"),
        pytest.param("modlint: ignore[ML601] -- known", "", [], id="a comment suppresses it"),
        pytest.param("noqa: ML601", "", [], id="so does noqa"),
        pytest.param("modlint: ignore", "", [], id="and a comment for every rule"),
        pytest.param("", 'ignore = ["ML601"]', [], id="ignored in the configuration"),
        pytest.param("", 'per-file-ignores = { "*.py" = ["ML601"] }', [], id="ignored for these files"),
    ],
)
def test_what_the_experiment_adds_is_filtered_like_the_rest(
    project: Path, run: Callable[..., Done], comment: str, table: str, expected: list[str]
) -> None:
    """And a suppression of it is not called unused, with the experiment or without."""
    (project / "src" / "net.py").write_text(NOISY.replace("#\n", f"# {comment}\n" if comment else "\n"))
    (project / "src" / "clean.py").unlink()
    (project / "pyproject.toml").write_text(f"[tool.modlint]\n{table}\n")
    done = run("src", "--confirm", "--device", "cpu", "--output-format", "json")
    assert [entry["code"] for entry in json.loads(done.out)] == expected, done.err
    if comment != "modlint: ignore":  # which without the experiment does suppress nothing
        assert run("src").out == ""


HIDDEN = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        for name in ("b" + letter for letter in open(__file__).read()[:0] + "n"):
            setattr(self, name, nn.BatchNorm1d(4))
        self.example_input_array = torch.randn(5, 4)

    def forward(self, x):
        x = getattr(self, "b" + "n")(x)
        return getattr(self, "b" + "n")(x)
"""


def test_a_suppression_of_what_the_trace_alone_sees_is_not_called_unused(
    project: Path, run: Callable[..., Done]
) -> None:
    net = project / "src" / "net.py"
    (project / "src" / "clean.py").unlink()
    net.write_text(HIDDEN)
    assert run("src").out == "", "the source does not show it"
    assert "ML101" in run("src", "--trace").out
    net.write_text(HIDDEN.replace("(x)\n        return", "(x)\n        # modlint: ignore[ML101]\n        return"))
    assert "ML903" in run("src").out
    assert run("src", "--trace").out == ""


COUNTING = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.act = nn.Linear(4, 4), nn.ReLU()
        self.act.calls = 0
        self.act.register_forward_hook(count)
        self.example_input_array = torch.randn(5, 4)

    def forward(self, x):
        x = self.act(self.fc(x))
        return self.act(self.fc(x))


def count(module, args, output):
    module.calls += 1
    return output * module.calls
"""


def test_state_that_the_experiment_alone_sees_is_a_finding_with_its_harm(
    project: Path, run: Callable[..., Done]
) -> None:
    (project / "src" / "net.py").write_text(COUNTING)
    (project / "src" / "clean.py").unlink()
    done = run("src", "--confirm", "--device", "cpu", "--output-format", "json")
    (found,) = [entry for entry in json.loads(done.out) if entry["code"] == "ML101"]
    assert (found["module"]["path"], found["evidence"]["level"], done.status) == ("act", "confirmed", 1)
    harm = found["evidence"]["harm"]
    assert harm["size"] == max(harm["train"], harm["eval"]) > 0
    full = run("src", "--confirm", "--device", "cpu", "--output-format", "full")
    assert f"harm: train output changes by {harm['train']:.2g}, eval output by {harm['eval']:.2g}" in full.out
