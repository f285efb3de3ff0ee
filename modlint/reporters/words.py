"""What several formats say in the same way: the story of a finding, file names with cells, severities."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modlint.findings import Finding, Report
    from modlint.graph.model import Location

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CELL = re.compile(r"(.*\.ipynb):cell (\d+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """One place of a finding's story, in words."""

    location: Location
    text: str


def story(finding: Finding) -> tuple[Step, ...]:
    """Creation and uses in the order in which they happen."""
    steps = [] if finding.created is None else [Step(finding.created, "created here")]
    for number, use in enumerate(finding.uses, start=1):
        what = f"use {number}" if len(finding.uses) > 1 else "used here"
        steps.append(Step(use.location, f"{what}, in {use.within}" if use.within else what))
    return tuple(steps)


def file_and_cell(filename: str) -> tuple[str, int | None]:
    """A file name as its path and, in a notebook, the number of the cell."""
    match = _CELL.fullmatch(filename)
    return (filename, None) if match is None else (match[1], int(match[2]))


def printable(text: str) -> str:
    """A text on one line: a file's name may hold line ends and what moves a terminal's cursor."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def summary(report: Report) -> str:
    """`Found 3 findings (2 errors, 1 warning).`"""
    if not report.findings:
        return "All checks passed!"
    counts = {word: sum(f.severity.value == word for f in report.findings) for word in ("error", "warning", "note")}
    parts = [_plural(count, word) for word, count in counts.items() if count]
    return f"Found {_plural(len(report.findings), 'finding')} ({', '.join(parts)})."


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
