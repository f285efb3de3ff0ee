"""What forwards keep: for modules without a catalogue entry, which attributes and buffers carry state between calls.

Decided from two consecutive recorded passes on different inputs. What changes while its owner runs is a candidate.
A persistent buffer or a parameter that changes is saved, so it is state. Another candidate is state when putting it
back changes an output (`probing`), or when somebody outside reads what only the last of several calls left there. What
the caller overwrites before every use is not.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modlint.graph import Trait
from modlint.trace.marks import Seen, changed, seen_attributes
from modlint.trace.probing import Kept, carried, first_values, is_saved, kept, writes_in_eval
from modlint.trace.randomness import draws
from modlint.trace.states import Measured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import torch

    from modlint.trace.calls import Call

_CALLS = 4  # of one instance that are kept for probing
_PROBES = 200  # calls probed in one model; more of them are decided by the class
_SECONDS = 30.0  # for all probes of one model


@dataclass(slots=True)
class _History:
    """What happened to one instance so far."""

    first: dict[str, Any]
    at_end: dict[str, Seen] | None = None
    written: set[str] = field(default_factory=set)  # during its own calls
    calls: int = 0
    reset: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # overwritten by others between two calls
    kept: list[tuple[Kept, frozenset[str]]] = field(default_factory=list)  # calls, and what was not reset before each
    unread: set[str] = field(default_factory=set)  # written by the last call, not read from outside since
    lost: set[str] = field(default_factory=set)  # overwritten by a call before anybody outside had read it
    read: set[str] = field(default_factory=set)  # read from outside after a call wrote it


class Effects:
    """Observes recorded passes: what each instance's calls write, what callers reset or read, what draws."""

    def __init__(self, watched: Iterable[torch.nn.Module], trait: Trait = Trait.WRITES_TRAIN) -> None:
        self.modules = {id(module): module for module in watched}
        self.draws: set[int] = set()
        self._trait = trait
        self._history = {key: _History(first_values(module)) for key, module in self.modules.items()}
        self._begun: list[dict[str, Seen] | None] = []
        self._running: list[int] = []
        self._wanted: dict[int, set[str]] = {}

    def begins(self, call: Call, values: Any) -> None:
        """Compare with what the last call left, then note the attributes."""
        key = id(call.module)
        history = self._history.get(key)
        self._running.append(key)
        if history is None:
            self._begun.append(None)
            return
        now = seen_attributes(call.module)
        reset = changed(history.at_end, now) if history.at_end is not None else set()
        for name in reset:
            history.reset[name] += 1
        history.unread -= reset
        self._begun.append(now)
        wanted = frozenset(self._wanted.get(key, set()) - reset)
        if wanted and len(history.kept) < _CALLS:
            one = kept(call.module, values, history.first)
            if one is not None:
                history.kept.append((one, wanted))

    def ends(self, call: Call) -> None:
        """What changed while it ran was written by its forward."""
        self._running.pop()
        before = self._begun.pop()
        history = self._history.get(id(call.module))
        if history is None or before is None:
            return
        history.at_end = seen_attributes(call.module)
        written = changed(before, history.at_end)
        history.lost |= history.unread & written
        history.unread |= written
        history.written |= written
        history.calls += 1

    def computes(self, call: Call | None, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """A function that draws random numbers makes the module that calls it stochastic."""
        if call is not None and draws(function, args, kwargs):
            self.draws.add(id(call.module))

    def read(self, module: torch.nn.Module, name: str) -> None:
        """An attribute was read; from outside when the module is not running."""
        history = self._history.get(id(module))
        if history is not None and id(module) not in self._running and name in history.written:
            history.unread.discard(name)
            history.read.add(name)

    def candidates(self) -> dict[int, set[str]]:
        """Instance -> names that its calls wrote and that nobody overwrote before every later call."""
        found = {}
        for key, history in self._history.items():
            names = {n for n in history.written if history.calls < 2 or history.reset[n] < history.calls - 1}
            if names:
                found[key] = names
        return found

    def forget_reads(self) -> None:
        """Before the pass in which reads are watched: in an earlier one nothing was seen to be read."""
        for history in self._history.values():
            history.unread.clear()
            history.lost.clear()

    def keep(self, candidates: Mapping[int, set[str]]) -> None:
        """Keep the next calls of these instances, for probing."""
        self._wanted = {key: set(names) for key, names in candidates.items()}

    def measured(self) -> dict[int, Measured]:
        """What was measured of every watched instance that ran."""
        candidates = self.candidates()
        budget = _Budget()
        found = {}
        for key, history in self._history.items():
            if history.calls:
                module = self.modules[key]
                names, traits, doubt = self._state(module, history, candidates.get(key, set()), budget)
                found[key] = Measured(tuple(sorted(names)), traits | self._drawn(key), doubt)
        return found

    def _drawn(self, key: int) -> frozenset[Trait]:
        return frozenset({Trait.DRAWS_TRAIN}) if key in self.draws else frozenset()

    def _state(
        self, module: torch.nn.Module, history: _History, names: set[str], budget: _Budget
    ) -> tuple[set[str], frozenset[Trait], str]:
        """The names that carry state, the traits that follow, and the doubt that is left."""
        found = {n for n in names if is_saved(module, n)} | (history.lost & history.read & history.written)
        doubt = ""
        open_names = names - found
        if open_names and history.kept:
            probed = budget.probed(type(module), history.kept, open_names)
            if probed is None:
                doubt = f"its forward could not be repeated to see whether {_listed(open_names)} matters"
            else:
                found |= probed
        elif open_names:
            doubt = f"whether {_listed(open_names)} matters was not measured"
        traits = set()
        if found:
            traits.add(self._trait)
            if self._trait is Trait.WRITES_TRAIN and any(writes_in_eval(one, found) for one, _ in history.kept[:1]):
                traits.add(Trait.WRITES_EVAL)
        return found, frozenset(traits), doubt


def _listed(names: set[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))


class _Budget:
    """Bounds the probes of one model; what is beyond is decided as the same class was."""

    def __init__(self) -> None:
        self._left = _PROBES
        self._until = time.monotonic() + _SECONDS
        self._known: dict[tuple[type, frozenset[str]], set[str]] = {}

    def probed(self, cls: type, calls: list[tuple[Kept, frozenset[str]]], names: set[str]) -> set[str] | None:
        """The names that some kept call shows to matter; None when no call could be repeated."""
        kind = (cls, frozenset(names))
        if kind in self._known and (self._left <= 0 or time.monotonic() > self._until):
            return self._known[kind]
        found: set[str] = set()
        repeated = False
        for one, wanted in calls:
            open_names = (wanted & names) - found
            if open_names and time.monotonic() <= self._until:
                self._left -= 1
                result = carried(one, open_names)
                repeated = repeated or result is not None
                found |= result or set()
        if repeated:
            self._known[kind] = found
        return found if repeated or not any(wanted & names for _, wanted in calls) else None
