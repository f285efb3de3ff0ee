"""Names of files as the user sees them: relative to where the command runs."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modlint.findings import Finding, Report
    from modlint.graph.model import Location


def shown_name(path: str) -> str:
    """An absolute path relative to the working directory, if it lies there."""
    here = os.getcwd().rstrip(os.sep) + os.sep
    return path[len(here) :] if path.startswith(here) else path


def shown(report: Report, root: str) -> Report:
    """The report with names relative to the working directory instead of the project's root."""
    if os.path.abspath(root) == os.getcwd():
        return report

    def name(filename: str) -> str:
        return shown_name(os.path.join(root, filename))

    def place(location: Location) -> Location:
        return location._replace(filename=name(location.filename))

    def moved(finding: Finding) -> Finding:
        return replace(
            finding,
            location=place(finding.location),
            created=None if finding.created is None else place(finding.created),
            uses=tuple(replace(use, location=place(use.location)) for use in finding.uses),
        )

    lines = {(name(file), row): text for (file, row), text in report.lines.items()}
    return replace(report, findings=tuple(map(moved, report.findings)), lines=lines)
