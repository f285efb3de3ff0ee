"""GitLab's code quality report: a JSON array of issues."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from modlint.findings import Severity
from modlint.reporters.words import file_and_cell

if TYPE_CHECKING:
    from modlint.findings import Finding, Report

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}


def render(report: Report) -> str:
    """The array, indented by two."""
    return json.dumps([_issue(finding) for finding in report.findings], indent=2, ensure_ascii=False) + "\n"


def _issue(finding: Finding) -> dict[str, Any]:
    location = finding.location
    file, cell = file_and_cell(location.filename)
    begin, end = (location.row, location.column), (location.end_row, location.end_column)
    where = "" if cell is None else f" (cell {cell}, line {location.row})"
    if cell is not None:  # the file's own lines are JSON
        begin = end = (1, 1)
    return {
        "type": "issue",
        "check_name": finding.code,
        "description": f"{finding.code}: {finding.message}{where}",
        "categories": ["Bug Risk"],
        "severity": _SEVERITIES[finding.severity],
        "fingerprint": finding.fingerprint,
        "location": {
            "path": file,
            "positions": {
                "begin": {"line": begin[0], "column": begin[1]},
                "end": {"line": end[0], "column": end[1]},
            },
        },
    }
