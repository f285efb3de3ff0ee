"""What `==` says of containers and objects: decided where every part of both is known, item by item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import classes
from modlint.interpreter.values import (
    BoundV,
    CallArgs,
    Choice,
    ClassV,
    DictObj,
    ExtV,
    FuncV,
    ListObj,
    ModuleObj,
    Obj,
    Value,
    is_const,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from modlint.interpreter.interpreter import Interpreter

    Compare = Callable[[Interpreter, str, Value, Value], Value]

_MOST = 2_000  # containers and objects that are compared for one comparison


def equal(m: Interpreter, left: Value, right: Value, compare: Compare) -> Value:
    """Whether two values are equal that are neither constants nor unknown, nor the same one.

    Lists that hold each other over and over have more items than can be looked at.
    """
    if m.comparing == 1:
        return m.unknown("an equality of very many items")
    outermost = not m.comparing
    m.comparing = _MOST if outermost else m.comparing - 1
    try:
        return _equal(m, left, right, compare)
    finally:
        if outermost:
            m.comparing = 0


def _equal(m: Interpreter, left: Value, right: Value, compare: Compare) -> Value:
    if isinstance(left, ListObj) and isinstance(right, ListObj):
        return _lists_equal(m, left, right, compare)
    if isinstance(left, DictObj) and isinstance(right, DictObj):
        return _dicts_equal(m, left, right, compare)
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Obj | ModuleObj) and isinstance(user := classes.find_any(one.cls, "__eq__"), FuncV):
            return m.lift(m.call(BoundV(user, one), CallArgs((other,), {}, None)), _told)
    mine, others = _parts(m, left), _parts(m, right)
    if mine is None or others is None or mine[0] is not others[0]:
        return False
    return _items_equal(m, mine[1], others[1], compare)


def _told(answer: Value) -> Value:
    return False if isinstance(answer, ExtV) and answer.dotted == "builtins.NotImplemented" else answer


def _parts(m: Interpreter, value: Value) -> tuple[Value, tuple[Value, ...]] | None:
    """By what an object is equal to others of a kind: the fields of a data class, those of a named tuple as a tuple."""
    from modlint.interpreter.calls import is_namedtuple

    if type(value) is tuple:
        return tuple, value
    if not isinstance(value, Obj) or not isinstance(value.cls, ClassV) or not classes.fields(value.cls):
        return None
    named = is_namedtuple(value.cls)
    if not named and not value.cls.dataclass:
        return None
    fields = tuple(m.get_attr(value, name, None) for name in classes.fields(value.cls))
    return (tuple if named else value.cls), fields


def _lists_equal(m: Interpreter, left: ListObj, right: ListObj, compare: Compare) -> Value:
    if left.kind != right.kind:
        return False
    items = [m.live(one.cells["items"]) for one in (left, right)]
    if any(type(one) is not tuple for one in items) or m.is_assumed(left) or m.is_assumed(right):
        return m.unknown("an equality of lists")
    if left.kind != "set":
        return _items_equal(m, items[0], items[1], compare)
    if all(is_const(item) for one in items for item in one):
        return frozenset(items[0]) == frozenset(items[1])
    return m.unknown("an equality of sets")


def _dicts_equal(m: Interpreter, left: DictObj, right: DictObj, compare: Compare) -> Value:
    mine, others = m.dict_items(left), m.dict_items(right)
    may_lack = any(type(value) is Choice for entries in (mine, others) for value in entries.values())
    if left.open or right.open or may_lack:
        return m.unknown("an equality of dicts")
    if mine.keys() != others.keys():
        return False
    return _items_equal(m, tuple(mine.values()), tuple(others[key] for key in mine), compare)


def _items_equal(m: Interpreter, left: tuple[Value, ...], right: tuple[Value, ...], compare: Compare) -> Value:
    if len(left) != len(right):
        return False
    return _all(m, (compare(m, "==", a, b) for a, b in zip(left, right, strict=True)))


def _all(m: Interpreter, answers: Iterable[Value]) -> Value:
    told = list(answers)
    if any(answer is False for answer in told):
        return False
    return True if all(answer is True for answer in told) else m.unknown("an equality of items")
