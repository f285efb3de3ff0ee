"""Use graphs built by hand: a root `net`, instances named by their paths, uses numbered as they are made."""

from __future__ import annotations

from typing import Any

from modlint.graph import Instance, Location, Manner, Slot, State, Trait, Use, UseGraph

RELU = State.of(frozenset())
DROPOUT = State.of(frozenset({Trait.DRAWS_TRAIN}))
LINEAR = State.of(frozenset({Trait.LEARNABLE}))
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
NORM = State.of(frozenset({Trait.LEARNABLE, Trait.WRITES_TRAIN}), STATISTICS)
PLAIN_NORM = State.of(frozenset({Trait.WRITES_TRAIN}), STATISTICS)
OBSERVER = State.of(frozenset({Trait.WRITES_TRAIN, Trait.WRITES_EVAL}), ("min_val", "max_val"))
MASKED = State.of(frozenset({Trait.DRAWS_TRAIN, Trait.WRITES_TRAIN}), ("mask",))
UNKNOWN = State.unknown("no source")
MAYBE_NORM = State.of(frozenset({Trait.LEARNABLE, Trait.WRITES_TRAIN}), STATISTICS, certain=False, reason="an argument")
MAYBE_LINEAR = State.of(frozenset({Trait.LEARNABLE}), certain=False, reason="an argument")

_TYPES = {
    RELU: "ReLU",
    DROPOUT: "Dropout",
    LINEAR: "Linear",
    NORM: "BatchNorm2d",
    PLAIN_NORM: "BatchNorm2d",
    OBSERVER: "MinMaxObserver",
    MASKED: "LockedDropout",
}


def at(line: int, file: str = "net.py") -> Location:
    """A place on a line of the model's file."""
    return Location(file, line, 9, line, 20)


def slot(path: str, line: int | None = None, repeated: bool = False) -> Slot:
    """A slot filled on that line."""
    place = None if line is None else at(line)
    return Slot(path, place, Manner.REPEATED if repeated else Manner.ASSIGNED)


class Hand:
    """A graph in the making. `run` answers the order of the use, to be the parent of others."""

    def __init__(self) -> None:
        self.graph = UseGraph("Net")
        self.graph.add_instance(Instance("net", "net.Net", RELU, RELU, container=True))
        self.graph.add_use(Use(0, "net", None))
        self._next = 1

    def leaf(self, key: str, state: State, **more: Any) -> str:
        """An instance without children; its only slot is its key unless slots are given."""
        more = {"slots": (slot(key),), "created": at(3), "type": f"torch.nn.{_TYPES.get(state, 'Thing')}", **more}
        self.graph.add_instance(Instance(key, state=state, own=state, **more))
        return key

    def box(self, key: str, state: State, own: State = RELU, **more: Any) -> str:
        """A container; `state` has its children taken in."""
        more = {"slots": (slot(key),), "created": at(4), "type": "net.Block", **more}
        self.graph.add_instance(Instance(key, state=state, own=own, container=True, **more))
        return key

    def run(self, key: str, parent: int = 0, line: int | None = None, **more: Any) -> int:
        """A use inside the use `parent`, on the line, or on one of its own."""
        order = self._next
        self._next += 1
        place = at(20 + order if line is None else line)
        more = {"place": place, "within": "Net.forward", "slot": key, **more}
        self.graph.add_use(Use(order, key, parent, **more))
        return order


def when(*literals: int) -> tuple[frozenset[int], ...]:
    """The condition that all these literals hold."""
    return (frozenset(literals),)
