"""Every fixture three times: read from the source, traced by fx, recorded; and counted by what knows none of them."""

from __future__ import annotations

import functools
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

import oracle
import pytest
import torch

from modlint.catalogue import Catalogue
from modlint.config import Config
from modlint.interpreter import interpret
from modlint.linter import Request, find_files, sources_of
from modlint.sources import Mentions
from modlint.syntax.tree import SourceTree
from modlint.trace.births import watched
from modlint.trace.corridor import disagreement, recorded_pass, symbolic_pass, trace_model
from modlint.trace.inputs import Inputs
from modlint.trace.live import LiveModel
from modlint.trace.matching import Places, pairs_of
from modlint.trace.states import own_states
from modlint.verdicts import judge

if TYPE_CHECKING:
    from modlint.trace.births import Births
    from modlint.trace.matching import Pair
    from modlint.trace.traced import TracedGraph

FIXTURES = [fixture for fixture in oracle.fixtures() if fixture.entry is not None]
each = pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
OFF = {"ML001", "ML002", "ML003", "ML203", "ML901", "ML903"}


def examples(fixture: oracle.Fixture) -> tuple[list[tuple[torch.nn.Module, Inputs]], Births]:
    torch.manual_seed(0)
    with watched() as births, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = oracle.load(fixture).example()
    pairs = made if isinstance(made, list) else [made]
    return [(model, Inputs.of(args)) for model, args in pairs], births


@functools.cache
def graphs(fixture: oracle.Fixture) -> list[TracedGraph]:
    models, births = examples(fixture)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [trace_model(model, inputs, births) for model, inputs in models]


def hooked(model: torch.nn.Module, inputs: Inputs) -> Counter[str]:
    """Executions by path; a hook does not see a direct call of `forward`, so that is counted too."""
    counts: Counter[str] = Counter()
    for path, module in model.named_modules():
        if "parametrizations" not in path.split("."):
            forward = module.forward

            def counted(*args: Any, path: str = path or ".", forward: Any = forward, **kwargs: Any) -> Any:
                counts[path] += 1
                return forward(*args, **kwargs)

            vars(module)["forward"] = counted
    model.train()
    model(*inputs.args, **inputs.named)
    return counts


@each
@pytest.mark.filterwarnings("ignore")
def test_fx_and_recorded_count_what_hooks_count(fixture: oracle.Fixture) -> None:
    for number, (model, inputs) in enumerate(examples(fixture)[0]):
        live = LiveModel(model)
        recorded = recorded_pass(live, inputs)
        other = examples(fixture)[0][number]
        known = Counter({key: count for key, count in recorded.counts().items() if not key.startswith("<")})
        assert known == hooked(*other)
        symbolic, _ = symbolic_pass(live, inputs)
        if symbolic is not None:
            assert disagreement(symbolic, recorded) == ""


@each
@pytest.mark.filterwarnings("ignore")
def test_fx_and_recorded_see_the_same_states(fixture: oracle.Fixture) -> None:
    for model, inputs in examples(fixture)[0]:
        live = LiveModel(model)
        symbolic, traced = symbolic_pass(live, inputs)
        if symbolic is None or traced.touched:
            continue
        recorded = recorded_pass(live, inputs)
        ours, theirs = (
            own_states(symbolic.live.modules(), symbolic.measured),
            own_states(recorded.live.modules(), recorded.measured),
        )
        kinds = [
            {p.live.key(m): states[id(m)].kind for m in p.live.modules()}
            for p, states in ((symbolic, ours), (recorded, theirs))
        ]
        assert kinds[0] == kinds[1]


@each
def test_the_trace_reaches_the_expected_verdicts(fixture: oracle.Fixture) -> None:
    """By code: what the source alone tells (intent, suppressions, tree-wide sharing) is not asked of the trace."""
    if fixture.excused or "deliberate" in fixture.header or fixture.codes & {"ML301", "ML302", "ML303"}:
        assert True
        return
    found = {judgement.code for graph in graphs(fixture) for judgement in judge(graph)} - OFF - {""}
    assert found == fixture.codes - OFF


def paired(fixture: oracle.Fixture) -> list[Pair]:
    """Each traced graph against the static graph of its class that knows most of its instances."""
    request = Request((str(fixture.path),), Config(root=str(oracle.FIXTURES)), whole_tree=False)
    found, around = find_files(request)
    sources = sources_of(request, found, around)
    tree = SourceTree(sources.representation, (), Mentions(sources).of, sources.exists)
    names = [file.relative_to(oracle.FIXTURES).as_posix() for file in fixture.files]
    read = [model.graph for name in names for model in interpret(tree, name, Catalogue.load([]))]
    places = Places(sources, dict(zip(map(str, fixture.files), names, strict=True)))
    result = []
    for graph in graphs(fixture):
        same = [g for g in read if g.model.rpartition(".")[2] == graph.model]
        options = [pairs_of(g, graph, places) for g in same]
        result += max(options, key=lambda pairs: (len(pairs), sum(p.agrees for p in pairs)), default=[])
    return result


@each
def test_the_source_and_the_trace_agree(fixture: oracle.Fixture) -> None:
    pairs = [pair for pair in paired(fixture) if pair.runs or pair.reads_as]
    counts = [(p.traced.key, p.reads_as, p.runs) for p in pairs if not p.agrees]
    states = [
        (p.traced.key, p.static.own.kind.value, p.traced.own.kind.value)
        for p in pairs
        if p.runs and p.static.own.certain and p.traced.own.certain and p.static.own.kind is not p.traced.own.kind
    ]
    if "unfollowed" in fixture.header or fixture.name in DISAGREE:
        return
    assert (counts, states) == ([], [])


DISAGREE: dict[str, str] = {}
