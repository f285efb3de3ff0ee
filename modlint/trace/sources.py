"""Python frames -> places in the user's source: which frame is the user's, the span of the call, the function."""

from __future__ import annotations

import dis
import functools
import linecache
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modlint.graph import Location

if TYPE_CHECKING:
    from types import CodeType, FrameType


@functools.cache
def _ours() -> tuple[str, ...]:
    """Folders whose frames are never the user's: modlint itself, torch, the interpreter's own start-up."""
    folders = [str(Path(__file__).resolve().parents[1])]
    torch = sys.modules.get("torch")
    if torch is not None and torch.__file__:
        folders.append(str(Path(torch.__file__).resolve().parent))
    return tuple(folder.rstrip("/\\") + ("\\" if "\\" in folder else "/") for folder in folders)


@functools.cache
def is_users(filename: str) -> bool:
    """Whether a frame of that file belongs to the user's code (or to a library other than torch)."""
    if filename.startswith(_standard_library()) and "site-packages" not in filename:
        return False
    return not filename.startswith(("<", *_ours()))


@functools.cache
def _standard_library() -> str:
    return str(Path(os.__file__).resolve().parent)


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame, from `frame` outwards, that is the user's."""
    while frame is not None and not is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def location_of(frame: FrameType) -> Location:
    """The span of the expression that the frame is evaluating; the whole line where Python keeps no columns (3.10)."""
    code = frame.f_code
    return _located(code, code.co_filename, frame.f_lasti, frame.f_lineno)


@functools.lru_cache(maxsize=65536)
def _located(code: CodeType, filename: str, instruction: int, line: int) -> Location:
    # The file is a key of its own: code objects of equal text in two files are equal.
    if hasattr(code, "co_positions"):
        row, end_row, start, end = _positions(code)[instruction // 2]
        if row is not None and end_row is not None and start is not None and end is not None:
            return Location(filename, row, _column(filename, row, start), end_row, _column(filename, end_row, end))
    text = linecache.getline(filename, line).rstrip("\n")
    return Location(filename, line, len(text) - len(text.lstrip()) + 1, line, len(text) + 1)


@functools.lru_cache(maxsize=4096)
def _positions(code: Any) -> list[tuple[int | None, int | None, int | None, int | None]]:
    return list(code.co_positions())


def _column(filename: str, row: int, offset: int) -> int:
    """A UTF-8 byte offset as a column in code points, from 1."""
    text = linecache.getline(filename, row)
    return len(text.encode()[:offset].decode(errors="ignore")) + 1


def asks_for_type(frame: FrameType) -> bool:
    """Whether the frame is evaluating `isinstance(...)` or a class pattern of `match`."""
    code = frame.f_code
    return _asks(code, code.co_filename, frame.f_lasti, frame.f_lineno)


@functools.lru_cache(maxsize=4096)
def _asks(code: CodeType, filename: str, instruction: int, line: int) -> bool:
    if dis.opname[code.co_code[instruction]] == "MATCH_CLASS":
        return True
    place = _located(code, filename, instruction, line)
    text = linecache.getline(place.filename, place.row)
    return "isinstance(" in (text[place.column - 1 : place.end_column] if place.row == place.end_row else text)


def function_of(frame: FrameType) -> str:
    """The function that a frame runs, as the source nests it: `Net.forward`."""
    name: str = getattr(frame.f_code, "co_qualname", None) or _qualified(frame)  # Python 3.10 has none
    return name.rsplit("<locals>.", 1)[-1]


def _qualified(frame: FrameType) -> str:
    code = frame.f_code
    owner = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    for cls in type(owner).__mro__ if owner is not None else ():
        function = vars(cls).get(code.co_name)
        if getattr(function, "__code__", None) is code:
            return f"{cls.__qualname__}.{code.co_name}"
    return code.co_name
