"""`--since REV`: the findings in which lines take part that git says were changed since a revision."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from modlint.errors import ModlintError
from modlint.reporters.words import file_and_cell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modlint.findings import Finding
    from modlint.graph.model import Location

_HUNK = re.compile(rb"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")


def touched(findings: Iterable[Finding], revision: str, root: str) -> tuple[Finding, ...]:
    """The findings whose place, creation or one of whose uses stands on a changed line, or in a new file.

    A file that git does not follow is new, though of one that it is told to ignore only its own findings count.
    """
    changed = changed_rows(revision, root)
    new = _listed(root, "--others", "--exclude-standard")
    followed = _listed(root, "--cached", "--recurse-submodules")
    prefix = os.fsdecode(_git(root, "rev-parse", "--show-prefix").removesuffix(b"\n"))

    def place(location: Location) -> tuple[str, int | None]:
        file, cell = file_and_cell(location.filename)
        inside = os.path.relpath(os.path.join(root, file), root)
        return os.path.normpath(os.path.join(prefix, inside)).replace(os.sep, "/"), cell

    def is_changed(location: Location) -> bool:
        file, cell = place(location)
        if file in new:
            return True
        rows = changed.get(file, ())
        return bool(rows) if cell is not None else any(location.row <= row <= location.end_row for row in rows)

    return tuple(
        finding
        for finding in findings
        if place(finding.location)[0] not in followed
        or is_changed(finding.location)
        or (finding.created is not None and is_changed(finding.created))
        or any(is_changed(use.location) for use in finding.uses)
    )


def changed_rows(revision: str, root: str) -> dict[str, tuple[int, ...]]:
    """The rows of the working tree that differ from `revision`, by file name relative to the top of the repository.

    Where lines were only removed, the rows on both sides of the gap count. Raises ModlintError.
    """
    if revision.startswith("-"):
        raise ModlintError(f"--since needs a git revision, not {revision!r}")
    options = [
        "--unified=0",
        "--no-color",
        "--no-ext-diff",
        "--no-renames",
        "--submodule=diff",
        "--src-prefix=a/",
        "--dst-prefix=b/",
    ]
    if not _git_answers(root):
        raise ModlintError(f"--since needs a git repository, and {os.path.relpath(root)} is in none")
    changed: dict[str, list[int]] = {}
    rows: list[int] = []
    for line in _git(root, "-c", "core.quotePath=false", "diff", *options, revision, "--").split(b"\n"):
        if line.startswith(b"+++ "):
            rows = changed.setdefault(os.fsdecode(line[4:].rstrip(b"\t").removeprefix(b"b/")), [])
        elif hunk := _HUNK.match(line):
            start, count = int(hunk[1]), int(hunk[2] or 1)
            rows.extend(range(start, start + count) if count else (start, start + 1))
    return {file: tuple(rows) for file, rows in changed.items()}


def _listed(root: str, *which: str) -> frozenset[str]:
    listed = _git(root, "ls-files", "--full-name", "-z", *which, ":/")
    return frozenset(os.fsdecode(name) for name in listed.split(b"\0") if name)


def _git_answers(root: str) -> bool:
    return _run(root, "rev-parse", "--git-dir").returncode == 0


def _git(root: str, *arguments: str) -> bytes:
    done = _run(root, *arguments)
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().split("\n")[0]
        raise ModlintError(f"--since: git says: {reason}")
    return done.stdout


def _run(root: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise ModlintError("--since needs git, which is not installed") from error
