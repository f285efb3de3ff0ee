"""One report with everything that a format has to cope with, and what is left of it when nothing was found."""

from __future__ import annotations

import pytest

from modlint.findings import Evidence, Finding, Level, ModuleFacts, Observable, Report, Severity, UseSite
from modlint.graph import Location, StateClass

NET = {
    12: "\t\tself.bn = nn.BatchNorm2d(8)",
    21: "        x = self.bn(x)  # first",
    23: '        名 = "😀"; x = self.bn(x)',
}
HEADS = {3: "        self.head = Head(8)", 9: "        return self.head(a), self.head(b)"}


def _norm() -> Finding:
    return Finding(
        code="ML101",
        name="stateful-reuse",
        family="state",
        severity=Severity.ERROR,
        message="BatchNorm2d 'self.bn' runs 2 times per forward (first at line 21): mixes, 100%: a, b",
        url="rules/stateful-reuse/README.md",
        location=Location("src/my net.py", 23, 22, 23, 32),
        model="Net",
        module=ModuleFacts("torch.nn.BatchNorm2d", "bn", StateClass.STATEFUL, ("running_mean", "running_var")),
        created=Location("src/my net.py", 12, 13, 12, 30),
        uses=(
            UseSite(Location("src/my net.py", 21, 13, 21, 23), "Net.forward"),
            UseSite(Location("src/my net.py", 23, 22, 23, 32), "Net.forward"),
        ),
        evidence=Evidence(Level.CONFIRMED, (Observable("buffers", 0.25, 0.0),), "cpu, 3 steps"),
        fingerprint="0123456789abcdef0123456789abcdef",
    )


def _head() -> Finding:
    return Finding(
        code="ML102",
        name="stateful-child-of-reused-module",
        family="state",
        severity=Severity.WARNING,
        message="Head 'self.head' runs 2 times per forward",
        url="rules/stateful-child-of-reused-module/README.md",
        location=Location("src/pair.py", 9, 30, 9, 42),
        model="Pair",
        module=ModuleFacts("pair.Head", "head", StateClass.STATEFUL),
        children=(ModuleFacts("torch.nn.BatchNorm2d", "head.bn", StateClass.STATEFUL, ("running_mean",)),),
        created=Location("src/heads.py", 3, 21, 3, 28),
        uses=(
            UseSite(Location("src/pair.py", 9, 16, 9, 28), "Pair.forward"),
            UseSite(Location("src/pair.py", 9, 30, 9, 42), "Pair.forward"),
        ),
        fingerprint="1123456789abcdef0123456789abcdef",
    )


def _simple(code: str, name: str, severity: Severity, filename: str, message: str) -> Finding:
    return Finding(
        code,
        name,
        "analysis",
        severity,
        message,
        f"rules/{name}/README.md",
        Location(filename, 1, 1, 1, 2),
        fingerprint=f"{code}56789abcdef0123456789abcdef00"[:32],
    )


@pytest.fixture
def report() -> Report:
    findings = (
        _norm(),
        _head(),
        _simple("ML901", "unreadable-source", Severity.ERROR, "src/torn.py", "line 1\nline 2 \x0c of it"),
        _simple("ML001", "stateless-reuse", Severity.NOTE, "walk.ipynb:cell 3", "safe"),
    )
    lines = {("src/my net.py", row): text for row, text in NET.items()}
    lines |= {("src/pair.py", 9): HEADS[9], ("src/heads.py", 3): HEADS[3]}
    return Report(findings, None, lines)


@pytest.fixture
def clean() -> Report:
    return Report(())
