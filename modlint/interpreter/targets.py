"""Targets: binding, unpacking, updating and deleting what stands on the left of an assignment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter.expressions import evaluate, load_for_update
from modlint.interpreter.iteration import items_of
from modlint.interpreter.values import MISSING, Choice, ModuleObj, Sym, Value
from modlint.syntax import ir

if TYPE_CHECKING:
    from modlint.interpreter.frames import Frame
    from modlint.interpreter.interpreter import Interpreter


def assign(
    m: Interpreter, target: ir.Expr, value: Value, frame: Frame, source: ir.Expr | None, update: bool = False
) -> None:
    """Bind a target. `source` is the expression that the value comes from; `update`: an augmented assignment."""
    match target:
        case ir.Name():
            m.bind_name(frame, target.id, value)
            holds = type(value) is ModuleObj or type(value) is Choice
            if holds:
                m.name_module(value, target.id, source)
            if source is not None and (holds or frame.places or frame.slots):
                m.carry_place(frame, target.id, source)
                m.carry_slot(frame, target.id, value, source)
            if source is not None and m.run is None:
                m.carry_cue(frame, target.id, value, source)
        case ir.Attr():
            base = evaluate(m, target.value, frame)
            m.set_attr(base, target.name, value, None if source is None else m.placement(value, source, frame), update)
        case ir.Sub():
            base = m.to_change(target.value, frame)
            index = evaluate(m, target.item, frame)
            place = None if source is None else m.place(value, source, frame)
            m.split(base, lambda b: m.set_item(b, index, value, place, update))
        case ir.Sequence():
            _unpack(m, target.items, value, frame, source)
        case ir.Starred():
            assign(m, target.value, value, frame, source)
        case _:
            evaluate(m, target, frame)


def _unpack(m: Interpreter, targets: tuple[ir.Expr, ...], value: Value, frame: Frame, source: ir.Expr | None) -> None:
    sources = _sources(targets, source)
    star = next((i for i, t in enumerate(targets) if isinstance(t, ir.Starred)), None)
    items = _unpacked(m, value, len(targets), star)
    if star is None:
        for index, target in enumerate(targets):
            assign(m, target, items[index], frame, sources[index])
        return
    after = len(targets) - star - 1
    middle = items[star : len(items) - after]
    for index, target in enumerate(targets[:star]):
        assign(m, target, items[index], frame, sources[index])
    assign(m, targets[star], m.new_list(middle), frame, None)
    for offset, target in enumerate(targets[star + 1 :]):
        assign(m, target, items[len(items) - after + offset], frame, sources[star + 1 + offset])


def _sources(targets: tuple[ir.Expr, ...], source: ir.Expr | None) -> list[ir.Expr | None]:
    """The expression behind each target, where a tuple display is unpacked."""
    plain = isinstance(source, ir.Sequence) and not any(isinstance(x, ir.Starred) for x in (*source.items, *targets))
    if plain and isinstance(source, ir.Sequence) and len(source.items) == len(targets):
        return list(source.items)
    return [source] * len(targets)


def _unpacked(m: Interpreter, value: Value, count: int, star: int | None) -> tuple[Value, ...]:
    """As many items as there are targets (more, when one is starred)."""
    value = m.live(value)
    if type(value) is Choice:
        rows = [(cond, _unpacked(m, v, count, star)) for cond, v in value.alts if v is not MISSING]
        width = min((len(row) for _, row in rows), default=0)
        return tuple(m.join([(c, row[i]) for c, row in rows]) for i in range(width)) or _unknowns(m, count)
    if type(value) is Sym:
        if value.op in {"data", "join", "unknown"}:
            return tuple(m.data(value.taint, value.src) for _ in range(count))
        return tuple(m.symbol("item", value, index) for index in range(count))
    items, _ = items_of(m, value)
    fits = len(items) == count if star is None else len(items) >= count - 1
    return items if fits else _unknowns(m, count, m.taint_of(value))


def _unknowns(m: Interpreter, count: int, taint: int = 0) -> tuple[Value, ...]:
    return tuple(m.unknown("unpacked from a sequence of another length", taint) for _ in range(count))


def delete(m: Interpreter, target: ir.Expr, frame: Frame) -> None:
    """`del target`."""
    match target:
        case ir.Name():
            m.set(frame.cells, target.id, MISSING)
        case ir.Attr():
            m.delete_attr(evaluate(m, target.value, frame), target.name)
        case ir.Sub():
            m.delete_item(load_for_update(m, target.value, frame), evaluate(m, target.item, frame))
        case _:
            pass
