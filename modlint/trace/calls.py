"""The record of one forward pass: every execution of every module, in order, with caller, place and dataflow.

Both tracers, symbolic and recorded, feed the same `Recorder`; it knows modules by identity.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F

from modlint.trace.entries import catalogued_methods
from modlint.trace.sources import function_of, is_users, location_of, user_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import FrameType

    from modlint.graph import Location

_CHECKPOINT = os.path.join("torch", "utils", "checkpoint.py")


@dataclass(slots=True)
class Call:
    """One execution. `hint` is the attribute name by which the caller reached the module, if that was seen.

    `mode` is the module's own train flag; `inherited` that of what it runs in, for a functional use of its buffers.
    """

    order: int
    module: torch.nn.Module
    parent: int | None
    place: Location | None
    within: str
    consumes: tuple[int, ...]
    training: bool
    recomputed_by: Location | None = None  # the checkpoint call that runs it again in backward
    hint: str = ""
    position: int = 0  # how many calls the caller had made before
    made: int = 0  # how many calls it made itself
    functional: bool = False  # F.batch_norm on the module's own buffers, not a call of the module
    entered: bool = False  # its forward has begun
    complete: bool = False  # its forward has returned


class Dataflow(Protocol):
    """Which calls a value comes from."""

    def of(self, value: Any) -> frozenset[int]:
        """Orders of the calls whose outputs reached `value`."""

    def set(self, value: Any, origins: frozenset[int]) -> None:
        """Note that `value` comes from these calls."""


@dataclass(slots=True)
class Recorder:
    """Calls in the order in which they began, and the stack of those that are running."""

    dataflow: Dataflow
    calls: list[Call] = field(default_factory=list)
    stack: list[tuple[Call, FrameType]] = field(default_factory=list)
    hints: dict[int, str] = field(default_factory=dict)
    on_unknown: Callable[[torch.nn.Module], None] | None = None  # told of a module before its first call
    observer: Observer | None = None
    instead: Callable[[torch.nn.Module, Any, Any], Any] | None = None  # runs a direct `.forward()`, or NotImplemented
    _known: set[int] = field(default_factory=set)
    _parts: set[int] = field(default_factory=set)  # parametrizations, which run as part of the module that has them

    def know(self, modules: Iterable[torch.nn.Module]) -> list[torch.nn.Module]:
        """These modules are watched from now on. Returns those that were not."""
        new = [module for module in modules if id(module) not in self._known]
        self._known.update(map(id, new))
        self._parts.update(id(part) for module in new for part in parametrizations(module))
        return [module for module in new if id(module) not in self._parts]

    @property
    def running(self) -> Call | None:
        """The innermost call that is running."""
        return self.stack[-1][0] if self.stack else None

    def call(self, module: torch.nn.Module, run: Callable[[], Any], values: Any, frame: FrameType) -> Any:
        """Run `run` as an execution of `module` on `values`; `frame` is the caller's."""
        if id(module) in self._parts:
            return run()
        if id(module) not in self._known and self.on_unknown is not None:
            self.on_unknown(module)
        record = self._begin(module, values, frame)
        self.stack.append((record, sys._getframe()))
        try:
            if self.observer is not None:
                self.observer.begins(record, values)
            result = run()
        finally:
            if self.observer is not None:
                self.observer.ends(record)
            self.stack.pop()
        record.complete = True
        self.dataflow.set(result, frozenset({record.order}))
        return result

    def note_functional(self, module: torch.nn.Module, values: Any, result: Any, training: bool) -> None:
        """A functional call on the buffers of `module` counts as a use of it."""
        record = self._begin(module, values, sys._getframe(1))
        record.training, record.functional, record.complete = training, True, True
        self.dataflow.set(result, frozenset({record.order}))

    def is_running(self, module: torch.nn.Module) -> bool:
        """Whether some call of `module` has not returned yet."""
        return any(call.module is module for call, _ in self.stack)

    def _begin(self, module: torch.nn.Module, values: Any, frame: FrameType) -> Call:
        caller, base = self.stack[-1] if self.stack else (None, None)
        user, checkpoint = _surroundings(frame, base)
        checkpointed = None if checkpoint is None else location_of(checkpoint)
        record = Call(
            order=len(self.calls),
            module=module,
            parent=None if caller is None else caller.order,
            place=None if user is None or caller is None else location_of(user),
            within="" if user is None or caller is None else function_of(user),
            consumes=tuple(sorted(self.dataflow.of(values))),
            training=module.training,
            recomputed_by=checkpointed or (None if caller is None else caller.recomputed_by),
            hint=self.hints.pop(id(module), ""),
            position=0 if caller is None else caller.made,
        )
        if caller is not None:
            caller.made += 1
        self.calls.append(record)
        return record


class Observer(Protocol):
    """Told when an execution begins and ends (the measurement of what forwards write)."""

    def begins(self, call: Call, values: Any) -> None:
        """`call` is about to run on `values`, a pair of arguments and keywords."""

    def ends(self, call: Call) -> None:
        """`call` has returned or raised."""

    def computes(self, call: Call | None, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """A torch function runs directly inside `call`."""


def _surroundings(frame: FrameType | None, base: FrameType | None) -> tuple[FrameType | None, FrameType | None]:
    """The innermost user frame, and the one that calls `checkpoint` between the caller (`base`) and the call."""
    user: FrameType | None = None
    checkpoint: FrameType | None = None
    inside, recomputes = True, torch.is_grad_enabled()
    while frame is not None and (inside or user is None):
        if frame is base:
            inside = False
        code = frame.f_code
        if inside and code.co_filename.endswith(_CHECKPOINT):
            recomputes = recomputes or code.co_name == "forward"  # the reentrant one switches gradients off by itself
            if code.co_name == "checkpoint" and recomputes:
                checkpoint = user_frame(frame)
        if user is None and is_users(code.co_filename):
            user = frame
        frame = frame.f_back
    return user, checkpoint


# Functions that write a module's running statistics when they are given them: where the buffers stand, where the flag.
_WRITERS: Mapping[Any, tuple[str, ...]] = {
    F.batch_norm: ("input", "running_mean", "running_var", "weight", "bias", "training"),
    F.instance_norm: ("input", "running_mean", "running_var", "weight", "bias", "training"),
    torch.batch_norm: ("input", "weight", "bias", "running_mean", "running_var", "training"),
    torch.instance_norm: ("input", "weight", "bias", "running_mean", "running_var", "training"),
}


def written_by_function(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, bool] | None:
    """The running statistics that a functional normalisation is given, and whether it writes them; else None."""
    names = _WRITERS.get(function) if _hashable(function) else None
    if names is None:
        return None
    bound = {**dict(zip(names, args, strict=False)), **kwargs}
    statistics = bound.get("running_mean")
    training = bound.get("training", bound.get("use_input_stats", function is F.instance_norm))
    return None if statistics is None else (statistics, bool(training))


def _hashable(function: Any) -> bool:
    return getattr(function, "__hash__", None) is not None


def parametrizations(module: torch.nn.Module) -> list[torch.nn.Module]:
    """The modules that compute a module's parametrized tensors; they belong to it and run whenever it does."""
    if "parametrizations" not in module._modules:
        return []
    return list(module._modules["parametrizations"].modules())


def instance_methods(module: torch.nn.Module) -> tuple[str, ...]:
    """Methods that are executions of the module beside `forward` (the arithmetic of FloatFunctional)."""
    return catalogued_methods(type(module))
