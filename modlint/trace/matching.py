"""Two graphs of one model, from the source and from the trace: which instances are the same, do the counts agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modlint.graph import ALWAYS, Location, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modlint.graph import Instance, Place, UseGraph
    from modlint.sources import Sources
    from modlint.trace.traced import TracedGraph


@dataclass(frozen=True, slots=True)
class Pair:
    """One instance in both graphs with its executions; `conditional`: by the source some depend on a condition."""

    static: Instance
    traced: Instance
    reads_as: int
    at_least: bool
    runs: int
    conditional: bool

    @property
    def agrees(self) -> bool:
        """Whether the trace can have seen one of the paths that the source allows."""
        if self.at_least:
            return self.conditional or self.runs >= min(self.reads_as, 1)
        return self.runs == self.reads_as or (self.conditional and self.runs <= self.reads_as)


def pairs_of(static: UseGraph, traced: TracedGraph, place: Callable[[Place], Location]) -> list[Pair]:
    """Every traced instance that the static pass knows: by path, else by the place of its creation alone.

    `place` locates what either graph says, with names of files in one form. Where the source allows several instances
    at a path (`nn.Identity() if ... else nn.Dropout(p)`), it is the one of the class that the trace found there.
    """
    by_path: dict[str, list[Instance]] = {}
    for instance in static.instances():
        for slot in instance.slots:
            by_path.setdefault(slot.path, []).append(instance)
    by_place = _by_creation(static, place)
    theirs = _by_creation(traced, place)
    found = []
    for instance in traced.instances():
        match = _at_path([one for slot in instance.slots for one in by_path.get(slot.path, ())], instance)
        if match is None and instance.created is not None:
            created = place(instance.created)
            if len(by_place.get(created, ())) == 1 and len(theirs[created]) == 1:
                match = by_place[created][0]
        if match is not None:
            found.append(_pair(static, traced, match, instance))
    return found


def _at_path(candidates: list[Instance], traced: Instance) -> Instance | None:
    """The candidate of the same class; else the first one, for the passes then disagree."""
    name = traced.type.rpartition(".")[2]
    return next((one for one in candidates if one.type.rpartition(".")[2] == name), next(iter(candidates), None))


def _by_creation(graph: UseGraph, place: Callable[[Place], Location]) -> dict[Location, list[Instance]]:
    found: dict[Location, list[Instance]] = {}
    for instance in graph.instances():
        if instance.created is not None:
            found.setdefault(place(instance.created), []).append(instance)
    return found


def _pair(static: UseGraph, traced: TracedGraph, ours: Instance, theirs: Instance) -> Pair:
    runs = static.executions(ours.key)
    conditional = any(use.condition != ALWAYS for use in static.uses_of(ours.key))
    return Pair(ours, theirs, runs.count, runs.at_least, traced.executions(theirs.key).count, conditional)


class Places:
    """Locates sites of the static pass and brings the absolute names of the trace into the form of the findings."""

    def __init__(self, sources: Sources, names: Mapping[str, str]) -> None:
        self._sources = sources
        self._names = names  # real path -> name
        self._spans: dict[str, dict[int, Location]] = {}

    def prepare(self, places: list[Place | None]) -> None:
        """Locate many sites at once: each file is parsed only once more."""
        from modlint.syntax.source import locate

        wanted: dict[str, set[int]] = {}
        for place in places:
            if isinstance(place, Site) and place.number not in self._spans.get(place.filename, {}):
                wanted.setdefault(place.filename, set()).add(place.number)
        for file, numbers in wanted.items():
            spans = locate(self._sources.source(file), sorted(numbers))
            known = self._spans.setdefault(file, {})
            for number, span in spans.items():
                known[number] = Location(file, span.row, span.column, span.end_row, span.end_column)

    def __call__(self, place: Place) -> Location:
        if isinstance(place, Site):
            self.prepare([place])
            return self._spans[place.filename][place.number]
        return place._replace(filename=self._names.get(place.filename, place.filename))
