"""Source bytes as text: lines with the ends that Python sees, and where a comment can be put."""

from __future__ import annotations

import contextlib
import io
import re
import tokenize

_LONE_RETURN = re.compile(rb"\r(?!\n)")
_LINE_END = re.compile("\r\n|\r|\n")
_LINE_END_KEPT = re.compile("(\r\n|\r|\n)")
_EXISTING = re.compile(r"(#\s*(?i:modlint):\s*ignore\[)([^\]]*)(\])")


def with_line_feeds(data: bytes) -> bytes:
    """The source with line feeds for lone carriage returns, which end lines for Python alone: no position changes."""
    return _LONE_RETURN.sub(b"\n", data) if b"\r" in data else data


def encoding_of(data: bytes) -> str:
    """The declared encoding; UTF-8 where the declaration is wrong, or names what is not for text (rot13)."""
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
        b" ".decode(encoding, "replace")
    except (SyntaxError, LookupError):
        return "utf-8"
    return encoding


def lines_of(data: bytes) -> list[str]:
    """The lines, without their ends. What cannot be decoded is replaced."""
    return _LINE_END.split(data.decode(encoding_of(data), "replace"))


def lines_with_ends(text: str) -> list[tuple[str, str]]:
    """The lines, each with the end that it has, "" for the last."""
    parts = _LINE_END_KEPT.split(text)
    return list(zip(parts[::2], [*parts[1::2], ""], strict=True))


class Margins:
    """Where the comments of a source stand, and where one can be put: at the end of a row, or on a line of its own."""

    def __init__(self, data: bytes) -> None:
        """Take the source apart once; nothing is known of what follows a fault of syntax, which is ML901 anyway."""
        data = with_line_feeds(data)
        self.full = {row for row, line in enumerate(lines_of(data), start=1) if line.rstrip().endswith("\\")}
        self._comments: dict[int, int] = {}  # row -> characters before the comment
        opened: list[int] = []  # rows on which f-strings start, where the tokenizer takes them apart (Python 3.12)
        with contextlib.suppress(tokenize.TokenError, SyntaxError, UnicodeDecodeError):
            for token in tokenize.tokenize(io.BytesIO(data).readline):
                start, kind = token.start[0], tokenize.tok_name[token.type]
                if kind == "COMMENT":
                    self._comments[start] = token.start[1]
                elif kind.endswith("STRING_START"):
                    opened.append(start)
                elif kind.endswith("STRING_END"):
                    start = opened.pop()
                if token.type not in {tokenize.NEWLINE, tokenize.NL}:
                    self.full.update(range(start, token.end[0]))

    def place(self, first: int, last: int) -> tuple[int, bool]:
        """Where a comment for the rows `first` to `last` goes: at the end of a row, or (True) on a new line above it.

        A new line above stands before everything that is joined to the row by strings and backslashes.
        """
        for row in range(first, last + 1):
            if row not in self.full:
                return row, False
        while first - 1 in self.full:
            first -= 1
        return first, True

    def with_ignore(self, row: int, line: str, codes: list[str]) -> str:
        """A row with a suppression at its end, or with the codes added to the one that it has."""
        start = self._comments.get(row)
        existing = None if start is None else _EXISTING.search(line, start)
        if existing is None:
            return f"{line.rstrip()}  # modlint: ignore[{', '.join(codes)}]"
        there = [code.strip() for code in existing[2].split(",") if code.strip()]
        merged = ", ".join(dict.fromkeys([*there, *codes]))
        return f"{line[: existing.start(2)]}{merged}{line[existing.end(2) :]}"


def indent_of(line: str) -> str:
    """The white space at the start of a line."""
    return line[: len(line) - len(line.lstrip())]
