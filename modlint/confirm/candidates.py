"""A traced graph and the live model -> the candidates of the experiment: what to unshare, and what to find out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def candidates_of(graph: UseGraph, model: nn.Module, inputs: Inputs) -> list[Candidate]:
    """Every reused instance of the graph, with the live object that it stands for. The root itself is none."""
    judgements = [j for j in judge(graph) if j.instance.key != "." and j.count > 1]
    modules = live_modules(model, inputs, {j.instance.key for j in judgements})
    found = []
    for judgement in judgements:
        key = judgement.instance.key
        if key in modules:
            home = _home(graph, judgement, modules, model)
            reused = Reused(key, _aim(judgement), judgement.verdict, judgement.code)
            found.append(Candidate(reused, modules[key], home))
    return found


def _aim(judgement: Judgement) -> Aim:
    if judgement.code.startswith("ML3"):  # shared by all models, and reused in this one besides
        return Aim.STATE if judgement.instance.state.kind is StateClass.STATEFUL else Aim.TIE
    if judgement.code.startswith("ML1") or judgement.code == "":
        return Aim.OPEN if judgement.verdict is Verdict.UNKNOWN else Aim.STATE
    if judgement.code.startswith("ML2"):
        return Aim.PARAMETERS
    return Aim.TIE if judgement.verdict is Verdict.DELIBERATE else Aim.SAFE


def live_modules(model: nn.Module, inputs: Inputs, keys: set[str]) -> dict[str, Any]:
    """The live modules by graph key: their paths, and numbers for those that no path leads to."""
    modules: dict[str, Any] = dict(model.named_modules(remove_duplicate=False))
    if any(key.startswith("<") for key in keys):
        modules.update(_strangers(model, inputs))
    return modules


def _strangers(model: nn.Module, inputs: Inputs) -> dict[str, nn.Module]:
    """The instances that a forward reaches and no path leads to, numbered as the trace numbers them."""
    replica, memo = replicate(model)
    originals = {id(copy): key for key, copy in memo.items()}
    live = LiveModel(replica)
    replica.train()
    found = {}
    for call in record(replica, inputs):
        live.include(call.module)
    for module in live.modules():
        key = live.key(module)
        if key.startswith("<"):
            found[key] = _original(originals.get(id(module)), module)
    return found


def _original(key: int | None, module: nn.Module) -> nn.Module:
    """The user's object of which `module` is the copy; the module itself when it is not part of the model."""
    import gc

    if key is None:
        return module
    return next(thing for thing in gc.get_objects() if id(thing) == key)


def _home(graph: UseGraph, judgement: Judgement, modules: dict[str, Any], model: nn.Module) -> Home | None:
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
