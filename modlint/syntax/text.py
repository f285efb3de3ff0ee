"""Source bytes as text: lines with the ends that Python sees, and where a comment can be put."""

from __future__ import annotations

import io
import re
import tokenize

_LINE_END = re.compile("\r\n|\r|\n")
_LINE_END_KEPT = re.compile("(\r\n|\r|\n)")
_EXISTING = re.compile(r"(#\s*modlint:\s*ignore\[)([^\]]*)(\])")


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


def row_for_comment(data: bytes, first: int, last: int) -> tuple[int, bool]:
    """Where a comment for the rows `first` to `last` goes: at the end of a row, or (True) on a new line above it.

    A new line above stands before everything that is joined to the row by strings and backslashes.
    """
    full = rows_without_room(data)
    for row in range(first, last + 1):
        if row not in full:
            return row, False
    while first - 1 in full:
        first -= 1
    return first, True


def rows_without_room(data: bytes) -> frozenset[int]:
    """Rows at whose end no comment can stand: inside of a string, or before a continuation."""
    rows = {row for row, line in enumerate(lines_of(data), start=1) if line.rstrip().endswith("\\")}
    opened: list[int] = []  # rows on which f-strings start, where the tokenizer takes them apart (Python 3.12)
    try:
        for token in tokenize.tokenize(io.BytesIO(data).readline):
            start, kind = token.start[0], tokenize.tok_name[token.type]
            if kind.endswith("STRING_START"):
                opened.append(start)
            elif kind.endswith("STRING_END"):
                start = opened.pop()
            if token.type not in {tokenize.NEWLINE, tokenize.NL}:
                rows.update(range(start, token.end[0]))
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):
        pass  # nothing is known of the rest, which is ML901 anyway
    return frozenset(rows)


def with_ignore(line: str, codes: list[str]) -> str:
    """A line with a suppression at its end, or with the codes added to the one that it has."""
    existing = _EXISTING.search(line)
    if existing is None:
        return f"{line.rstrip()}  # modlint: ignore[{', '.join(codes)}]"
    there = [code.strip() for code in existing[2].split(",") if code.strip()]
    merged = ", ".join(dict.fromkeys([*there, *codes]))
    return f"{line[: existing.start(2)]}{merged}{line[existing.end(2) :]}"


def indent_of(line: str) -> str:
    """The white space at the start of a line."""
    return line[: len(line) - len(line.lstrip())]
