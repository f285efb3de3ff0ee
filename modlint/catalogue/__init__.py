"""The catalogue of state classes: what library modules carry between calls, by constructor arguments.

In: `rules/states/*.toml`, the user's own tables, and calls as dotted name and arguments. Out: `State`.
"""

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
