"""Iterables -> their items: known ones exactly, unknown ones as a few symbolic items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import series
from modlint.interpreter.truth import TRIPS
from modlint.interpreter.values import (
    MISSING,
    STATE,
    Choice,
    Delayed,
    DictObj,
    IterObj,
    ListObj,
    ModuleObj,
    Sym,
    Value,
)

if TYPE_CHECKING:
    from modlint.interpreter.interpreter import Interpreter

ENDLESS = 512  # items drawn from an endless iterator when nothing shorter bounds it


def iterate(m: Interpreter, value: Value) -> tuple[Value, ...]:
    """The items, in order."""
    return items_of(m, value)[0]


def items_of(m: Interpreter, value: Value) -> tuple[tuple[Value, ...], bool]:
    """The items in order, and whether their number is known. Consumes an iterator."""
    value = m.live(value)
    if type(value) is tuple:
        return value, True
    known = series.entries(m, value)
    if known is not None:
        return known, True
    if isinstance(value, str):
        return tuple(value), True
    if isinstance(value, ListObj):
        items = m.live(value.cells["items"])
        if type(items) is Choice:
            return _by_position(m, items)
        return (_present(m, items), True) if type(items) is tuple else (symbolic(m, items), False)
    if type(value) is Choice:
        return _by_position(m, value)
    if isinstance(value, DictObj):
        return tuple(m.value_of_key(key) for key in m.dict_items(value)), not value.open
    if isinstance(value, IterObj):
        return drain(m, value), True
    if isinstance(value, ModuleObj):
        return m.iterate_module(value)
    if type(value) is frozenset:
        return tuple(sorted(value, key=str)), True
    return m.iterate_object(value)


def _by_position(m: Interpreter, choice: Choice) -> tuple[tuple[Value, ...], bool]:
    """Items of alternative iterables, each position joined; positions that some lack are MISSING there."""
    found = [(cond, items_of(m, v)) for cond, v in choice.alts if v is not MISSING and v is not None]
    longest = max((len(items) for _, (items, _) in found), default=0)
    rows = [[(c, items[i] if i < len(items) else MISSING) for c, (items, _) in found] for i in range(longest)]
    return tuple(m.join(row) for row in rows), all(known for _, (_, known) in found)


def _present(m: Interpreter, items: tuple[Value, ...]) -> tuple[Value, ...]:
    return tuple(m.live(item) for item in items if item is not MISSING)


def symbolic(m: Interpreter, value: Value) -> tuple[Value, ...]:
    """Items of a value that is not known: the same ones each time it is asked."""
    if type(value) is not Sym:
        return tuple(m.unknown("an item of an unknown iterable") for _ in range(TRIPS))
    count, _ = m.trips(m.symbol("len", value))
    return tuple(item_of(m, value, index) for index in range(count))


def item_of(m: Interpreter, value: Sym, index: Value) -> Value:
    """`value[index]` for an unknown value."""
    if value.op == "join":
        return m.data(value.taint, value.src)
    return m.symbol("item", value, index)


def drain(m: Interpreter, iterator: IterObj, limit: int | None = None) -> tuple[Value, ...]:
    """What is left in an iterator, or the first items of that, which are drawn."""
    at = _at(m, iterator)
    m.wrote_into(iterator, STATE, "", True)
    items = started(m, iterator)
    if iterator.endless and items:
        many = ENDLESS if limit is None else limit
        m.set(iterator.cells, "at", at + many)
        return tuple(items[(at + i) % len(items)] for i in range(many))
    end = len(items) if limit is None else min(at + limit, len(items))
    m.set(iterator.cells, "at", max(at, end))
    return tuple(item.make() if type(item) is Delayed else item for item in items[at:end])


def advance(m: Interpreter, iterator: IterObj) -> Value:
    """The next item of an iterator, or MISSING when it is exhausted."""
    at = m.live(iterator.cells["at"])
    if not isinstance(at, int):
        return m.unknown("an iterator advanced on some paths only")
    m.wrote_into(iterator, STATE, "", True)
    items = started(m, iterator)
    if iterator.endless and items:
        at %= len(items)
    if at >= len(items):
        return MISSING
    m.set(iterator.cells, "at", at + 1)
    item = items[at]
    return item.make() if type(item) is Delayed else item


def _at(m: Interpreter, iterator: IterObj) -> int:
    """Where an iterator stands; where the paths disagree, the furthest, for what was drawn is not drawn again."""
    at = m.live(iterator.cells["at"])
    places = [v for _, v in at.alts] if type(at) is Choice else [at]
    return max((place for place in places if isinstance(place, int)), default=0)


def started(m: Interpreter, iterator: IterObj) -> tuple[Value, ...]:
    """All items of an iterator, those that were drawn too."""
    if iterator.start is None:
        return iterator.items
    items = m.live(iterator.cells.get("items", MISSING))
    if type(items) is Choice:
        items = next((v for _, v in items.alts if v is not MISSING), MISSING)
    if items is MISSING:
        items = iterator.start()
        m.set(iterator.cells, "items", items)
    return tuple(items)


def exhaust(m: Interpreter, value: Value) -> None:
    """Whoever gets this value is taken to draw all items of the iterators in it."""
    if isinstance(value, IterObj) and not value.endless:
        drain(m, value)
    elif type(value) is tuple:
        for item in value:
            exhaust(m, item)
