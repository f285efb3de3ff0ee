"""Comprehensions and generator expressions: what they make of each item, and which items a filter may drop."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from modlint.interpreter.expressions import evaluate
from modlint.interpreter.iteration import iterate
from modlint.interpreter.targets import assign
from modlint.interpreter.values import MISSING, Choice, Delayed, IterObj, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.frames import Frame
    from modlint.interpreter.interpreter import Interpreter
    from modlint.syntax import ir


def comprehension(m: Interpreter, e: ir.Comp, frame: Frame) -> Value:
    """The list, set, dict or iterator of a comprehension. In forward a generator computes what is drawn from it."""
    source = evaluate(m, e.fors[0].iter, frame)
    if e.kind != "gen" or m.run is None:
        return _comp_of(m, e, source, frame)
    made = m.new_iter(())
    one_by_one = len(e.fors) == 1 and not e.fors[0].ifs
    made.start = partial(_each_when_drawn if one_by_one else _all_when_drawn, m, e, source, frame, made)
    return made


def _all_when_drawn(m: Interpreter, e: ir.Comp, source: Value, frame: Frame, made: IterObj) -> tuple[Value, ...]:
    """The items of a generator expression in forward, all of them computed once the first is drawn."""
    now = _comp_of(m, e, source, frame)
    if m.is_assumed(now):
        made.assumed = m.configures(now)
    return iterate(m, now)


def _each_when_drawn(m: Interpreter, e: ir.Comp, source: Value, frame: Frame, made: IterObj) -> tuple[Value, ...]:
    """The items of a generator expression in forward, each of them computed when it is drawn."""
    items, known = m.items(source)
    number, by = m.fresh(), m.configures(source)
    if not known:
        made.assumed = by

    def make(index: int) -> Value:
        inner = m.comprehension_frame(frame)
        with m.looping(number, known, by) as loop:
            loop.round = index
            assign(m, e.fors[0].target, items[index], inner, e.fors[0].iter)
            value = evaluate(m, e.value, inner)
            m.place(value, e.value, inner)
            return value

    return tuple(Delayed(partial(make, index)) for index in range(len(items)))


def _comp_of(m: Interpreter, e: ir.Comp, source: Value, frame: Frame) -> Value:
    inner = m.comprehension_frame(frame)
    found: list[Value] = []
    keys: list[Value] = []
    unsure: list[bool] = []  # for each iterable of unknown length: whether constructor arguments decide it

    def emit() -> None:
        if e.key is not None:
            keys.append(m.key_of(evaluate(m, e.key, inner)))
        value = evaluate(m, e.value, inner)
        m.place(value, e.value, inner)
        found.append(value)

    _comp_for(m, e.fors, source, inner, emit, unsure, (found, keys))
    if e.kind == "dict":
        return m.new_dict(dict(zip(keys, found, strict=False)))
    if e.kind == "gen":
        return m.new_iter(tuple(found)) if not unsure else m.assumed_range(tuple(found), any(unsure))
    made = m.new_list(tuple(found), e.kind)
    return m.assume_length(made, any(unsure)) if unsure else made


def _comp_for(
    m: Interpreter,
    fors: tuple[ir.For, ...],
    source: Value,
    frame: Frame,
    emit: Callable[[], None],
    unsure: list[bool],
    out: tuple[list[Value], list[Value]],
) -> None:
    clause, rest = fors[0], fors[1:]

    def then() -> None:
        if rest:
            _comp_for(m, rest, evaluate(m, rest[0].iter, frame), frame, emit, unsure, out)
        else:
            m.tick()
            emit()

    items, sure = m.items(source)
    by = m.configures(source)
    if not sure:
        unsure.append(by)
    with m.looping(m.fresh(), sure, by) as loop:
        for index, item in enumerate(items):
            loop.round = index
            assign(m, clause.target, item, frame, clause.iter)
            _comp_if(m, clause.ifs, frame, then, out)


def _comp_if(
    m: Interpreter,
    tests: tuple[ir.Expr, ...],
    frame: Frame,
    then: Callable[[], None],
    out: tuple[list[Value], list[Value]],
) -> None:
    """An item that a filter may drop is present under the filter's condition."""
    before = m.pc
    for test in tests:
        true, _ = m.truth(evaluate(m, test, frame))
        kept = m.conjoin(m.pc, true)
        if not kept:
            m.pc = before
            return
        m.pc = kept
    if m.pc is before:
        then()
        return
    start, cond = len(out[0]), m.pc
    then()
    m.pc = before
    for index in range(start, len(out[0])):
        out[0][index] = Choice(((cond, out[0][index]), (m.negated(cond), MISSING)))
