"""Models written to files, built as targets, traced."""

from __future__ import annotations

import sys
import sysconfig
import textwrap
from typing import TYPE_CHECKING

import pytest

from modlint.trace.corridor import trace_model
from modlint.trace.inputs import Inputs
from modlint.trace.target import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modlint.trace.traced import TracedGraph

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

"""


LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """What a test imports is forgotten after it."""
    before, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - before:
        if "modlint" not in name.split(".") and not _of_a_library(sys.modules[name]):
            del sys.modules[name]
    sys.path[:] = path


def _of_a_library(module: object) -> bool:
    """Such stay: importing libcst again for every test took most of the time."""
    file = getattr(module, "__file__", None)
    return file is None or file.startswith(LIBRARIES)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write source under a head of imports; returns the file."""

    def write(source: str, name: str = "net.py", head: str = HEAD) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(head + textwrap.dedent(source))
        return file

    return write


@pytest.fixture
def traced(write: Callable[..., Path]) -> Callable[..., TracedGraph]:
    """Write source, build `Net`, trace it."""

    def traced(source: str, *inputs: object, name: str = "Net", **keywords: object) -> TracedGraph:
        sys.modules.pop("net", None)
        target = load(f"{write(source)}:{name}")
        given = Inputs.of(inputs, keywords) if inputs or keywords else None
        return trace_model(target.model, given, target.births, target.spec, trial=True)

    return traced
