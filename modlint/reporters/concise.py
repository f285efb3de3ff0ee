"""One line a finding, in the GNU form that editors match: `path:line:column: severity: CODE message`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modlint.findings import Report


def render(report: Report) -> str:
    """The lines; nothing when there are no findings."""
    return "".join(
        f"{f.location.filename}:{f.location.row}:{f.location.column}: {f.severity.value}: {f.code} {f.message}\n"
        for f in report.findings
    )
