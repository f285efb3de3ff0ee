"""Tensors and arrays of few values that are known: drop rates are made so, `torch.linspace(0, rate, n).tolist()`.

Such a tensor is data as any other (a `Sym`), which keeps its values as its arguments until something writes it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from modlint.interpreter.conditions import ALWAYS
from modlint.interpreter.values import MISSING, ExtMethod, Sym

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.values import CallArgs, Value

_MOST = 256  # values that are kept; what is longer is data


def linspace(m: Interpreter, args: CallArgs) -> Value:
    """`torch.linspace(start, end, steps)`, in single precision."""
    return _linspace(m, args, ("start", "end", "steps"), _TENSOR, _single)


def numpy_linspace(m: Interpreter, args: CallArgs) -> Value:
    """`numpy.linspace(start, stop, num)`."""
    return _linspace(m, args, ("start", "stop", "num"), _ARRAY, float)


def _linspace(
    m: Interpreter, args: CallArgs, names: tuple[str, ...], kind: str, rounded: Callable[[float], float]
) -> Value:
    given = [args.args[at] if at < len(args.args) else args.kwargs.get(name, MISSING) for at, name in enumerate(names)]
    start, end, count = map(m.concrete, given)
    others = set(args.kwargs) - {*names, "device", "requires_grad"}
    known = not others and len(args.args) <= len(names) and isinstance(start, int | float) and given[1] is not MISSING
    if not known or not isinstance(count, int) or not 0 < count <= _MOST:
        return m.data()
    if isinstance(end, int | float):
        return _made(m, tuple(map(rounded, _spaced(start, end, count))), kind)
    inner = tuple(m.symbol("linspace", start, given[1], count, at) for at in range(1, count))
    return _made(m, (float(start), *inner), kind)  # whatever the rate is, the first block's is none


def _spaced(start: float, end: float, count: int) -> list[float]:
    """As torch computes it: from both ends."""
    step = (end - start) / (count - 1) if count > 1 else 0.0
    first = max(count // 2, 1)
    return [start + step * at if at < first else end - step * (count - 1 - at) for at in range(count)]


def arange(m: Interpreter, args: CallArgs) -> Value:
    """`torch.arange(end)`, `torch.arange(start, end, step)` of whole numbers."""
    given = [m.concrete(arg) for arg in args.args]
    if set(args.kwargs) - {"device"} or not 1 <= len(given) <= 3 or not all(type(one) is int for one in given):
        return m.data()
    numbers = range(*given) if len(given) < 3 or given[2] else range(0)
    return _made(m, tuple(numbers), _TENSOR) if 0 < len(numbers) <= _MOST else m.data()


def _single(value: float) -> float:
    """The nearest number of single precision."""
    nearest: float = struct.unpack("f", struct.pack("f", value))[0]
    return nearest


_TENSOR, _ARRAY, _SCALAR = "a tensor", "an array", "a tensor without dimensions"


def _made(m: Interpreter, values: Sequence[Value], kind: str) -> Sym:
    found = m.data()
    found.args = (tuple(values), kind)
    return found


def _is_known(value: Value) -> bool:
    return type(value) is Sym and value.op == "data" and bool(value.args)


def entries(m: Interpreter, value: Value) -> tuple[Value, ...] | None:
    """The items where the values are known: of a tensor such without dimensions, of an array numbers."""
    if not _is_known(value) or value.args[1] == _SCALAR:
        return None
    return tuple(_entry(m, value, one) for one in value.args[0])


def _entry(m: Interpreter, base: Sym, value: Value) -> Value:
    return value if base.args[1] == _ARRAY else _made(m, (value,), _SCALAR)


def item(m: Interpreter, base: Sym, index: Value) -> Value:
    """`base[index]`; MISSING where that is not known."""
    at = index if isinstance(index, slice) else m.concrete(index)
    if not _is_known(base) or base.args[1] == _SCALAR or not isinstance(at, int | slice):
        return MISSING
    values, kind = base.args
    try:
        return _made(m, values[at], kind) if isinstance(at, slice) else _entry(m, base, values[at])
    except (IndexError, TypeError, ValueError):
        return MISSING


def method(base: Sym, name: str) -> ExtMethod | None:
    """A method that gives the values, or a part of them, or the tensor itself. One that writes ends what is known."""
    if not _is_known(base):
        return None
    if name.endswith("_") and not name.endswith("__"):
        forget(base)
        return None
    handler = _METHODS.get(name)
    return None if handler is None else ExtMethod(base, name, handler)


def forget(value: Value) -> None:
    """It was written: nothing is known of its values any more."""
    if _is_known(value):
        value.args = ()


def written(m: Interpreter, base: Value, index: Value, value: Value) -> None:
    """`base[index] = value`: one value is another, where that happens on every path."""
    at, new = m.concrete(index), m.concrete(number(value))
    if not _is_known(base):
        return
    values, kind = base.args
    if m.pc is ALWAYS and isinstance(at, int) and isinstance(new, int | float) and -len(values) <= at < len(values):
        at %= len(values)
        base.args = ((*values[:at], new, *values[at + 1 :]), kind)
    else:
        forget(base)


def number(value: Value) -> Value:
    """The number of a tensor that has one; else the value itself."""
    return value.args[0][0] if _is_known(value) and len(value.args[0]) == 1 else value


def _same(m: Interpreter, base: Sym, args: CallArgs, name: str) -> Value:
    return base


def _numbers(m: Interpreter, base: Sym, args: CallArgs, name: str) -> Value:
    """`x.tolist()`, `x.item()`."""
    if not base.args:
        return m.data()
    return number(base) if name == "item" or base.args[1] == _SCALAR else m.new_list(base.args[0])


def _split(m: Interpreter, base: Sym, args: CallArgs, name: str) -> Value:
    """`x.split(2)`, `x.split([3, 1])`."""
    if len(args.args) != 1 or args.kwargs or not base.args or base.args[1] != _TENSOR:
        return m.data()
    values, size = base.args[0], m.concrete(args.args[0])
    if isinstance(size, int) and size > 0:
        return tuple(_made(m, values[at : at + size], _TENSOR) for at in range(0, len(values), size))
    items, known = m.items(args.args[0])
    sizes = [m.concrete(one) for one in items]
    if not known or not all(isinstance(one, int) for one in sizes) or sum(sizes) != len(values):
        return m.data()
    starts = [sum(sizes[:at]) for at in range(len(sizes))]
    return tuple(_made(m, values[at : at + size], _TENSOR) for at, size in zip(starts, sizes, strict=True))


_METHODS: dict[str, Callable[[Interpreter, Sym, CallArgs, str], Value]] = {
    "tolist": _numbers,
    "item": _numbers,
    "split": _split,
    **dict.fromkeys(("cpu", "detach", "numpy", "contiguous", "flatten"), _same),
}
