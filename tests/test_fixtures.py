"""Each fixture twice: what execution says of it (the oracle), and that modlint says the same."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest
from oracle import FIXTURES, Fixture, Observed, fixtures, observe

from modlint.graph import ALWAYS

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


def test_a_fixture_without_example_says_why() -> None:
    assert [one.name for one in ALL if (one.entry is None) != ("not runnable" in one.header)] == []


def test_the_name_of_a_fixture_tells_whether_it_is_noisy() -> None:
    assert [one.name for one in ALL if one.path.stem.endswith("_noisy") != bool(one.expected)] == []


def test_a_noisy_fixture_has_a_silent_twin() -> None:
    noisy = [one.path for one in ALL if one.path.stem.endswith("_noisy")]
    assert [path for path in noisy if not path.with_name(path.name.replace("_noisy", "_silent")).exists()] == []


@each_runnable
def test_execution_shows_what_the_fixture_expects(fixture: Fixture) -> None:
    seen = observe(fixture)
    assert seen
    _check_state(fixture, seen)
    _check_parameters(fixture, seen)
    _check_lines(fixture, seen)
    assert any(one.recompute for one in seen) == ("ML103" in fixture.codes), "checkpointing changes the state"
    if not fixture.excused:
        crossing = [one.crossing for one in seen if one.crossing]
        assert bool(crossing) == bool(fixture.codes & CROSS), f"shared by two models: {crossing}"


def _check_state(fixture: Fixture, seen: tuple[Observed, ...]) -> None:
    found = [one for observed in seen for one in observed.effects("state")]
    if fixture.excused and not fixture.codes:
        assert found or any(o.effects("params") or o.crossing for o in seen), "the excuse has nothing to excuse"
    elif not fixture.codes & CROSS:
        assert bool(found) == bool(fixture.codes & STATE), f"unsharing changes the state of {found}"


def _check_parameters(fixture: Fixture, seen: tuple[Observed, ...]) -> None:
    found = [one for observed in seen for one in observed.effects("params")]
    if fixture.codes & PARAMS or "deliberate" in fixture.header:
        assert found, "no parameters are tied"
    elif not fixture.codes and not fixture.excused:
        assert not found, f"parameters are tied, and nothing says that they are meant to be: {found}"


def _check_lines(fixture: Fixture, seen: tuple[Observed, ...]) -> None:
    """Where an instance has one slot and several call sites, the second one is the finding's line."""
    if fixture.codes & CROSS or fixture.excused:
        return
    expected = {(file, line) for file, line, code in fixture.expected if code in STATE}
    for one in (one for observed in seen for one in observed.effects("state")):
        if len(one.slots) == 1 and len(one.lines) > 1:
            assert one.lines[1] in expected, f"the second use of {one.type} stands at {one.lines[1]}"


@each_runnable
def test_the_static_counts_are_those_of_execution(fixture: Fixture) -> None:
    for observed in observe(fixture):
        claims = _claims(fixture, observed.model)
        seen = Counter((one.type, one.count) for one in observed.reused)
        assert _agree(claims, seen), f"static {sorted(claims)}, executed {sorted(seen.elements())}"


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


class Claim(NamedTuple):
    """What the use graph says of one reused instance."""

    type: str
    count: int
    at_least: bool
    conditional: bool  # on some path only: the example need not take it

    def fits(self, type_: str, count: int) -> bool:
        if type_ != self.type:
            return False
        if self.at_least:
            return count >= self.count
        return count == self.count or (self.conditional and count < self.count)


def _claims(fixture: Fixture, model: str) -> list[Claim]:
    found = []
    for graph in _graphs(fixture):
        for instance in graph.reused() if graph.model.rpartition(".")[2] == model else ():
            runs = graph.executions(instance.key)
            conditional = any(use.condition != ALWAYS for use in runs.uses)
            found.append(Claim(instance.type.rpartition(".")[2], runs.count, runs.at_least, conditional))
    return found


def _agree(claims: list[Claim], seen: Counter[tuple[str, int]]) -> bool:
    """Each executed reuse has a claim of its own that fits it; what is claimed on all paths is executed."""
    left = Counter(seen)
    for claim in sorted(claims, key=lambda claim: (claim.at_least, claim.conditional, -claim.count)):
        fitting = [key for key in +left if claim.fits(*key)]
        if fitting:
            left[max(fitting, key=lambda key: key[1])] -= 1
        elif not claim.conditional:
            return False
    return not +left
