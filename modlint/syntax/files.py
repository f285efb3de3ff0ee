"""Paths from the command line -> the files to lint: exclude globs, .gitignore, notebooks.

A file that is named is linted whatever excludes it, unless `force_exclude`; folders are searched for `*.py`, `*.ipynb`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modlint.errors import ModlintError
from modlint.syntax.globs import Globs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pathspec import PathSpec
    from pathspec.pattern import Pattern

    from modlint.config import Config

SUFFIXES = (".py", ".ipynb")


@dataclass(frozen=True, slots=True)
class Found:
    """The files, absolute and sorted, and every folder and .gitignore whose change could change the list."""

    files: tuple[str, ...]
    watched: tuple[str, ...]
    closed: tuple[tuple[str, str], ...] = ()  # folders that could not be looked into, and why
    absent: tuple[str, ...] = ()  # what is wrong with paths at which there is nothing to lint


def find(paths: Sequence[str], config: Config) -> Found:
    """The files that a run over `paths` lints. Raises ModlintError where none of the paths exists."""
    search = _Search(config)
    missing: list[str] = []
    strange: list[str] = []
    for path in paths:
        full = os.path.abspath(path)
        if os.path.isdir(full):
            if not (config.force_exclude and search.excluded_from_above(full)):
                search.walk(full)
        elif os.path.isfile(full):
            if not (config.force_exclude and search.excluded_from_above(full)):
                search.files.add(full)
        else:
            (strange if os.path.exists(full) else missing).append(path)
    absent = [f"no such file or folder: {', '.join(missing)}"] if missing else []
    if strange:
        absent.append(f"neither a file nor a folder: {', '.join(strange)}; source from a pipe is read from -")
    if absent and len(missing) + len(strange) == len(paths):
        raise ModlintError("; ".join(absent))
    return Found(
        tuple(sorted(search.files)),
        tuple(sorted(search.watched)),
        tuple(sorted(search.closed.items())),
        tuple(absent),
    )


def is_excluded(path: str, config: Config) -> bool:
    """Whether an absolute path, or a folder above it, is excluded."""
    return _Search(config).excluded_from_above(path)


class _Search:
    """One search; `files`, `watched` and `closed` grow as folders are walked."""

    def __init__(self, config: Config) -> None:
        self.files: set[str] = set()
        self.watched: set[str] = set()
        self.closed: dict[str, str] = {}
        self._root = config.root
        self._gitignore = config.respect_gitignore
        self._excluded = Globs((*config.exclude, *config.extend_exclude), config.root)

    def walk(self, top: str) -> None:
        """Collect below `top`, which itself is taken as asked for."""
        ignored = _Ignored(()) if not self._gitignore else self._from_above(top)
        pending = [(top, ignored)]
        while pending:
            folder, ignored = pending.pop()
            self.watched.add(folder)
            try:
                with os.scandir(folder) as entries:
                    listing = list(entries)
            except OSError as error:
                self.closed[folder] = error.strerror or type(error).__name__
                continue
            if self._gitignore and any(entry.name == ".gitignore" for entry in listing):
                ignored = self._with(ignored, folder)
            for entry in listing:
                folder_like = entry.is_dir(follow_symlinks=False)
                path = entry.path + "/" if folder_like else entry.path
                if self._excluded.match(entry.name, entry.path) or not (folder_like or entry.name.endswith(SUFFIXES)):
                    continue
                if ignored.match(path):
                    continue
                if folder_like:
                    pending.append((entry.path, ignored))
                elif os.path.isfile(entry.path):  # entry.is_file() raises for a link that leads to itself
                    self.files.add(entry.path)

    def excluded_from_above(self, path: str) -> bool:
        """Whether the path or a folder above it, within the project, is excluded."""
        while True:
            if self._excluded.match(os.path.basename(path), path):
                return True
            above = os.path.dirname(path)
            if above == path or path == self._root:
                return False
            path = above

    def _from_above(self, top: str) -> _Ignored:
        """The .gitignore files between the project's root and `top`, which the walk does not come across."""
        above = [top]
        while above[-1] != self._root and not os.path.exists(os.path.join(above[-1], ".git")):
            parent = os.path.dirname(above[-1])
            if parent == above[-1]:
                return _Ignored(())
            above.append(parent)
        ignored = _Ignored(())
        for folder in reversed(above[1:]):
            if os.path.isfile(os.path.join(folder, ".gitignore")):
                ignored = self._with(ignored, folder)
        return ignored

    def _with(self, ignored: _Ignored, folder: str) -> _Ignored:
        file = os.path.join(folder, ".gitignore")
        self.watched.add(file)
        return ignored.extended(folder, file)


@dataclass(frozen=True, slots=True)
class _Ignored:
    """The .gitignore files that are in force, outermost first; the innermost that speaks decides."""

    specs: tuple[tuple[str, PathSpec[Pattern]], ...]

    def extended(self, folder: str, file: str) -> _Ignored:
        try:
            with open(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
                lines = [line.removesuffix("\r") for line in stream.read().split("\n")]
        except OSError:
            return self
        return _Ignored((*self.specs, (folder + os.sep, _spec(lines))))

    def match(self, path: str) -> bool:
        for prefix, spec in reversed(self.specs):
            if path.startswith(prefix):
                decided = spec.check_file(path[len(prefix) :]).include
                if decided is not None:
                    return decided
        return False


def _spec(lines: Iterable[str]) -> PathSpec[Pattern]:
    from pathspec import GitIgnoreSpec  # 20 ms of import, needed only where there is a pattern

    def is_pattern(line: str) -> bool:
        try:
            GitIgnoreSpec.from_lines([line])
        except (ValueError, re.error):
            return False
        return True

    return GitIgnoreSpec.from_lines(filter(is_pattern, lines))  # git passes by what is none
