"""Findings and the directives in comments -> the findings that remain, and ML903 for directives that do nothing.

A directive is judged only where every rule that it names is selected: one that is off could have fired. So could one
that only a trace or the experiment finds, whichever passes run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modlint.analysis import places_of
from modlint.errors import ModlintError
from modlint.graph import Location
from modlint.report import finding_at
from modlint.ruleset import Pass, Variant
from modlint.syntax.globs import Globs
from modlint.syntax.suppressions import Action, Directive, directives, speaks_of_sharing
from modlint.syntax.text import lines_of
from modlint.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modlint.analysis import Judged
    from modlint.config import Config
    from modlint.findings import Finding
    from modlint.graph import Place
    from modlint.ruleset import RuleSet
    from modlint.sources import Sources

UNUSED = "ML903"
_ACTIONS = "ignore, ignore[CODE], ignore-file and shared"


class Suppressor:
    """The directives of the files of one run, and which of them have had an effect."""

    def __init__(
        self, sources: Sources, linted: list[str], rules: RuleSet, config: Config, selected: frozenset[str]
    ) -> None:
        self._sources = sources
        self._linted = linted
        self._rules = rules
        self._selected = selected
        self._root = config.root
        self._per_file = [
            (Globs([glob.removeprefix("!")], config.root), not glob.startswith("!"), rules.selected(codes))
            for glob, codes in config.per_file_ignores
        ]
        self._directives: dict[str, tuple[Directive, ...]] = {}
        self._lines: dict[str, list[str]] = {}
        self._used: set[tuple[str, Directive]] = set()

    def by_intent(self, locate: Callable[[Place], Location]) -> Callable[[Judged], Judged]:
        """A function that makes sharing deliberate where a mark or a comment in the source says so (params rules)."""

        def intended(item: Judged) -> Judged:
            if item.judgement.code[:3] != "ML2":
                return item
            if not self._marks(item, locate) and not self._says_so(item, locate):
                return item
            return replace(item, judgement=replace(item.judgement, code="ML003", verdict=Verdict.DELIBERATE))

        return intended

    def _says_so(self, item: Judged, locate: Callable[[Place], Location]) -> bool:
        """Whether a comment beside or right above one of the places speaks of sharing."""
        for place in places_of(item.judgement):
            lines = self._lines_of(place.filename)
            row = locate(place).row
            if 0 < row <= len(lines):
                above = lines[row - 2].strip() if row > 1 else ""
                if speaks_of_sharing(lines[row - 1]) or (above.startswith("#") and speaks_of_sharing(above)):
                    return True
        return False

    def _lines_of(self, file: str) -> list[str]:
        if file not in self._lines:
            try:
                self._lines[file] = lines_of(self._sources.source(file))
            except (OSError, ModlintError):
                self._lines[file] = []
        return self._lines[file]

    def _marks(self, item: Judged, locate: Callable[[Place], Location]) -> bool:
        for place in places_of(item.judgement):
            marks = [d for d in self._of(place.filename) if d.action is Action.SHARED]
            if marks:
                location = locate(place)
                speaking = [mark for mark in marks if mark.speaks_for(location.row, location.end_row)]
                self._used.update((place.filename, mark) for mark in speaking)
                if speaking:
                    return True
        return False

    def applied(self, findings: list[Finding], reused_at: Callable[[str], list[Location]]) -> list[Finding]:
        """What remains of the findings, with ML903 for what suppressed nothing."""
        remaining = [finding for finding in findings if not self._suppressed(finding)]
        if UNUSED in self._selected:
            unused = [finding for file in self._linted for finding in self._unused(file, reused_at)]
            remaining += [finding for finding in unused if not self._suppressed(finding, explicitly=True)]
        return remaining

    def still_unused(self, findings: Sequence[Finding]) -> list[Finding]:
        """The findings without the ML903 of directives that have had an effect here: an earlier pass saw none."""
        used = {(file, directive.row, directive.column) for file, directive in self._used}
        return [
            f for f in findings if f.code != UNUSED or (f.location[0], f.location.row, f.location.column) not in used
        ]

    def _of(self, file: str) -> tuple[Directive, ...]:
        if file not in self._directives:
            try:
                self._directives[file] = directives(self._sources.source(file))
            except (OSError, ModlintError):
                self._directives[file] = ()
        return self._directives[file]

    def _suppressed(self, finding: Finding, explicitly: bool = False) -> bool:
        location = finding.location
        by = [
            directive
            for directive in self._of(location.filename)
            if directive.covers(finding.code, location.row, location.end_row) and (directive.codes or not explicitly)
        ]
        self._used.update((location.filename, directive) for directive in by)
        return bool(by) or self._ignored_here(location.filename, finding.code)

    def _ignored_here(self, file: str, code: str) -> bool:
        name, path = file.rpartition("/")[2], self._sources.path(file)
        return any(code in codes and globs.match(name, path) is there for globs, there, codes in self._per_file)

    def _unused(self, file: str, reused_at: Callable[[str], list[Location]]) -> list[Finding]:
        found = []
        for directive in self._of(file):
            reason = self._fault(file, directive, reused_at)
            if reason:
                row, column, end = directive.row, directive.column, directive.end_column
                variant = Variant.INTENT if directive.action is Action.SHARED else Variant.SUPPRESSION
                location = Location(file, row, column, row, end)
                rule = self._rules.rule(UNUSED)
                found.append(finding_at(rule, location, variant, comment=f"'{directive.text}'", reason=reason))
        return found

    def _stranger(self, code: str) -> str:
        """What is wrong with a code that is none."""
        meant = next((rule.code for rule in self._rules.all() if code.lower() in {rule.slug, rule.code.lower()}), "")
        return f"its code is {meant}" if meant else f"there is no rule {code}, and a suppression names whole codes"

    def _fault(self, file: str, directive: Directive, reused_at: Callable[[str], list[Location]]) -> str:
        """Why the directive does nothing, or ""."""
        known = {rule.code for rule in self._rules.all()}
        silent = {rule.code for rule in self._rules.all() if Pass.STATIC not in rule.conditions.passes}
        match directive.action:
            case Action.UNKNOWN:
                return f"modlint knows {_ACTIONS}"
            case Action.SHARED:
                there = file in self._sources.unreadable or any(
                    directive.speaks_for(place.row, place.end_row) for place in reused_at(file)
                )
                return "" if there else "no module instance that is created or used here is shared"
            case Action.IGNORE | Action.IGNORE_FILE:
                strangers = [code for code in directive.codes if code not in known]
                if strangers:
                    return self._stranger(strangers[0])
                judged = set(directive.codes) <= self._selected - silent and file not in self._sources.unreadable
                if (file, directive) in self._used or not judged or directive.codes == (UNUSED,):
                    return ""
                where = "in this file" if directive.action is Action.IGNORE_FILE else "on this line"
                return f"{' and '.join(directive.codes) or 'modlint'} reports nothing {where}"
