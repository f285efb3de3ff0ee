"""Models of itertools, by dotted name: `MODELS[name](machine, call)`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from modlint.interpreter.arguments import argument
from modlint.interpreter.iteration import ENDLESS, drain, iterate
from modlint.interpreter.iterator_models import called, folded
from modlint.interpreter.values import CallArgs, IterObj, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from modlint.interpreter.interpreter import Interpreter


def _zip_longest(m: Interpreter, args: CallArgs) -> Value:
    columns = [iterate(m, source) for source in args.args]
    fill = args.kwargs.get("fillvalue")
    count = max((len(c) for c in columns), default=0)
    return m.new_iter(tuple(tuple(c[i] if i < len(c) else fill for c in columns) for i in range(count)))


def _starmap(m: Interpreter, args: CallArgs) -> Value:
    items, known = m.items(argument(args, 1))
    rows = [row if type(row) is tuple else iterate(m, row) for row in items]
    return m.new_iter(called(m, args.args[0], rows, args, known))


def _chain(m: Interpreter, args: CallArgs) -> Value:
    return m.new_iter(tuple(item for source in args.args for item in iterate(m, source)))


def _chain_from(m: Interpreter, args: CallArgs) -> Value:
    return m.new_iter(tuple(item for source in iterate(m, argument(args, 0)) for item in iterate(m, source)))


def _cycle(m: Interpreter, args: CallArgs) -> Value:
    items = iterate(m, argument(args, 0))
    for item in items:
        m.repeat(item, args.site)
    return m.new_iter(items, True)


def _repeat(m: Interpreter, args: CallArgs) -> Value:
    value = argument(args, 0)
    m.repeat(value, args.site)
    if len(args.args) > 1 or "times" in args.kwargs:
        count, _ = m.trips(m.live(argument(args, 1, "times")))
        return m.new_iter((value,) * min(count, ENDLESS))
    return m.new_iter((value,), True)


def _islice(m: Interpreter, args: CallArgs) -> Value:
    bounds = [None if v is None else m.trips(m.live(v))[0] for v in args.args[1:]]
    source = m.live(argument(args, 0))
    stop = bounds[0] if len(bounds) == 1 else bounds[1] if len(bounds) > 1 else None
    items = drain(m, source, stop) if isinstance(source, IterObj) and stop is not None else iterate(m, source)
    return m.new_iter(items[slice(*bounds)] if bounds else items)


def _tee(m: Interpreter, args: CallArgs) -> Value:
    source, count = m.live(argument(args, 0)), m.concrete(argument(args, 1, "n", 2))
    by = m.configures(source)
    endless = isinstance(source, IterObj) and source.endless
    items, known = (drain(m, source, len(source.items)), True) if endless else m.items(source)
    made = (m.new_iter(items, endless) if known else m.assumed_range(items, by) for _ in range(ENDLESS))
    return tuple(itertools.islice(made, count if isinstance(count, int) else 2))


def _count(m: Interpreter, args: CallArgs) -> Value:
    bounds = [m.concrete(argument(args, 0, "start", 0)), m.concrete(argument(args, 1, "step", 1))]
    start, step = (bound if isinstance(bound, int) else other for bound, other in zip(bounds, (0, 1), strict=True))
    return m.new_iter(tuple(itertools.islice(itertools.count(start, step), ENDLESS)))


def _accumulate(m: Interpreter, args: CallArgs) -> Value:
    source, function = m.live(argument(args, 0)), argument(args, 1, "func")
    initial = args.kwargs.get("initial")
    totals = folded(m, function, source, () if initial is None else (initial,), args)
    return m.assumed_range(totals, m.configures(source)) if m.is_assumed(source) else m.new_iter(totals)


def _product(m: Interpreter, args: CallArgs) -> Value:
    times = m.concrete(args.kwargs.get("repeat", 1))
    columns = [iterate(m, source)[:32] for source in args.args] * (times if isinstance(times, int) else 1)
    return m.new_iter(tuple(itertools.islice(itertools.product(*columns), ENDLESS)))


def _pairwise(m: Interpreter, args: CallArgs) -> Value:
    items = iterate(m, argument(args, 0))
    return m.new_iter(tuple(itertools.pairwise(items)))


def _chosen(choose: Callable[[tuple[Value, ...], int], Iterable[Value]]) -> Callable[[Interpreter, CallArgs], Value]:
    """A model of `combinations(items, r)` and the like."""

    def model(m: Interpreter, args: CallArgs) -> Value:
        items, known = m.items(argument(args, 0))
        many = m.concrete(argument(args, 1, "r", len(items)))
        if not isinstance(many, int) or many < 0:
            return m.unknown("a choice of an unknown number of items")
        found = tuple(itertools.islice(choose(items, many), ENDLESS))
        return m.new_iter(found) if known else m.assumed_range(found, m.configures(argument(args, 0)))

    return model


MODELS: dict[str, Callable[[Any, CallArgs], Value]] = {
    "itertools.chain": _chain,
    "itertools.chain.from_iterable": _chain_from,
    "itertools.cycle": _cycle,
    "itertools.repeat": _repeat,
    "itertools.islice": _islice,
    "itertools.count": _count,
    "itertools.accumulate": _accumulate,
    "itertools.product": _product,
    "itertools.combinations": _chosen(itertools.combinations),
    "itertools.combinations_with_replacement": _chosen(itertools.combinations_with_replacement),
    "itertools.permutations": _chosen(itertools.permutations),
    "itertools.pairwise": _pairwise,
    "itertools.zip_longest": _zip_longest,
    "itertools.starmap": _starmap,
    "itertools.tee": _tee,
}
