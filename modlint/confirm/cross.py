"""An instance that several models share (ML30x): train one model and look at what that changes in another.

The other model is never run meanwhile, so whatever changes in it came in through the shared instance; with instances of
its own it would have stayed as it was, to the last bit. On the CPU: sharing is no matter of the device.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from modlint.confirm.candidates import live_modules
from modlint.confirm.determinism import Settings, applied, seed_all
from modlint.confirm.judging import measures, percent
from modlint.confirm.observables import Gap, Quantity, Record, equal, gaps, worst
from modlint.confirm.outcome import Aim, Outcome, Reused
from modlint.confirm.subject import Subject, loss_of, tensors_in
from modlint.findings import Harm, Level
from modlint.trace.isolate import Snapshot
from modlint.trace.users import user_code
from modlint.verdicts import Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modlint.graph import UseGraph
    from modlint.trace.inputs import Inputs
    from modlint.verdicts import Judgement


def confirm_sharing(
    graph: UseGraph, builder: Callable[[], Callable[[], nn.Module] | None], inputs: Inputs, settings: Settings
) -> list[Outcome]:
    """An outcome for each instance that the trace says all models of one constructor share.

    `builder` is asked for what makes a new model at each call, if there are such instances; None when nothing does. The
    shared instances are put back as they were.
    """
    shared = [judgement for judgement in judge(graph) if judgement.code.startswith("ML3")]
    if not shared:
        return []
    build = builder()
    if build is None:
        why = "the target is an instance: name its class or a factory to see what two models share"
        return [Outcome(_reused(j), Level.INCONCLUSIVE, None, why, executions=j.count) for j in shared]
    settings = replace(settings, device=torch.device("cpu"), dtype=None)
    with applied(settings), user_code("building two models"):
        models = [_built(build, settings), _built(build, settings)]
    keys = {judgement.instance.key for judgement in shared}
    ours, others = (live_modules(model, inputs, keys)[1] for model in models)
    held = {key: ours[key] for key in keys & ours.keys() & others.keys() if ours[key] is others[key]}
    snapshot = Snapshot(*held.values())
    try:
        before, after, reached = _trained(models[0], models[1], held, inputs, settings)
    finally:
        snapshot.restore()
    return [_outcome(_reused(j), held, models[0], before, after, reached, j.count) for j in shared]


def _reused(judgement: Judgement) -> Reused:
    return Reused(judgement.instance.key, Aim.CROSS, judgement.verdict, judgement.code)


def _built(build: Callable[[], nn.Module], settings: Settings) -> nn.Module:
    seed_all(settings.seed)
    return build()


def _trained(
    model: nn.Module, other: nn.Module, held: Mapping[str, nn.Module], inputs: Inputs, settings: Settings
) -> tuple[Record, Record, frozenset[str]]:
    """What `other` is before and after `model` has been trained, and the shared instances that gradients reached."""
    subject = Subject(model, inputs.args, inputs.named, input_gradients=False)
    reached: set[str] = set()
    with applied(settings), torch.enable_grad():
        before = _state(other, held, subject, settings)
        for step in range(settings.steps):
            model.train()
            seed_all(settings.seed + step)
            args, kwargs, _ = subject.fresh_inputs()
            with user_code("a training step"):
                loss = loss_of(model(*args, **kwargs), settings.seed)
                if loss is not None:
                    loss.backward()
            reached.update(name for name, module in held.items() if _has_gradient(module))
            _descend(model, held, settings)
        after = _state(other, held, subject, settings)
    return before, after, frozenset(reached)


def _descend(model: nn.Module, held: Mapping[str, nn.Module], settings: Settings) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.add_(parameter.grad, alpha=-settings.rate)
                parameter.grad = None
        for module in held.values():
            module.zero_grad()


def _has_gradient(module: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


def _state(other: nn.Module, held: Mapping[str, nn.Module], subject: Subject, settings: Settings) -> Record:
    """The parameters and buffers of the other model and of what it shares, and its eval outputs."""
    record = Record()
    parts = {"": other, **{f"{name}.": module for name, module in held.items()}}
    for quantity, of in (
        (Quantity.PARAMETERS, nn.Module.named_parameters),
        (Quantity.BUFFERS, nn.Module.named_buffers),
    ):
        record.put(quantity, -1, {p + name: (tensor,) for p, part in parts.items() for name, tensor in of(part)})
    other.eval()
    seed_all(settings.seed)
    args, kwargs, _ = subject.fresh_inputs()
    with torch.no_grad(), user_code("the forward pass in eval mode"):
        record.put(Quantity.EVAL_OUTPUTS, -1, tensors_in(other(*args, **kwargs)))
    return record


def _outcome(
    reused: Reused,
    held: Mapping[str, nn.Module],
    model: nn.Module,
    before: Record,
    after: Record,
    reached: frozenset[str],
    count: int,
) -> Outcome:
    found = gaps(before, after)
    if reused.name not in held:
        note = "two models built one after the other do not share it"
        return Outcome(reused, Level.REFUTED, Verdict.SAFE, note, measures(found, {}), executions=count)
    own = {key: gap for key, gap in found.items() if key.name.startswith(f"{reused.name}.")}
    harm = Harm(eval=worst(found).get(Quantity.EVAL_OUTPUTS, Gap()).relative)
    if not equal(own):
        what = sorted({key.quantity.value for key, gap in own.items() if gap.difference})
        size = (
            f"its eval output by {percent(harm.eval)} of its scale" if harm.eval else f"the {' and '.join(what)} of it"
        )
        note = f"training one model changes the other: {size}"
        return Outcome(
            reused, Level.CONFIRMED, Verdict.CHANGES_SEMANTICS, note, measures(found, {}), harm, executions=count
        )
    unlisted = {id(p) for p in held[reused.name].parameters()} - {id(p) for p in model.parameters()}
    if reused.name in reached and unlisted:
        note = "gradients reach its parameters, which are in no parameters() of the model: they are never trained"
        return Outcome(reused, Level.CONFIRMED, Verdict.CHANGES_SEMANTICS, note, measures(found, {}), executions=count)
    note = "training one model left the other as it was on these inputs"
    return Outcome(reused, Level.INCONCLUSIVE, None, note, measures(found, {}), executions=count)
