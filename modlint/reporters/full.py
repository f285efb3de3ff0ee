"""The format for people: the source of each finding, carets at what makes it reuse, lines at creation and uses."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from modlint.findings import Level
from modlint.reporters.words import Step, printable, story, summary

if TYPE_CHECKING:
    from modlint.findings import Evidence, Finding, Report
    from modlint.graph.model import Location

_COLORS = {"error": "31", "warning": "33", "note": "36"}
_BOLD, _DIM, _BLUE = "1", "2", "34"
_SHOWN = 8  # steps of one story; a finding with more names the rest in one line
_TAB = 4


def render(report: Report) -> str:
    """All findings, and a line that sums them up."""
    blocks = [_finding(finding, report) for finding in report.findings]
    return "".join(f"{block}\n\n" for block in blocks) + summary(report) + "\n"


def _finding(finding: Finding, report: Report) -> str:
    paint = _painter(report.color)
    severity = finding.severity.value
    head = f"{paint(finding.code, _BOLD + ';' + _COLORS[severity])} {paint(severity, _COLORS[severity])}: "
    steps, left_out = _steps(finding)
    width = max((len(str(step.location.row)) for step in steps), default=1)
    lines = [head + paint(printable(finding.message), _BOLD)]
    previous: Location | None = None
    for step in steps:
        lines += _excerpt(step, finding, previous, width, report)
        previous = step.location
    bar = " " * width + " " + paint("|", _BLUE)
    lines.append(bar)
    notes = [f"{left_out} more uses"] if left_out else []
    notes += _evidence(finding)
    notes.append(f"help: modlint rule {finding.code}")
    lines += [f"{' ' * width} {paint('=', _BLUE)} {note}" for note in notes]
    return "\n".join(lines)


def _steps(finding: Finding) -> tuple[list[Step], int]:
    """What is shown, by file and row with the finding's own file first, and how many uses are left out."""
    steps = list(story(finding))
    if all(step.location != finding.location for step in steps):
        steps.append(Step(finding.location, ""))
    kept = steps[:_SHOWN]
    primary = next(step for step in steps if step.location == finding.location)
    if primary not in kept:
        kept[-1] = primary
    home = finding.location.filename
    kept.sort(key=lambda step: (step.location.filename != home, step.location[:3]))
    return kept, len(steps) - len(kept)


def _excerpt(step: Step, finding: Finding, previous: Location | None, width: int, report: Report) -> list[str]:
    paint = _painter(report.color)
    location = step.location
    margin = " " * width
    bar = paint("|", _BLUE)
    lines = []
    if previous is None or previous.filename != location.filename:
        arrow = "-->" if previous is None else ":::"
        # The first arrow names the place of the finding, whatever is shown first: that is what terminals link.
        place = finding.location if previous is None else location
        lines.append(f"{margin}{paint(arrow, _BLUE)} {printable(place.filename)}:{place.row}:{place.column}")
        lines.append(f"{margin} {bar}")
    elif location.row > previous.row + 1:
        lines.append(paint("...", _BLUE))
    text = report.lines.get((location.filename, location.row))
    if text is None:
        lines.append(f"{str(location.row).rjust(width)} {bar} (not in reach) {step.text}")
        return lines
    if previous is None or previous.filename != location.filename or previous.row != location.row:
        lines.append(f"{paint(str(location.row).rjust(width), _BLUE)} {bar} {_expanded(text).rstrip()}")
    own = location == finding.location
    mark, color = ("^", _COLORS[finding.severity.value]) if own else ("-", _BLUE)
    end = location.end_column if location.end_row == location.row else len(text.rstrip()) + 1
    before, marked = text[: location.column - 1], text[location.column - 1 : end - 1]
    under = mark * max(_cells(before + marked) - _cells(before), 1)
    lines.append(f"{margin} {bar} {' ' * _cells(before)}{paint(f'{under} {step.text}'.rstrip(), color)}")
    return lines


def _evidence(finding: Finding) -> list[str]:
    evidence = finding.evidence
    notes = [] if evidence.level.value == "static" else [f"evidence: {evidence.level.value}"]
    notes += [f"{o.name}: differs by {o.difference:g} (noise {o.noise:g})" for o in evidence.observables]
    return notes + _harm(evidence) + ([evidence.note] if evidence.note else [])


def _harm(evidence: Evidence) -> list[str]:
    harm = evidence.harm
    if harm is None or evidence.level is not Level.CONFIRMED:
        return []
    skew = f"; statistics of the uses {harm.skew:.2g} apart" if harm.skew else ""
    return [f"harm: train output changes by {harm.train:.2g}, eval output by {harm.eval:.2g} of its scale{skew}"]


def _expanded(text: str) -> str:
    return text.expandtabs(_TAB)


def _cells(text: str) -> int:
    """Columns of a terminal that the text takes."""
    expanded = _expanded(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in expanded)
    return len(expanded) + wide - sum(unicodedata.combining(character) > 0 for character in expanded)


def _painter(color: bool):  # type: ignore[no-untyped-def]
    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if color else text

    return paint
