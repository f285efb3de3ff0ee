"""Reviewdog's diagnostic format. Its columns count bytes of UTF-8, ours code points."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from modlint.findings import Severity
from modlint.reporters.words import file_and_cell, story

if TYPE_CHECKING:
    from modlint.findings import Finding, Report
    from modlint.graph.model import Location

_SEVERITIES = {Severity.ERROR: "ERROR", Severity.WARNING: "WARNING", Severity.NOTE: "INFO"}


def render(report: Report) -> str:
    """One DiagnosticResult."""
    result = {
        "source": {"name": "modlint"},
        "severity": "WARNING",
        "diagnostics": [_diagnostic(finding, report) for finding in report.findings],
    }
    return json.dumps(result, indent=2, ensure_ascii=False) + "\n"


def _diagnostic(finding: Finding, report: Report) -> dict[str, Any]:
    related = [
        {"message": step.text, "location": _location(step.location, report)}
        for step in story(finding)
        if step.location != finding.location
    ]
    return {
        "message": finding.message,
        "location": _location(finding.location, report),
        "severity": _SEVERITIES[finding.severity],
        "code": {"value": finding.code},
        **({"related_locations": related} if related else {}),
    }


def _location(location: Location, report: Report) -> dict[str, Any]:
    filename, cell = file_and_cell(location.filename)
    if cell is not None:  # the file's own lines are JSON
        return {"path": filename}
    return {
        "path": filename,
        "range": {
            "start": _position(report, location.filename, location.row, location.column),
            "end": _position(report, location.filename, location.end_row, location.end_column),
        },
    }


def _position(report: Report, filename: str, row: int, column: int) -> dict[str, int]:
    text = report.lines.get((filename, row))
    if text is None:
        return {"line": row, "column": column}
    return {"line": row, "column": len(text[: column - 1].encode("utf-8", "surrogatepass")) + 1}
