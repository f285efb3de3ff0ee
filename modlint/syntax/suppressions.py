"""Source bytes -> the directives in its comments: what is suppressed where, and where sharing is said to be meant.

# modlint: ignore[ML101] -- reason        this line, or the next line of code when the comment stands alone, with
#                                         what strings and backslashes join to it
# modlint: ignore -- reason               every rule
# modlint: ignore-file[ML101] -- reason   the whole file
# modlint: shared -- reason               the intent mark: this creation or use is shared on purpose
# noqa: ML101                             as flake8 and ruff write it; a bare `# noqa` is not for modlint
"""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass
from enum import Enum

from modlint.syntax.text import Margins

_QUICK = re.compile(rb"modlint:|noqa[^\n]*ML\d", re.IGNORECASE)
_OWN = re.compile(r"#\s*(?i:modlint):\s*([A-Za-z-]*)\s*(?:\[([^\]]*)\]|(?P<torn>[\[(=:]\S*|(?i:ML)\d+\b))?")
_NOQA = re.compile(r"#\s*noqa\s*:\s*([A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*)", re.IGNORECASE)
_OF_SHARING = re.compile(
    r"#.*\b(shar(e|es|ed|ing)|tied?|ties|tying|re-?us(e|es|ed|ing)|siamese"
    r"|same (weight|parameter|layer|module|instance)s?)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"((^|[^a-z])(not|non|no|never|dont|without)|n't)[^a-z]+((be|the|any|weights?|parameters?|params?)[^a-z]+)*"
    r"(shar(e|es|ed|ing)|tied?|ties|tying|re-?us(e|es|ed|ing))([^a-z]|$)"
)
_CODE = re.compile(r"ML\d+")
_SKIPPED = frozenset(
    {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT, tokenize.ENCODING}
)


class Action(str, Enum):
    """What a directive asks for."""

    IGNORE = "ignore"
    IGNORE_FILE = "ignore-file"
    SHARED = "shared"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive. `rows` are the rows it speaks for; no codes means every rule."""

    action: Action
    codes: tuple[str, ...]
    rows: tuple[int, int]
    row: int
    column: int
    end_column: int
    text: str
    noqa: bool = False

    def covers(self, code: str, row: int, end_row: int) -> bool:
        """Whether a finding of `code` on those rows is suppressed by this directive."""
        if self.codes and code not in self.codes:
            return False
        if self.action is Action.IGNORE_FILE:
            return True
        return self.action is Action.IGNORE and self.speaks_for(row, end_row)

    def speaks_for(self, row: int, end_row: int) -> bool:
        """Whether it stands at one of those rows."""
        return self.rows[0] <= end_row and row <= self.rows[1]


def might_have_directives(data: bytes) -> bool:
    """A quick look that never says no wrongly."""
    return _QUICK.search(data) is not None


def speaks_of_sharing(line: str) -> bool:
    """Whether the comment on a line of source speaks of sharing."""
    return "#" in line and _OF_SHARING.search(line) is not None and not denies_sharing(line.lower())


def denies_sharing(text: str) -> bool:
    """Whether a name or a comment, in lower case, says that something is not shared."""
    return _DENIED.search(text) is not None


def directives(data: bytes) -> tuple[Directive, ...]:
    """Every directive of a file, in order. Comments are found by the tokenizer, so strings never count."""
    if not might_have_directives(data):
        return ()
    found: list[Directive] = []
    waiting: list[Directive] = []
    try:
        for token in tokenize.tokenize(io.BytesIO(data).readline):
            if token.type == tokenize.COMMENT:
                alone = not token.line[: token.start[1]].strip()
                for directive in _read(token):
                    (waiting if alone else found).append(directive)
            elif waiting and token.type not in _SKIPPED:
                last = _joined(data, token.start[0])
                found.extend(_for_row(directive, last) for directive in waiting)
                waiting.clear()
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):
        pass  # what was read until the fault counts; the file itself is ML901
    return tuple(sorted([*found, *waiting], key=lambda directive: (directive.row, directive.column)))


def _joined(data: bytes, row: int) -> int:
    """The last of the rows that strings and backslashes join to a row: no comment can stand between them."""
    full = Margins(data).full
    while row in full:
        row += 1
    return row


def _for_row(directive: Directive, row: int) -> Directive:
    """A directive that stands alone, with its rows stretched to the line of code after it."""
    return Directive(
        directive.action,
        directive.codes,
        (directive.row, row),
        directive.row,
        directive.column,
        directive.end_column,
        directive.text,
        directive.noqa,
    )


def _read(comment: tokenize.TokenInfo) -> list[Directive]:
    row, start = comment.start
    found = []
    for match in _OWN.finditer(comment.string):
        word, bracket, torn = match.groups()
        known = word in {Action.IGNORE.value, Action.IGNORE_FILE.value, Action.SHARED.value}
        codes = tuple(code.strip() for code in (bracket or "").split(",") if code.strip())
        wrong = codes if word == Action.SHARED else torn or (bracket is not None and not codes)
        action = Action(word) if known and not wrong else Action.UNKNOWN  # which suppresses nothing, rather than all
        found.append(_directive(action, codes, row, start, match))
    for match in _NOQA.finditer(comment.string):
        codes = tuple(dict.fromkeys(_CODE.findall(match.group(1).upper())))
        if codes:
            found.append(_directive(Action.IGNORE, codes, row, start, match, noqa=True))
    return found


def _directive(
    action: Action, codes: tuple[str, ...], row: int, start: int, match: re.Match[str], noqa: bool = False
) -> Directive:
    text = match.group().strip()
    column = start + match.start() + 1
    return Directive(action, codes, (row, row), row, column, column + len(text), text, noqa)
