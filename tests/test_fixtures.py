"""Each fixture twice: what execution says of it (the oracle), and that modlint says the same."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

import pytest
from oracle import FIXTURES, Fixture, Observed, fixtures, observe

if TYPE_CHECKING:
    from modlint.graph import UseGraph
    from modlint.linter import Request

ALL = fixtures()
RUNNABLE = [fixture for fixture in ALL if fixture.entry is not None]
STATE = {"ML101", "ML102"}
PARAMS = {"ML201", "ML202", "ML203"}
CROSS = {"ML301", "ML302", "ML303"}

every = pytest.mark.parametrize("fixture", ALL, ids=lambda fixture: fixture.name)
each_runnable = pytest.mark.parametrize("fixture", RUNNABLE, ids=lambda fixture: fixture.name)


@every
def test_a_fixture_without_example_says_why(fixture: Fixture) -> None:
    assert (fixture.entry is None) == ("not runnable" in fixture.header)


@every
def test_the_name_of_a_fixture_tells_whether_it_is_noisy(fixture: Fixture) -> None:
    assert fixture.path.stem.endswith("_noisy") == bool(fixture.expected)


@every
def test_a_noisy_fixture_has_a_silent_twin(fixture: Fixture) -> None:
    if fixture.path.stem.endswith("_noisy"):
        twin = fixture.path.with_name(fixture.path.name.replace("_noisy", "_silent"))
        assert twin.exists()


@each_runnable
def test_execution_finds_state_that_sharing_changes_where_expected(fixture: Fixture) -> None:
    found = [one for observed in observe(fixture) for one in observed.effects("state")]
    if fixture.excused and not fixture.codes:
        assert found or any(o.effects("params") or o.crossing for o in observe(fixture))
    elif not fixture.codes & CROSS:
        assert bool(found) == bool(fixture.codes & STATE), found


@each_runnable
def test_execution_finds_parameters_tied_where_expected_or_declared_deliberate(fixture: Fixture) -> None:
    found = [one for observed in observe(fixture) for one in observed.effects("params")]
    if fixture.codes & PARAMS or "deliberate" in fixture.header:
        assert found
    elif not fixture.codes and not fixture.excused:
        assert not found


@each_runnable
def test_execution_finds_instances_of_two_models_where_expected(fixture: Fixture) -> None:
    found = [one for observed in observe(fixture) for one in observed.crossing]
    if not fixture.excused:
        assert bool(found) == bool(fixture.codes & CROSS), found


@each_runnable
def test_execution_finds_that_recomputing_matters_where_expected(fixture: Fixture) -> None:
    assert any(observed.recompute for observed in observe(fixture)) == ("ML103" in fixture.codes)


@each_runnable
def test_the_second_call_site_is_the_line_expected(fixture: Fixture) -> None:
    """Where an instance has one slot and several call sites, the second one is the finding's line."""
    expected = {(file, line) for file, line, code in fixture.expected if code in STATE | CROSS}
    for observed in observe(fixture):
        for one in observed.effects("state"):
            if len(one.slots) == 1 and len(one.lines) > 1 and not fixture.codes & CROSS and not fixture.excused:
                assert one.lines[1] in expected, one


@each_runnable
def test_the_static_counts_are_those_of_execution(fixture: Fixture) -> None:
    for observed in observe(fixture):
        claimed = _static_counts(fixture, observed.model)
        seen = Counter((one.type, one.count) for one in observed.reused)
        assert _agree(claimed, seen), f"static {sorted(claimed)}, executed {sorted(seen.elements())}"


@every
def test_the_findings_are_those_expected(fixture: Fixture) -> None:
    assert _findings(fixture) == fixture.expected


def test_there_are_fixtures_enough_and_half_of_them_are_silent() -> None:
    silent = [fixture for fixture in ALL if not fixture.expected]
    assert len(ALL) >= 150
    assert len(ALL) * 0.45 <= len(silent) <= len(ALL) * 0.65


def _request(fixture: Fixture) -> Request:
    from modlint.config import Config
    from modlint.linter import Request

    selected = [code.strip() for code in fixture.header.get("select", "").split(",") if code.strip()]
    config = Config(root=str(FIXTURES), extend_select=tuple(selected))
    return Request((str(fixture.path),), config, whole_tree=False)


def _findings(fixture: Fixture) -> list[tuple[str, int, str]]:
    from modlint.linter import lint

    outcome = lint(_request(fixture))
    assert not outcome.faults
    return sorted((f.location.filename, f.location.row, f.code) for f in outcome.report.findings)


@cache
def _graphs(fixture: Fixture) -> list[UseGraph]:
    """The use graph of every model of a fixture."""
    from modlint.catalogue import Catalogue
    from modlint.interpreter import interpret
    from modlint.linter import find_files, sources_of
    from modlint.sources import Mentions
    from modlint.syntax.tree import SourceTree

    request = _request(fixture)
    found, around = find_files(request)
    sources = sources_of(request, found, around)
    mentions = Mentions(sources)
    tree = SourceTree(sources.representation, (), mentions.of, sources.exists)
    names = [file.relative_to(FIXTURES).as_posix() for file in fixture.files]
    return [model.graph for name in names for model in interpret(tree, name, Catalogue.load([]))]


def _static_counts(fixture: Fixture, model: str) -> list[tuple[str, int, bool]]:
    found = []
    for graph in _graphs(fixture):
        for instance in graph.reused() if graph.model.rpartition(".")[2] == model else ():
            runs = graph.executions(instance.key)
            found.append((instance.type.rpartition(".")[2], runs.count, runs.at_least))
    return found


def _agree(claimed: list[tuple[str, int, bool]], seen: Counter[tuple[str, int]]) -> bool:
    """Equal as multisets, where a lower bound stands for any count that reaches it."""
    left = Counter(seen)
    for kind, count, at_least in sorted(claimed, key=lambda one: (one[2], -one[1])):
        fits = [key for key in left if key[0] == kind and (key[1] >= count if at_least else key[1] == count)]
        if not fits:
            return False
        best = min(fits, key=lambda key: key[1])
        left[best] -= 1
        left += Counter()
    return not left


def test_every_example_has_one_model_at_least() -> None:
    for fixture in RUNNABLE:
        observed: tuple[Observed, ...] = observe(fixture)
        assert observed, fixture.name
