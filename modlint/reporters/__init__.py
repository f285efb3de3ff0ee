"""Report -> text: one module a format, each with a function `render(Report) -> str`, imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.findings import Report

_MODULES = {
    "full": "full",
    "concise": "concise",
    "json": "as_json",
    "sarif": "sarif",
    "github": "github",
    "gitlab": "gitlab",
    "junit": "junit",
    "rdjson": "rdjson",
}
FORMATS = tuple(_MODULES)


def reporter(name: str) -> Callable[[Report], str]:
    """The function that writes the format of that name. Raises KeyError."""
    render: Callable[[Report], str] = importlib.import_module(f"modlint.reporters.{_MODULES[name]}").render
    return render
