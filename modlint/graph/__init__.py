"""The graph room: what both front ends build and every verdict reads. The only room that imports networkx."""

from modlint.graph.model import (
    ALWAYS,
    STATELESS,
    Condition,
    Instance,
    Location,
    Manner,
    Origin,
    Place,
    Site,
    Slot,
    State,
    StateClass,
    Trait,
    Use,
)
from modlint.graph.usegraph import Executions, UseGraph, together

__all__ = [
    "ALWAYS",
    "STATELESS",
    "Condition",
    "Executions",
    "Instance",
    "Location",
    "Manner",
    "Origin",
    "Place",
    "Site",
    "Slot",
    "State",
    "StateClass",
    "Trait",
    "Use",
    "UseGraph",
    "together",
]
