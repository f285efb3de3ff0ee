"""`modlint PATH --confirm`: findings of the passes before, and targets -> the findings with what was measured.

merged = confirm_findings(findings, targets, choice, limits, root)
merged.findings   the findings given, with evidence and severity changed, and the ML601 that the experiment found
merged.harm       by fingerprint, the relative change of an output: what a report of confirmed findings is ranked by
merged.failures   (target, message) of the models that could not be built, run or copied; the others went on
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from modlint import ruleset
from modlint.confirm.filters import FLOW, code_of
from modlint.confirm.outcome import Aim
from modlint.errors import ModlintError
from modlint.findings import Evidence, Finding, Level, Severity
from modlint.graph import Location
from modlint.report import distinct, finding_at, finding_of
from modlint.sources import name_of
from modlint.trace import worker
from modlint.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from modlint.confirm.filters import Filters
    from modlint.confirm.job import Choice, Confirmed, Model
    from modlint.confirm.outcome import Outcome
    from modlint.graph import Place
    from modlint.trace.worker import Limits
    from modlint.verdicts import Judgement

    Line = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Merged:
    """What `confirm_findings` returns."""

    findings: tuple[Finding, ...]
    harm: dict[str, float] = field(default_factory=dict)
    failures: tuple[tuple[str, str], ...] = ()

    @property
    def by_harm(self) -> tuple[Finding, ...]:
        """The findings, the most harmful first; what was not confirmed keeps its order behind them."""
        return tuple(sorted(self.findings, key=lambda finding: -self.harm.get(finding.fingerprint, 0.0)))


@dataclass(frozen=True, slots=True)
class _Measured:
    """One outcome with the judgement that it belongs to, and the lines of its uses."""

    outcome: Outcome
    judgement: Judgement
    model: str
    device: str
    lines: frozenset[Line]


def confirm_findings(
    findings: Sequence[Finding],
    targets: Sequence[Model],
    choice: Choice,
    limits: Limits,
    root: str = ".",
    told: Callable[[int, int, str], None] | None = None,
    filters: Filters | None = None,
) -> Merged:
    """Run the experiment on every target, a process for each file, and merge what it says into the findings.

    `root` is the folder that relative file names in findings and targets start from. `told` hears how many targets are
    done, of how many, and which is next. What the experiment adds is subject to `filters`.
    """
    by_file: dict[str, list[Model]] = {}
    for target in targets:
        by_file.setdefault(target.target.rpartition(":")[0], []).append(target)
    results: list[tuple[Model, Confirmed | ModlintError]] = []
    for models in by_file.values():
        if told is not None:
            told(len(results), len(targets), models[0].target)
        results += zip(models, _confirmed(models, choice, limits), strict=True)
    done = [result for _, result in results if not isinstance(result, ModlintError)]
    failures = [(model.target, str(result)) for model, result in results if isinstance(result, ModlintError)]
    return replace(merged(findings, done, root, filters), failures=tuple(failures))


def _confirmed(models: list[Model], choice: Choice, limits: Limits) -> list[Confirmed | ModlintError]:
    """The models of one file in one process; where that dies or takes too long, each in one of its own."""
    try:
        done: list[Confirmed | ModlintError] = worker.run(
            "modlint.confirm.job:confirm_all", {"models": models, "choice": choice}, limits
        )
    except ModlintError as error:
        if len(models) == 1:
            return [error]
        return [result for model in models for result in _confirmed([model], choice, limits)]
    return done


def merged(
    findings: Iterable[Finding], confirmed: Sequence[Confirmed], root: str = ".", filters: Filters | None = None
) -> Merged:
    """The findings with the evidence of these experiments."""
    measured = [m for result in confirmed for m in _measured(result, root)]
    harm: dict[str, float] = {}
    result = []
    spoken: set[int] = set()
    for finding in findings:
        outcomes = _of(finding, measured, root)
        spoken.update(id(m.outcome) for m in outcomes)
        new = _with_evidence(finding, outcomes) if outcomes else finding
        if new.evidence.level is Level.CONFIRMED:
            harm[new.fingerprint] = max(m.outcome.harm.size for m in outcomes)
        result.append(new)
    added = [finding for one in confirmed for finding in noise_findings(one, root)]
    for m in measured:
        if code_of(m.outcome) != m.outcome.reused.code and id(m.outcome) not in spoken:
            flow = _flow(m, root)
            harm[flow.fingerprint] = m.outcome.harm.size
            added.append(flow)
    if filters is not None:
        added = filters.left(added)
        result = filters.still_unused(result)
    return Merged(distinct([*result, *added]), harm)


def _flow(measured: _Measured, root: str) -> Finding:
    """The finding of state that flows where neither pass saw any: a hook that counts, a class without source."""
    judgement = replace(measured.judgement, code=FLOW, verdict=Verdict.CHANGES_SEMANTICS)

    def here(place: Place) -> Location:
        assert isinstance(place, Location)  # a trace knows no other places
        return place._replace(filename=name_of(root, place.filename))

    finding = finding_of(judgement, measured.model, ruleset.load(), here)
    assert finding is not None  # for it has a code
    evidence = replace(measured.outcome.evidence, level=Level.CONFIRMED)
    message = f"{finding.message} (measured on {measured.device}: {measured.outcome.note})"
    return replace(finding, message=message, evidence=evidence)


def noise_findings(confirmed: Confirmed, root: str = ".") -> list[Finding]:
    """An ML601 for each operation that made equal runs differ, at the module that runs it."""
    rule = ruleset.load().rule("ML601")
    found = []
    for noise in confirmed.result.nondeterministic:
        place = confirmed.places.get(noise.path)
        if place is not None:
            here = place._replace(filename=name_of(root, place.filename))
            finding = finding_at(
                rule, here, model=confirmed.result.model, operation=noise.operation, path=noise.path or "the model"
            )
            if confirmed.result.device == "cpu":  # where the rule's words, which are about CUDA, do not fit
                message = (
                    f"{noise.operation} in '{noise.path}' gives other results for equal inputs ({noise.phase}): "
                    "equal runs of the model differ, whether or not modules are shared"
                )
                finding = replace(finding, message=message)
            found.append(replace(finding, evidence=Evidence(Level.CONFIRMED, note=noise.reason)))
    return list(dict.fromkeys(found))


def _measured(confirmed: Confirmed, root: str) -> list[_Measured]:
    judgements = {judgement.instance.key: judgement for judgement in confirmed.judgements}
    return [
        _Measured(outcome, judgement, confirmed.result.model, confirmed.result.device, _lines(judgement, root))
        for outcome in confirmed.result.outcomes
        if (judgement := judgements.get(outcome.reused.name)) is not None
    ]


def _lines(judgement: Judgement, root: str) -> frozenset[Line]:
    """The lines that a finding about this instance may stand on: what makes it reuse, its uses, its creation."""
    places = [judgement.primary, judgement.instance.created, *(use.place for use in judgement.uses)]
    places += [slot.place for slot in judgement.instance.slots]
    return frozenset(_line(place, root) for place in places if isinstance(place, Location))


def _line(place: Location, root: str) -> Line:
    return os.path.realpath(os.path.join(root, place.filename)), place.row


def _of(finding: Finding, measured: Sequence[_Measured], root: str) -> list[_Measured]:
    """The outcomes that speak of a finding: of the same rule on the same lines, else of the very same instance."""
    mine = _line(finding.location, root)
    uses = {_line(site.location, root) for site in finding.uses}
    cross = finding.code.startswith("ML3")
    telling = [
        m for m in measured if (m.outcome.reused.aim is Aim.CROSS) == cross and _level(m.outcome, finding) is not None
    ]
    same = [m for m in telling if m.judgement.code == finding.code and (mine in m.lines or (uses and uses <= m.lines))]
    if same or cross or finding.created is None:
        return same
    created = _line(finding.created, root)
    return [m for m in telling if _created(m, root) == created and len(uses & m.lines) > 1]


def _created(measured: _Measured, root: str) -> Line | None:
    place = measured.judgement.instance.created
    return _line(place, root) if isinstance(place, Location) else None


def _with_evidence(finding: Finding, measured: Sequence[_Measured]) -> Finding:
    """Confirmed when one model shows harm, refuted when all show none, else inconclusive."""
    levels = {id(m): _level(m.outcome, finding) or Level.INCONCLUSIVE for m in measured}
    deciding = min(measured, key=lambda m: (_RANK[levels[id(m)]], -m.outcome.harm.size))
    outcome, device, level = deciding.outcome, deciding.device, levels[id(deciding)]
    evidence = replace(outcome.evidence, level=level)
    if level is Level.REFUTED and outcome.reused.aim in {Aim.TIE, Aim.PARAMETERS} and finding.code.startswith("ML1"):
        note = "its uses give the same numbers with state of their own, bit for bit; only its parameters are shared"
        outcome, evidence = replace(outcome, note=note), replace(evidence, note=note)
    match level:
        case Level.REFUTED:
            message = f"{finding.message}; refuted on {device}: {outcome.note}"
            return replace(finding, severity=Severity.NOTE, message=message, evidence=evidence)
        case Level.CONFIRMED:
            message = f"{finding.message} (measured on {device}: {outcome.note})"
            return replace(finding, message=message, evidence=evidence)
        case _:
            return replace(finding, evidence=evidence)


def _level(outcome: Outcome, finding: Finding) -> Level | None:
    """What an outcome means for a finding: a claim of state, of tied parameters or of sharing between models.

    None where the experiment on that instance did not look at the claim.
    """
    aim = outcome.reused.aim
    match finding.code[:3], aim:
        case ("ML1", Aim.STATE) | ("ML2", Aim.PARAMETERS | Aim.TIE) | ("ML3", Aim.CROSS):
            return outcome.level
        case "ML1", _:
            return {None: None, True: Level.CONFIRMED, False: Level.REFUTED}[outcome.state_flows]
        case "ML2", Aim.SAFE if outcome.measured is Verdict.SAFE:
            return Level.REFUTED
        case _:
            return outcome.level if outcome.reused.code == finding.code else None


_RANK = {level: rank for rank, level in enumerate((Level.CONFIRMED, Level.INCONCLUSIVE, Level.REFUTED))}
