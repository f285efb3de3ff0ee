"""Globs of `exclude` and `per-file-ignores` -> what they match, read as ruff reads them.

`*` and `?` match slashes too, `**/` any number of folders, `[...]` and `{a,b}` as in a shell. A glob is matched with
the name of a file or folder, and with its whole path, where a relative glob begins at the folder of the configuration.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modlint.config import GLOB_CHARACTERS, anchored
from modlint.errors import ModlintError

if TYPE_CHECKING:
    from collections.abc import Iterable

_PART = re.compile(r"(?<![^/])\*\*/|\*+|\[[!^]?\]?[^\]]*\]|\\.|.", re.DOTALL)


class Globs:
    """Several globs, any of which may match; `root` is the folder at which relative ones begin."""

    def __init__(self, patterns: Iterable[str], root: str) -> None:
        patterns = tuple(patterns)
        self._names = frozenset(glob for glob in patterns if not any(c in glob for c in f"{GLOB_CHARACTERS}/"))
        others = [glob for glob in patterns if glob not in self._names]
        self._name = _any(others)
        self._path = _any(anchored(glob, root) for glob in others)

    def match(self, name: str, path: str) -> bool:
        """Whether the file or folder of that name and absolute path is matched."""
        if name in self._names:
            return True
        return self._path is not None and bool(
            self._path.fullmatch(path) or (self._name and self._name.fullmatch(name))
        )


def _any(globs: Iterable[str]) -> re.Pattern[str] | None:
    wanted = [expression(glob) for glob in globs]
    return re.compile("|".join(wanted), re.DOTALL) if wanted else None


def expression(glob: str) -> str:
    """The regular expression of a glob. Raises ModlintError where a bracket or brace has no partner."""
    found, braces = [], 0
    for part in _PART.findall(glob):
        braces += {"{": 1, "}": -1}.get(part, 0)
        if part == "[" or braces < 0:
            break
        found.append(_translated(part, braces > 0))
    else:
        if not braces:
            return "".join(found)
    raise ModlintError(f"a bracket of the glob {glob!r} has no partner; write \\ before one that stands for itself")


def _translated(part: str, within_braces: bool) -> str:
    match part:
        case "**/":
            return "(?:.*/)?"
        case "?":
            return "."
        case "{":
            return "(?:"
        case "}":
            return ")"
        case "," if within_braces:
            return "|"
    if part.startswith("*"):
        return ".*"
    if part.startswith("[") and len(part) > 1:
        negated = "^" if part[1] in "!^" else ""
        characters = re.escape(part[1 + len(negated) : -1]).replace(r"\-", "-")
        return f"[{negated}{characters}]"
    return re.escape(part[-1])
