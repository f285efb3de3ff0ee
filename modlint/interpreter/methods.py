"""Methods of lists, dicts, strings, iterators, tensors and plain objects: `handler(machine, receiver, call, name)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modlint.interpreter import ordering, tracking, views
from modlint.interpreter.iteration import advance, iterate
from modlint.interpreter.machine import Dead
from modlint.interpreter.operators import compare
from modlint.interpreter.values import (
    MISSING,
    RNG,
    CallArgs,
    Choice,
    ClassV,
    DictObj,
    IterObj,
    ListObj,
    Obj,
    Sym,
    Tensor,
    Value,
    View,
    is_const,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.interpreter import Interpreter

SHAPE_METHODS = frozenset(
    {"size", "dim", "numel", "ndimension", "nelement", "stride", "is_floating_point", "element_size", "get_device"}
)
FRESH_METHODS = frozenset({"new_zeros", "new_ones", "new_empty", "new_full", "new_tensor"})
DRAWING_METHODS = frozenset(
    {
        "bernoulli_",
        "random_",
        "normal_",
        "uniform_",
        "exponential_",
        "geometric_",
        "cauchy_",
        "log_normal_",
        "bernoulli",
        "multinomial",
    }
)
_SAME_TENSOR = frozenset(
    {
        "detach",
        "view",
        "reshape",
        "flatten",
        "squeeze",
        "unsqueeze",
        "to",
        "cuda",
        "cpu",
        "float",
        "requires_grad_",
        "narrow",
        "select",
    }
)
_LIKE_ANOTHER = frozenset({"to", "type_as", "expand_as", "view_as", "reshape_as"})
TENSOR_METHODS = SHAPE_METHODS | FRESH_METHODS | DRAWING_METHODS | _LIKE_ANOTHER
_RESETS = frozenset({"zero_", "fill_"})
_SHAPED = frozenset({"resize_", "resize_as_", "squeeze_", "unsqueeze_", "transpose_", "t_", "detach_", "share_memory_"})


def method_of(value: Value, name: str) -> Callable[..., Value] | None:
    """The handler of a method, or None when it is not modelled."""
    if isinstance(value, ListObj):
        return _LIST.get(name)
    if isinstance(value, DictObj):
        return _DICT.get(name)
    if isinstance(value, str):
        return _string if name in _STRING else None
    if isinstance(value, IterObj):
        return {"__next__": _next, "send": _next}.get(name)
    if type(value) is tuple:
        return {"index": _tuple_index, "count": _tuple_index}.get(name)
    if isinstance(value, View):
        return views.METHODS.get(name)
    return None


def object_method(obj: Obj, name: str) -> Callable[..., Value] | None:
    """Methods that every object has."""
    if name in {"_replace", "_asdict"} and isinstance(obj.cls, ClassV):
        return _namedtuple_method
    return {"__setattr__": _object_setattr}.get(name)


def _namedtuple_method(m: Interpreter, obj: Obj, args: CallArgs, name: str) -> Value:
    if name == "_asdict":
        return m.new_dict(dict(obj.cells))
    made = m.shallow_copy(obj)
    for key, value in args.kwargs.items():
        if key not in {"*", "**"}:
            m.set_attr(made, key, value)
    return made


def data_method(name: str) -> Callable[..., Value]:
    """A method of a tensor; some have results that depend on less than, or more than, its data."""
    if name in SHAPE_METHODS or name in FRESH_METHODS:
        return _shape
    if name in _LIKE_ANOTHER:
        return _like
    return _draw if name in DRAWING_METHODS else _compute


def _compute(m: Interpreter, receiver: Value, args: CallArgs, name: str) -> Value:
    taint, src = m.taint_of(receiver), m.src_of(receiver)
    for value in (*args.args, *args.kwargs.values()):
        taint |= m.taint_of(value)
        src = src | m.src_of(value)
    return m.data(taint, src)


def _shape(m: Interpreter, receiver: Value, args: CallArgs, name: str) -> Value:
    if name in FRESH_METHODS:
        return m.data()
    index = args.args[0] if args.args else args.kwargs.get("dim")
    found = m.symbol("attr", receiver, "shape" if name == "size" else name)
    found.taint, found.src = 0, frozenset()
    return found if index is None or name != "size" else m.symbol("item", found, index)


def _like(m: Interpreter, receiver: Value, args: CallArgs, name: str) -> Value:
    """`x.to(other)`, `x.type_as(other)`: the other tensor gives its type, place or shape, not its data."""
    return m.data(m.taint_of(receiver), m.src_of(receiver))


def _draw(m: Interpreter, receiver: Value, args: CallArgs, name: str) -> Value:
    m.drawn()
    return m.data(m.taint_of(receiver) | RNG, m.src_of(receiver))


def tensor_method(m: Interpreter, receiver: Tensor, args: CallArgs, name: str) -> Value:
    """A method of a registered tensor: one that ends in an underscore writes it."""
    taint = 0
    for value in (*args.args, *args.kwargs.values()):
        taint |= m.taint_of(value)
    if name.endswith("_") and not name.endswith("__") and name != "requires_grad_":
        if name in DRAWING_METHODS:
            m.drawn()
            taint |= RNG
        update = name not in _RESETS | _SHAPED | DRAWING_METHODS and name not in {"copy_", "set_"}
        update = update or any(tracking.made_from(m, receiver, value) for value in args.args)
        m.write_tensor(receiver, taint, update)
        return receiver
    if name in SHAPE_METHODS:
        return m.symbol("attr-of", id(receiver), name)
    if name in _SAME_TENSOR:
        return receiver
    return m.data(taint, m.src_of((receiver, *args.args)))


def _object_setattr(m: Interpreter, obj: Obj, args: CallArgs, name: str) -> Value:
    if len(args.args) == 2 and isinstance(args.args[0], str):
        m.set(obj.cells, args.args[0], args.args[1])
    return None


def _argument(args: CallArgs, index: int, default: Value = None) -> Value:
    return args.args[index] if len(args.args) > index else default


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
    value = _argument(args, 0)
    if lst.kind == "set" and any(v is value for v in iterate(m, lst)):
        return None
    if name == "appendleft":
        _change(m, lst, lambda items: items.insert(0, value), m.taint_of(value))
    else:
        _change(m, lst, lambda items: items.append(value), m.taint_of(value))
    return None


def _extend(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    new, known = m.items(_argument(args, 0, ()))
    m.repeat_common(m.live(lst.cells["items"]), new, args.site)
    if name == "extendleft":
        _change(m, lst, lambda items: items.__setitem__(slice(0, 0), reversed(new)), m.taint_of(tuple(new)))
    else:
        _change(m, lst, lambda items: items.extend(new), m.taint_of(tuple(new)))
    if not known:
        m.assume_length(lst, m.configures(_argument(args, 0, ())))
    return None


def _insert(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    where = m.concrete(_argument(args, 0))
    if isinstance(where, int):
        _change(m, lst, lambda items: items.insert(where, _argument(args, 1)), m.taint_of(_argument(args, 1)))
    return None


def _pop(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    where = m.concrete(_argument(args, 0, 0 if name == "popleft" else -1))
    items = m.live(lst.cells["items"])
    if type(items) is not tuple or not isinstance(where, int) or not -len(items) <= where < len(items):
        return m.unknown("gave up: pop from an unknown list")
    _change(m, lst, lambda new: new.pop(where) and None)
    return m.live(items[where])


def _remove(m: Interpreter, lst: ListObj, args: CallArgs, name: str) -> Value:
    value = _argument(args, 0)

    def drop(items: list[Value]) -> None:
        index = next((i for i, item in enumerate(items) if compare(m, "==", item, value) is True), None)
        if index is not None:
            del items[index]

    _change(m, lst, drop)
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
    value = _argument(args, 0)
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
    return m.split(_argument(args, 0), lambda index: _get_one(m, d, index, args, name))


def _get_one(m: Interpreter, d: DictObj, index: Value, args: CallArgs, name: str) -> Value:
    items = m.dict_items(d)
    key = m.key_of(index)
    default = args.kwargs.get("default", _argument(args, 1))
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


def _update(m: Interpreter, d: DictObj, args: CallArgs, name: str) -> Value:
    items = dict(m.dict_items(d))
    source = m.live(_argument(args, 0))
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

_STRING = frozenset(name for name in dir(str) if not name.startswith("_"))


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


_LIST: dict[str, Callable[..., Value]] = {
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
_DICT: dict[str, Callable[..., Value]] = {
    "keys": _keys,
    "values": _values,
    "items": _items,
    "get": _get,
    "pop": _get,
    "setdefault": _get,
    "update": _update,
    "clear": _dict_clear,
    "copy": _dict_copy,
}
