"""Where the rule folder is: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from modlint.errors import LogicError

if TYPE_CHECKING:
    from importlib.abc import Traversable

_PACKAGE = Path(__file__).parent


@lru_cache(maxsize=1)
def rules_folder() -> Traversable:
    """The folder `rules/`: a `pathlib.Path`, except in a zipped wheel (hence no `glob`: use `iterdir` and `/`)."""
    packaged = _PACKAGE / "rules"
    if packaged.is_dir():
        return packaged
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        return _PACKAGE.parent / "rules"
    # Imported here because it takes longer than everything that `modlint state` does.
    import importlib.resources

    inside = importlib.resources.files("modlint") / "rules"
    if inside.is_dir():
        return inside
    raise LogicError(f"the installation is broken: no rules folder in {_PACKAGE}")
