"""Loading the rules: what is shipped, what is refused, and what a load costs."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from modlint import ruleset
from modlint.errors import LogicError, ModlintError
from modlint.findings import Severity
from modlint.resources import rules_folder
from modlint.ruleset import Family, Variant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTRACT = {  # design.md, section 3
    "ML001": ("stateless-reuse", "inventory", "note", False),
    "ML002": ("stochastic-reuse", "inventory", "note", False),
    "ML003": ("deliberate-weight-sharing", "inventory", "note", False),
    "ML101": ("stateful-reuse", "state", "error", True),
    "ML102": ("stateful-child-of-reused-module", "state", "warning", True),
    "ML103": ("stateful-recompute", "state", "warning", True),
    "ML201": ("repeated-instance", "params", "warning", True),
    "ML202": ("instance-in-several-slots", "params", "warning", True),
    "ML203": ("chained-instance", "params", "warning", False),
    "ML301": ("instance-in-default-argument", "cross-model", "warning", True),
    "ML302": ("instance-as-class-attribute", "cross-model", "error", True),
    "ML303": ("instance-at-module-level", "cross-model", "warning", True),
    "ML601": ("nondeterministic-operation", "noise", "note", True),
    "ML901": ("unreadable-source", "analysis", "error", True),
    "ML902": ("static-trace-disagreement", "analysis", "note", True),
    "ML903": ("unused-suppression", "analysis", "warning", True),
}

GOOD = """
code = "ML999"
slug = "a-rule"
family = "state"
severity = "error"
default = true
preview = false
summary = "Something is so."
tags = ["one"]

[conditions]
passes = ["static"]
states = ["stateful"]

[messages]
finding = "{what} is so"
"""


def folder(tmp_path: Path, text: str = GOOD, name: str = "a-rule") -> Path:
    (tmp_path / name).mkdir()
    (tmp_path / name / "rule.toml").write_text(text)
    return tmp_path


def test_the_shipped_rules_are_those_of_the_contract():
    rules = ruleset.load().all()
    assert {r.code: (r.slug, r.family.value, r.severity.value, r.default) for r in rules} == CONTRACT
    assert [rule.code for rule in rules] == sorted(CONTRACT)
    assert [rule.code for rule in rules if rule.preview] == ["ML203"]


def test_the_first_digit_of_a_code_is_its_family():
    digits = {(rule.code[:3], rule.family) for rule in ruleset.load().all()}
    assert len(digits) == len(Family)


def test_a_rule_is_found_by_code_and_by_slug():
    rules = ruleset.load()
    assert rules.rule("ML101") is rules.rule("stateful-reuse")
    assert rules.rule("ML101").severity is Severity.ERROR
    assert rules.rule("ML101").docs == "rules/stateful-reuse/README.md"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        pytest.param("ML111", "did you mean ML101", id="a code one digit off"),
        pytest.param("ml101", "did you mean ML101", id="a code in small letters"),
        pytest.param("statefull-reuse", "did you mean stateful-reuse", id="a slug with a slip"),
        pytest.param("E501", "give a code", id="the code of another tool"),
    ],
)
def test_an_unknown_rule_names_the_near_misses(name, near):
    with pytest.raises(ModlintError, match=f"there is no rule '{name}'; {near}"):
        ruleset.load().rule(name)


def test_a_rule_reads_back_as_written(tmp_path):
    (rule,) = ruleset.read(folder(tmp_path)).all()
    assert (rule.code, rule.slug, rule.tags, rule.summary) == ("ML999", "a-rule", ("one",), "Something is so.")
    assert rule.message(what="It") == "It is so"
    assert rule.message(Variant.STATISTICS, what="It") == "It is so"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param('tags = ["one"]', 'tags = ["one"]\nlevel = 3', "level: unknown key", id="an unknown key"),
        pytest.param('states = ["', 'kinds = ["', "conditions.kinds: unknown key", id="an unknown key of a table"),
        pytest.param('finding = "{what} is so"', 'find = "x"', "messages.find: unknown key", id="an unknown variant"),
        pytest.param("Something is so.", " ", "summary: must be a text that is not empty", id="an empty text"),
        pytest.param('"ML999"', "999", "code: must be a text that is not empty", id="a number for a text"),
        pytest.param('slug = "a-rule"\n', "", "slug: is missing", id="a missing key"),
        pytest.param(
            '"a-rule"', '"other"', "slug: 'other' is not the name of the folder", id="a slug of another folder"
        ),
        pytest.param("default = true", 'default = "yes"', "default: must be true or false", id="a text for a flag"),
        pytest.param('["one"]', "[]", "tags: must be a list of texts that is not empty", id="an empty list"),
        pytest.param(
            '["one"]', '["one", ""]', "tags: holds something that is not a text", id="an empty text in a list"
        ),
        pytest.param('"state"', '"stat"', "family: 'stat' is none of inventory, state,", id="a family that is none"),
        pytest.param(
            '["stateful"]', '["full"]', "conditions.states: 'full' is none of", id="a state class that is none"
        ),
        pytest.param('passes = ["static"]\n', "", "conditions.passes: must name at least one", id="no pass"),
        pytest.param("[conditions]", "[terms]", "conditions: is missing", id="a missing table"),
        pytest.param("{what}", "{whom}", "messages.finding: names the unknown field 'whom'", id="an unknown field"),
        pytest.param("finding = ", "range = ", "messages.finding: is missing", id="no message for the rest"),
        pytest.param("tags = [", "tags = [[", "rule.toml: ", id="what is no TOML"),
    ],
)
def test_a_fault_in_a_rule_names_file_and_key(tmp_path, old, new, complaint):
    assert GOOD.count(old) == 1
    with pytest.raises(LogicError) as error:
        ruleset.read(folder(tmp_path, GOOD.replace(old, new)))
    assert "a-rule/rule.toml: " in str(error.value).replace("\\", "/")
    assert complaint in str(error.value)


def test_a_table_that_is_none_is_refused(tmp_path):
    text = GOOD.replace("[conditions]\n", "").replace("passes", "conditions")
    with pytest.raises(LogicError, match="conditions: must be a table"):
        ruleset.read(folder(tmp_path, text.replace('states = ["stateful"]\n', "")))


def test_two_rules_of_one_code_are_refused(tmp_path):
    folder(tmp_path)
    with pytest.raises(LogicError, match="two rules have the code 'ML999'"):
        ruleset.read(folder(tmp_path, GOOD.replace("a-rule", "b-rule"), "b-rule"))


def test_a_folder_without_rules_is_refused(tmp_path):
    with pytest.raises(LogicError, match="no rule"):
        ruleset.read(tmp_path)


def test_a_message_that_lacks_a_field_is_our_fault(tmp_path):
    (rule,) = ruleset.read(folder(tmp_path)).all()
    with pytest.raises(LogicError, match="ML999: the message needs a field 'what'"):
        rule.message()


def test_loading_is_light_and_fast():
    heavy = "{'torch', 'libcst', 'networkx', 'numpy', 'click'}"
    code = f"import sys, modlint.ruleset as r; r.load(); print(sorted({heavy} & {{*sys.modules}}))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
    best = min(_seconds(lambda: ruleset.read(rules_folder())) for _ in range(5))
    assert best < 0.025


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start
