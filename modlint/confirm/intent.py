"""What the source of a model says of its sharing: intent marks and comments, read for a graph that a trace has made.

In: the graph, whose places are lines of files. Out: the same graph, in which what is marked is shared on purpose.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modlint import ruleset
from modlint.analysis import Judged
from modlint.config import Config
from modlint.graph import Location
from modlint.sources import Setup, Sources
from modlint.suppress import Suppressor
from modlint.verdicts import judge

if TYPE_CHECKING:
    from modlint.graph import Place, UseGraph

REASON = "the source says so"


def with_intent(graph: UseGraph) -> None:
    """Note in the graph which instances the source says are shared on purpose, as the static pass does."""
    suppressor = Suppressor(Sources(Setup("", (), None, "")), [], ruleset.load(), Config(), frozenset())
    intended = suppressor.by_intent(_as_it_is)
    for judgement in judge(graph):
        if intended(Judged(judgement, "", "")).judgement.code != judgement.code:
            graph.amend(replace(judgement.instance, shared=REASON))


def _as_it_is(place: Place) -> Location:
    assert isinstance(place, Location)  # a trace knows no other places
    return place
