"""SARIF 2.1.0, with what GitHub's code scanning asks for: rules with help and precision, fingerprints, a code flow."""

from __future__ import annotations

import json
import os
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modlint import __version__, ruleset
from modlint.findings import Severity
from modlint.reporters.words import Step, file_and_cell, story

if TYPE_CHECKING:
    from modlint.findings import Finding, Report
    from modlint.graph.model import Location
    from modlint.ruleset import Rule

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_PRECISION = {"state": "high", "cross-model": "very-high", "analysis": "very-high"}


def render(report: Report) -> str:
    """One log with one run, indented by two."""
    rules = ruleset.load().all()
    index = {rule.code: number for number, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "modlint",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, index) for finding in report.findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    page = ruleset.page(rule)
    return {
        "id": rule.code,
        "name": rule.slug,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.summary},
        "help": {"text": page, "markdown": page},
        "defaultConfiguration": {"enabled": rule.default, "level": _LEVELS[rule.severity]},
        "properties": {
            "tags": [rule.family.value, *rule.tags],
            "precision": _PRECISION.get(rule.family.value, "medium"),
            "problem.severity": {"note": "recommendation"}.get(rule.severity.value, rule.severity.value),
        },
    }


def _result(finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    steps = story(finding)
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index[finding.code],
        "level": _LEVELS[finding.severity],
        "message": {"text": finding.message},
        "locations": [_location(finding.location)],
        "partialFingerprints": {
            "primaryLocationLineHash": f"{finding.fingerprint}:1",
            "modlint/v1": finding.fingerprint,
        },
        "properties": {"evidence": finding.evidence.level.value, "model": finding.model},
    }
    if steps:
        result["relatedLocations"] = [
            {"id": number, **_location(step.location), "message": {"text": step.text}}
            for number, step in enumerate(steps, start=1)
        ]
        result["codeFlows"] = [{"threadFlows": [{"locations": [_flow(step) for step in steps]}]}]
    return result


def _flow(step: Step) -> dict[str, Any]:
    return {"location": {**_location(step.location), "message": {"text": step.text}}}


def _location(location: Location) -> dict[str, Any]:
    filename, cell = file_and_cell(location.filename)
    found: dict[str, Any] = {"physicalLocation": {"artifactLocation": _artifact(filename)}}
    if cell is not None:  # the file's own lines are JSON; GitHub wants a region of every location
        found["logicalLocations"] = [{"fullyQualifiedName": f"cell {cell}, line {location.row}"}]
        found["physicalLocation"]["region"] = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}
        return found
    found["physicalLocation"]["region"] = {
        "startLine": location.row,
        "startColumn": location.column,
        "endLine": location.end_row,
        "endColumn": location.end_column,
    }
    return found


def _artifact(filename: str) -> dict[str, str]:
    if os.path.isabs(filename):
        return {"uri": PurePath(filename).as_uri()}
    return {"uri": quote(os.fsencode(filename.replace(os.sep, "/"))), "uriBaseId": "%SRCROOT%"}
