"""`modlint state` before anything is imported that parses command lines or reads settings.

In: the arguments of the command. Out: what it prints, or None where the whole command has to run: for options, for a
mistake, and for the user's own tables.
"""

from __future__ import annotations

import os

from modlint.catalogue.expressions import said, state_of_expressions
from modlint.catalogue.store import Catalogue
from modlint.errors import ModlintError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def output(arguments: Sequence[str]) -> str | None:
    """What `modlint state ARGUMENTS` prints, or None where the whole command has to run."""
    as_json = list(arguments[-2:]) == ["--output-format", "json"]
    expressions = arguments[:-2] if as_json else arguments
    if not expressions or any(text.startswith("-") for text in expressions):
        return None
    try:
        found = None if _may_have_tables(os.getcwd()) else state_of_expressions(expressions, Catalogue.load())
    except (ModlintError, OSError):
        return None
    if found is None:
        return None
    if not as_json:
        return "".join(f"{said(answer)}\n" for answer in found)
    import json

    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _may_have_tables(folder: str) -> bool:
    """Whether a pyproject.toml here or further up speaks of `states`, as one with the user's own tables does."""
    while True:
        file = os.path.join(folder, "pyproject.toml")
        if os.path.isfile(file):
            with open(file, "rb") as content:
                if b"states" in content.read():
                    return True
        if os.path.dirname(folder) == folder:
            return False
        folder = os.path.dirname(folder)
