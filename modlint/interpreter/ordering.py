"""Items in order: `sorted`, `list.sort`, and the largest and smallest, by themselves or by what a `key` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter.values import MISSING, CallArgs, Value, is_const

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.interpreter import Interpreter


def in_order(m: Interpreter, items: tuple[Value, ...], args: CallArgs) -> tuple[Value, ...] | None:
    """The items as `sorted` puts them; None where that is not known."""
    reverse = m.live(args.kwargs.get("reverse", False))
    keys = _keys(m, items, args)
    if keys is None or not isinstance(reverse, bool | int):
        return None
    try:
        order = sorted(range(len(items)), key=keys.__getitem__, reverse=bool(reverse))
    except TypeError:
        return None
    return tuple(items[index] for index in order)


def outermost(m: Interpreter, items: tuple[Value, ...], args: CallArgs, choose: Callable[..., int]) -> Value:
    """What `max` or `min`, as `choose`, gives of items by a `key`, or the `default` of none; MISSING: not known."""
    if not items:
        return args.kwargs.get("default", MISSING)
    keys = _keys(m, items, args)
    if keys is None:
        return MISSING
    try:
        return items[choose(range(len(items)), key=keys.__getitem__)]
    except TypeError:
        return MISSING


def _keys(m: Interpreter, items: tuple[Value, ...], args: CallArgs) -> list[Value] | None:
    key = m.live(args.kwargs.get("key"))
    keys = [m.live(item if key is None else m.call(key, CallArgs((item,), {}, args.site))) for item in items]
    return keys if all(map(_comparable, keys)) else None


def _comparable(value: Value) -> bool:
    return all(map(_comparable, value)) if type(value) is tuple else is_const(value)
