"""`base[index]`: reading, writing and deleting items of every kind of value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modlint.interpreter import classes, enums, in_place, series, subclassed, tracking, views
from modlint.interpreter.iteration import item_of, iterate
from modlint.interpreter.operators import compare
from modlint.interpreter.values import (
    MISSING,
    BoundV,
    CallArgs,
    Choice,
    ClassV,
    Descriptor,
    DictObj,
    ExtV,
    FuncV,
    ListObj,
    ModuleObj,
    Placement,
    Sym,
    Tensor,
    Value,
    View,
    is_const,
)

if TYPE_CHECKING:
    from modlint.graph import Site
    from modlint.interpreter.interpreter import Interpreter


def get_item(m: Interpreter, base: Value, index: Value, site: Site | None) -> Value:
    """`base[index]`."""
    return m.split(base, lambda b: m.split(index, lambda i: _item(m, b, i, site)))


def _item(m: Interpreter, base: Value, index: Value, site: Site | None) -> Value:
    if isinstance(base, DictObj):
        return dict_item(m, base, index)
    if isinstance(base, ModuleObj):
        return m.module_item(base, index, site)
    if isinstance(base, View):
        return views.view_item(m, base, index)
    if isinstance(base, Sym):
        known = series.item(m, base, index)
        if known is not MISSING:
            return known
        if base.op in {"data", "join", "input"} or isinstance(index, slice | tuple):
            return m.data(base.taint, base.src)
        return item_of(m, base, index)
    if type(base) is tuple or isinstance(base, ListObj | str):
        return _sequence_item(m, base, index)
    if isinstance(base, Tensor):
        return base
    if (members := enums.members(base)) is not None:
        return enums.by_name(m, members, index)
    if isinstance(base, ClassV | ExtV):
        user = classes.find_any(base, "__class_getitem__")
        user = user.func if isinstance(user, Descriptor) else user
        return m.call(user, CallArgs((base, index), {}, site)) if isinstance(user, FuncV) else base  # a generic alias
    if (held := subclassed.behind(m, base, "__getitem__")) is not MISSING:
        return m.get_item(held, index, site)
    user = classes.find_any(getattr(base, "cls", None), "__getitem__")
    if isinstance(user, FuncV):
        return m.call(BoundV(user, base), CallArgs((index,), {}, site))
    return m.unknown("an item that is not modelled", m.taint_of(base))


def _sequence_item(m: Interpreter, base: Value, index: Value) -> Value:
    items: Any = base if not isinstance(base, ListObj) else m.live(base.cells["items"])
    if type(items) is Choice:
        return m.lift(items, lambda v: _pick(m, v, index))
    picked = _pick(m, items, index)
    if not isinstance(index, slice) or not isinstance(base, ListObj) or type(picked) is not tuple:
        return picked
    if not m.is_assumed(base):
        return m.new_list(picked)
    by = m.configures(base)
    return m.assume_length(m.new_list(picked or m.unknown("a part of a list of unknown length")), by)


def _pick(m: Interpreter, items: Value, index: Value) -> Value:
    index = m.concrete(index) if not isinstance(index, slice) else index
    if type(items) is Sym:
        if isinstance(index, slice):
            return m.symbol("item", items, f"{index}")
        return item_of(m, items, index if index is not MISSING else m.unknown("an index"))
    try:
        return items[index]
    except (TypeError, IndexError, ValueError):
        return m.unknown("gave up: index not known or out of range")


def past_the_end(m: Interpreter, base: Value) -> bool:
    """Whether a loop under way was assumed to run more often than `base` has items.

    An index that counts down with such a loop gets below 0 by the assumption alone, where it would wrap around.
    """
    size = m.size(base)
    return isinstance(size, int) and any(not loop.known and loop.rounds > size for loop in m.loops)


def dict_item(m: Interpreter, base: DictObj, index: Value) -> Value:
    """`d[key]`: the entry, alternatives by key when the key is not known, or what the default factory makes."""
    items = m.dict_items(base)
    key = m.key_of(index)
    if key in items and items[key] is not MISSING:
        return m.live(items[key])
    if type(index) is Sym and 0 < len(items) <= 8 and not base.open:
        return alternatives(m, base, index, items)
    if base.factory is not None:
        made = m.call(base.factory, CallArgs((), {}, None))
        m.set(base.cells, "items", {**items, key: made})
        _own(base, made, m.entry_of(base, index))
        return made
    return m.symbol("item", m.unknown("an open dict"), 0) if base.open else m.unknown("gave up: key not known")


def alternatives(m: Interpreter, table: Value, index: Sym, items: dict[Any, Value]) -> Value:
    """The entries of a table under the conditions that the key is theirs."""
    found = []
    several = sum(isinstance(value, ModuleObj) for value in items.values()) > 1
    for key, value in items.items():
        if is_const(key):
            true, _ = m.truth(compare(m, "==", index, key))
            once = m.drawn_once(index, key, true)
            both = m.conjoin(m.pc, m.other_key(table, index, key, once) if several else once)
            if both:
                found.append((both, value))
    return m.join(found) if found else m.unknown("gave up: key not known")


def set_item(
    m: Interpreter, base: Value, index: Value, value: Value, place: Placement | None, update: bool = False
) -> None:
    """`base[index] = value`. `update`: the value is made from what stood there."""
    if isinstance(base, DictObj):
        m.set(base.cells, "items", {**m.dict_items(base), m.key_of(index): value})
        part = m.entry_of(base, index)
        m.wrote_into(base, m.taint_of(value) | m.taint_of(index), part, update)
        _own(base, value, part)
    elif isinstance(base, View) and isinstance(index, str):
        views.set_view_item(m, base, index, value, place, update)
    elif isinstance(base, ListObj):
        part = m.entry_of(base, index)
        _set_list_item(m, base, index, value)
        m.wrote_into(base, m.taint_of(value), part, update)
        _own(base, value, part)
    elif isinstance(base, ModuleObj):
        m.set_module_item(base, index, value, place)
    elif isinstance(base, Tensor):
        update = update or in_place.made_from(m, base, value)
        whole = index is Ellipsis or index == slice(None)
        written = base if whole else base.partly()
        m.write_tensor(written, m.taint_of(value), update or m.taint_of(index) != 0)
    elif (held := subclassed.behind(m, base, "__setitem__")) is not MISSING:
        m.set_item(held, index, value, place, update)
    else:
        series.written(m, base, index, value)
        user = classes.find_any(getattr(base, "cls", None), "__setitem__")
        if isinstance(user, FuncV):
            m.call(BoundV(user, base), CallArgs((index, value), {}, None))


def _own(base: ListObj | DictObj, value: Value, part: str) -> None:
    """What is put into a container at a module's attribute hangs there too."""
    if base.owner is not None:
        tracking.owned(value, base.owner[0], base.owner[1] + part)


def _set_list_item(m: Interpreter, base: ListObj, index: Value, value: Value) -> None:
    items = m.live(base.cells["items"])
    where = index if isinstance(index, slice) else m.concrete(index)
    if type(items) is not tuple:
        return
    changed = list(items)
    try:
        if isinstance(where, slice):
            changed[where] = iterate(m, value)
        else:
            changed[where] = value
    except (TypeError, IndexError, ValueError):
        m.set(base.cells, "items", m.unknown("gave up: item set at an unknown index"))
        return
    m.set(base.cells, "items", tuple(changed))


def delete_item(m: Interpreter, base: Value, index: Value) -> None:
    """`del base[index]`."""
    base = m.live(base)
    if isinstance(base, DictObj):
        items = dict(m.dict_items(base))
        items.pop(m.key_of(index), None)
        m.set(base.cells, "items", items)
    elif isinstance(base, ListObj):
        items = m.live(base.cells["items"])
        where = index if isinstance(index, slice) else m.concrete(index)
        if type(items) is tuple and isinstance(where, int | slice):
            changed = list(items)
            try:
                del changed[where]
            except IndexError:
                return
            m.set(base.cells, "items", tuple(changed))
            if not changed:
                m.emptied(base)
    elif isinstance(base, ModuleObj):
        m.delete_module_item(base, index)
    elif isinstance(base, View):
        views.delete_view_item(m, base, index)
    elif (held := subclassed.behind(m, base, "__delitem__")) is not MISSING:
        m.delete_item(held, index)
