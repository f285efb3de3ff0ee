"""Transfer functions of expressions. Comprehensions and the targets of assignments have files of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modlint.interpreter import enums
from modlint.interpreter.iteration import items_of, iterate
from modlint.interpreter.known_names import in_place
from modlint.interpreter.operators import binary, compare, negate
from modlint.interpreter.placements import NOWHERE
from modlint.interpreter.values import (
    CallArgs,
    Choice,
    DictObj,
    ExtV,
    LazyImport,
    ListObj,
    ModuleObj,
    Placement,
    Sym,
    Tensor,
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
    if isinstance(value, ListObj | DictObj) and _is_read(m, e):
        m.read_entry(value)
    return value


def _whole(m: Interpreter, e: ir.Attr, frame: Frame) -> Value:
    """An attribute of which not every entry is read."""
    value = m.get_attr(evaluate(m, e.value, frame), e.name, m.site(frame, e.n), _is_read(m, e))
    return m.live(value) if type(value) is Choice else value


def _is_read(m: Interpreter, e: ir.Attr) -> bool:
    """Whether the value of an attribute is asked for, and not only to be updated."""
    return m.updated is None or e.name != m.updated[1] or getattr(e.value, "id", "") != m.updated[0]


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
            if type(value) is ModuleObj or type(value) is Choice:
                m.place(value, value_expr, frame)
            items[key.value if type(key) is ir.Const else m.key_of(evaluate(m, key, frame))] = value
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
        return m.meant(e.test, evaluate(m, e.body, frame), frame)
    if not yes:
        return m.meant(e.test, evaluate(m, e.orelse, frame), frame)
    made = m.fork([(yes, lambda: evaluate(m, e.body, frame)), (no, lambda: evaluate(m, e.orelse, frame))])
    return m.meant(e.test, made, frame)


def _lambda(m: Interpreter, e: ir.Lambda, frame: Frame) -> Value:
    return m.make_function(e, frame)


def _comp(m: Interpreter, e: ir.Comp, frame: Frame) -> Value:
    return m.comprehension(e, frame)


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


def load_for_update(m: Interpreter, target: ir.Expr, frame: Frame) -> Value:
    """The value of a target that is about to be changed in place: not a read that matters for state."""
    if isinstance(target, ir.Attr):
        base = evaluate(m, target.value, frame)
        return m.live(m.get_attr(base, target.name, m.site(frame, target.n), False))
    if isinstance(target, ir.Sub):
        base = load_for_update(m, target.value, frame)
        return m.live(m.get_item(base, evaluate(m, target.item, frame), None))
    return evaluate(m, target, frame)


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
    if isinstance(e, ir.Attr) and in_place(e.name):
        return m.get_attr(m.to_change(e.value, frame), e.name, m.site(frame, e.n))
    if not isinstance(e, ir.Attr) or e.name not in MUTATORS:
        return evaluate(m, e, frame)
    receiver = load_for_update(m, e.value, frame)
    if isinstance(receiver, Sym | Tensor) and isinstance(e.value, ir.Attr) and isinstance(e.value.value, ir.Name):
        receiver = evaluate(m, e.value, frame)  # of a set `add` changes, of a tensor it reads
    return m.get_attr(receiver, e.name, m.site(frame, e.n))


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
        if not arg.star:
            m.mean_items(value, arg.value)
            placed = type(value) is ModuleObj or type(value) is Choice
            place = m.place(value, arg.value, frame) if placed else NOWHERE
            if arg.keyword is None:
                args.append(value)
                places.append(place)
            else:
                kwargs[arg.keyword] = value
                named[arg.keyword] = place
        elif arg.star == "**":
            _spread(m, value, kwargs)
        else:
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
            m.mean_items(items, arg.value)
            places.extend(m.list_placement(item) for item in items)
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
