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
