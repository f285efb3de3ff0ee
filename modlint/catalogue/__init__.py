"""The catalogue of state classes: what library modules carry between calls, by constructor arguments.

In: `rules/states/*.toml`, the user's own tables, and calls as dotted name and arguments. Out: `State`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing; nothing is imported before it is asked for, so that `quick` stays quick
if TYPE_CHECKING:
    from typing import Any

    from modlint.catalogue.conditions import NOT_NONE, UNKNOWN, Condition, Unknown
    from modlint.catalogue.entries import (
        REQUIRED,
        Child,
        Entry,
        Facts,
        Forward,
        Holds,
        Kind,
        Param,
        Reference,
        Required,
        Wrapper,
        join,
    )
    from modlint.catalogue.expressions import state_of_expressions
    from modlint.catalogue.store import Catalogue

_HOMES = {
    "NOT_NONE": "conditions",
    "UNKNOWN": "conditions",
    "Condition": "conditions",
    "Unknown": "conditions",
    "REQUIRED": "entries",
    "Child": "entries",
    "Entry": "entries",
    "Facts": "entries",
    "Forward": "entries",
    "Holds": "entries",
    "Kind": "entries",
    "Param": "entries",
    "Reference": "entries",
    "Required": "entries",
    "Wrapper": "entries",
    "join": "entries",
    "state_of_expressions": "expressions",
    "Catalogue": "store",
}
__all__ = [
    "NOT_NONE",
    "REQUIRED",
    "UNKNOWN",
    "Catalogue",
    "Child",
    "Condition",
    "Entry",
    "Facts",
    "Forward",
    "Holds",
    "Kind",
    "Param",
    "Reference",
    "Required",
    "Unknown",
    "Wrapper",
    "join",
    "state_of_expressions",
]


def __getattr__(name: str) -> Any:
    """Find a name in the module that has it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'modlint.catalogue' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"modlint.catalogue.{_HOMES[name]}"), name)
