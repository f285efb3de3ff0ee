"""ParameterList and ParameterDict: modules that are a list or a dict of tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modlint.catalogue.entries import Holds
from modlint.interpreter import methods
from modlint.interpreter.values import MISSING, CallArgs, ExtV, ModuleObj, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.interpreter import Interpreter

_HELD = "#parameters"


def fill(m: Interpreter, obj: ModuleObj, source: Value) -> None:
    """Keep what the constructor was given."""
    kind = "dict" if obj.entry is not None and obj.entry.type.endswith("Dict") else "list"
    m.set(obj.cells, _HELD, m.call(ExtV(f"builtins.{kind}"), CallArgs(() if source is None else (source,), {})))


def held(m: Interpreter, obj: ModuleObj) -> Value:
    """The list or dict; MISSING where the module is none of these."""
    if obj.entry is None or obj.entry.holds is not Holds.PARAMETERS:
        return MISSING
    return m.live(obj.cells.get(_HELD, MISSING))


def method(m: Interpreter, obj: ModuleObj, name: str) -> Callable[..., Value] | None:
    """The handler of a method that it has from the list or dict, or None."""
    handler = methods.method_of(held(m, obj), name)
    if handler is None:
        return None

    def call(mm: Interpreter, receiver: Any, args: CallArgs, called: str) -> Value:
        return handler(mm, held(mm, receiver), args, called)

    return call
