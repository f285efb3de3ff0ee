"""Selection: ruff's prefix semantics over codes, families and slugs."""

from __future__ import annotations

import pytest

from modlint import ruleset
from modlint.errors import ModlintError

RULES = ruleset.load()
EVERY = {rule.code for rule in RULES.all()}
DEFAULT = EVERY - {"ML001", "ML002", "ML003", "ML203"}
STATE = {"ML101", "ML102", "ML103"}
PARAMS = {"ML201", "ML202", "ML203"}


@pytest.mark.parametrize(
    ("select", "extend", "ignore", "expected"),
    [
        pytest.param(None, [], [], DEFAULT, id="nothing said gives the rules that are on by default"),
        pytest.param([], [], [], set(), id="an empty selection is empty"),
        pytest.param(["ALL"], [], [], EVERY, id="ALL is every rule"),
        pytest.param(["ML"], [], [], EVERY, id="the letters alone are every rule"),
        pytest.param(["ML1"], [], [], STATE, id="a prefix of one digit is a family"),
        pytest.param(["ML10"], [], [], STATE, id="a prefix of two digits"),
        pytest.param(["ML101"], [], [], {"ML101"}, id="a code is one rule"),
        pytest.param(["state"], [], [], STATE, id="a family by its name"),
        pytest.param(["stateful-reuse"], [], [], {"ML101"}, id="a rule by its slug"),
        pytest.param(["ML1", "params"], [], [], STATE | PARAMS, id="selectors add up"),
        pytest.param(["ML203"], [], [], {"ML203"}, id="a rule in preview by its code"),
        pytest.param(None, ["ML203"], [], DEFAULT | {"ML203"}, id="a rule in preview beside the default"),
        pytest.param(None, ["inventory"], [], DEFAULT | {"ML001", "ML002", "ML003"}, id="a family beside the default"),
        pytest.param(None, [], ["ML1"], DEFAULT - STATE, id="ignoring takes from the default"),
        pytest.param(["ALL"], [], ["state"], EVERY - STATE, id="ignoring a family takes from ALL"),
        pytest.param(["ML1"], [], ["ML101"], {"ML102", "ML103"}, id="a more specific ignore wins"),
        pytest.param(["ML101"], [], ["ML1"], {"ML101"}, id="a more specific select wins"),
        pytest.param(["stateful-reuse"], [], ["state"], {"ML101"}, id="a slug is as specific as a code"),
        pytest.param(["ML1"], [], ["ML1"], set(), id="at a tie ignore wins"),
        pytest.param(["ML101"], [], ["ML101"], set(), id="at a tie of codes too"),
        pytest.param([], ["ML101"], ["ALL"], {"ML101"}, id="ignoring everything leaves what is named"),
        pytest.param(None, ["ML101"], ["ML1"], (DEFAULT - STATE) | {"ML101"}, id="an extension may be more specific"),
    ],
)
def test_selection(select, extend, ignore, expected):
    assert RULES.selected(select, extend, ignore) == expected


@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        pytest.param("ML11", "did you mean ML1", id="a prefix of no rule"),
        pytest.param("ML4", "did you mean ML", id="a family that there is not"),
        pytest.param("sate", "did you mean state", id="a slip in a family"),
        pytest.param("stateless-use", "did you mean stateless-reuse", id="a slip in a slug"),
        pytest.param("all", "did you mean ALL", id="ALL in small letters"),
        pytest.param("F401", "give a code", id="a code of another linter"),
        pytest.param("", "give a code", id="an empty selector"),
    ],
)
@pytest.mark.parametrize("where", ["select", "extend_select", "ignore"])
def test_an_unknown_selector_names_the_near_misses(where, selector, hint):
    with pytest.raises(ModlintError) as error:
        RULES.selected(**{where: [selector]})
    assert str(error.value).startswith(f"unknown rule selector {selector!r}; {hint}")
