"""Findings of the experiment -> those that select, per-file-ignores and suppressions in the source leave.

In: the configuration and files of a run. `modlint confirm` asks for outcomes, `modlint PATH --confirm` for findings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modlint import ruleset
from modlint.graph import Location
from modlint.report import finding_of
from modlint.sources import Setup, Sources, name_of
from modlint.suppress import UNUSED, Suppressor
from modlint.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modlint.config import Config
    from modlint.confirm.job import Confirmed
    from modlint.confirm.outcome import Outcome, Reused
    from modlint.findings import Finding
    from modlint.graph import Place
    from modlint.verdicts import Judgement

FLOW = "ML101"  # the rule of state that flows where no rule spoke of any


class Filters:
    """`files` are the absolute paths of the linted files; with none, every file counts as linted."""

    def __init__(self, config: Config, files: Sequence[str] = ()) -> None:
        self._root = config.root
        self._rules = ruleset.load()
        self._linted = frozenset(name_of(config.root, file) for file in files)
        selected = self._rules.selected(config.select or None, config.extend_select, config.ignore)
        self._selected = selected
        sources = Sources(Setup(config.root, tuple(sorted(self._linted)), None, ""))
        self._suppressor = Suppressor(sources, [], self._rules, config, selected - {UNUSED})

    def left(self, findings: Sequence[Finding]) -> list[Finding]:
        """The findings that remain."""
        here = [f for f in findings if not self._linted or f.location.filename in self._linted]
        return self._suppressor.applied([f for f in here if f.code in self._selected], lambda _: [])

    def still_unused(self, findings: Sequence[Finding]) -> list[Finding]:
        """The findings without the ML903 of directives that have had an effect here."""
        return self._suppressor.still_unused(findings)

    def silenced(self, confirmed: Confirmed) -> frozenset[Reused]:
        """The instances of whose outcomes a check of the same files would not speak."""
        judgements = {judgement.instance.key: judgement for judgement in confirmed.judgements}
        return frozenset(
            outcome.reused
            for outcome in confirmed.result.outcomes
            if not self._speaks(outcome, judgements.get(outcome.reused.name), confirmed.result.model)
        )

    def _speaks(self, outcome: Outcome, judgement: Judgement | None, model: str) -> bool:
        if judgement is None:
            return True
        finding = finding_of(replace(judgement, code=code_of(outcome)), model, self._rules, self._locate)
        return finding is not None and bool(self.left([finding]))

    def _locate(self, place: Place) -> Location:
        assert isinstance(place, Location)  # a trace knows no other places
        return place._replace(filename=name_of(self._root, place.filename))


def code_of(outcome: Outcome) -> str:
    """The rule that an outcome falls under: that of the trace, unless state flows where it saw none."""
    code = outcome.reused.code
    flows = outcome.measured is Verdict.CHANGES_SEMANTICS and (code[:3] == "ML0" or not code)
    return FLOW if flows else code
