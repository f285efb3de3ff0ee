"""The static pass on the examples: each bad.py gives its own rule on the lines that expect it, each good.py nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from modlint import ruleset
from modlint.config import Config
from modlint.linter import Request, lint
from modlint.resources import rules_folder

if TYPE_CHECKING:
    from modlint.findings import Finding

RULES = ruleset.load().all()
STATIC = [rule for rule in RULES if ruleset.Pass.STATIC in rule.conditions.passes and rule.code != "ML901"]
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)


def findings(slug: str, name: str, *select: str) -> tuple[Finding, ...]:
    root = rules_folder()
    outcome = lint(Request((str(root / slug / name),), Config(root=str(root), select=select), whole_tree=False))
    assert not outcome.faults
    return outcome.report.findings


@pytest.mark.parametrize("rule", STATIC, ids=lambda rule: rule.code)
def test_a_bad_example_is_found_where_it_says(rule):
    lines = (rules_folder() / rule.slug / "bad.py").read_text(encoding="utf-8").splitlines()
    expected = [number for number, line in enumerate(lines, 1) if re.search(rf"# expect: {rule.code}$", line)]
    assert expected
    found = [f.location.row for f in findings(rule.slug, "bad.py", "ALL") if f.code == rule.code]
    assert found == expected


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.code != "ML901"], ids=lambda rule: rule.code)
def test_a_bad_example_breaks_no_other_rule(rule):
    allowed = {rule.code} if rule in STATIC and rule.default else set()
    assert {finding.code for finding in findings(rule.slug, "bad.py")} == allowed


@every_rule
def test_a_good_example_is_silent(rule):
    preview = tuple(other.code for other in RULES if other.preview)
    default = tuple(other.code for other in RULES if other.default)
    assert findings(rule.slug, "good.py", *default, *preview) == ()


def test_what_cannot_be_parsed_is_one_finding(tmp_path):
    text = (rules_folder() / "unreadable-source" / "bad.py.txt").read_text(encoding="utf-8")
    (tmp_path / "bad.py").write_text(text, encoding="utf-8")
    outcome = lint(Request((str(tmp_path / "bad.py"),), Config(root=str(tmp_path)), whole_tree=False))
    assert [(f.code, f.name) for f in outcome.report.findings] == [("ML901", "unreadable-source")]
