"""Running the user's code: whatever it raises becomes a ModlintError with the user's own traceback lines.

This is the one broad `except` of the room (per traced model); the reason is kept in the error.
"""

from __future__ import annotations

import contextlib
import os
import traceback
from typing import TYPE_CHECKING

from modlint.errors import ModlintError
from modlint.trace.sources import is_users

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

_SHOWN = 8  # frames of the user's traceback


class UserCodeError(ModlintError):
    """The user's code raised. `cause` names the exception's type, `text` what it said."""

    def __init__(self, message: str, *, file: str | None, line: int | None, cause: str, text: str) -> None:
        super().__init__(message, file=file, line=line)
        self.cause = cause
        self.text = text


@contextlib.contextmanager
def user_code(doing: str) -> Iterator[None]:
    """Run a block of the user's code. Raises UserCodeError for anything that it raises but Ctrl-C."""
    here = os.getcwd()  # the user's code may go elsewhere
    try:
        yield
    except (ModlintError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # the user's code may raise anything, SystemExit too
        raise _told(doing, error, here) from error


def switched(model: torch.nn.Module, train: bool) -> torch.nn.Module:
    """The model in that mode. `train` may be the user's own, and does not end where a module holds itself."""
    with user_code(f"switching {type(model).__name__} to {'train' if train else 'eval'} mode"):
        model.train(train)
    return model


def _told(doing: str, error: BaseException, here: str) -> UserCodeError:
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if is_users(frame.filename)]
    cause = type(error).__name__
    text = str(error).strip()
    lines = [f"{doing} raised {cause}: {text}" if text else f"{doing} raised {cause}"]
    for frame in theirs[-_SHOWN:]:
        lines.append(f"  {_short(frame.filename, here)}:{frame.lineno} in {frame.name}")
        if frame.line:
            lines.append(f"    {frame.line}")
    file, line = (theirs[-1].filename, theirs[-1].lineno) if theirs else (None, None)
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno
    return UserCodeError(
        "\n".join(lines), file=None if file is None else _short(file, here), line=line, cause=cause, text=text
    )


def _short(filename: str, here: str) -> str:
    """The path as seen from `here`, when that is shorter."""
    try:
        relative = os.path.relpath(filename, here)
    except ValueError:  # another drive
        return filename
    return filename if relative.startswith("..") else relative
