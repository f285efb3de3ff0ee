"""The catalogue of state classes: what library modules carry between calls, by constructor arguments.

In: `rules/states/*.toml`, the user's own tables, and calls as dotted name and arguments. Out: `State`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing; nothing is imported before it is asked for, so that `quick` stays quick
if TYPE_CHECKING:
    from typing import Any

    from modlint.catalogue.conditions import NOT_NONE, UNKNOWN, Condition, Unknown
    from modlint.catalogue.entries import Child, Entry, Forward, Holds, Wrapper, join
    from modlint.catalogue.expressions import said, state_of_expressions
    from modlint.catalogue.signatures import REQUIRED, Kind, Param, Reference, Required
    from modlint.catalogue.store import Catalogue
    from modlint.catalogue.telling import Facts

_HOMES = {
    "NOT_NONE": "conditions",
    "UNKNOWN": "conditions",
    "Condition": "conditions",
    "Unknown": "conditions",
    "REQUIRED": "signatures",
    "Child": "entries",
    "Entry": "entries",
    "Facts": "telling",
    "Forward": "entries",
    "Holds": "entries",
    "Kind": "signatures",
    "Param": "signatures",
    "Reference": "signatures",
    "Required": "signatures",
    "Wrapper": "entries",
    "join": "entries",
    "said": "expressions",
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
    "said",
    "state_of_expressions",
]


def __getattr__(name: str) -> Any:
    """Find a name in the module that has it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'modlint.catalogue' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"modlint.catalogue.{_HOMES[name]}"), name)
