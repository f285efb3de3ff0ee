"""Where the project of what is linted begins: the folder that names are relative to."""

from __future__ import annotations

import os


def common_folder(paths: list[str]) -> str:
    """The deepest folder that holds all of `paths`."""
    folders = [full if os.path.isdir(full) else os.path.dirname(full) for full in map(os.path.abspath, paths)]
    try:
        return os.path.commonpath(folders) if folders else os.getcwd()
    except ValueError:  # different drives
        return os.getcwd()


def upwards(folder: str) -> list[str]:
    """The folder and every one above it."""
    found = [folder]
    while (parent := os.path.dirname(folder)) != folder:
        folder = parent
        found.append(folder)
    return found


def is_project(folder: str) -> bool:
    """Whether the folder has a mark of a project."""
    return any(os.path.exists(os.path.join(folder, mark)) for mark in ("pyproject.toml", ".git"))


def is_above(folder: str, start: str) -> bool:
    """Whether the folder is that of a project in which we start: only then does a file that is named tell the root."""
    return is_project(folder) and folder in upwards(start)


def place_of(start: str) -> tuple[str, str]:
    """The folder that names the project in which we start, and the package there that we stand inside of, or "".

    It is the one with a mark of a project, else where we stand; never one inside of a package: what that imports by its
    own name is found from above it, and nothing else there.
    """
    for folder in upwards(start):
        if is_project(folder):
            return folder, ""
    here = os.getcwd()
    folder = here if os.path.commonpath([here, start]) == here else start
    above = _above_package(folder)
    return above, "" if above == folder else os.path.relpath(folder, above).split(os.sep)[0]


def _above_package(folder: str) -> str:
    """The folder above the outermost package that a folder is in; the folder itself where it is in none."""
    while os.path.isfile(os.path.join(folder, "__init__.py")) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder
