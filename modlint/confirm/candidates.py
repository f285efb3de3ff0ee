"""A traced graph and the live model -> the candidates of the experiment: what to unshare, and what to find out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modlint.confirm.outcome import Aim, Candidate, Home, Reused
from modlint.confirm.replica import replicate
from modlint.graph import StateClass
from modlint.trace.live import LiveModel
from modlint.trace.recorded import record
from modlint.verdicts import Verdict, judge

if TYPE_CHECKING:
    from torch import nn

    from modlint.graph import Use, UseGraph
    from modlint.trace.inputs import Inputs
    from modlint.verdicts import Judgement


class Found(NamedTuple):
    """The candidates and the model that they are parts of: the user's, or a copy of it that has run once.

    The copy is needed for instances that no path leads to: those built by the first forward pass, or kept in a list.
    """

    model: nn.Module
    candidates: list[Candidate]


def candidates_of(graph: UseGraph, model: nn.Module, inputs: Inputs) -> Found:
    """Every reused instance of the graph, with the live object that it stands for. The root itself is none."""
    judgements = [j for j in judge(graph) if j.instance.key != "." and j.count > 1]
    model, modules = live_modules(model, inputs, {j.instance.key for j in judgements})
    found = []
    for judgement in judgements:
        key = judgement.instance.key
        if key in modules:
            reused = Reused(key, _aim(judgement), judgement.verdict, judgement.code)
            found.append(Candidate(reused, modules[key], _home(graph, judgement, modules)))
    return Found(model, found)


def _aim(judgement: Judgement) -> Aim:
    if judgement.code.startswith("ML3"):  # shared by all models, and reused in this one besides
        return Aim.STATE if judgement.instance.state.kind is StateClass.STATEFUL else Aim.TIE
    if judgement.code.startswith("ML1") or judgement.code == "":
        return Aim.OPEN if judgement.verdict is Verdict.UNKNOWN else Aim.STATE
    if judgement.code.startswith("ML2"):
        return Aim.PARAMETERS
    return Aim.TIE if judgement.verdict is Verdict.DELIBERATE else Aim.SAFE


def live_modules(model: nn.Module, inputs: Inputs, keys: set[str]) -> tuple[nn.Module, dict[str, nn.Module]]:
    """The live modules by graph key, and the model that they are parts of.

    Keys are paths, or numbers for what no path leads to: those are found by running a copy as the trace has run one.
    """
    if not any(key.startswith("<") for key in keys):
        return model, dict(model.named_modules(remove_duplicate=False))
    replica, _ = replicate(model)
    live = LiveModel(replica)
    replica.train()
    for call in record(replica, inputs):
        live.include(call.module)
    return replica, {live.key(module): module for module in live.modules()}


def _home(graph: UseGraph, judgement: Judgement, modules: dict[str, nn.Module]) -> Home | None:
    """The smallest execution around all uses, if its module runs only then and is not the whole model."""
    uses = graph.uses_of(judgement.instance.key)
    around = [graph.ancestors_of(use) for use in uses]
    shared = [use for use in around[0] if all(use in others for others in around[1:])] if around else []
    for use in shared:  # innermost first
        if use.instance == ".":
            return None
        if len(graph.uses_of(use.instance)) == 1 and use.times == 1 and use.instance in modules:
            return Home(use.instance, modules[use.instance], _share(graph, use))
    return None


def _share(graph: UseGraph, home: Use) -> float:
    """The share of all executions that happen inside that one."""
    inside = sum(home in graph.ancestors_of(use) for use in graph.uses())
    return inside / max(1, len(graph.uses()) - 1)
