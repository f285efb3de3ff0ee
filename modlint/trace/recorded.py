"""Recorded execution: one real forward pass, in train mode, in which every execution of every module is noted.

What is watched: `nn.Module.__call__` (and a class's own), `forward` of every instance (so that `.forward(x)` counts)
and of every class (so that `nn.Linear.forward(self.fc, x)` does),
the arithmetic methods of FloatFunctional, and functional calls on a module's running statistics. Tensors are followed
through torch functions by a TorchFunctionMode.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from modlint.trace.calls import Call, Observer, Recorder, instance_methods, written_by_function
from modlint.trace.inputs import running
from modlint.trace.isolate import Snapshot
from modlint.trace.tensors import tensors_in
from modlint.trace.users import user_code
from modlint.trace.walk import modules_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modlint.trace.inputs import Inputs


def record(model: torch.nn.Module, inputs: Inputs, observer: Observer | None = None) -> list[Call]:
    """Run `model` once on `inputs` as it stands and return its executions, the model's own first.

    The model is changed as a forward pass changes it, so give a copy; modules outside of it (on a class, at module
    level) are restored. Raises UserCodeError when the forward raises.
    """
    recorder = Recorder(TensorFlow(), observer=observer)
    with watching(model, recorder), user_code(running(model, inputs)), torch.enable_grad():
        model(*inputs.args, **inputs.named)
    return recorder.calls


@contextlib.contextmanager
def watching(model: torch.nn.Module, recorder: Recorder, functions: bool = True) -> Iterator[Recorder]:
    """Note in `recorder` every execution of a module, of `model` or not, while the block runs.

    Without `functions` the torch functions between modules are not followed (fx follows its proxies itself).
    """
    outside = Snapshot()
    with contextlib.ExitStack() as stack:
        stack.callback(outside.restore)

        def found(module: torch.nn.Module) -> None:
            strangers = recorder.know(modules_of(module))
            outside.add(*strangers)
            for part in strangers:
                stack.enter_context(_methods_watched(part, recorder))

        recorder.on_unknown = found
        for module in recorder.know(modules_of(model)):
            stack.enter_context(_methods_watched(module, recorder))
        for cls in _classes_with(model, "__call__"):
            stack.enter_context(_call_watched(cls, recorder))
        own = () if functions else type(model).__mro__  # fx looks into the code of the root's forward
        for cls in _classes_with(model, "forward"):
            if cls not in own and isinstance(vars(cls)["forward"], types.FunctionType):
                stack.enter_context(_forward_watched(cls, recorder))
        stack.enter_context(_names_watched(recorder))
        if functions:
            stack.enter_context(_Functions(recorder, buffer_owners(model)))
        yield recorder


def _classes_with(model: torch.nn.Module, method: str) -> list[type]:
    """Every class of the model's, nn.Module among them, that has a method of its own."""
    classes = dict.fromkeys(cls for module in modules_of(model) for cls in type(module).__mro__)
    classes[torch.nn.Module] = None
    return [cls for cls in classes if issubclass(cls, torch.nn.Module) and method in vars(cls)]


@contextlib.contextmanager
def _call_watched(cls: type, recorder: Recorder) -> Iterator[None]:
    original = vars(cls)["__call__"]

    @functools.wraps(original)
    def call(self: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        running = recorder.running
        if running is not None and running.module is self and not running.entered:
            return original(self, *args, **kwargs)  # super().__call__ of the same execution
        return recorder.call(self, lambda: original(self, *args, **kwargs), (args, kwargs), sys._getframe(1))

    type.__setattr__(cls, "__call__", call)
    try:
        yield
    finally:
        type.__setattr__(cls, "__call__", original)


@contextlib.contextmanager
def _forward_watched(cls: type, recorder: Recorder) -> Iterator[None]:
    """Shadow a class's `forward`, for calls that name the class. While the instance runs, the call is its `super()`."""
    original = vars(cls)["forward"]

    @functools.wraps(original)
    def forward(self: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        running = recorder.running
        if (running is not None and running.module is self) or isinstance(self, torch.jit.ScriptModule):
            return original(self, *args, **kwargs)
        return _executed(recorder, self, functools.partial(original, self), args, kwargs)

    type.__setattr__(cls, "forward", forward)
    try:
        yield
    finally:
        type.__setattr__(cls, "forward", original)


def _executed(recorder: Recorder, module: torch.nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """An execution of `module` that begins at its forward; called by the shadow of that forward."""

    def run() -> Any:
        started = recorder.running
        if started is not None:
            started.entered = True
        result = NotImplemented if recorder.instead is None else recorder.instead(module, args, kwargs)
        return forward(*args, **kwargs) if result is NotImplemented else result

    return recorder.call(module, run, (args, kwargs), sys._getframe(2))


@contextlib.contextmanager
def _methods_watched(module: torch.nn.Module, recorder: Recorder) -> Iterator[None]:
    """Shadow `forward` (and arithmetic methods) on the instance, where it lets itself be shadowed."""
    if isinstance(module, torch.jit.ScriptModule):
        yield
        return
    own = vars(module)
    shadowed = {name: own.get(name) for name in ("forward", *instance_methods(module))}
    for name in shadowed:
        own[name] = _shadow(module, name, shadowed[name], recorder)
    try:
        yield
    finally:
        for name, before in shadowed.items():
            own.pop(name, None)
            if before is not None:
                own[name] = before


def unshadowed(copy: torch.nn.Module) -> torch.nn.Module:
    """A deep copy of a module that was being watched, without the shadows that lead back to the original."""
    for part in copy.modules():
        for name, value in list(vars(part).items()):
            if hasattr(value, _BEFORE):
                del vars(part)[name]
                before = getattr(value, _BEFORE)
                if before is not None:
                    bound = isinstance(before, types.MethodType)
                    vars(part)[name] = types.MethodType(before.__func__, part) if bound else before
    return copy


_BEFORE = "_modlint_shadows"


def _shadow(module: torch.nn.Module, name: str, before: Any, recorder: Recorder) -> Callable[..., Any]:
    original = getattr(module, name)

    @functools.wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        running = recorder.running
        if running is not None and running.module is module and not running.entered:
            running.entered = True
            return original(*args, **kwargs)
        return _executed(recorder, module, original, args, kwargs)

    setattr(method, _BEFORE, before)
    return method


@contextlib.contextmanager
def _names_watched(recorder: Recorder) -> Iterator[None]:
    """Note under which name a child module was last read from its parent."""
    original = torch.nn.Module.__getattr__

    def getattr_(self: torch.nn.Module, name: str) -> Any:
        value = original(self, name)
        if isinstance(value, torch.nn.Module):
            recorder.hints[id(value)] = name
        return value

    torch.nn.Module.__getattr__ = getattr_
    try:
        yield
    finally:
        torch.nn.Module.__getattr__ = original


def buffer_owners(model: torch.nn.Module) -> dict[int, torch.nn.Module]:
    """id(buffer) -> the module that registers it."""
    return {id(b): module for module in modules_of(model) for b in module._buffers.values() if b is not None}


class TensorFlow:
    """Which calls a tensor comes from, by the tensor's identity."""

    def __init__(self) -> None:
        self._origins: dict[int, tuple[weakref.ref[torch.Tensor], frozenset[int]]] = {}

    def of(self, value: Any) -> frozenset[int]:
        """Orders of the calls whose outputs reached a value, through containers."""
        found: frozenset[int] = frozenset()
        for tensor in tensors_in(value):
            held = self._origins.get(id(tensor))
            if held is not None and held[0]() is tensor:
                found |= held[1]
        return found

    def set(self, value: Any, origins: frozenset[int]) -> None:
        """Note the origin of every tensor in `value`."""
        for tensor in tensors_in(value):
            self._origins[id(tensor)] = (weakref.ref(tensor), origins)


class _Functions(TorchFunctionMode):  # type: ignore[misc]
    """Follows tensors through torch functions, and notes functional uses of a module's statistics."""

    def __init__(self, recorder: Recorder, owners: dict[int, torch.nn.Module]) -> None:
        super().__init__()
        self._recorder = recorder
        self._owners = owners

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._recorder.observer is not None:
            self._recorder.observer.computes(self._recorder.running, func, args, kwargs)
        origins = self._recorder.dataflow.of((args, kwargs))
        result = func(*args, **kwargs)
        if isinstance(result, (torch.Tensor, tuple, list)):
            self._recorder.dataflow.set(result, origins)
        written = written_by_function(func, args, kwargs)
        if written is not None:
            owner = self._owners.get(id(written[0]))
            if owner is not None and not self._recorder.is_running(owner):
                self._recorder.note_functional(owner, (args, kwargs), result, written[1])
        return result
