"""Methods of lists, sets, deques, dicts, tuples, iterators and strings: `handler(machine, receiver, call, name)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modlint.interpreter import ordering, tracking
from modlint.interpreter.arguments import argument
from modlint.interpreter.iteration import advance, iterate
from modlint.interpreter.machine import Dead
from modlint.interpreter.operators import algebra, compare
from modlint.interpreter.values import (
    MISSING,
    CallArgs,
    Choice,
    DictObj,
    IterObj,
    ListObj,
    Sym,
    Value,
    is_const,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.interpreter import Interpreter


# -- lists -------------------------------------------------------------------------------------------------------


def _change(m: Interpreter, lst: ListObj, then: Callable[[list[Value]], None], taint: int = 0) -> None:
    """Change the items, on every alternative that they have."""

    def changed(items: Value) -> Value:
        if type(items) is not tuple:
            return items
        new = list(items)
        then(new)
        return m.bounded(tuple(new))

    m.set(lst.cells, "items", m.lift(lst.cells["items"], changed))
    m.grown(lst)
    m.wrote_into(lst, taint)


def _append(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    value = argument(args, 0)
    if lst.kind == "set" and any(v is value for v in iterate(m, lst)):
        return None
    if name == "appendleft":
        _change(m, lst, lambda items: items.insert(0, value), m.taint_of(value))
    else:
        _change(m, lst, lambda items: items.append(value), m.taint_of(value))
    return None


def _extend(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    new, known = m.items(argument(args, 0, "", ()))
    m.repeat_common(m.live(lst.cells["items"]), new, args.site)
    if name == "extendleft":
        _change(m, lst, lambda items: items.__setitem__(slice(0, 0), reversed(new)), m.taint_of(tuple(new)))
    else:
        _change(m, lst, lambda items: items.extend(new), m.taint_of(tuple(new)))
    if not known:
        m.assume_length(lst, m.configures(argument(args, 0, "", ())))
    return None


def _insert(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    where = m.concrete(argument(args, 0))
    if isinstance(where, int):
        _change(m, lst, lambda items: items.insert(where, argument(args, 1)), m.taint_of(argument(args, 1)))
    return None


def _pop(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    where = m.concrete(argument(args, 0, "", 0 if name == "popleft" else -1))
    items = m.live(lst.cells["items"])
    if type(items) is not tuple or not isinstance(where, int) or not -len(items) <= where < len(items):
        return m.unknown("gave up: pop from an unknown list")
    _change(m, lst, lambda new: new.pop(where) and None)
    return m.live(items[where])


def _remove(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    value = argument(args, 0)

    def drop(items: list[Value]) -> None:
        index = next((i for i, item in enumerate(items) if compare(m, "==", item, value) is True), None)
        if index is not None:
            del items[index]

    _change(m, lst, drop)
    return None


def _algebra(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    """`a.difference(b, ...)`, and `a.difference_update(b, ...)`, which changes `a`."""
    result: Value = lst
    for other in args.args:
        operand = other if isinstance(other, ListObj) and other.kind == "set" else m.new_list(iterate(m, other), "set")
        result = algebra(m, _ALGEBRA[name.removesuffix("_update")], result, operand)
        if not isinstance(result, ListObj):
            result = m.new_list(m.unknown("a set of members that are not known"), "set")
    if not name.endswith("_update"):
        return result if result is not lst else _copy(m, lst, args, name)
    if isinstance(result, ListObj) and result is not lst:
        m.set(lst.cells, "items", m.live(result.cells["items"]))
        m.wrote_into(lst, m.taint_of(args.args))
    return None


def _rotate(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    by = m.concrete(argument(args, 0, "", 1))
    if not isinstance(by, int):
        m.set(lst.cells, "items", m.unknown("a deque that is rotated by an unknown number"))
        return None

    def rotate(items: list[Value]) -> None:
        if items:
            items[:] = items[-by % len(items) :] + items[: -by % len(items)]

    _change(m, lst, rotate)
    return None


def _clear(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    m.set(lst.cells, "items", ())
    m.emptied(lst)
    return None


def _reverse(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    _change(m, lst, lambda items: items.reverse())
    return None


def _sort(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    def sort(items: list[Value]) -> None:
        items[:] = ordering.in_order(m, tuple(items), args) or items

    _change(m, lst, sort)
    return None


def _copy(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    made = m.new_list(lst.cells["items"], lst.kind)
    return m.assume_length(made, m.configures(lst)) if m.is_assumed(lst) else made


def _index(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    return _tuple_index(m, iterate(m, lst), args, name)


def _tuple_index(m: Interpreter, items: Value, args: CallArgs, name: str) -> Value:
    value = argument(args, 0)
    same = [i for i, item in enumerate(items) if item is value or (is_const(item) and item == value)]
    if name == "count":
        return len(same)
    return same[0] if same else m.unknown("an index that is not known")


# -- dicts -------------------------------------------------------------------------------------------------------


def _keys(m: Interpreter, d: DictObj, args: CallArgs, name: str) -> Value:
    return tuple(m.value_of_key(key) for key in m.dict_items(d))


def _values(m: Interpreter, d: DictObj, args: CallArgs, name: str) -> Value:
    return tuple(m.live(value) for value in m.dict_items(d).values())


def _items(m: Interpreter, d: DictObj, args: CallArgs, name: str) -> Value:
    return tuple((m.value_of_key(key), m.live(value)) for key, value in m.dict_items(d).items())


def _get(m: Interpreter, d: DictObj, args: CallArgs, name: str) -> Value:
    return m.split(argument(args, 0), lambda index: _get_one(m, d, index, args, name))


def _get_one(m: Interpreter, d: DictObj, index: Value, args: CallArgs, name: str) -> Value:
    items = m.dict_items(d)
    key = m.key_of(index)
    default = argument(args, 1, "default")
    if name != "get":  # those are called on what is about to be changed, which is no read by itself
        m.read_entry(d, m.entry_of(d, index))
    if key in items:
        value = m.live(items[key])
        if name == "pop":
            m.set(d.cells, "items", {k: v for k, v in items.items() if k != key})
            m.wrote_into(d, 0, m.entry_of(d, index))
        if type(value) is Choice and any(v is MISSING for _, v in value.alts):
            return m.join([(c, default if v is MISSING else v) for c, v in value.alts])
        return default if value is MISSING else value
    if type(index) is Sym and items:
        return m.dict_item(d, index)
    if name == "setdefault":
        m.set(d.cells, "items", {**items, key: default})
        part = m.entry_of(d, index)
        m.wrote_into(d, m.taint_of(default), part)
        if d.owner is not None:
            tracking.owned(default, d.owner[0], d.owner[1] + part)
    if name == "pop" and len(args.args) < 2 and not d.open:
        raise Dead  # KeyError
    if d.open and len(args.args) < 2 and "default" not in args.kwargs:
        return m.unknown("a key of an open dict")
    return default


def _pop_item(m: Interpreter, d: DictObj, args: CallArgs, name: str) -> Value:
    items = m.dict_items(d)
    last = m.concrete(argument(args, 0, "last", True))
    if d.open or not isinstance(last, bool):
        return m.unknown("an item of an open dict")
    if not items:
        raise Dead  # KeyError
    key = list(items)[-1 if last else 0]
    m.set(d.cells, "items", {k: v for k, v in items.items() if k != key})
    index = m.value_of_key(key)
    m.wrote_into(d, 0, m.entry_of(d, index))
    return (index, m.live(items[key]))


def _move_to_end(m: Interpreter, d: DictObj, args: CallArgs, name: str) -> Value:
    items, key = m.dict_items(d), m.key_of(argument(args, 0))
    last = m.concrete(argument(args, 1, "last", True))
    if key in items and isinstance(last, bool):
        rest = {k: v for k, v in items.items() if k != key}
        m.set(d.cells, "items", {**rest, key: items[key]} if last else {key: items[key], **rest})
    return None


def _update(m: Interpreter, d: DictObj, args: CallArgs, name: str) -> Value:
    items = dict(m.dict_items(d))
    source = m.live(argument(args, 0))
    if isinstance(source, DictObj):
        items.update(m.dict_items(source))
    elif source is not None:
        for pair in iterate(m, source):
            if type(pair) is tuple and len(pair) == 2:
                items[m.key_of(pair[0])] = pair[1]
    items.update({key: value for key, value in args.kwargs.items() if key not in {"*", "**"}})
    changed = [(k, v) for k, v in items.items() if m.dict_items(d).get(k) is not v]
    m.set(d.cells, "items", items)
    for key, value in changed:
        m.wrote_into(d, m.taint_of(value), m.entry_of(d, m.value_of_key(key)))
    return None


def _dict_clear(m: Interpreter, d: DictObj, args: CallArgs, name: str) -> Value:
    m.set(d.cells, "items", {})
    m.emptied(d)
    return None


def _dict_copy(m: Interpreter, d: DictObj, args: CallArgs, name: str) -> Value:
    return m.new_dict(dict(m.dict_items(d)), d.open)


def _next(m: Interpreter, iterator: IterObj, args: CallArgs, name: str) -> Value:
    item = advance(m, iterator)
    if item is MISSING:
        raise Dead  # StopIteration
    return item


# -- strings -----------------------------------------------------------------------------------------------------


def _string(m: Interpreter, text: str, args: CallArgs, name: str) -> Value:
    values: list[Any] = [tuple(iterate(m, a)) if isinstance(a, ListObj | IterObj) else a for a in args.args]
    flat = [part for value in values for part in (value if type(value) is tuple else (value,))]
    if not all(is_const(v) for v in (*flat, *args.kwargs.values())):
        return m.symbol("format", text, *[v for v in flat if is_const(v) or type(v) is Sym])
    if sum(len(str(v)) for v in flat) + len(text) > 10_000 or _widens(text, flat, name):
        return m.unknown("a long string")
    try:
        result = getattr(text, name)(*values, **args.kwargs)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, MemoryError, OverflowError):
        return m.unknown("a string operation that fails")
    return m.new_list(tuple(result)) if isinstance(result, list) else result


def _widens(text: str, values: list[Any], name: str) -> bool:
    """Whether padding may make the string huge."""
    if name == "format":
        return any(part.isdigit() and len(part) > 3 for part in text.replace(":", " ").replace("}", " ").split())
    return name == "zfill" and any(isinstance(v, int) and v > 1000 for v in values)


_ALGEBRA = {"union": "|", "intersection": "&", "difference": "-", "symmetric_difference": "^"}
OF_LISTS: dict[str, Callable[..., Value]] = {
    **dict.fromkeys(_ALGEBRA, _algebra),
    **{f"{name}_update": _algebra for name in _ALGEBRA if name != "union"},
    "rotate": _rotate,
    "append": _append,
    "appendleft": _append,
    "extendleft": _extend,
    "add": _append,
    "extend": _extend,
    "update": _extend,
    "insert": _insert,
    "pop": _pop,
    "popleft": _pop,
    "remove": _remove,
    "discard": _remove,
    "clear": _clear,
    "reverse": _reverse,
    "sort": _sort,
    "copy": _copy,
    "index": _index,
    "count": _index,
}
OF_DICTS: dict[str, Callable[..., Value]] = {
    "keys": _keys,
    "values": _values,
    "items": _items,
    "get": _get,
    "pop": _get,
    "setdefault": _get,
    "popitem": _pop_item,
    "move_to_end": _move_to_end,
    "update": _update,
    "clear": _dict_clear,
    "copy": _dict_copy,
}
OF_TUPLES: dict[str, Callable[..., Value]] = {"index": _tuple_index, "count": _tuple_index}
OF_ITERATORS: dict[str, Callable[..., Value]] = {"__next__": _next, "send": _next}
OF_STRINGS: dict[str, Callable[..., Value]] = {name: _string for name in dir(str) if not name.startswith("_")}
