"""Transfer functions of statements: `execute(machine, block, frame)` says whether a path falls through the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modlint.errors import LogicError
from modlint.interpreter import classes, managers, refusals, scope, series, telling, values
from modlint.interpreter.conditions import ALWAYS
from modlint.interpreter.expressions import evaluate, load_for_update, lookup_frame
from modlint.interpreter.iteration import iterate
from modlint.interpreter.machine import Dead, GiveUp
from modlint.interpreter.operators import binary
from modlint.interpreter.patterns import matches
from modlint.interpreter.runs import LONGEST, SPENT
from modlint.interpreter.targets import assign, delete
from modlint.interpreter.truth import TRIPS
from modlint.interpreter.updates import moves, updated
from modlint.interpreter.values import Choice, Descriptor, LazyImport
from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.conditions import Cond
    from modlint.interpreter.frames import Frame, Loop
    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.values import Value

    _Transfer = Callable[[Interpreter, Any, Frame, Loop | None], bool | None]


def _told(m: Interpreter, s: ir.Stmt) -> bool:
    """What `tells` says, found out once for each statement in the source."""
    known = m.telling.get(id(s))
    if known is None or known[0] is not s:
        known = m.telling[id(s)] = (s, telling.tells(s))
    return known[1]


def _telling(run: _Transfer) -> _Transfer:
    """A transfer function of statements that may only tell what happens: in forward, they read no state then."""

    def execute_it(m: Interpreter, s: Any, frame: Frame, loop: Loop | None) -> bool | None:
        if m.run is None or m.told or not _told(m, s):
            return run(m, s, frame, loop)
        m.told = True
        try:
            return run(m, s, frame, loop)
        finally:
            m.told = False

    return execute_it


def execute(m: Interpreter, block: ir.Block, frame: Frame, loop: Loop | None = None) -> bool:
    """Run a block. False when no path reaches its end (the exits are pending in the machine)."""
    for statement in block:
        m.steps += 1
        if m.steps > m.budget:
            raise GiveUp(SPENT)
        try:
            falls = _STMT[type(statement)](m, statement, frame, loop)
        except Dead:
            return False
        if falls is False:
            return False
    return True


def _expr(m: Interpreter, s: ir.ExprStmt, frame: Frame, loop: Loop | None) -> None:
    evaluate(m, s.value, frame)


def _assign(m: Interpreter, s: ir.Assign, frame: Frame, loop: Loop | None) -> None:
    target = _updated(m, s)
    before = m.updated
    if target is not None:
        m.updated = (target.value.id, target.name) if isinstance(target.value, ir.Name) else None
    value = evaluate(m, s.value, frame)
    m.updated = before
    if target is not None and m.run is not None and moves(s.targets[0], s.value):
        return
    for each in s.targets:
        assign(m, each, value, frame, s.value, target is not None)


def _updated(m: Interpreter, s: ir.Assign) -> ir.Attr | None:
    """What `updated` says, found out once for each assignment in the source."""
    known = m.updating.get(id(s))
    if known is None or known[0] is not s:
        known = m.updating[id(s)] = (s, updated(s))
    return known[1]


def _ann_assign(m: Interpreter, s: ir.AnnAssign, frame: Frame, loop: Loop | None) -> None:
    if frame.kind == "class" and isinstance(s.target, ir.Name) and not s.annotation.endswith("ClassVar"):
        fields = frame.cells.setdefault("#fields", ())
        frame.cells["#fields"] = (*fields, s.target.id)
    if s.value is not None:
        assign(m, s.target, evaluate(m, s.value, frame), frame, s.value)


def _aug_assign(m: Interpreter, s: ir.AugAssign, frame: Frame, loop: Loop | None) -> None:
    old = load_for_update(m, s.target, frame)
    right = evaluate(m, s.value, frame)
    if isinstance(old, values.ListObj) and s.op == "+" and isinstance(s.target, ir.Name | ir.Attr):
        m.extend_list(old, iterate(m, right), frame, s.n)
        return
    if isinstance(old, values.Tensor):
        m.write_tensor(old, m.taint_of(right), True)
        return
    new = m.call_operator(s.op, old, right, m.site(frame, s.n), in_place=True)
    if new is values.MISSING:
        new = binary(m, s.op, old, right, m.site(frame, s.n))
    series.forget(old)
    assign(m, s.target, new, frame, s.target, update=True)


def _return(m: Interpreter, s: ir.Return, frame: Frame, loop: Loop | None) -> bool:
    value = None if s.value is None else evaluate(m, s.value, frame)
    m.mean(value)
    m.pending.append(m.here(value, "return", frame))
    return False


def _raise(m: Interpreter, s: ir.Raise, frame: Frame, loop: Loop | None) -> bool:
    return False


def _assert(m: Interpreter, s: ir.Assert, frame: Frame, loop: Loop | None) -> bool:
    true, _ = m.truth(evaluate(m, s.test, frame))
    narrowed = m.conjoin(m.pc, true)
    if narrowed:
        m.pc = narrowed
    return bool(narrowed)


def _delete(m: Interpreter, s: ir.Delete, frame: Frame, loop: Loop | None) -> None:
    for target in s.targets:
        delete(m, target, frame)


def _jump(m: Interpreter, s: ir.Jump, frame: Frame, loop: Loop | None) -> bool:
    m.pending.append(m.here(None, s.kind, loop))
    return False


def _scope(m: Interpreter, s: ir.Scope, frame: Frame, loop: Loop | None) -> None:
    for name in s.names:
        frame.scopes[name] = s.kind


def _if(m: Interpreter, s: ir.If, frame: Frame, loop: Loop | None) -> bool:
    true, false = m.truth(evaluate(m, s.test, frame))
    outside = m.cue
    m.cue = m.cue_in(s.test, frame) or outside
    try:
        if true is ALWAYS:
            return execute(m, s.body, frame, loop)
        if false is ALWAYS:
            return execute(m, s.orelse, frame, loop)
        return branch(
            m,
            [(true, lambda: execute(m, s.body, frame, loop)), (false, lambda: execute(m, s.orelse, frame, loop))],
        )
    finally:
        m.cue = outside


def branch(m: Interpreter, arms: list[tuple[Cond, Callable[[], bool]]]) -> bool:
    """Run exclusive arms; a path that does not fall through its arm waits as a pending exit."""
    possible = [(cond, arm) for test, arm in arms if (cond := m.conjoin(m.pc, test))]
    if not possible:
        return False
    if len(possible) == 1:
        m.pc = possible[0][0]
        return possible[0][1]()

    def through(arm: Callable[[], bool]) -> Callable[[], Value]:
        def run() -> Value:
            if not arm():
                raise Dead
            return None

        return run

    if m.conds.crowded:
        return _one_arm(m, possible)
    try:
        m.fork([(cond, through(arm)) for cond, arm in possible])
    except Dead:
        return False
    return True


def _one_arm(m: Interpreter, arms: list[tuple[Cond, Callable[[], bool]]]) -> bool:
    """With too many paths: the first arm that does not raise."""
    for cond, arm in arms:
        mark, start = len(m.journal), len(m.pending)
        m.pc = m.narrow(cond)
        if arm():
            return True
        if len(m.pending) > start:
            return False
        m.undo(mark)
    return False


def _for(m: Interpreter, s: ir.ForStmt, frame: Frame, loop: Loop | None) -> bool:
    source = evaluate(m, s.iter, frame)
    if type(m.live(source)) is Choice:
        true = [(cond, value) for cond, value in m.live(source).alts if value is not values.MISSING]
        return branch(m, [(cond, (lambda v=v: _run_for(m, s, v, frame, loop))) for cond, v in true])  # type: ignore[misc]
    return _run_for(m, s, m.live(source), frame, loop)


def _run_for(m: Interpreter, s: ir.ForStmt, source: Value, frame: Frame, outer: Loop | None) -> bool:
    items, known = m.items(source)
    start = len(m.pending)
    falls = True
    longest = m.longest_loop()
    with m.looping(m.fresh(), known, m.configures(source)) as this:
        this.rounds = min(len(items), longest)
        for index, item in enumerate(items[:longest]):
            rest = len(items) - longest + 1 if index == longest - 1 else 1
            this.round = index
            weight = m.weight
            m.weight = weight * rest
            try:
                assign(m, s.target, item, frame, s.iter)
                falls = _round(m, s.body, frame, this, start)
            finally:
                m.weight = weight
            if not falls:
                break
    if falls and s.orelse:
        falls = execute(m, s.orelse, frame, outer)
    return _leave(m, this, start, falls)


def _round(m: Interpreter, body: ir.Block, frame: Frame, this: Loop, start: int) -> bool:
    """One iteration: whether some path goes on to the next."""
    falls = execute(m, body, frame, this)
    exits = m.take(start, this, "continue")
    if exits:
        m.merge([*exits, m.here()] if falls else exits)
    return falls or bool(exits)


def _leave(m: Interpreter, loop: Loop, start: int, falls: bool) -> bool:
    breaks = m.take(start, loop, "break")
    if breaks:
        m.merge([*breaks, m.here()] if falls else breaks)
    return falls or bool(breaks)


def _while(m: Interpreter, s: ir.While, frame: Frame, loop: Loop | None) -> bool:
    start = len(m.pending)
    rounds, guesses = 0, 0
    falls = True
    with m.looping(m.fresh(), False) as this:
        while falls and rounds < LONGEST and guesses < TRIPS:
            true, false = m.truth(evaluate(m, s.test, frame))
            go, stop = m.conjoin(m.pc, true), m.conjoin(m.pc, false)
            if not go:
                break
            this.round = rounds
            rounds += 1
            guesses += 1 if stop or _endless(s.test) else 0
            if stop:
                exit = m.here(None, "break", this)
                exit.cond = stop
                m.pending.append(exit)
            m.pc = go
            falls = _round(m, s.body, frame, this, start)
        else:
            if falls and _endless(s.test) and len(m.pending) > start:
                falls = False  # it ends through a break or a return alone
    if falls and s.orelse and not _endless(s.test):
        falls = execute(m, s.orelse, frame, loop)
    return _leave(m, this, start, falls)


def _endless(test: ir.Expr) -> bool:
    return isinstance(test, ir.Const)


def _with(m: Interpreter, s: ir.With, frame: Frame, loop: Loop | None) -> bool:
    return _managed(m, s, 0, frame, loop)


def _managed(m: Interpreter, s: ir.With, at: int, frame: Frame, loop: Loop | None) -> bool:
    if at == len(s.items):
        return execute(m, s.body, frame, loop)
    item, target = s.items[at]
    manager = evaluate(m, item, frame)
    entered = managers.enter(m, manager)
    if target is not None:
        assign(m, target, entered, frame, item)
    start = len(m.pending)
    with m.gradients(managers.gradients_in(m, item, frame)):
        falls = _managed(m, s, at + 1, frame, loop)
    leave = managers.leaving(m, manager)
    return falls if leave is None else m.on_leaving(start, falls, leave)


def _try(m: Interpreter, s: ir.Try, frame: Frame, loop: Loop | None) -> bool:
    """The body, or, when it may raise, the handlers instead of it: exclusive paths."""
    start = len(m.pending)
    if frame.kind == "module" or not s.handlers:
        falls = execute(m, s.body, frame, loop)
        if not falls and s.handlers and not m.pending:
            falls = any(execute(m, handler.body, frame, loop) for handler in s.handlers[:1])
    else:
        falls = _try_paths(m, s, frame, loop)
    if s.final:
        return m.on_leaving(start, falls, lambda: execute(m, s.final, frame, loop))
    return falls


def _try_paths(m: Interpreter, s: ir.Try, frame: Frame, loop: Loop | None) -> bool:
    refused = refusals.refused(m, s, frame)
    if refused:
        return _handle(m, s.handlers[0], frame, loop)
    if refused is False:
        return execute(m, s.body, frame, loop) and (not s.orelse or execute(m, s.orelse, frame, loop))
    arms: list[tuple[Cond, Callable[[], bool]]] = []
    before = ALWAYS
    for handler in s.handlers:
        literal = m.literal("raises", m.fresh())
        raised = m.conjoin(before, m.makes(literal))
        arms.append((raised, lambda h=handler: _handle(m, h, frame, loop)))  # type: ignore[misc]
        before = m.conjoin(before, m.makes(-literal))

    outside = m.pc

    def body() -> bool:
        uses, exits, tried = len(m.uses), len(m.pending), m.pc
        try:
            if execute(m, s.body, frame, loop):
                return not s.orelse or execute(m, s.orelse, frame, loop)
        except Dead:
            pass
        if len(m.pending) == exits:  # it raises on every path, so that what ran before ran besides the handler
            m.uses[uses:] = [use._replace(cond=outside) if use.cond is tried else use for use in m.uses[uses:]]
        return False

    return branch(m, [(before, body), *arms])


def _handle(m: Interpreter, handler: ir.Handler, frame: Frame, loop: Loop | None) -> bool:
    if handler.name is not None:
        m.set(frame.cells, handler.name, m.unknown("an exception"))
    return execute(m, handler.body, frame, loop)


def _match(m: Interpreter, s: ir.Match, frame: Frame, loop: Loop | None) -> bool:
    subject = evaluate(m, s.subject, frame)
    return _cases(m, s.cases, subject, frame, loop)


def _cases(m: Interpreter, cases: tuple[ir.Case, ...], subject: Value, frame: Frame, loop: Loop | None) -> bool:
    if not cases:
        return True
    case, rest = cases[0], cases[1:]
    bound: dict[str, Value] = {}
    true, false = matches(m, case.pattern, subject, frame, bound)

    def chosen() -> bool:
        for name, value in bound.items():
            m.bind_name(frame, name, value)
        if case.guard is None:
            return execute(m, case.body, frame, loop)
        yes, no = m.truth(evaluate(m, case.guard, frame))
        return branch(
            m,
            [(yes, lambda: execute(m, case.body, frame, loop)), (no, lambda: _cases(m, rest, subject, frame, loop))],
        )

    return branch(m, [(true, chosen), (false, lambda: _cases(m, rest, subject, frame, loop))])


def _function(m: Interpreter, s: ir.FuncDef, frame: Frame, loop: Loop | None) -> None:
    value: Value = m.make_function(s, frame)
    for decorator in reversed(s.decorators):
        value = _decorated(m, decorator, value, frame)
    m.set(frame.cells, s.name, value)


def _decorated(m: Interpreter, decorator: ir.Expr, value: Value, frame: Frame) -> Value:
    if isinstance(decorator, ir.Attr) and decorator.name in {"setter", "deleter", "getter"}:
        existing = lookup_frame(m, decorator.value, frame)
        if isinstance(existing, Descriptor) and decorator.name == "setter":
            combined = Descriptor(existing.kind, existing.func)
            combined.setter = value
            return combined
        return existing
    return m.decorate(evaluate(m, decorator, frame), value, m.site(frame, getattr(decorator, "n", 0)))


def _class(m: Interpreter, s: ir.ClassDef, frame: Frame, loop: Loop | None) -> None:
    value: Value = classes.define(m, s, frame, execute)
    for decorator in reversed(s.decorators):
        value = m.decorate(evaluate(m, decorator, frame), value, m.site(frame, getattr(decorator, "n", 0)))
    m.set(frame.cells, s.name, value)


def _import(m: Interpreter, s: ir.Import, frame: Frame, loop: Loop | None) -> None:
    for dotted, alias in s.names:
        if alias is not None:
            m.set(frame.cells, alias, LazyImport(dotted, 0, None))
        else:
            m.set(frame.cells, dotted.split(".")[0], LazyImport(dotted.split(".")[0], 0, None))


def _import_from(m: Interpreter, s: ir.ImportFrom, frame: Frame, loop: Loop | None) -> None:
    for name, alias in s.names:
        if name == "*":
            scope.import_star(m, frame.module, LazyImport(s.module, s.level, None))
        else:
            m.set(frame.cells, alias or name, LazyImport(s.module, s.level, name))


def unhandled(m: Interpreter, s: Any, frame: Frame, loop: Loop | None) -> None:
    """A statement without a transfer function is a fault of ours."""
    raise LogicError(f"no transfer function for {type(s).__name__}")


_STMT: dict[type, _Transfer] = {
    ir.ExprStmt: _telling(_expr),
    ir.Assign: _assign,
    ir.AnnAssign: _ann_assign,
    ir.AugAssign: _aug_assign,
    ir.Return: _return,
    ir.Raise: _raise,
    ir.Assert: _telling(_assert),
    ir.Delete: _delete,
    ir.Jump: _jump,
    ir.Scope: _scope,
    ir.If: _telling(_if),
    ir.ForStmt: _for,
    ir.While: _while,
    ir.With: _with,
    ir.Try: _try,
    ir.Match: _match,
    ir.FuncDef: _function,
    ir.ClassDef: _class,
    ir.Import: _import,
    ir.ImportFrom: _import_from,
}
