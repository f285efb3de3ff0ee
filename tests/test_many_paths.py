"""What the static pass does once there are too many paths to follow all: it follows one that a model can take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modlint.config import Config
from modlint.interpreter import conditions
from modlint.linter import Request, lint

if TYPE_CHECKING:
    from pathlib import Path

GUARDED = """
from torch import nn

class Net(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        if TEST:
            raise ValueError("sizes")
        self.one, self.two = nn.BatchNorm1d(4), nn.BatchNorm1d(4)

    def forward(self, x):
        return self.SECOND(self.one(x))
"""


@pytest.mark.parametrize(
    "test",
    [
        pytest.param("len(sizes) != 2 or sizes[0] < 1 or sizes[1] < 1", id="one of several faults"),
        pytest.param("sizes[0] > 1 and sizes[1] > 1", id="several faults together"),
        pytest.param("not sizes", id="one test"),
    ],
)
@pytest.mark.parametrize("second", ["one", "two"])
def test_a_guard_does_not_end_the_only_path(
    test: str, second: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "MANY_NODES", 0)
    file = tmp_path / "net.py"
    file.write_text(GUARDED.replace("TEST", test).replace("SECOND", second))
    outcome = lint(Request((str(file),), Config(root=str(tmp_path)), whole_tree=False))
    assert [finding.code for finding in outcome.report.findings] == (["ML101"] if second == "one" else [])
