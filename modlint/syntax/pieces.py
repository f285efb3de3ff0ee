"""The text of a file that is being edited -> its representation, parsing only the pieces that have changed.

A piece starts where a line starts with `def`, `class`, `async` or a decorator. Whether such a line is code or stands in
a string need not be known: a piece that ends inside of a string, a bracket or a statement cannot be parsed on its own,
and then the file is parsed as one piece. So the result is always that of `parse_source`, but for its numbers: see
`units`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modlint.syntax.fitting import fitted
from modlint.syntax.ir import FileIR
from modlint.syntax.lower import Lowerer
from modlint.syntax.source import SourceError, Span, deep_recursion, fault, locate, parse_module
from modlint.syntax.text import encoding_of
from modlint.syntax.units import ANEW, ENDLESS, Change, Unit, following, lowered, statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import libcst

_START = re.compile(rb"^(?:(class|def|async)\b|@[\w.]+(?=\(|[ \t]*(?:#|\r?$)))", re.MULTILINE)  # not BibTeX's `@misc{`
_SEVERAL = 3  # pieces, of which the first and the last have changed
_CONTINUED = (b"\\\n", b"\\\r\n")


@dataclass(slots=True)
class _Piece:
    """A part of the text, what it is lowered to and which names it has; `row` is where it begins in the file."""

    text: bytes
    units: list[Unit]
    mentions: frozenset[str]
    calls: frozenset[str]
    row: int = 0
    spans: dict[int, Span] = field(default_factory=dict)  # that were asked for, with rows from the start of the piece

    def located(self, numbers: list[int]) -> dict[int, Span]:
        """Where numbered nodes stand in the piece, which is parsed again when something new is asked for."""
        missing = [number for number in numbers if number not in self.spans]
        if missing:
            starts, moves, dense = [], [], 0  # `locate` counts densely
            for unit in self.units:
                starts.append(unit.start)
                moves.append(dense - unit.start)
                dense += unit.span
            moved = {number: number + moves[bisect_right(starts, number) - 1] for number in missing}
            found = locate(self.text, moved.values())
            self.spans.update((number, found[there]) for number, there in moved.items())
        return {number: self.spans[number] for number in numbers}


class PieceParser:
    """The pieces of the last text of one file that could be parsed."""

    def __init__(self) -> None:
        self.ir: FileIR | None = None
        self._path = ""
        self._pieces: list[_Piece] = []
        self._torn: bytes | None = None  # a piece that is none on its own, while the file can be parsed as a whole

    def parse(self, path: str, data: bytes) -> Change:
        """Read the text, and say what is new in it; `ir` is then what it means. Raises SourceError."""
        self._path = path
        texts = list(pieces_of(data)) if encoding_of(data) in {"utf-8", "utf-8-sig"} else [data]
        with deep_recursion(path):
            change = self._parsed_whole(data) if self._torn in texts else self._parsed_in_pieces(texts, data)
        row = 0
        for piece in self._pieces:
            piece.row = row
            row += piece.text.count(b"\n")
        return change

    def locate(self, numbers: Iterable[int]) -> dict[int, Span]:
        """Where numbered nodes stand in the text that was parsed last."""
        pieces = [piece for piece in self._pieces if piece.units]
        starts = [piece.units[0].start for piece in pieces]
        wanted: dict[int, list[int]] = {}
        for number in numbers:
            wanted.setdefault(bisect_right(starts, number) - 1, []).append(number)
        spans = {}
        for index, inside in wanted.items():
            piece = pieces[index]
            for number, span in piece.located(inside).items():
                spans[number] = span._replace(row=span.row + piece.row, end_row=span.end_row + piece.row)
        return spans

    def _parsed_in_pieces(self, texts: list[bytes], data: bytes) -> Change:
        try:
            change = self._parsed(texts)
        except _TornError as torn:
            if torn.surely and (found := fault(self._path, data)) is not None:
                raise found from None
            change = self._parsed_whole(data)
            self._torn = torn.text
        else:
            self._torn = None
        return change

    def _parsed_whole(self, data: bytes) -> Change:
        try:
            return self._parsed([data])
        except _TornError as torn:
            raise torn.why from None

    def _parsed(self, texts: list[bytes]) -> Change:
        """Parse what is new between the pieces that are as before at the start and at the end. Raises _TornError."""
        old = self._pieces
        head = _alike(old, texts)
        tail = _alike(old[head:][::-1], texts[head:][::-1])
        gone, after = old[head : len(old) - tail], old[len(old) - tail :]
        middle = texts[head : len(texts) - tail]
        end = _first(after, ENDLESS)
        found = self._one_by_one(old[:head], gone, middle, end)
        if found is None:
            new = [(text, self._module(text)) for text in middle]
            found = _changed(new, gone, _last(old[:head]), end) or _placed(new, _free(old[:head], gone, end), end)
        if found is None:
            self._pieces, self.ir = [], None
            return self._parsed(texts)
        made, change = found
        self._pieces = [*old[:head], *made, *after]
        if gone or made or self.ir is None:
            self.ir = self._together(gone, made)
        return change if old else ANEW

    def _one_by_one(
        self, before: list[_Piece], gone: list[_Piece], texts: list[bytes], end: int
    ) -> tuple[list[_Piece], Change] | None:
        """The same number of pieces, of which some between others differ, in functions alone; else None."""
        if len(gone) != len(texts) or len(texts) < _SEVERAL:
            return None
        made, functions, came, went = list[_Piece](), list[Any](), list[Any](), list[Any]()
        for index, (piece, text) in enumerate(zip(gone, texts, strict=True)):
            if piece.text == text:
                made.append(piece)
                continue
            start, stop = _last([*before, *made]), _first(gone[index + 1 :], end)
            found = _changed([(text, self._module(text))], [piece], start, stop)
            if found is None:
                return None
            made += found[0]
            functions += found[1].functions
            came += found[1].came
            went += found[1].gone
        return made, Change(False, tuple(functions), tuple(came), tuple(went))

    def _module(self, text: bytes) -> libcst.Module:
        try:
            return parse_module(self._path, text)
        except SourceError as error:
            raise _TornError(text, error) from None

    def _together(self, gone: list[_Piece], made: list[_Piece]) -> FileIR:
        body = tuple(statement for piece in self._pieces for statement in statements(piece.units))
        if self.ir is not None and _names(gone) == _names(made):
            return self.ir._replace(body=body)
        return FileIR(self._path, body, *(dict.fromkeys(sorted(names)) for names in _names(self._pieces)))


class _TornError(Exception):
    """A piece cannot be parsed. `surely`: nor can the file, as what stops the parser is not that the piece ends."""

    def __init__(self, text: bytes, why: SourceError) -> None:
        super().__init__(why)
        self.text = text
        self.why = why
        self.surely = 0 < why.stopped <= text.rstrip().count(b"\n")


def _changed(
    new: list[tuple[bytes, libcst.Module]], gone: list[_Piece], start: int, end: int
) -> tuple[list[_Piece], Change] | None:
    """Pieces in the place of others that differ in functions alone, under numbers from `start`; else None."""
    parts = [(Lowerer(), module) for _, module in new]
    found = fitted(parts, [unit for piece in gone for unit in piece.units], start, end)
    if found is None:
        return None
    pieces = zip(new, parts, found[0], strict=True)
    return [_piece(text, units, lowerer) for (text, _), (lowerer, _), units in pieces], found[1]


def _placed(new: list[tuple[bytes, libcst.Module]], start: int, end: int) -> tuple[list[_Piece], Change] | None:
    """Pieces under numbers from `start`; None where those before `end` do not suffice."""
    made = []
    for text, module in new:
        lowerer = Lowerer()
        units = lowered(lowerer, module, start, end)
        if units is None:
            return None
        start = following(units[-1], end) if units else start
        made.append(_piece(text, units, lowerer))
    return made, ANEW


def _piece(text: bytes, units: list[Unit], lowerer: Lowerer) -> _Piece:
    return _Piece(text, units, frozenset(lowerer.mentions), frozenset(lowerer.calls))


def _first(pieces: list[_Piece], otherwise: int) -> int:
    """The first number of pieces."""
    return next((piece.units[0].start for piece in pieces if piece.units), otherwise)


def _last(pieces: list[_Piece]) -> int:
    """The first number after those of pieces."""
    return next((piece.units[-1].end for piece in reversed(pieces) if piece.units), 0)


def _free(before: list[_Piece], gone: list[_Piece], end: int) -> int:
    """The first number that what comes after some pieces, in the place of others, may have."""
    last = next((piece.units[-1] for piece in reversed(before) if piece.units), None)
    return _first(gone, 0 if last is None else min(last.end + last.span, end))


def _alike(pieces: list[_Piece], texts: list[bytes]) -> int:
    """How many pieces at the start are as before."""
    pairs = enumerate(zip(pieces, texts, strict=False))
    return next((index for index, (piece, text) in pairs if piece.text != text), min(len(pieces), len(texts)))


def _names(pieces: list[_Piece]) -> tuple[frozenset[str], frozenset[str]]:
    """The names that pieces mention, and those that they call."""
    nothing = frozenset[str]()
    return nothing.union(*(p.mentions for p in pieces)), nothing.union(*(p.calls for p in pieces))


def pieces_of(data: bytes) -> Iterator[bytes]:
    """The text cut before definitions at its margin; decorators stay with what they decorate."""
    begin, decorating = 0, False
    for match in _START.finditer(data):
        at = match.start()
        if not decorating and at > begin and not data.endswith(_CONTINUED, begin, at):
            yield data[begin:at]
            begin = at
        decorating = match[1] is None
    yield data[begin:]
