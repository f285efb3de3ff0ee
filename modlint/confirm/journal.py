"""What the caller writes to an instance between its executions, carried on to the copies that run later.

A forward that resets its cell (`self.cell.h = None`, `self.cell.reset()`, `self.norm.eval()`) means every use to see
that. Only what the instance's own forward writes belongs to one copy.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

State = dict[str, Any]  # the `__dict__` of a module

_OWN = frozenset({"_parameters", "_buffers", "_modules"})
_ABSENT = object()


class Attribute(NamedTuple):
    """A plain attribute or buffer of a module below the instance: path of child names, registry, name."""

    path: tuple[str, ...]
    registry: str  # "" for a plain attribute
    name: str


Snapshot = dict[Attribute, tuple[Any, Any]]  # the object itself, and what tells that it changed in place


class Journal:
    """The writes from outside in one forward pass of the root, in the order in which a later copy must see them."""

    def __init__(self) -> None:
        self._writes: dict[Attribute, Any] = {}
        self._seen: Snapshot = {}

    def restart(self, state: State) -> None:
        """A new forward pass of the root begins with `state` in place."""
        self._writes = {}
        self._seen = snapshot(state)

    def collect(self, state: State) -> None:
        """An execution is about to begin; `state` is what the caller could write to since the last one ended."""
        now = snapshot(state)
        for key, (value, mark) in now.items():
            before = self._seen.get(key)
            if before is None or before[0] is not value or before[1] != mark:
                self._writes[key] = _apart(value)
        for key in self._seen.keys() - now.keys():
            self._writes[key] = _ABSENT

    def apply(self, state: State) -> None:
        """Make the copy about to run see what the caller wrote."""
        for key, value in self._writes.items():
            holder = _resolve(state, key.path)
            if holder is not None:
                _write(holder[key.registry] if key.registry else holder, key.name, value)

    def ended(self, state: State) -> None:
        """An execution has ended, leaving `state` in place."""
        self._seen = snapshot(state)


def snapshot(state: State) -> Snapshot:
    """Every plain attribute and buffer of the module and the modules below it, as they are now."""
    found: Snapshot = {}
    for path, inner in _below(state, (), set()):
        for name, value in inner.items():
            if name not in _OWN:
                found[Attribute(path, "", name)] = (value, _mark(value))
        for name, value in inner.get("_buffers", {}).items():
            found[Attribute(path, "_buffers", name)] = (value, _mark(value))
    return found


def _below(state: State, path: tuple[str, ...], seen: set[int]) -> Iterator[tuple[tuple[str, ...], State]]:
    if id(state) in seen:
        return
    seen.add(id(state))
    yield path, state
    for name, child in state.get("_modules", {}).items():
        if child is not None:
            yield from _below(vars(child), (*path, name), seen)


def _mark(value: Any) -> Any:
    """What changes when `value` is changed in place: a tensor's version, the items of a list or dict by identity."""
    if isinstance(value, torch.Tensor):
        return None if value.is_inference() else value._version
    if isinstance(value, dict):
        return [(key, id(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [id(item) for item in value]
    return None


def _resolve(state: State, path: tuple[str, ...]) -> State | None:
    for name in path:
        child = state["_modules"].get(name)
        if child is None:
            return None
        state = vars(child)
    return state


def _write(registry: dict[str, Any], name: str, value: Any) -> None:
    if value is _ABSENT:
        registry.pop(name, None)
        return
    registry[name] = _apart(value)


def _apart(value: Any) -> Any:
    """The value as it is now, whatever happens to the original in place."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone() if value.is_leaf and not value.requires_grad else value
    return copy.copy(value) if isinstance(value, (list, dict, set)) else value
