"""Numbers -> outcomes: what the differences between model A, A' and B mean for one instance."""

from __future__ import annotations

import math
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

import torch

from modlint.confirm.noise import MARGIN
from modlint.confirm.observables import Gap, Quantity, Record, distance, equal, worst, worst_keys
from modlint.confirm.outcome import Aim, Measure, Outcome
from modlint.findings import Harm, Level
from modlint.report import NAMED
from modlint.trace.marks import same
from modlint.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modlint.confirm.noise import Comparison
    from modlint.confirm.observables import Gaps
    from modlint.confirm.outcome import Candidate
    from modlint.confirm.run import Run, Tensors

_BLANK = "is NaN or infinite on these inputs, which hides every difference"
SUMMATION = (
    8  # times machine epsilon: above what the order of summation alone does to the gradient of a shared parameter
)


def measures(found: Gaps, noise: Mapping[Quantity, float]) -> tuple[Measure, ...]:
    """Every observable with its largest difference and the noise floor beside it."""
    result = []
    for key in worst_keys(found):
        gap = found[key]
        where = f"{key.name} after step {key.step + 1}" if key.step >= 0 else key.name
        place = where.strip() if gap.difference else ""
        result.append(Measure(key.quantity, gap.difference, gap.relative, noise.get(key.quantity, 0.0), place))
    return tuple(result)


def safe(candidate: Candidate, found: Gaps, a: Run) -> Outcome:
    """Nothing differs: the reuse is safe, if there was something to differ."""
    runs = a.own[candidate.name].executions
    if runs < 2:
        return unclear(candidate, found, {}, a, _too_few(runs))
    if not a.numbers:
        return unclear(candidate, found, {}, a, "the outputs of the model hold no numbers on these inputs to compare")
    if a.blank_train and a.blank_eval:
        return unclear(candidate, found, {}, a, f"every output of the model {_BLANK}")
    note = f"{runs} uses and {runs} separate instances give the same numbers, bit for bit"
    return Outcome(candidate.reused, Level.CONFIRMED, Verdict.SAFE, note, measures(found, {}), executions=runs)


def unsafe(candidate: Candidate, found: Gaps, a: Run, b: Run) -> Outcome:
    """Something differs where nothing should, or where nothing was known."""
    level = Level.CONFIRMED if candidate.aim is Aim.OPEN else Level.REFUTED
    what = ", ".join(_words(quantity) for quantity, gap in worst(found).items() if gap.difference)
    note = f"separate instances give other {what}: what one use leaves behind reaches another"
    executions = a.own[candidate.name].executions
    return Outcome(
        candidate.reused,
        level,
        Verdict.CHANGES_SEMANTICS,
        note,
        measures(found, {}),
        harm(found, b, candidate),
        executions,
    )


def unclear(candidate: Candidate, found: Gaps, noise: Mapping[Quantity, float], a: Run, why: str) -> Outcome:
    """The numbers do not decide."""
    executions = a.own[candidate.name].executions
    return Outcome(candidate.reused, Level.INCONCLUSIVE, None, why, measures(found, noise), executions=executions)


class Reach(Enum):
    """How much of an instance the outputs of the model depend on."""

    NOTHING = "nothing"
    OUTPUT = "output"  # what the instance returns, and not what it keeps
    ATTRIBUTES = "attributes"  # what its forward leaves on self
    BUFFERS = "buffers"


def state(candidate: Candidate, found: Gaps, a: Run, b: Run, reach: Reach) -> Outcome:
    """A warned instance against copies that have only parameters in common."""
    runs = a.own[candidate.name].executions
    quiet = {quantity for quantity, gap in worst(found).items() if gap.difference} <= {Quantity.BUFFERS}
    if quiet and runs < 2:
        return unclear(candidate, found, {}, a, _too_few(runs))
    if quiet and a.blank_eval:
        return unclear(candidate, found, {}, a, f"after training, every eval output of the model {_BLANK}")
    if quiet and reach is Reach.NOTHING:
        return unclear(candidate, found, {}, a, "on these inputs the outputs of the model do not depend on it at all")
    if quiet and reach is Reach.ATTRIBUTES:
        note = "the caller reads what its forward leaves on self, and gets that of the last use, with copies or without"
        return unclear(candidate, found, {}, a, note)
    tracked = kept_apart(candidate, a, b)
    if equal(found) and not tracked:
        note = f"its {runs} uses with state of their own give the same numbers, bit for bit: the state has no effect"
        return Outcome(candidate.reused, Level.REFUTED, Verdict.SAFE, note, measures(found, {}), executions=runs)
    if quiet and reach is not Reach.BUFFERS:
        what = _named(tracked or sorted(differing_buffers(candidate, a, b)))
        note = f"the uses differ in {what}, but no output depends on it: tracked, never read"
        return Outcome(
            candidate.reused,
            Level.CONFIRMED,
            Verdict.CHANGES_SEMANTICS,
            note,
            measures(found, {}),
            executions=runs,
            tracked_only=True,
        )
    return _harmful(candidate, found, {}, runs, harm(found, b, candidate))


def differing_buffers(candidate: Candidate, a: Run, b: Run) -> set[str]:
    """The buffers in which some copy differs from the shared instance, by their names within it."""
    ours, theirs = a.own[candidate.name].buffers, b.own[candidate.name].buffers
    differing = {name for name in ours if _largest({name: ours[name]}, {name: theirs.get(name, ())}).difference}
    hidden = {name for name, _ in candidate.module.named_buffers()} - ours.keys()
    return differing | (hidden & set(kept_apart(candidate, a, b)))


def kept_apart(candidate: Candidate, a: Run, b: Run) -> list[str]:
    """The attributes and buffers in which the shared instance holds what no single copy does, by name within it.

    So what each use only overwrites is not among them, nor what one use alone has touched.
    """
    own, copies = a.own[candidate.name].kept[0], b.own[candidate.name].kept
    return sorted(name for name, value in own.items() if not any(same(value, copy.get(name)) for copy in copies))


def state_in_noise(
    candidate: Candidate,
    found: Gaps,
    noise: Mapping[Quantity, float],
    a: Run,
    b: Run,
    test: Comparison,
    reach: Reach = Reach.BUFFERS,
) -> Outcome:
    """The same where equal runs differ: only a difference that the test puts beyond the noise counts."""
    if not test.apart:
        return unclear(
            candidate, found, noise, a, f"the difference lies within the noise of equal runs (p = {test.p:.2g})"
        )
    clear = {key: gap for key, gap in found.items() if gap.difference > MARGIN * noise.get(key.quantity, 0.0)}
    outcome = _harmful(candidate, found, noise, a.own[candidate.name].executions, harm(clear, b, candidate))
    if reach is not Reach.BUFFERS:
        outcome = replace(outcome, note="its buffers differ, but no output depends on them", tracked_only=True)
    return replace(outcome, note=f"{outcome.note} (beyond the noise of equal runs, p = {test.p:.2g})")


def tie(
    candidate: Candidate,
    found: Gaps,
    noise: Mapping[Quantity, float],
    a: Run,
    b: Run,
    test: Comparison | None = None,
) -> Outcome:
    """Shared parameters against separate ones: does each copy, on its own, receive another gradient?

    `test` is that of runs of B against runs of A, by the gradients of the instance, where equal runs differ. A reused
    parametric instance always differs after a step, so this confirms the tie; whether it was meant the numbers don't
    say.
    """
    own_a, own_b = a.own[candidate.name], b.own[candidate.name]
    gap = _largest(own_a.gradients, own_b.gradients)
    floor = SUMMATION * _epsilon(own_a.gradients) * gap.scale
    shown = measures(found, noise)
    runs = own_a.executions
    if gap.difference > floor and (test is None or test.apart):
        moved = _largest(own_a.first_parameters, own_b.first_parameters)
        note = (
            f"{runs} uses add up their gradients in one set of parameters; with parameters of their own, the copies "
            f"differ by {moved.difference:.3g} after one step"
        )
        if test is not None:
            note = f"{note} (beyond the noise of equal runs, p = {test.p:.2g})"
        verdict = Verdict.DELIBERATE if candidate.aim is Aim.TIE else Verdict.CHANGES_SEMANTICS
        return Outcome(candidate.reused, Level.CONFIRMED, verdict, note, shown, harm(found, b, candidate), runs)
    if runs > 1 and not any(p.requires_grad for p in candidate.module.parameters()):
        note = "its parameters are frozen, so nothing is tied"
        level = Level.REFUTED if candidate.aim is Aim.PARAMETERS else Level.CONFIRMED
        return Outcome(candidate.reused, level, Verdict.SAFE, note, shown, executions=runs)
    why = _too_few(runs) if runs < 2 else "no gradient reached its parameters on these inputs"
    if test is not None and gap.difference:
        why = f"its gradients differ by no more than those of equal runs (p = {test.p:.2g})"
    return unclear(candidate, found, noise, a, why)


def harm(found: Gaps, b: Run, candidate: Candidate) -> Harm:
    """The size of a difference."""
    largest = worst(found)
    return Harm(
        train=largest.get(Quantity.TRAIN_OUTPUTS, Gap()).relative,
        eval=largest.get(Quantity.EVAL_OUTPUTS, Gap()).relative,
        skew=_skew(candidate, b.own[candidate.name].buffers),
    )


def _harmful(candidate: Candidate, found: Gaps, noise: Mapping[Quantity, float], runs: int, size: Harm) -> Outcome:
    parts = []
    if size.eval:
        parts.append(f"the eval output changes by {percent(size.eval)} of its scale")
    if size.train:
        parts.append(f"the train output changes by {percent(size.train)} of its scale")
    if size.skew:
        parts.append(f"the statistics of the uses lie {size.skew:.2g} standard deviations apart")
    what = ", ".join(_words(quantity) for quantity, gap in worst(found).items() if gap.difference)
    note = "; ".join(parts) or f"with state of its own for each of {runs} uses, {what} differ"
    return Outcome(
        candidate.reused,
        Level.CONFIRMED,
        Verdict.CHANGES_SEMANTICS,
        note,
        measures(found, noise),
        size,
        executions=runs,
    )


def _skew(candidate: Candidate, buffers: Tensors) -> float:
    """The largest distance between the statistics of two copies: of means in standard deviations, else relative."""
    start = dict(candidate.module.named_buffers())
    sizes = [0.0]
    for name, copies in buffers.items():
        if len(copies) > 1 and copies[0].is_floating_point() and _alike(copies) and not name.endswith("running_var"):
            owner = candidate.module.get_submodule(name.rpartition(".")[0])
            spread = _averages(copies, start.get(name), owner, buffers, name)
            unit = _deviation(name, buffers, start, owner)
            if unit is None:
                unit = spread.square().mean().sqrt().expand(spread.shape[1:])
            apart = (spread.amax(dim=0) - spread.amin(dim=0)) / unit
            sizes.append(float(apart[apart.isfinite()].max()) if apart.isfinite().any() else 0.0)
    return max(sizes)


def _deviation(
    name: str, buffers: Tensors, start: Mapping[str, torch.Tensor], owner: torch.nn.Module
) -> torch.Tensor | None:
    if not name.endswith("running_mean"):
        return None
    other = name.removesuffix("mean") + "var"
    variances = buffers.get(other)
    if variances is None or not _alike(variances):
        return None
    return _averages(variances, start.get(other), owner, buffers, other).mean(dim=0).sqrt()


def _averages(
    copies: tuple[torch.Tensor, ...], start: torch.Tensor | None, owner: torch.nn.Module, buffers: Tensors, name: str
) -> torch.Tensor:
    """What each copy has averaged, in float64. From an exponential average its starting value is taken out.

    After n batches the buffer holds (1-m)^n start + (1 - (1-m)^n) average, m being the momentum.
    """
    values = torch.stack([copy.double() for copy in copies])
    momentum = getattr(owner, "momentum", None)
    prefix = name.rpartition(".")[0]
    batches = buffers.get(f"{prefix}.num_batches_tracked" if prefix else "num_batches_tracked")
    if not isinstance(momentum, float) or not 0 < momentum < 1 or batches is None or start is None:
        return values
    if len(batches) != len(copies) or not all(bool(n > 0) for n in batches):  # InstanceNorm never counts
        return values
    kept = torch.stack([(1 - momentum) ** n.double() for n in batches]).reshape(-1, *[1] * start.dim()).to(values)
    return (values - kept * start.double()) / (1 - kept)


def _alike(copies: tuple[torch.Tensor, ...]) -> bool:
    return len({c.shape for c in copies}) == 1


def _largest(one: Tensors, other: Tensors) -> Gap:
    """The largest distance of any copy in `other` from its counterpart in `one`, and the scale there."""
    best = Gap()
    for name in one.keys() & other.keys():
        for a in one[name]:
            for b in other[name]:
                difference, scale = distance(a, b).tolist()
                if difference > best.difference or best.scale == 0:
                    best = Gap(difference, scale)
    missing = any(name not in other for name in one)
    return Gap(math.inf, 0.0) if missing and not best.difference else best


def gradients_of(candidate: Candidate, run: Run) -> Record:
    """The gradients that the instance, or each copy of it, received in the first step, for the permutation test."""
    record = Record()
    record.keep(Quantity.PARAMETER_GRADIENTS, 0, run.own[candidate.name].gradients)
    return record


def _epsilon(tensors: Tensors) -> float:
    dtypes = {t.dtype for copies in tensors.values() for t in copies if t.is_floating_point()}
    return max((torch.finfo(dtype).eps for dtype in dtypes), default=0.0)


def _too_few(runs: int) -> str:
    times = "once" if runs == 1 else f"{runs} times"
    return f"it ran {times} in this forward pass, so these inputs show nothing of its reuse"


def _named(names: list[str]) -> str:
    """The first few names, quoted."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:NAMED]) + more


def percent(share: float) -> str:
    """A share in words, to two digits."""
    if not math.isfinite(share):
        return "more than all"
    return f"{100 * share:.2g}%" if share < 0.995 else f"{100 * share:.0f}%"


def _words(quantity: Quantity) -> str:
    return quantity.value.replace("_", " ")
