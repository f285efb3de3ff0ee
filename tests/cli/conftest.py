"""A small project in a folder of its own, and a way to run the command line in this process."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from modlint.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOISY = """\
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(8)

    def forward(self, x):
        x = self.bn(x)
        x = self.bn(x)
        return x
"""

SILENT = """\
import torch.nn as nn


class Clean(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.act(x))
"""

TIED = """\
import torch.nn as nn


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.Linear(8, 8)
        self.layers = nn.Sequential(*[layer] * 3)

    def forward(self, x):
        return self.layers(x)
"""


@dataclass
class Done:
    """What a run printed and how it ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pyproject.toml, one noisy and one silent model, in which we stand."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "pyproject.toml").write_text("[tool.modlint]\n")
    (root / "src" / "net.py").write_text(NOISY)
    (root / "src" / "clean.py").write_text(SILENT)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """`run("src", "-j1", stdin=b"...")`."""

    def runner(*arguments: str, stdin: bytes | None = None) -> Done:
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capsys.readouterr()
        status: Any = main(list(arguments))
        printed = capsys.readouterr()
        return Done(status, printed.out, printed.err)

    return runner
