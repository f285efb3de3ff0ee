"""What the source of a model says of its sharing: intent marks, comments and names, read for a graph of a trace.

In: the graph, whose places are lines of files. Out: the same graph, in which what is marked is shared on purpose.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modlint import ruleset
from modlint.analysis import Judged
from modlint.config import Config
from modlint.confirm.cues import Cues
from modlint.graph import Location
from modlint.sources import Setup, Sources
from modlint.suppress import Suppressor
from modlint.verdicts import judge

if TYPE_CHECKING:
    from modlint.graph import Place, UseGraph

REASON = "the source says so"
_OF_WEIGHTS = frozenset({"ML2", "ML3"})


def with_intent(graph: UseGraph) -> None:
    """Note in the graph which instances the source says are shared on purpose, as the static pass does."""
    suppressor = Suppressor(Sources(Setup("", (), None, "")), [], ruleset.load(), Config(), frozenset())
    intended = suppressor.by_intent(_as_it_is)
    cues = Cues()
    for judgement in judge(graph):
        if judgement.code[:3] not in _OF_WEIGHTS:
            continue
        marked = intended(Judged(judgement, "", "")).judgement.code != judgement.code
        reason = REASON if marked else cues.of(judgement.instance)
        if reason:
            graph.amend(replace(judgement.instance, shared=reason))


def _as_it_is(place: Place) -> Location:
    assert isinstance(place, Location)  # a trace knows no other places
    return place
