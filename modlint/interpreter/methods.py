"""Methods of tensors and plain objects, and who has those of others: `handler(machine, receiver, call, name)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import held_methods, in_place, views
from modlint.interpreter.values import (
    RNG,
    CallArgs,
    ClassV,
    DictObj,
    IterObj,
    ListObj,
    Obj,
    Tensor,
    Value,
    View,
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
        return held_methods.OF_LISTS.get(name)
    if isinstance(value, DictObj):
        return held_methods.OF_DICTS.get(name)
    if isinstance(value, str):
        return held_methods.OF_STRINGS.get(name)
    if isinstance(value, IterObj):
        return held_methods.OF_ITERATORS.get(name)
    if type(value) is tuple:
        return held_methods.OF_TUPLES.get(name)
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
        update = update or any(in_place.made_from(m, receiver, value) for value in args.args)
        if name not in _SHAPED:
            m.write_tensor(receiver, taint, update)
        return in_place.changed(m, receiver)
    if name in SHAPE_METHODS:
        return m.symbol("attr-of", id(receiver), name)
    if name in _SAME_TENSOR:
        return receiver
    return m.data(taint, m.src_of((receiver, *args.args)))


def _object_setattr(m: Interpreter, obj: Obj, args: CallArgs, name: str) -> Value:
    if len(args.args) == 2 and isinstance(args.args[0], str):
        m.set(obj.cells, args.args[0], args.args[1])
    return None
