"""What every fuzz test asks: bytes by file name -> findings, in bounded time, without a fault of modlint's own.

The files are handed over as unsaved text, so nothing is written and no cache is read.
"""

from __future__ import annotations

import io
import os
import signal
import tempfile
import tokenize
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

from modlint.config import Config
from modlint.linter import Request, lint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modlint.findings import Finding

ROOT = os.path.join(tempfile.gettempdir(), "modlint-fuzz-nowhere")
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "models"
EXPLORING = os.environ.get("HYPOTHESIS_PROFILE") == "explore"
SECONDS = 20  # for what takes well under a second on an idle machine

MODEL = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.bn = nn.BatchNorm2d(3)

    def forward(self, x):
        x = self.bn(self.conv(x))
        return self.bn(x)
"""
FINDING = ("ML101", 13)  # what modlint says of MODEL


def examples(count: int) -> settings:
    """So many examples, the same on every run; thirty times as many new ones with HYPOTHESIS_PROFILE=explore."""
    return settings(
        max_examples=30 * count if EXPLORING else count,
        derandomize=not EXPLORING,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


def lint_files(files: Mapping[str, bytes | str]) -> list[Finding]:
    """Lint unsaved files as one tree."""
    overlays = {os.path.join(ROOT, name): _encoded(text) for name, text in files.items()}
    request = Request(tuple(overlays), Config(root=ROOT), overlays=overlays, whole_tree=False)
    with bounded(SECONDS), warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = lint(request)
    assert outcome.faults == (), outcome.faults
    for finding in outcome.report.findings:
        lines = overlays[os.path.join(ROOT, finding.location.filename)].splitlines()
        assert 1 <= finding.location.row <= len(lines) + 1, finding
        assert finding.location.column >= 1, finding
        assert finding.message, finding
    return list(outcome.report.findings)


def lint_text(text: bytes | str) -> list[tuple[str, int]]:
    """(code, row) of each finding in one file."""
    return [(finding.code, finding.location.row) for finding in lint_files({"model.py": text})]


def codes(text: bytes | str) -> set[str]:
    """The codes of the findings in one file."""
    return {code for code, _ in lint_text(text)}


def compiles(data: bytes) -> bool:
    """Whether Python itself takes the file: `compile` alone takes bytes in comments that no decoder takes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data.decode(tokenize.detect_encoding(io.BytesIO(data).readline)[0])
            compile(data, "model.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Stop what runs inside after that time, where the system has an alarm clock."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _encoded(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
