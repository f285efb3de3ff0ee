"""Where a model's parts come from: while a model is built, each creation and each placement of a module is noted."""

from __future__ import annotations

import contextlib
import inspect
import sys
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from modlint.trace.sources import location_of, user_frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from modlint.graph import Location


@dataclass(slots=True)
class Births:
    """The call that made a module, and the expression that put it into each slot."""

    _created: dict[int, tuple[weakref.ref[torch.nn.Module], Location]] = field(default_factory=dict)
    _placed: dict[tuple[int, str], tuple[weakref.ref[torch.nn.Module], Location]] = field(default_factory=dict)

    def note_creation(self, module: torch.nn.Module, place: Location) -> None:
        """`module` was made by the call at `place`."""
        self._created[id(module)] = (weakref.ref(module), place)

    def note_placement(self, parent: torch.nn.Module, name: str, place: Location) -> None:
        """`parent.name` was filled at `place`."""
        self._placed[id(parent), name] = (weakref.ref(parent), place)

    def creation(self, module: torch.nn.Module) -> Location | None:
        """Where `module` was created, if that was seen."""
        return _of(module, self._created.get(id(module)))

    def placement(self, parent: torch.nn.Module, name: str) -> Location | None:
        """Where `parent.name` was filled, if that was seen."""
        return _of(parent, self._placed.get((id(parent), name)))


def _of(module: torch.nn.Module, noted: tuple[weakref.ref[torch.nn.Module], Location] | None) -> Location | None:
    """What was noted, unless it was noted of a dead module that had the same id."""
    return noted[1] if noted is not None and noted[0]() is module else None


@contextlib.contextmanager
def watched() -> Iterator[Births]:
    """Note creations and placements of modules while the block runs."""
    births = Births()
    module = torch.nn.Module
    init, setattr_, add = module.__init__, module.__setattr__, module.add_module

    def noting_init(self: torch.nn.Module, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        frame = user_frame(_outside(sys._getframe(1), self))
        if frame is not None:
            births.note_creation(self, location_of(frame))

    def noting_setattr(self: torch.nn.Module, name: str, value: Any) -> None:
        setattr_(self, name, value)
        if isinstance(value, module):
            _place(births, self, name, value, sys._getframe(1))

    def noting_add(self: torch.nn.Module, name: str, value: torch.nn.Module | None) -> None:
        add(self, name, value)
        if value is not None:
            _place(births, self, name, value, sys._getframe(1))

    module.__init__, module.__setattr__, module.add_module = noting_init, noting_setattr, noting_add
    try:
        yield births
    finally:
        module.__init__, module.__setattr__, module.add_module = init, setattr_, add


def _outside(frame: FrameType | None, made: torch.nn.Module) -> FrameType | None:
    """The frame that called the constructor of `made`: past every `__init__` that runs on the object itself."""
    while frame is not None and _runs_on(frame, made):
        frame = frame.f_back
    return frame


def _runs_on(frame: FrameType, made: torch.nn.Module) -> bool:
    code = frame.f_code
    return bool(code.co_argcount) and frame.f_locals.get(code.co_varnames[0]) is made


def _place(births: Births, parent: torch.nn.Module, name: str, child: torch.nn.Module, frame: FrameType | None) -> None:
    """The expression that chose the child: outside of every function that was only given it."""
    found = user_frame(frame)
    while found is not None and _was_given(found, child) and not _made_in(found, births.creation(child)):
        outer = user_frame(found.f_back)
        if outer is None:
            break
        found = outer
    if found is not None:
        births.note_placement(parent, name, location_of(found))


def _made_in(frame: FrameType, created: Location | None) -> bool:
    """Whether the child was created in the function that the frame runs (which may have rebound an argument to it)."""
    if created is None or created.filename != frame.f_code.co_filename:
        return False
    rows = [line for _, _, line in frame.f_code.co_lines() if line is not None]
    return min(rows) <= created.row <= max(rows)


def _was_given(frame: FrameType, child: torch.nn.Module) -> bool:
    """Whether `child` is an argument of the function that the frame runs (and not the object that it runs on)."""
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    variadic = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    values = [frame.f_locals.get(name) for name in code.co_varnames[: count + variadic]]
    if values and code.co_argcount and values[0] is child:
        return False
    flat = [item for value in values for item in _items(value)]
    return any(item is child for item in flat)


def _items(value: Any) -> list[Any]:
    if isinstance(value, tuple):
        return list(value)
    return list(value.values()) if type(value) is dict else [value]
