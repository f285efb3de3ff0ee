"""Findings -> what the protocol knows: diagnostics with related places, hovers, code actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types
from pygls import uris

from modlint import ruleset
from modlint.findings import Severity
from modlint.reporters.words import story
from modlint.syntax.text import Margins, indent_of, lines_with_ends

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pygls.workspace import PositionCodec

    from modlint.findings import Finding
    from modlint.graph.model import Location
    from modlint.server.documents import Document
    from modlint.server.session import Session

SOURCE = "modlint"
UNREADABLE = "ML901"  # nothing can be written beside it that is read
_SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.NOTE: types.DiagnosticSeverity.Information,
}


class Translator:
    """Places in code points from 1 -> ranges in the client's units from 0."""

    def __init__(self, session: Session, codec: PositionCodec, document: Document) -> None:
        self._session = session
        self._codec = codec
        self._document = document
        self._lines: dict[str, list[str]] = {}

    def range(self, place: Location) -> types.Range:
        """The range of a place, in whichever file it is."""
        if place.filename not in self._lines:
            self._lines[place.filename] = self._session.lines(place.filename)
        span = types.Range(
            types.Position(place.row - 1, place.column - 1), types.Position(place.end_row - 1, place.end_column - 1)
        )
        return self._codec.range_to_client_units(self._lines[place.filename], span)

    def location(self, place: Location) -> types.Location:
        """The same with the file's URI."""
        uri = self._document.uri_of(place.filename) or uris.from_fs_path(self._session.path(place.filename))
        return types.Location(uri or "", self.range(place))

    def diagnostic(self, finding: Finding) -> types.Diagnostic:
        """The diagnostic of one finding; creation and every other use are related information."""
        related = [
            types.DiagnosticRelatedInformation(self.location(step.location), step.text)
            for step in story(finding)
            if step.location != finding.location
        ]
        return types.Diagnostic(
            range=self.range(finding.location),
            message=finding.message,
            severity=_SEVERITIES[finding.severity],
            code=finding.code,
            source=SOURCE,
            related_information=related or None,
            data={"fingerprint": finding.fingerprint},
        )

    def hover(self, findings: Iterable[Finding], name: str, position: types.Position) -> types.Hover | None:
        """The page and the story of the finding at a position, at any of its places in the file."""
        for finding in findings:
            for step in story(finding):
                if step.location.filename == name and _holds(self.range(step.location), position):
                    return types.Hover(_markdown(finding), self.range(step.location))
            if finding.location.filename == name and _holds(self.range(finding.location), position):
                return types.Hover(_markdown(finding), self.range(finding.location))
        return None


def _holds(span: types.Range, position: types.Position) -> bool:
    at = (position.line, position.character)
    return (span.start.line, span.start.character) <= at <= (span.end.line, span.end.character)


def _markdown(finding: Finding) -> types.MarkupContent:
    told = [f"**{finding.code}** {finding.message}", ""]
    told += [f"- line {s.location.row} of `{s.location.filename}`: {s.text}" for s in story(finding)]
    page = ruleset.page(ruleset.load().rule(finding.code))
    return types.MarkupContent(types.MarkupKind.Markdown, "\n".join([*told, "", "---", "", page]))


def actions(
    finding: Finding, diagnostic: types.Diagnostic, uri: str, text: str, codec: PositionCodec
) -> list[types.CodeAction]:
    """What can be done about a finding in a text: suppress it, or say that the sharing is meant."""
    if finding.code == UNREADABLE:
        return []
    margins = Margins(text.encode("utf-8", "surrogatepass"))
    lines = lines_with_ends(text)
    row, above = margins.place(finding.location.row, finding.location.end_row)
    line, end = lines[row - 1]
    ignoring = margins.with_ignore(row, line, [finding.code])
    offered = [(f"Suppress {finding.code} here", f"# modlint: ignore[{finding.code}]", ignoring)]
    if finding.family == "params":
        mark = "# modlint: shared"
        offered.append(("Mark as shared on purpose", mark, f"{line.rstrip()}  {mark}"))
    return [
        types.CodeAction(
            title=title,
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[diagnostic],
            edit=types.WorkspaceEdit(
                changes={
                    uri: [
                        _inserted(row, f"{indent_of(line)}{comment}{end or lines[0][1]}")
                        if above
                        else _exchanged(row, codec.client_num_units(line), changed)
                    ]
                }
            ),
        )
        for title, comment, changed in offered
    ]


def _inserted(row: int, line: str) -> types.TextEdit:
    start = types.Position(row - 1, 0)
    return types.TextEdit(types.Range(start, start), line)


def _exchanged(row: int, length: int, line: str) -> types.TextEdit:
    return types.TextEdit(types.Range(types.Position(row - 1, 0), types.Position(row - 1, length)), line)
