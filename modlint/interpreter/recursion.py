"""How far a function that calls itself is followed: not past a bound, nor where nothing known changes on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import plain
from modlint.interpreter.values import BoundV, CallArgs, ClassV, ExtV, FuncV, PartialV, Sym, Value, is_const

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modlint.interpreter.interpreter import Interpreter

DEEPEST = 60  # calls within calls
RECURSIONS = 6  # activations of one function at a time

_CODE = BoundV, ClassV, ExtV, FuncV, PartialV


class Active:
    """A function while it runs: a context manager, as a class because a generator costs five times as much."""

    __slots__ = ("_args", "_func", "_m")

    def __init__(self, m: Interpreter, func: FuncV, args: CallArgs) -> None:
        self._m = m
        self._func = func
        self._args = args

    def __enter__(self) -> None:
        self._m.stack.append(self._func.id)
        self._m.given.append(self._args)

    def __exit__(self, *raised: object) -> None:
        self._m.stack.pop()
        self._m.given.pop()


def goes_on(m: Interpreter, func: FuncV, args: CallArgs) -> bool:
    """Whether a call of a function is to be followed, given its activations so far."""
    active = m.stack.count(func.id)
    if len(m.stack) >= DEEPEST or active >= RECURSIONS:
        return False
    if active == 1:
        return not _open_data(m, func, args)
    return active < 2 or not _aimless(m, func, args)


def _aimless(m: Interpreter, func: FuncV, args: CallArgs) -> bool:
    """Whether a recursive call, beside what is unknown, gets what one before it got: then no call ends it.

    An unknown tree has as many levels as are looked at, and each shows what the first showed.
    """
    now = _given(func, args)
    if not any(type(value) is Sym for value in now.values()):
        return False
    return any(all(_tells_nothing(now[name], then.get(name)) for name in now) for then in _before(m, func))


def _before(m: Interpreter, func: FuncV) -> Iterator[dict[str, Value]]:
    return (_given(func, args) for id, args in zip(m.stack, m.given, strict=True) if id == func.id)


def _given(func: FuncV, args: CallArgs) -> dict[str, Value]:
    """What a call gives each parameter, but for the new object that a constructor fills."""
    names = [param.name for param in func.params if param.kind in {"positional", "normal"}]
    given = {**func.defaults, **dict(zip(names, args.args, strict=False)), **args.kwargs}
    given.update((str(at), value) for at, value in enumerate(args.args[len(names) :]))
    if func.name == "__init__" and names:
        given.pop(names[0], None)
    return given


def _tells_nothing(value: Value, before: Value) -> bool:
    """Whether a value is open, or the same as before and nothing that changes."""
    if type(value) is Sym or type(value) is ClassV or value is None or type(value) is bool:
        return True
    if is_const(value):
        return type(value) is type(before) and bool(value == before)
    return value is before and isinstance(value, _CODE)


def _open_data(m: Interpreter, func: FuncV, args: CallArgs) -> bool:
    """Whether a function of data alone calls itself with something open: the result is data that is not known."""
    values = (*args.args, *args.kwargs.values())
    return any(map(plain.open_value, values)) and plain.only_data(values) and plain.is_plain(m, func)
