"""Transfer functions of expressions, and assignment to targets."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from modlint.interpreter import enums
from modlint.interpreter.iteration import items_of, iterate
from modlint.interpreter.operators import binary, compare, negate
from modlint.interpreter.placements import NOWHERE
from modlint.interpreter.values import (
    MISSING,
    CallArgs,
    Choice,
    Delayed,
    DictObj,
    ExtV,
    IterObj,
    LazyImport,
    ListObj,
    ModuleObj,
    Placement,
    Sym,
    Value,
    is_const,
)
from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.frames import Frame
    from modlint.interpreter.interpreter import Interpreter

MUTATORS = frozenset(
    {"append", "extend", "insert", "add", "update", "clear", "pop", "popleft", "appendleft", "remove", "setdefault"}
)


def evaluate(m: Interpreter, e: ir.Expr, frame: Frame) -> Value:
    """The value of an expression."""
    return _EXPR[type(e)](m, e, frame)


def _name(m: Interpreter, e: ir.Name, frame: Frame) -> Value:
    value = frame.cells.get(e.id)
    if value is None or frame.scopes or frame.kind == "module" or type(value) is LazyImport:
        value = lookup(m, e.id, frame)
    return m.live(value) if type(value) is Choice else value


def lookup(m: Interpreter, name: str, frame: Frame) -> Value:
    """A name in the scopes around `frame`, then the module's globals, then builtins."""
    scope: Frame | None = frame
    if frame.scopes and frame.scopes.get(name) == "global":
        return m.global_name(frame.module, name, frame)
    while scope is not None:
        if name in scope.cells and (scope is frame or scope.kind != "class") and scope.kind != "module":
            value = scope.cells[name]
            return m.resolve_import(scope.module, value) if type(value) is LazyImport else value
        scope = scope.parent
    return m.global_name(frame.module, name, frame)


def lookup_frame(m: Interpreter, e: ir.Expr, frame: Frame) -> Value:
    """The local that a name expression means, without property access."""
    return frame.cells.get(e.id) if isinstance(e, ir.Name) else None


def _const(m: Interpreter, e: ir.Const, frame: Frame) -> Value:
    return e.value


def _attr(m: Interpreter, e: ir.Attr, frame: Frame) -> Value:
    value = _whole(m, e, frame)
    if isinstance(value, ListObj | DictObj):
        m.read_entry(value)
    return value


def _whole(m: Interpreter, e: ir.Attr, frame: Frame) -> Value:
    """An attribute of which not every entry is read."""
    reading = m.updated is None or e.name != m.updated[1] or getattr(e.value, "id", "") != m.updated[0]
    value = m.get_attr(evaluate(m, e.value, frame), e.name, m.site(frame, e.n), reading)
    return m.live(value) if type(value) is Choice else value


def _sub(m: Interpreter, e: ir.Sub, frame: Frame) -> Value:
    base = _whole(m, e.value, frame) if isinstance(e.value, ir.Attr) else evaluate(m, e.value, frame)
    index = evaluate(m, e.item, frame)
    if type(index) is int and index < 0 and type(e.item) is not ir.Const and m.past_the_end(base):
        index = m.unknown("an index past the items that were assumed")
    if m.updated is None and isinstance(base, ListObj | DictObj):
        m.read_entry(base, m.entry_of(base, index))
    return m.live(m.get_item(base, index, m.site(frame, e.n)))


def _slice(m: Interpreter, e: ir.Slice, frame: Frame) -> Value:
    parts = [None if p is None else evaluate(m, p, frame) for p in (e.lower, e.upper, e.step)]
    known = [m.concrete(p) for p in parts]
    if all(k is None or isinstance(k, int) for k in known):
        return slice(*known)
    return m.unknown("a slice with unknown bounds")


def _sequence(m: Interpreter, e: ir.Sequence, frame: Frame) -> Value:
    found: list[Value] = []
    for item in e.items:
        if isinstance(item, ir.Starred):
            new = iterate(m, evaluate(m, item.value, frame))
            m.repeat_common(tuple(found), new, m.site(frame, e.n))
            found.extend(new)
        else:
            value = evaluate(m, item, frame)
            if type(value) is ModuleObj or type(value) is Choice:
                m.place(value, item, frame)
            found.append(value)
    return tuple(found) if e.kind == "tuple" else m.new_list(tuple(found), e.kind)


def _starred(m: Interpreter, e: ir.Starred, frame: Frame) -> Value:
    return evaluate(m, e.value, frame)


def _dict(m: Interpreter, e: ir.Dict, frame: Frame) -> Value:
    items: dict[Any, Value] = {}
    is_open = False
    for key, value_expr in e.items:
        value = evaluate(m, value_expr, frame)
        if key is not None:
            m.place(value, value_expr, frame)
            items[m.key_of(evaluate(m, key, frame))] = value
        elif isinstance(value, DictObj):
            items.update(m.dict_items(value))
            is_open = is_open or value.open
        else:
            is_open = True
    return m.new_dict(items, is_open)


def _binary(m: Interpreter, e: ir.Binary, frame: Frame) -> Value:
    left = evaluate(m, e.left, frame)
    return binary(m, e.op, left, evaluate(m, e.right, frame), m.site(frame, e.n))


def _unary(m: Interpreter, e: ir.Unary, frame: Frame) -> Value:
    value = evaluate(m, e.value, frame)
    if e.op == "not":
        return negate(m, value)
    if e.op == "-":
        return binary(m, "-", 0, value, None)
    return value if e.op == "+" else m.data(m.taint_of(value), m.src_of(value))


def _boolean(m: Interpreter, e: ir.Boolean, frame: Frame) -> Value:
    left = evaluate(m, e.left, frame)
    true, false = m.truth(left)
    go, stay = (true, false) if e.op == "and" else (false, true)
    going, staying = m.conjoin(m.pc, go), m.conjoin(m.pc, stay)
    if not staying:
        return evaluate(m, e.right, frame)
    if not going:
        return left
    operands = [(staying, lambda: _decided(m, left, e.op)), (going, lambda: evaluate(m, e.right, frame))]
    return m.fork(operands, whole=True)


def _decided(m: Interpreter, value: Value, op: str) -> Value:
    """What `and` and `or` stop at: a false value, or a true one."""
    if type(value) is Sym and op == "and":
        return False
    return m.live(value)


def _compare(m: Interpreter, e: ir.Compare, frame: Frame) -> Value:
    left = evaluate(m, e.left, frame)
    if len(e.rest) == 1:
        op, right = e.rest[0]
        return compare(m, op, left, evaluate(m, right, frame))
    answers = []
    for op, right_expr in e.rest:
        right = evaluate(m, right_expr, frame)
        answers.append(compare(m, op, left, right))
        left = right
    if any(answer is False for answer in answers):
        return False
    open_answers = [answer for answer in answers if answer is not True]
    if not open_answers:
        return True
    return open_answers[0] if len(open_answers) == 1 else m.unknown("a chained comparison")


def _if_exp(m: Interpreter, e: ir.IfExp, frame: Frame) -> Value:
    true, false = m.truth(evaluate(m, e.test, frame))
    yes, no = m.conjoin(m.pc, true), m.conjoin(m.pc, false)
    if not no:
        return m.meant(e.test, evaluate(m, e.body, frame))
    if not yes:
        return m.meant(e.test, evaluate(m, e.orelse, frame))
    made = m.fork([(yes, lambda: evaluate(m, e.body, frame)), (no, lambda: evaluate(m, e.orelse, frame))])
    return m.meant(e.test, made)


def _lambda(m: Interpreter, e: ir.Lambda, frame: Frame) -> Value:
    return m.make_function(e, frame)


def _comp(m: Interpreter, e: ir.Comp, frame: Frame) -> Value:
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


def _walrus(m: Interpreter, e: ir.Walrus, frame: Frame) -> Value:
    value = evaluate(m, e.value, frame)
    scope = frame
    while scope.kind == "comprehension" and scope.parent is not None:
        scope = scope.parent
    m.set(scope.cells, e.name, value)
    return value


def _format(m: Interpreter, e: ir.Format, frame: Frame) -> Value:
    if len(e.parts) == 2 and isinstance(e.parts[1], ir.Name) and e.parts[1].n == ir.SPEC:
        return _formatted(m, evaluate(m, e.parts[0], frame), e.parts[1].id)
    parts = [_part(m, part, frame) if not (isinstance(part, ir.Name) and part.n < 0) else ... for part in e.parts]
    known = [m.concrete(part) for part in parts]
    if all(is_const(k) and k is not ... for k in known):
        return "".join(str(k) for k in known)
    return m.symbol("format", *parts)


def _part(m: Interpreter, part: ir.Expr, frame: Frame) -> Value:
    value = evaluate(m, part, frame)
    return enums.text(m, value) if enums.is_member(value) else value


def _formatted(m: Interpreter, value: Value, spec: str) -> Value:
    """One value of an f-string under a simple format such as `02d`."""
    known = m.concrete(value)
    if not isinstance(known, int | str):
        return m.symbol("format", value, spec)
    try:
        return format(known, spec)
    except ValueError:
        return m.unknown("a format that does not fit")


def _yield(m: Interpreter, e: ir.Yield, frame: Frame) -> Value:
    value = None if e.value is None else evaluate(m, e.value, frame)
    if e.value is not None:
        m.place(value, e.value, frame)
    scope: Frame | None = frame
    while scope is not None and scope.yields is None:
        scope = scope.parent
    if scope is not None and scope.yields is not None:
        new = iterate(m, value) if e.whole else (value,)
        items = m.live(scope.yields["items"])
        m.set(scope.yields, "items", (*items, *new) if type(items) is tuple else items)
    return m.unknown("what is sent to a generator")


def _await(m: Interpreter, e: ir.Await, frame: Frame) -> Value:
    return evaluate(m, e.value, frame)


# -- calls -------------------------------------------------------------------------------------------------------


def _call(m: Interpreter, e: ir.Call, frame: Frame) -> Value:
    if isinstance(e.func, ir.Name) and e.func.id == "super":
        return m.super_of(frame, [evaluate(m, a.value, frame) for a in e.args])
    func = _callee(m, e.func, frame)
    if type(func) is ExtV and func.dotted == "builtins.eval" and len(e.args) == 1:
        return m.eval_text(evaluate(m, e.args[0].value, frame), frame, m.site(frame, e.n))
    return _with_args(m, e, frame, func, 0, [], {}, [], {})


def _callee(m: Interpreter, e: ir.Expr, frame: Frame) -> Value:
    """The function; reading a list only in order to change it is not a read of what it holds."""
    if isinstance(e, ir.Attr) and (e.name in MUTATORS or (e.name.endswith("_") and not e.name.endswith("__"))):
        return m.get_attr(load_for_update(m, e.value, frame), e.name, m.site(frame, e.n))
    return evaluate(m, e, frame)


def _with_args(
    m: Interpreter,
    e: ir.Call,
    frame: Frame,
    func: Value,
    at: int,
    args: list[Value],
    kwargs: dict[str, Value],
    places: list[Placement | None],
    named: dict[str, Placement],
) -> Value:
    for index in range(at, len(e.args)):
        arg = e.args[index]
        value = evaluate(m, arg.value, frame)
        if arg.star == "*":
            inner = m.live(value.cells["items"]) if isinstance(value, ListObj) else value
            if type(inner) is Choice:
                return m.split(
                    inner,
                    lambda v, i=index: _with_args(  # type: ignore[misc]
                        m, e, frame, func, i + 1, [*args, *iterate(m, v)], dict(kwargs), [*places, *_none(m, v)], named
                    ),
                )
            items, sure = items_of(m, value)
            if not sure:
                kwargs["*"] = value
            args.extend(items)
            places.extend(m.list_placement(item) for item in items)
        elif arg.star == "**":
            _spread(m, value, kwargs)
        elif arg.keyword is not None:
            kwargs[arg.keyword] = value
            named[arg.keyword] = m.place(value, arg.value, frame)
        else:
            args.append(value)
            placed = type(value) is ModuleObj or type(value) is Choice
            places.append(m.place(value, arg.value, frame) if placed else NOWHERE)
    slot = m.slot_read(e.func, frame) if m.counting else None
    return m.call(func, CallArgs(tuple(args), kwargs, m.site(frame, e.n), tuple(places), named, frame.qualname, slot))


def _none(m: Interpreter, value: Value) -> list[Placement | None]:
    return [m.list_placement(item) for item in iterate(m, value)]


def _spread(m: Interpreter, value: Value, kwargs: dict[str, Value]) -> None:
    if isinstance(value, DictObj):
        kwargs.update({key: item for key, item in m.dict_items(value).items() if isinstance(key, str)})
        if value.open:
            kwargs["**"] = value
    elif value is not None:
        kwargs["**"] = value


# -- targets -----------------------------------------------------------------------------------------------------


def assign(
    m: Interpreter, target: ir.Expr, value: Value, frame: Frame, source: ir.Expr | None, update: bool = False
) -> None:
    """Bind a target. `source` is the expression that the value comes from; `update`: an augmented assignment."""
    match target:
        case ir.Name():
            m.bind_name(frame, target.id, value)
            holds = type(value) is ModuleObj or type(value) is Choice
            if holds:
                m.name_module(value, target.id)
            if source is not None and (holds or frame.places or frame.slots):
                m.carry_place(frame, target.id, source)
                m.carry_slot(frame, target.id, value, source)
        case ir.Attr():
            base = evaluate(m, target.value, frame)
            m.set_attr(base, target.name, value, None if source is None else m.placement(value, source, frame), update)
        case ir.Sub():
            base = load_for_update(m, target.value, frame)
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


def load_for_update(m: Interpreter, target: ir.Expr, frame: Frame) -> Value:
    """The value of a target that is about to be changed in place: not a read that matters for state."""
    if isinstance(target, ir.Attr):
        base = evaluate(m, target.value, frame)
        return m.live(m.get_attr(base, target.name, m.site(frame, target.n), False))
    if isinstance(target, ir.Sub):
        base = load_for_update(m, target.value, frame)
        return m.live(m.get_item(base, evaluate(m, target.item, frame), None))
    return evaluate(m, target, frame)


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


_EXPR: dict[type, Callable[[Any, Any, Any], Value]] = {
    ir.Name: _name,
    ir.Const: _const,
    ir.Attr: _attr,
    ir.Sub: _sub,
    ir.Slice: _slice,
    ir.Call: _call,
    ir.Sequence: _sequence,
    ir.Starred: _starred,
    ir.Dict: _dict,
    ir.Binary: _binary,
    ir.Unary: _unary,
    ir.Boolean: _boolean,
    ir.Compare: _compare,
    ir.IfExp: _if_exp,
    ir.Lambda: _lambda,
    ir.Comp: _comp,
    ir.Walrus: _walrus,
    ir.Format: _format,
    ir.Yield: _yield,
    ir.Await: _await,
}
