"""Every fixture three times: read from the source, traced by fx, recorded; and counted by what knows none of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import oracle
import pytest
import torch

from modlint.config import Config
from modlint.interpreter import interpret
from modlint.linter import Request, find_files, sources_of
from modlint.sources import Mentions
from modlint.syntax.tree import SourceTree
from modlint.trace.births import watched
from modlint.trace.build import graph_of
from modlint.trace.corridor import Pass, disagreement, recorded_pass, symbolic_pass
from modlint.trace.entries import catalogue
from modlint.trace.inputs import Inputs
from modlint.trace.live import LiveModel
from modlint.trace.matching import Pair, Places, pairs_of
from modlint.trace.states import own_states
from modlint.trace.traced import TracedGraph
from modlint.verdicts import judge

FIXTURES = [fixture for fixture in oracle.fixtures() if fixture.entry is not None]
OFF = {"ML001", "ML002", "ML003", "ML203", "ML901", "ML903", ""}
TIES = {"ML201": "params", "ML202": "params"}  # whether a loop or the author repeats it, the live model does not tell
ALONE = {"ML301", "ML302", "ML303"}  # the loader of the fixtures forgets the modules in which those instances live


def examples(fixture: oracle.Fixture) -> list[tuple[torch.nn.Module, Inputs, LiveModel]]:
    torch.manual_seed(0)
    with watched() as births:
        made = oracle.load(fixture).example()
    pairs = made if isinstance(made, list) else [made]
    return [(model, Inputs.of(args), LiveModel(model, births)) for model, args in pairs]


def counted(model: torch.nn.Module, inputs: Inputs) -> Counter[str]:
    """Executions by path: every forward, called by whatever way, is wrapped on its instance and on its class."""
    counts: Counter[str] = Counter()
    running: list[torch.nn.Module] = []
    paths = {id(m): path or "." for path, m in model.named_modules() if "parametrizations" not in path.split(".")}

    def wrapped(forward: Any, *of: torch.nn.Module) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            module = of[0] if of else args[0]
            if id(module) not in paths or (not of and any(one is module for one in running)):
                return forward(*args, **kwargs)
            counts[paths[id(module)]] += 1
            running.append(module)
            try:
                return forward(*args, **kwargs)
            finally:
                running.pop()

        return run

    with pytest.MonkeyPatch.context() as patch:
        for module in model.modules():
            if id(module) in paths:
                vars(module)["forward"] = wrapped(module.forward, module)
        for cls in {type(module) for module in model.modules() if not isinstance(module, torch.jit.ScriptModule)}:
            patch.setattr(cls, "forward", wrapped(cls.forward))
        model.train()
        model(*inputs.args, **inputs.named)
    return counts


def graph(seen: Pass) -> TracedGraph:
    built = TracedGraph(type(seen.live.root).__name__)
    graph_of(built, seen.live, seen.calls, own_states(seen.live.modules(), seen.measured))
    return built


def static_graphs(fixture: oracle.Fixture) -> tuple[list[Any], Places]:
    request = Request((str(fixture.path),), Config(root=str(oracle.FIXTURES)), whole_tree=False)
    found, around = find_files(request)
    sources = sources_of(request, found, around)
    tree = SourceTree(sources.representation, (), Mentions(sources).of, sources.exists)
    names = [file.relative_to(oracle.FIXTURES).as_posix() for file in fixture.files]
    read = [model.graph for name in names for model in interpret(tree, name, catalogue())]
    return read, Places(sources, dict(zip(map(str, fixture.files), names, strict=True)))


def paired(fixture: oracle.Fixture, traced: TracedGraph) -> list[Pair]:
    """The traced graph against the static graph of its class that knows most of its instances."""
    read, places = static_graphs(fixture)
    ours = [one for one in read if one.model.rpartition(".")[2] == traced.model]
    places.prepare([instance.created for one in ours for instance in one.instances()])  # one more parse, not one each
    same = [pairs_of(one, traced, places) for one in ours]
    best = max(same, key=lambda pairs: (len(pairs), sum(p.agrees for p in pairs)), default=[])
    return [pair for pair in best if pair.runs or pair.reads_as]


def differing_states(pairs: list[Pair]) -> list[tuple[str, str, str]]:
    sure = [p for p in pairs if p.runs and p.static.own.certain and p.traced.own.certain]
    kinds = [(p.traced.key, p.static.own.kind.value, p.traced.own.kind.value) for p in sure]
    return [(key, one, other) for key, one, other in kinds if one != other]


STATES_APART = {  # the trace calls them stateful: what they write is saved, or outlives the call, and does change
    "state/flag_in_buffer_silent.py": "once, from nothing to a constant: the source says so, a measurement does not",
    "state/lazily_filled_table_silent.py": "once, from empty to what the width decides",
    "state/pointer_in_local_silent.py": "once, to what another buffer decides",
    "state/reset_before_each_loop_silent.py": "from step to step of loops before which their caller resets it",
    "state/reset_before_loop_silent.py": "from step to step of a loop before which its caller resets it",
}
UNMEASURED = {  # the source calls them stateful: the trace does not see where the state is
    "state/held_by_a_module_without_forward_noisy.py": "at a child that never runs",
    "state/iterator_kept_noisy.py": "in the position of an iterator",
}
NOT_FOLLOWED = {  # by the source pass: which body runs is decided by the type of an argument
    "functions/single_dispatch_noisy.py",
    "functions/single_dispatch_silent.py",
}
OPEN_ARGUMENTS = {  # the source pass claims what holds with all arguments, and the layer may be one of them
    "control/refuses_its_defaults_noisy.py",
    "control/refuses_its_defaults_silent.py",
    "functions/option_of_a_function_silent.py",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_source_fx_and_recorded_execution_agree(fixture: oracle.Fixture) -> None:
    codes: set[str] = set()
    for number, (_, inputs, live) in enumerate(examples(fixture)):
        recorded = recorded_pass(live, inputs)
        registered = Counter({key: count for key, count in recorded.counts().items() if not key.startswith("<")})
        assert registered == counted(*examples(fixture)[number][:2])
        traced = graph(recorded)
        symbolic, found = symbolic_pass(live, inputs)
        if symbolic is not None:
            assert disagreement(symbolic, recorded) == ""
            if not found.touched:
                own = {instance.key: instance.own.kind for instance in graph(symbolic).instances()}
                assert own == {instance.key: instance.own.kind for instance in traced.instances()}
        codes |= {judgement.code for judgement in judge(traced)}
        pairs = paired(fixture, traced)
        if "unfollowed" not in fixture.header and fixture.name not in OPEN_ARGUMENTS | NOT_FOLLOWED:
            assert [(p.traced.key, p.reads_as, p.runs) for p in pairs if not p.agrees] == []
            assert bool(differing_states(pairs)) is (fixture.name in {**STATES_APART, **UNMEASURED})
    alone = fixture.codes & ALONE or fixture.name in {**STATES_APART, **UNMEASURED}
    if not (fixture.excused or "deliberate" in fixture.header or alone):
        assert {TIES.get(code, code) for code in codes - OFF} == {TIES.get(code, code) for code in fixture.codes - OFF}
