"""Models of the builtins that make and draw iterators: `MODELS[name](machine, call)`."""

from __future__ import annotations

from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from modlint.interpreter import calls, ordering
from modlint.interpreter.arguments import argument
from modlint.interpreter.iteration import ENDLESS, advance, drain, iterate
from modlint.interpreter.machine import Dead
from modlint.interpreter.operators import binary
from modlint.interpreter.truth import TRIPS
from modlint.interpreter.values import MISSING, CallArgs, Delayed, ExtV, IterObj, ModuleObj, Obj, Sym, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.interpreter import Interpreter

_LONG = 4096


def _range(m: Interpreter, args: CallArgs) -> Value:
    values = [m.concrete(v) if type(v) is Obj else v for v in map(m.live, args.args)]
    if all(isinstance(v, int) for v in values) and 1 <= len(values) <= 3:
        try:
            numbers = range(*values)
        except ValueError:
            raise Dead from None
        return tuple(numbers[:_LONG]) if len(numbers) > _LONG else tuple(numbers)
    return _symbolic_range(m, values)


def _symbolic_range(m: Interpreter, values: list[Value]) -> Value:
    for value in values:
        if type(value) is Sym:
            m.trips(value)
    by = any(m.configures(value) for value in values)
    known = [m.concrete(v) for v in values]
    if all(isinstance(k, int) for k in known) and 1 <= len(known) <= 3 and known[-1] != 0:
        numbers = range(*known)
        return m.assumed_range(tuple(numbers[:64]), by)
    return m.assumed_range(tuple(range(TRIPS)), by)


def _enumerate(m: Interpreter, args: CallArgs) -> Value:
    start = m.concrete(argument(args, 1, "start", 0))
    first = start if isinstance(start, int) else 0
    source = argument(args, 0)
    limit = _endless(m, source)
    by = m.configures(source)
    items, known = (limit, True) if limit is not None else m.items(source)
    pairs = tuple((first + i, item) for i, item in enumerate(items))
    return m.new_iter(pairs) if known else m.assumed_range(pairs, by)


def _endless(m: Interpreter, value: Value) -> tuple[Value, ...] | None:
    value = m.live(value)
    return drain(m, value, ENDLESS) if isinstance(value, IterObj) and value.endless else None


def _zip(m: Interpreter, args: CallArgs) -> Value:
    columns: list[IterObj] = []
    known = True
    by = any(m.configures(source) for source in args.args)
    for source in args.args:
        value = m.live(source)
        if isinstance(value, IterObj) and not m.is_assumed(value) and isinstance(m.live(value.cells["at"]), int):
            columns.append(value)  # drawn row by row: zip(it, it) takes two at a time
            continue
        items, sure = m.items(value)
        known = known and sure
        columns.append(m.new_iter(items))
    rows: list[Value] = []
    ends = any(not column.endless for column in columns)
    while columns and len(rows) < (_LONG if ends else ENDLESS):
        row = list(takewhile(lambda item: item is not MISSING, (advance(m, column) for column in columns)))
        if len(row) < len(columns):
            break
        rows.append(tuple(row))
    return m.new_iter(tuple(rows)) if known else m.assumed_range(tuple(rows), by)


def _reversed(m: Interpreter, args: CallArgs) -> Value:
    by = m.configures(argument(args, 0))
    items, known = m.items(argument(args, 0))
    return m.new_iter(items[::-1]) if known else m.assumed_range(items[::-1], by)


def _sorted(m: Interpreter, args: CallArgs) -> Value:
    items = iterate(m, argument(args, 0))
    return m.new_list(ordering.in_order(m, items, args) or items)


def _map(m: Interpreter, args: CallArgs) -> Value:
    known = True
    columns = []
    for source in args.args[1:]:
        items, sure = m.items(source)
        columns.append(items)
        known = known and sure
    rows = list(zip(*columns, strict=False))
    if m.run is not None:
        return m.new_iter(_when_drawn(m, args.args[0], rows, args, known))
    made = called(m, args.args[0], rows, args, known)
    for index, item in enumerate(made):
        if isinstance(item, ModuleObj) and any(item is other for other in made[:index]):
            m.repeat(item, args.site)
    return m.new_iter(made)


def _when_drawn(
    m: Interpreter, function: Value, rows: list[tuple[Value, ...]], args: CallArgs, known: bool
) -> tuple[Value, ...]:
    number, by = m.fresh(), any(m.configures(source) for source in args.args[1:])

    def make(index: int) -> Value:
        with m.looping(number, known, by) as loop:
            loop.round = index
            return m.call(function, args._replace(args=rows[index], kwargs={}, places=()))

    return tuple(Delayed(partial(make, index)) for index in range(len(rows)))


def called(
    m: Interpreter, function: Value, rows: list[tuple[Value, ...]], args: CallArgs, known: bool
) -> tuple[Value, ...]:
    """The function on each row of arguments, a loop in one call."""
    made = []
    with m.looping(m.fresh(), known, any(m.configures(source) for source in args.args[1:])) as loop:
        for index, row in enumerate(rows):
            loop.round = index
            made.append(m.call(function, args._replace(args=row, kwargs={}, places=())))
    return tuple(made)


def folded(
    m: Interpreter, function: Value, source: Value, initial: tuple[Value, ...], args: CallArgs
) -> tuple[Value, ...]:
    """What a function of two arguments, or a sum, gives along the items, the first total first."""
    items, known = m.items(source)
    totals = list(initial[:1])
    with m.looping(m.fresh(), known, m.configures(source)) as loop:
        for index, item in enumerate(items):
            loop.round = index
            if not totals:
                totals.append(item)
            elif function is None:
                totals.append(binary(m, "+", totals[-1], item, args.site))
            else:
                totals.append(m.call(function, args._replace(args=(totals[-1], item), kwargs={}, places=())))
    return tuple(totals)


def _filter(m: Interpreter, args: CallArgs) -> Value:
    kept = []
    for item in iterate(m, argument(args, 1)):
        test = item if args.args[0] is None else m.call(args.args[0], args._replace(args=(item,), kwargs={}, places=()))
        if m.truth(test)[0]:
            kept.append(item)
    return m.new_iter(tuple(kept))


def _iter(m: Interpreter, args: CallArgs) -> Value:
    value = m.live(argument(args, 0))
    if isinstance(value, IterObj):
        return value
    items, known = m.items(value)
    return m.new_iter(items) if known else m.assumed_range(items, m.configures(value))


def _next(m: Interpreter, args: CallArgs) -> Value:
    value = m.live(argument(args, 0))
    if not isinstance(value, IterObj):
        return calls.unknown_call(m, ExtV("builtins.next"), args)
    item = advance(m, value)
    if item is MISSING:
        if len(args.args) > 1:
            return args.args[1]
        if m.is_assumed(value):
            return m.unknown("an item past those that were assumed")
        raise Dead  # StopIteration
    return m.live(item)


MODELS: dict[str, Callable[[Any, CallArgs], Value]] = {
    "builtins.range": _range,
    "builtins.enumerate": _enumerate,
    "builtins.zip": _zip,
    "builtins.reversed": _reversed,
    "builtins.sorted": _sorted,
    "builtins.map": _map,
    "builtins.filter": _filter,
    "builtins.iter": _iter,
    "builtins.next": _next,
}
