"""Operators on abstract values: constants compute, containers concatenate and repeat, the rest stays symbolic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import classes, enums, equality, kinds, subclassed, views
from modlint.interpreter.constants import arithmetic
from modlint.interpreter.machine import ALTERNATIVES
from modlint.interpreter.values import (
    MISSING,
    BoundV,
    CallArgs,
    Choice,
    DictObj,
    FuncV,
    ListObj,
    ModuleObj,
    Obj,
    Sym,
    Tensor,
    Value,
    View,
    is_const,
)

if TYPE_CHECKING:
    from modlint.graph import Site
    from modlint.interpreter.interpreter import Interpreter

_MIRROR = {"!=": "==", "is not": "is", "not in": "in"}
_ALGEBRA = frozenset({"|", "&", "-", "^"})
_MOST = 256  # items of a repeated list


def binary(m: Interpreter, op: str, left: Value, right: Value, site: Site | None) -> Value:
    """`left op right`."""
    if type(left) is Choice or type(right) is Choice:
        return m.lift(left, lambda a: m.lift(right, lambda b: _binary(m, op, a, b, site)))
    return _binary(m, op, left, right, site)


def _binary(m: Interpreter, op: str, left: Value, right: Value, site: Site | None) -> Value:
    if is_const(left) and is_const(right):
        result = arithmetic(op, left, right)
        if result is not MISSING:
            return result
    if op == "+" and _items(m, left) is not None and _items(m, right) is not None:
        return _concatenated(m, left, right, site)
    if op == "*":
        for sequence, count in ((left, right), (right, left)):
            if isinstance(sequence, tuple | ListObj) or (isinstance(sequence, ModuleObj) and _sequential(sequence)):
                return _repeated(m, sequence, count, site)
    if op == "|" and isinstance(left, DictObj) and isinstance(right, DictObj):
        return m.new_dict({**m.dict_items(left), **m.dict_items(right)}, left.open or right.open)
    if op in _ALGEBRA and (found := algebra(m, op, left, right)) is not MISSING:
        return found
    if op == "|" and kinds.is_class_like(m, left) and kinds.is_class_like(m, right):
        return kinds.union(left, right)
    symbolic = (type(left) is Sym or type(right) is Sym) and _plain(left) and _plain(right)
    if symbolic and not m.taint_of(left) and not m.taint_of(right):
        return m.symbol(op, left, right)
    user = m.call_operator(op, left, right, site)
    if user is not MISSING:
        return user
    return m.data(m.taint_of(left) | m.taint_of(right), m.src_of(left) | m.src_of(right))


def _plain(value: Value) -> bool:
    return type(value) is Sym or is_const(value)


def _sequential(module: ModuleObj) -> bool:
    return module.entry is not None and module.entry.container


def _items(m: Interpreter, value: Value) -> tuple[Value, ...] | None:
    if type(value) is tuple:
        return value
    if isinstance(value, ListObj):
        items = m.live(value.cells["items"])
        return items if type(items) is tuple else None
    if isinstance(value, ModuleObj) and _sequential(value):
        return tuple(value.mods.values())
    return None


def _concatenated(m: Interpreter, left: Value, right: Value, site: Site | None) -> Value:
    a, b = _items(m, left) or (), _items(m, right) or ()
    m.repeat_common(a, b, site)
    if type(left) is tuple and type(right) is tuple:
        return m.bounded(a + b)
    if isinstance(left, ModuleObj):
        return m.new_container(left, a + b)
    made = m.new_list(a + b)
    unsure = [m.configures(value) for value in (left, right) if m.is_assumed(value)]
    return m.assume_length(made, any(unsure)) if unsure else made


def _repeated(m: Interpreter, sequence: Value, count: Value, site: Site | None) -> Value:
    items = _items(m, sequence)
    if items is None:
        return m.new_list(m.unknown("a list of unknown items repeated"))
    times, known = m.trips(count)
    times = min(times, max(_MOST // max(len(items), 1), 1))
    if times > 1:
        for item in items:
            m.repeat(item, site)
    repeated = items * times
    if type(sequence) is tuple:
        return repeated
    if isinstance(sequence, ModuleObj):
        return m.new_container(sequence, repeated)
    made = m.new_list(repeated)
    return made if known and not m.is_assumed(sequence) else m.assume_length(made, m.configures(sequence))


def algebra(m: Interpreter, op: str, left: Value, right: Value) -> Value:
    """What an operator of sets gives, or MISSING where it is not known which members are the same."""
    if not isinstance(left, ListObj) or not isinstance(right, ListObj) or {left.kind, right.kind} != {"set"}:
        return MISSING
    ours, theirs = _members(m, left), _members(m, right)
    if ours is None or theirs is None:
        return MISSING
    kept = {key: value for key, value in ours.items() if op == "|" or (key in theirs) is (op == "&")}
    if op in {"|", "^"}:
        kept.update({key: value for key, value in theirs.items() if key not in ours})
    return m.new_list(tuple(kept.values()), "set")


def _members(m: Interpreter, values: ListObj) -> dict[object, Value] | None:
    """The members of a set by what tells them from each other; None where that is not known."""
    items = _items(m, values)
    if items is None or m.is_assumed(values):
        return None
    known = [item if isinstance(item, ModuleObj) else m.concrete(item) for item in items]
    return None if MISSING in known else dict(zip(known, items, strict=True))


def compare(m: Interpreter, op: str, left: Value, right: Value) -> Value:
    """`left op right` for a comparison: a bool, or a symbolic condition."""
    if op in _MIRROR:
        return negate(m, compare(m, _MIRROR[op], left, right))
    if type(left) is Choice or type(right) is Choice:
        return m.lift(left, lambda a: m.lift(right, lambda b: _compare(m, op, a, b)))
    return _compare(m, op, left, right)


def negate(m: Interpreter, value: Value) -> Value:
    """`not value`."""
    if is_const(value):
        return not value
    if type(value) is Sym:
        return value.args[0] if value.op == "not" else m.symbol("not", value)
    if type(value) is Choice:
        return m.lift(value, lambda v: negate(m, v))
    if type(value) is Tensor:
        return m.symbol("not", m.content(value))
    told = m.told_truth(value)
    size = m.size(value) if told is MISSING else told
    return False if size is None else negate(m, size)


def _compare(m: Interpreter, op: str, left: Value, right: Value) -> Value:
    known = m.concrete(left), m.concrete(right)
    if op == "==" and any(type(v) is Sym and v.op == "len" for v in (left, right)):
        known = MISSING, MISSING  # a length that was assumed for a loop is no fact to compare with
    if known[0] is not MISSING and known[1] is not MISSING:
        left, right = known
    if op == "in":
        return _contains(m, left, right)
    if is_const(left) and is_const(right):
        if op in {"==", "is"}:
            same = left == right and type(left) in (type(right), int, float, bool)
            return bool(same)
        result = arithmetic(op, left, right)
        return result if result is not MISSING else m.unknown("a comparison that fails")
    if op in {"==", "is"}:
        return _equal(m, op, left, right)
    if type(left) is tuple and type(right) is tuple and all(map(is_const, (*left, *right))):
        result = arithmetic(op, left, right)
        return result if result is not MISSING else m.unknown("a comparison that fails")
    return m.symbol(op, left, right)


def _equal(m: Interpreter, op: str, left: Value, right: Value) -> Value:
    if (is_const(left) or enums.is_member(left)) and type(right) is Sym:
        left, right = right, left
    plain = m.concrete(right) if type(right) is Obj else MISSING
    if type(left) is Sym and plain is not MISSING:
        right = plain
    if type(left) is Sym and enums.is_member(right):
        return m.symbol("eq", left, right)
    if type(left) is Sym and is_const(right):
        if left.op == "len" and right is None:
            return False
        return m.symbol("eq", left, right)
    if type(left) is Sym or type(right) is Sym:
        if type(left) is Sym and type(right) is Sym:
            if left.id == right.id:
                return True
            if left.op == right.op == "id":
                return left.args[0] is right.args[0]
        return m.symbol("same", left, right)
    if left is right or left == right:
        return True
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return False if left is None or right is None else m.symbol("same", left, right)
    if op == "is" and type(left) is not tuple:
        return False
    return equality.equal(m, left, right, compare)


def _contains(m: Interpreter, item: Value, container: Value) -> Value:
    if isinstance(container, str) and isinstance(item, str):
        return item in container
    if isinstance(container, DictObj):
        entries = m.dict_items(container)
        key = m.key_of(item)
        if key in entries:
            present = entries[key]
            return True if type(present) is not Choice else m.lift_present(present)
        return m.symbol("in", item, container) if container.open or type(item) is Sym else False
    if isinstance(container, ModuleObj) and (isinstance(item, str) or not _sequential(container)):
        return item in container.mods if isinstance(item, str) else m.symbol("in", item, container)
    if (held := subclassed.behind(m, container, "__contains__")) is not MISSING:
        return _contains(m, item, held)
    user = classes.find_any(getattr(container, "cls", None), "__contains__")
    if isinstance(user, FuncV):
        return negate(m, negate(m, m.call(BoundV(user, container), CallArgs((item,), {}, None))))
    if isinstance(container, View):
        return item in views.entries(m, container) if isinstance(item, str) else m.symbol("in", item, container)
    members = enums.members(container)
    if members is not None:
        container = (*members.values(), *(one.cells["value"] for one in members.values()))
    items = _items(m, container)
    if items is None or len(items) > 8 * ALTERNATIVES:
        return m.symbol("in", item, container)
    answers = [compare(m, "==", item, other) for other in items]
    if any(answer is True for answer in answers):
        return True
    if all(answer is False for answer in answers):
        return False
    unknown = [answer for answer in answers if answer is not False]
    return unknown[0] if len(unknown) == 1 else _any_of(m, unknown)


def _any_of(m: Interpreter, answers: list[Value]) -> Value:
    """Whether one of several unknown equalities holds, as alternatives by path."""
    true, false = m.truth(answers[0])
    for answer in answers[1:]:
        yes, no = m.truth(answer)
        true, false = m.disjoin(true, yes), m.conjoin(false, no)
    return Choice(((true, True), (false, False)))
