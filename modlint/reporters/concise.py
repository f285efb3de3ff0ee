"""One line a finding, in the GNU form that editors match: `path:line:column: severity: CODE message`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.reporters.words import printable

if TYPE_CHECKING:
    from modlint.findings import Finding, Report


def render(report: Report) -> str:
    """The lines; nothing when there are no findings."""
    return "".join(map(_line, report.findings))


def _line(finding: Finding) -> str:
    place = finding.location
    text = f"{finding.severity.value}: {finding.code} {printable(finding.message)}"
    return f"{printable(place.filename)}:{place.row}:{place.column}: {text}\n"
