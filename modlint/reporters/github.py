"""GitHub Actions' workflow commands: one annotation a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.findings import Severity
from modlint.reporters.words import file_and_cell

if TYPE_CHECKING:
    from modlint.findings import Finding, Report

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(report: Report) -> str:
    """One line a finding."""
    return "".join(_command(finding) + "\n" for finding in report.findings)


def _command(finding: Finding) -> str:
    location = finding.location
    filename, cell = file_and_cell(location.filename)
    properties = {"title": f"modlint ({finding.code})", "file": filename}
    if cell is None:
        properties |= {"line": str(location.row), "col": str(location.column), "endLine": str(location.end_row)}
        if location.row == location.end_row:  # GitHub reads endColumn only then
            properties["endColumn"] = str(location.end_column)
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    text = f"{location.filename}:{location.row}:{location.column}: {finding.code} {finding.message}"
    return f"::{_COMMANDS[finding.severity]} {listed}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
