"""JUnit's XML: a suite for each file with findings, a test case for each finding."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from modlint.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modlint.findings import Finding, Report

_PACKAGE = "org.modlint"


def render(report: Report) -> str:
    """The document. A note is a test that passed; a run without findings is one passed test."""
    root = ElementTree.Element("testsuites", name="modlint")
    for filename, group in groupby(report.findings, key=lambda finding: finding.location.filename):
        _suite(root, filename, list(group))
    if not report.findings:
        _suite(root, "modlint", [])
    for attribute in ("tests", "failures", "errors"):
        root.set(attribute, str(sum(int(suite.get(attribute, "0")) for suite in root)))
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_legal(body)}\n'


def _suite(root: ElementTree.Element, name: str, findings: list[Finding]) -> None:
    failures = sum(finding.severity is not Severity.NOTE for finding in findings)
    counts: dict[str, Any] = {"tests": str(max(len(findings), 1)), "failures": str(failures), "errors": "0"}
    suite = ElementTree.SubElement(root, "testsuite", name=name, package=_PACKAGE, **counts)
    if not findings:
        ElementTree.SubElement(suite, "testcase", name="No findings", classname=name)
    for finding in findings:
        _case(suite, finding)


def _case(suite: ElementTree.Element, finding: Finding) -> None:
    location = finding.location
    where: dict[str, Any] = {"line": str(location.row), "column": str(location.column)}
    case = ElementTree.SubElement(
        suite, "testcase", name=f"{_PACKAGE}.{finding.code}", classname=location.filename, **where
    )
    text = f"line {location.row}, col {location.column}, {finding.message}"
    if finding.severity is Severity.NOTE:
        ElementTree.SubElement(case, "system-out").text = text
    else:
        failure = ElementTree.SubElement(case, "failure", message=finding.message, type=finding.severity.value)
        failure.text = text


def _legal(text: Iterable[str]) -> str:
    """The text without the characters that XML 1.0 cannot hold."""
    return "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
