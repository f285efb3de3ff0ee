"""The two kinds of error: the user's, which say what to do, and ours, which should never be seen."""

from __future__ import annotations


class ModlintError(Exception):
    """A mistake that the user can mend. `str()` is one line: `FILE:LINE: what is wrong; what to do`.

    The command line prints it on stderr and exits with 2.
    """

    def __init__(self, message: str, *, file: str | None = None, line: int | None = None) -> None:
        self.message = message
        self.file = file
        self.line = line
        where = "" if file is None else f"{file}: " if line is None else f"{file}:{line}: "
        super().__init__(where + message)


class LogicError(Exception):
    """A fault of modlint's own: a state that its design rules out."""
