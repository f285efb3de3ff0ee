"""`modlint PATH --trace`: the findings with what the trace of every model shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modlint.config import Config, ModelTarget
from modlint.linter import Request, lint
from modlint.trace.evidence import trace_tree
from modlint.trace.worker import Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modlint.trace.evidence import TraceEvidence

SOURCE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
    def forward(self, x):
        return self.bn(self.bn(self.conv(x)))  # Net

class Hooked(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.bn = nn.Linear(8, 8), nn.BatchNorm1d(8)
        hooks = {"fc1": lambda module, inputs, output: self.bn(output)}
        for name, module in self.named_children():
            if name in hooks:
                module._forward_hooks[0] = hooks[name]
    def forward(self, x):
        return self.bn(self.fc1(x))  # Hooked

class Needs(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bn = nn.BatchNorm1d(width)
    def forward(self, x):
        return self.bn(self.bn(x))  # Needs

class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(4)
    def forward(self, x):
        x = self.bn(self.bn(x))  # Broken
        raise ValueError("no luck")

class Flag(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(4)
    def forward(self, x, again=False):
        x = self.bn(x)
        return self.bn(x) if again else x  # Flag

class Meant(nn.Module):
    def __init__(self):
        super().__init__()
        fc = nn.Linear(4, 4)  # modlint: shared -- one projection
        self.one, self.two = nn.Sequential(fc), nn.Sequential(fc)
    def forward(self, x):
        return self.two(self.one(x))

class Quiet(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(4)
    def forward(self, x):
        return self.bn(self.bn(x))  # modlint: ignore[ML101] -- known
"""


@pytest.fixture
def evidence(write: Callable[..., Path]) -> Callable[..., TraceEvidence]:
    """Lint and trace the models."""

    def evidence(*models: ModelTarget) -> TraceEvidence:
        file = write(SOURCE)
        config = Config(root=str(file.parent), models=models)
        outcome = lint(Request((str(file),), config))
        return trace_tree(outcome.report.findings, outcome.files, config)

    return evidence


def told(found: TraceEvidence) -> set[tuple[str, str, str]]:
    """(model by the comment on the line, code, level) of every finding."""
    lines = SOURCE.splitlines()
    rows = {line.rpartition("# ")[2]: number for number, line in enumerate(lines, 1) if "# " in line}
    names = {row + 5: name for name, row in rows.items()}
    return {(names.get(f.location.row, f.model), f.code, f.evidence.level.value) for f in found.findings}


def test_both_passes_one_pass_or_the_other_and_neither(evidence: Callable[..., TraceEvidence]) -> None:
    found = evidence()
    assert told(found) == {
        ("Net", "ML101", "traced"),  # seen by both
        ("Hooked", "ML101", "traced"),  # by the trace alone,
        ("Hooked", "ML902", "static"),  # which disagrees
        ("Needs", "ML101", "static"),  # cannot be built without arguments
        ("Broken", "ML101", "static"),  # raises
        ("Flag", "ML101", "static"),  # on a path that the trace does not take
    }
    assert found.traced == 5
    (note,) = found.notes
    assert note.startswith("net.py:Broken was not traced") and "no luck" in note
    flag = next(f for f in found.findings if f.model.endswith("Flag"))
    assert "the path on which it is reused was not taken by the trace of net.py:Flag" in flag.evidence.note


def test_a_configured_model_is_built_as_configured(evidence: Callable[..., TraceEvidence]) -> None:
    found = evidence(ModelTarget("net.py:Needs", '{"width": 6}', ("3x6",)))
    assert ("Needs", "ML101", "traced") in told(found)
    needs = next(f for f in found.findings if f.model.endswith("Needs"))
    assert needs.evidence.note == "runs 2 times in net.py:Needs (fx)"


def test_instances_in_plain_lists_and_dicts_are_the_same_in_both_passes(write: Callable[..., Path]) -> None:
    file = write(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.steps = [nn.Linear(4, 4), nn.BatchNorm1d(4)]
                self.table = {"last": nn.BatchNorm1d(4)}
            def forward(self, x):
                for step in self.steps * 2:
                    x = step(x)
                return self.table["last"](self.table["last"](x))
        """
    )
    outcome = lint(Request((str(file),), Config(root=str(file.parent))))
    found = trace_tree(outcome.report.findings, outcome.files, Config(root=str(file.parent))).findings
    created = {f.created.row for f in found if f.created is not None}
    assert [(f.code, f.evidence.level.value) for f in found] == [("ML101", "traced")] * 2
    assert created == {row for row, line in enumerate(file.read_text().splitlines(), 1) if "BatchNorm1d" in line}


HANGS = """
class {}(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(4)
    def forward(self, x):
        while x is not None:
            x = self.bn(x)
        return x
"""


def test_a_model_that_hangs_costs_its_own_time_alone(write: Callable[..., Path], tmp_path: Path) -> None:
    file = write(HANGS.format("One") + SOURCE.partition("class Hooked")[0] + HANGS.format("Two"))
    outcome = lint(Request((str(file),), Config(root=str(tmp_path)), whole_tree=False))
    found = trace_tree(outcome.report.findings, outcome.files, Config(root=str(tmp_path)), Limits(4, 2**31))
    assert found.traced == 1
    assert [note.partition(";")[0] for note in sorted(found.notes)] == [
        f"net.py:{name} was not traced: the model was still running after 4 s" for name in ("One", "Two")
    ]
