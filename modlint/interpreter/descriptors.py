"""Descriptors that a program writes itself: objects on a class whose `__get__` and `__set__` stand for an attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import classes
from modlint.interpreter.values import MISSING, BoundV, CallArgs, FuncV, ModuleObj, Obj, Value

if TYPE_CHECKING:
    from modlint.graph import Site
    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.values import ClassV


def read(m: Interpreter, value: Value, receiver: Value, cls: Value, site: Site | None) -> Value:
    """What `__get__` of a value on a class gives for an instance, or None for the class; MISSING if it has none."""
    getter = _method(value, "__get__")
    return MISSING if getter is None else m.call(getter, CallArgs((receiver, cls), {}, site))


def write(m: Interpreter, base: Value, name: str, value: Value) -> bool:
    """Whether `__set__` took an assigned value. nn.Module registers modules before it asks the class."""
    if isinstance(value, ModuleObj) and isinstance(base, ModuleObj):
        return False
    setter = _method(m.live(classes.find_any(getattr(base, "cls", None), name)), "__set__")
    if setter is not None:
        m.call(setter, CallArgs((base, value), {}))
    return setter is not None


def tell_names(m: Interpreter, cls: ClassV) -> None:
    """Call `__set_name__` of what a class body has bound."""
    for name, value in list(cls.cells.items()):
        hook = _method(m.live(value), "__set_name__")
        if hook is not None:
            m.call(hook, CallArgs((cls, name), {}))


def _method(value: Value, name: str) -> BoundV | None:
    found = classes.find_any(value.cls, name) if type(value) is Obj else None
    return BoundV(found, value) if isinstance(found, FuncV) else None
