"""A JSON array with one object a finding; keys are ruff's where ruff has them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from modlint.reporters.words import file_and_cell

if TYPE_CHECKING:
    from modlint.findings import Evidence, Finding, ModuleFacts, Report
    from modlint.graph.model import Location


def render(report: Report) -> str:
    """The array, indented by two."""
    return json.dumps([entry(finding) for finding in report.findings], indent=2, ensure_ascii=False) + "\n"


def entry(finding: Finding) -> dict[str, Any]:
    """One finding as plain data."""
    location = finding.location
    return {
        "code": finding.code,
        "name": finding.name,
        "family": finding.family,
        "severity": finding.severity.value,
        "message": finding.message,
        "url": finding.url,
        **_file(location),
        "location": {"row": location.row, "column": location.column},
        "end_location": {"row": location.end_row, "column": location.end_column},
        "model": finding.model,
        "module": None if finding.module is None else _module(finding.module),
        "children": [_module(child) for child in finding.children],
        "created": None if finding.created is None else _place(finding.created),
        "uses": [{**_place(use.location), "in": use.within} for use in finding.uses],
        "evidence": _evidence(finding.evidence),
        "fix": None,
        "fingerprint": finding.fingerprint,
    }


def _file(location: Location) -> dict[str, Any]:
    filename, cell = file_and_cell(location.filename)
    return {"filename": filename} if cell is None else {"filename": filename, "cell": cell}


def _place(location: Location) -> dict[str, Any]:
    return {**_file(location), "row": location.row, "column": location.column}


def _module(facts: ModuleFacts) -> dict[str, Any]:
    return {"type": facts.type, "path": facts.path, "state": facts.state.value, "writes": list(facts.writes)}


def _evidence(evidence: Evidence) -> dict[str, Any]:
    found: dict[str, Any] = {"level": evidence.level.value}
    if evidence.observables:
        found["observables"] = {
            o.name: {"difference": _finite(o.difference), "noise": _finite(o.noise)} for o in evidence.observables
        }
    if evidence.harm is not None:
        harm = evidence.harm
        sizes = {"size": harm.size, "train": harm.train, "eval": harm.eval, "skew": harm.skew}
        found["harm"] = {name: _finite(value) for name, value in sizes.items()}
    if evidence.note:
        found["note"] = evidence.note
    return found


def _finite(value: float) -> float | None:
    """JSON has no infinity: what one model has and the other has not, or NaN against a number, is null."""
    return value if math.isfinite(value) else None
