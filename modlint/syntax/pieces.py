"""The text of a file that is being edited -> its representation, parsing only the pieces that have changed.

A piece starts where a line starts with `def`, `class`, `async` or a decorator. Whether such a line is code or stands in
a string need not be known: a piece that ends inside of a string, a bracket or a statement cannot be parsed on its own,
and then the file is parsed as a whole. So the result is always that of `parse_source`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modlint.syntax.ir import FileIR
from modlint.syntax.source import SourceError, Span, deep_recursion, locate, parse_module, parse_source
from modlint.syntax.text import encoding_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import libcst

    from modlint.syntax import ir

_START = re.compile(rb"^(?:(class|def|async)\b|@[\w.]+(?=\(|[ \t]*(?:#|\r?$)))", re.MULTILINE)  # not BibTeX's `@misc{`
_CONTINUED = (b"\\\n", b"\\\r\n")


@dataclass(slots=True)
class _Piece:
    """A part of the text; where its numbers and its rows begin in the file."""

    text: bytes
    module: libcst.Module
    number: int = 0
    row: int = 0


class PieceParser:
    """The pieces of the last text of one file."""

    def __init__(self) -> None:
        self._known: dict[bytes, libcst.Module] = {}
        self._data = b""
        self._pieces: list[_Piece] = []

    def parse(self, path: str, data: bytes) -> FileIR:
        """The same as `parse_source(path, data)`. Raises SourceError."""
        self._data = data
        try:
            self._pieces = self._parsed(path, data)
        except SourceError:
            self._pieces = []
            return parse_source(path, data)
        return self._lowered(path)

    def locate(self, data: bytes, numbers: Iterable[int]) -> dict[int, Span]:
        """The same as `source.locate(data, numbers)`."""
        if data != self._data or not self._pieces:
            return locate(data, numbers)
        starts = [piece.number for piece in self._pieces]
        wanted: dict[int, list[int]] = {}
        for number in numbers:
            wanted.setdefault(bisect_right(starts, number) - 1, []).append(number)
        spans = {}
        for index, inside in wanted.items():
            piece = self._pieces[index]
            found = locate(piece.text, [number - piece.number for number in inside])
            for number, span in found.items():
                rows = {"row": span.row + piece.row, "end_row": span.end_row + piece.row}
                spans[number + piece.number] = span._replace(**rows)
        return spans

    def _parsed(self, path: str, data: bytes) -> list[_Piece]:
        if encoding_of(data) not in {"utf-8", "utf-8-sig"}:
            raise SourceError("pieces are read as UTF-8", path)
        with deep_recursion(path):
            pieces = [_Piece(text, self._known.get(text) or parse_module(path, text)) for text in pieces_of(data)]
        self._known = {piece.text: piece.module for piece in pieces}
        return pieces

    def _lowered(self, path: str) -> FileIR:
        from modlint.syntax.lower import Lowerer

        lowerer = Lowerer()
        body: list[ir.Stmt] = []
        row = 0
        with deep_recursion(path):
            for piece in self._pieces:
                piece.number, piece.row = lowerer.count, row
                body += lowerer.statements(piece.module.body)
                row += piece.text.count(b"\n")
        return FileIR(path, tuple(body), dict.fromkeys(sorted(lowerer.mentions)), dict.fromkeys(sorted(lowerer.calls)))


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
