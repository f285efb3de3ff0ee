"""The protocol: model A twice, B with every harmless instance unshared at once, then a B for each warned instance.

Where A and A' agree to the last bit, any difference of A and B is the effect of reuse and none is proof of safety.
Where they do not, the noise is located, A and B are repeated in turns, and a permutation test decides; what stays
unclear is inconclusive.

Context: a parametric instance always differs from separate ones after a step. Decision: whatever is not warned of for
its parameters is unshared with the parameters left in common (`tie`), so that only state can make a difference; ties
are shown by the gradient that each copy alone would have received in a single step. Consequence: a shared head with
frozen statistics is found safe, though separate heads would learn differently.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from modlint.confirm import judging
from modlint.confirm.derivative import described
from modlint.confirm.locate import locate, operations_in, warned_operations
from modlint.confirm.marked import Tie
from modlint.confirm.memory import out_of_memory
from modlint.confirm.narrow import Parts
from modlint.confirm.noise import compare
from modlint.confirm.observables import Quantity, equal, gaps, worst
from modlint.confirm.outcome import Aim, ranked
from modlint.confirm.probe import reach_of
from modlint.confirm.run import Mark, Run, run
from modlint.trace.users import UserCodeError
from modlint.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modlint.confirm.determinism import Settings
    from modlint.confirm.noise import Comparison
    from modlint.confirm.outcome import Candidate, Nondeterministic, Outcome
    from modlint.confirm.subject import Subject

    Progress = Callable[[int, int, str], None]

REPEATS = 6  # runs of A and of B each, on a noisy machine
SPLIT = 8  # instances tried one by one when unsharing all at once made a difference on a noisy machine


@dataclass(slots=True)
class Experiment:
    """The experiment on one subject. `candidates` hold objects of the subject's own model."""

    subject: Subject
    candidates: Sequence[Candidate]
    settings: Settings
    progress: Progress | None = None
    noise: dict[Quantity, float] = field(default_factory=dict)
    nondeterministic: list[Nondeterministic] = field(default_factory=list)
    found: tuple[Outcome, ...] = ()
    seconds: float = 0.0
    _baseline: list[Run] = field(default_factory=list)  # runs of A
    _done: int = 0
    _parts: Parts = field(init=False)

    def conduct(self) -> None:
        """Run everything and keep what was found. Raises UserCodeError when the model raises."""
        began = time.perf_counter()
        self._baseline = [self._first()]
        if operations_in(self._a.warned):
            self.nondeterministic += warned_operations(self.subject, self.settings)
        if not self._a.differentiable:
            self.subject.notes.append("no output of the model is differentiable: gradients were not compared")
        self._baseline.append(self._run((), "the same again"))
        self._note_noise(*self._baseline)
        self._parts = Parts(self.subject, self.candidates, self.settings)
        found = {o.reused.name: o for o in self._together([c for c in self.candidates if c.aim is not Aim.STATE])}
        for candidate in self.candidates:
            if candidate.aim is Aim.STATE:
                found[candidate.name] = self._state(candidate)
            elif candidate.aim is Aim.PARAMETERS:
                flows = found[candidate.name].state_flows
                found[candidate.name] = replace(self._parameters(candidate), state_flows=flows)
        record = self._a.record
        self.found = ranked([replace(o, derivatives=described(o.reused.name, record)) for o in found.values()])
        self.seconds = time.perf_counter() - began

    # Runs.

    def _first(self) -> Run:
        try:
            return self._run((), "the model as written")
        except UserCodeError as error:
            if not self.subject.input_gradients or out_of_memory(error):
                raise
            self.subject.input_gradients = False
            first = self._run((), "the model as written, without input gradients")
            self.subject.notes.append("the model does not take inputs that require gradients: none were measured")
            return first

    def _run(
        self,
        apart: Sequence[Candidate],
        what: str,
        *,
        tie: bool = True,
        steps: int | None = None,
        evaluate: bool = True,
    ) -> Run:
        """Model A when `apart` is empty, else B with these unshared."""
        self._tell(what)
        marks = [Mark(candidate.name, candidate.module) for candidate in self.candidates]
        names = [candidate.name for candidate in apart]
        ties = _ties_of(apart) if tie else None
        return run(self.subject, marks, self.settings, apart=names, tie=ties, steps=steps, evaluate=evaluate)

    def _tell(self, what: str) -> None:
        if self.progress is not None:
            self.progress(self._done, self._planned(), what)
        self._done += 1

    def _planned(self) -> int:
        warned = sum(candidate.aim in {Aim.STATE, Aim.PARAMETERS} for candidate in self.candidates)
        return max(3 + warned, self._done + 1)

    @property
    def _a(self) -> Run:
        return self._baseline[0]

    def _note_noise(self, one: Run, again: Run) -> None:
        """Take the difference of two equal runs for the noise floor, and find out where it comes from."""
        self.noise = {quantity: gap.difference for quantity, gap in worst(gaps(one.record, again.record)).items()}
        if self._noisy:
            self.nondeterministic += locate(self.subject, self.settings)
        else:
            again.record.tensors.clear()  # equal to those of the other, which are kept

    @property
    def _noisy(self) -> bool:
        return any(self.noise.values())

    # Decisions.

    def _together(self, candidates: list[Candidate]) -> list[Outcome]:
        if not candidates:
            return []
        found = self._together_in_noise(candidates) if self._noisy else self._together_exactly(candidates)
        return self._ties(
            [c for c in candidates if c.aim is Aim.TIE], [replace(o, state_flows=_flows(o)) for o in found]
        )

    def _together_exactly(self, candidates: list[Candidate]) -> list[Outcome]:
        b = self._run(candidates, "all harmless instances unshared")
        found = gaps(self._a.record, b.record)
        if equal(found):
            return [judging.safe(candidate, found, self._a) for candidate in candidates]
        if self._is_noise_after_all(candidates, b):
            return self._together_in_noise(candidates)
        return self._split(candidates, b)

    def _is_noise_after_all(self, candidates: Sequence[Candidate], b: Run) -> bool:
        """Before a difference that need not be there is believed, B must agree with B: A and A' may have been lucky."""
        self._note_noise(b, self._run(candidates, f"{candidates[0].name} unshared, once more"))
        return self._noisy

    def _split(self, candidates: list[Candidate], together: Run) -> list[Outcome]:
        found = []
        for candidate in candidates:
            b = together if len(candidates) == 1 else self._run([candidate], f"{candidate.name} unshared")
            apart = gaps(self._a.record, b.record)
            if equal(apart):
                found.append(judging.safe(candidate, apart, self._a))
            elif b is not together and self._is_noise_after_all([candidate], b):
                return self._together_in_noise(candidates)
            else:
                found.append(judging.unsafe(candidate, apart, self._a, b))
        if all(outcome.measured is not None and outcome.measured.value == "safe" for outcome in found):
            why = "unshared together with others it makes a difference, alone it makes none"
            return [judging.unclear(c, gaps(self._a.record, together.record), {}, self._a, why) for c in candidates]
        return found

    def _together_in_noise(self, candidates: list[Candidate]) -> list[Outcome]:
        ours, runs = self._in_turns(candidates)
        shown = gaps(self._a.record, runs[0].record)
        test = compare([a.record for a in ours], [b.record for b in runs])
        if not test.apart:
            why = f"equal runs of the model differ, and unsharing it makes no difference beyond that (p = {test.p:.2g})"
            return [judging.unclear(candidate, shown, self.noise, self._a, why) for candidate in candidates]
        if len(candidates) == 1:
            return [judging.unsafe(candidates[0], shown, self._a, runs[0])]
        if len(candidates) > SPLIT:
            why = "unsharing it together with others makes a difference beyond the noise of equal runs"
            return [judging.unclear(candidate, shown, self.noise, self._a, why) for candidate in candidates]
        return [outcome for candidate in candidates for outcome in self._together_in_noise([candidate])]

    def _in_turns(
        self, candidates: Sequence[Candidate], tie: bool = True, brief: bool = False
    ) -> tuple[list[Run], list[Run]]:
        """Runs of A and of B by turns, so that a drift of the machine is in both; `brief` ones of a single step."""
        ours, theirs = [], []
        steps, evaluate = (1, False) if brief else (None, True)
        for _ in range(REPEATS):
            ours.append(self._run((), "the model as written, again", steps=steps, evaluate=evaluate))
            what = f"{candidates[0].name} unshared, again"
            theirs.append(self._run(candidates, what, tie=tie, steps=steps, evaluate=evaluate))
        return ours, theirs

    def _ties(self, candidates: list[Candidate], found: list[Outcome]) -> list[Outcome]:
        """Where no state flows, show that the parameters are tied: one step with copies of everything.

        On a noisy machine that no state flows is never certain, so there is nothing to show.
        """
        clear = {outcome.reused.name: outcome for outcome in found}
        tied = [c for c in candidates if clear[c.name].state_flows is False]
        if not tied:
            return found
        b = self._run(tied, "shared parameters unshared", tie=False, steps=1, evaluate=False)
        observed = gaps(self._a.record.at(0), b.record.at(0))
        for candidate in tied:
            outcome = judging.tie(candidate, observed, self.noise, self._a, b)
            clear[candidate.name] = replace(outcome, state_flows=clear[candidate.name].state_flows)
        return list(clear.values())

    def _state(self, candidate: Candidate) -> Outcome:
        if self._noisy:
            return self._state_in_noise(candidate)
        subject, a, b = self._pair(candidate, tie=True)
        found = gaps(a.record, b.record)
        kept = any(k.quantity is Quantity.BUFFERS and gap.difference for k, gap in found.items())
        if not kept and not equal(found) and subject is self.subject and self._is_noise_after_all([candidate], b):
            return self._state_in_noise(candidate)
        if any(q is not Quantity.BUFFERS and gap.difference for q, gap in worst(found).items()):
            reach = judging.Reach.BUFFERS
        else:
            reach = reach_of(subject, candidate, self.settings, judging.differing_buffers(candidate, a, b))
        return self._placed(judging.state(candidate, found, a, b, reach), candidate, subject)

    def _state_in_noise(self, candidate: Candidate) -> Outcome:
        ours, runs = self._in_turns([candidate])
        test = compare([a.record for a in ours], [b.record for b in runs])
        shown = gaps(self._a.record, runs[0].record)
        reach = judging.Reach.BUFFERS
        if test.apart and {quantity for quantity, _ in test.separated} == {Quantity.BUFFERS}:
            names = judging.differing_buffers(candidate, self._a, runs[0])
            reach = reach_of(self.subject, candidate, self.settings, names, REPEATS)
        return judging.state_in_noise(candidate, shown, self.noise, self._a, runs[0], test, reach)

    def _parameters(self, candidate: Candidate) -> Outcome:
        if self._noisy:
            b = self._run([candidate], f"{candidate.name} unshared", tie=False)
            test = _gradient_test(candidate, *self._in_turns([candidate], tie=False, brief=True))
            return judging.tie(candidate, gaps(self._a.record, b.record), self.noise, self._a, b, test)
        subject, a, b = self._pair(candidate, tie=False)
        outcome = judging.tie(candidate, gaps(a.record, b.record), self.noise, a, b)
        return self._placed(outcome, candidate, subject)

    def _pair(self, candidate: Candidate, tie: bool) -> tuple[Subject, Run, Run]:
        """Runs of A and B for one warned instance, in the smallest module that holds its uses where that is cheaper."""
        part = self._parts.of(candidate)
        if part is None:
            return self.subject, self._a, self._run([candidate], f"{candidate.name} unshared", tie=tie)
        marks = [Mark(candidate.name, candidate.module)]
        self._tell(f"{candidate.name} unshared, within {candidate.home.name if candidate.home else ''}")
        a = run(part, marks, self.settings)
        ties = _ties_of([candidate]) if tie else None
        return part, a, run(part, marks, self.settings, apart=[candidate.name], tie=ties)

    def _placed(self, outcome: Outcome, candidate: Candidate, subject: Subject) -> Outcome:
        home = candidate.home
        return outcome if subject is self.subject or home is None else replace(outcome, within=home.name)


def _ties_of(candidates: Sequence[Candidate]) -> dict[str, Tie]:
    """What copies keep in common where state is the question.

    A parameter that forward itself writes is state where state is suspected. Elsewhere the trace has found that what is
    written does not carry over (`Embedding(max_norm=...)` rewrites rows to what they are already).
    """
    return {c.name: Tie.TRAINED if c.aim in {Aim.STATE, Aim.OPEN} else Tie.ALL for c in candidates}


def _gradient_test(candidate: Candidate, ours: Sequence[Run], theirs: Sequence[Run]) -> Comparison:
    """Whether copies receive another gradient each than the shared instance does, beyond the noise."""
    return compare(*([judging.gradients_of(candidate, run) for run in runs] for runs in (ours, theirs)))


def _flows(outcome: Outcome) -> bool | None:
    return None if outcome.measured is None else outcome.measured is Verdict.CHANGES_SEMANTICS
