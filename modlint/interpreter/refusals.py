"""`try: Class(...)` with `except TypeError`: whether the class takes these arguments decides which of the two runs.

So code asks whether an activation has `inplace`, or a layer of this PyTorch `device`. What is called elsewhere is taken
to accept what it is given; here it is looked up, and where it is known the other path is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import classes
from modlint.interpreter.expressions import evaluate
from modlint.interpreter.values import (
    BoundV,
    Choice,
    ClassV,
    DictObj,
    ExtV,
    FuncV,
    ModuleObj,
    PartialV,
    PyModule,
    Sym,
    Value,
)
from modlint.syntax import ir

if TYPE_CHECKING:
    from modlint.interpreter.frames import Frame
    from modlint.interpreter.interpreter import Interpreter

_Call = tuple[tuple[Value, ...], dict[str, Value]]


def refused(m: Interpreter, s: ir.Try, frame: Frame) -> bool | None:
    """Whether the body of a `try` raises the TypeError that its one handler is for; None where that is not known."""
    if m.run is not None or len(s.handlers) != 1 or not _is_type_error(m, s.handlers[0].type, frame):
        return None
    last = s.body[-1]
    call = last.value if isinstance(last, ir.Return | ir.Assign | ir.ExprStmt) else None
    names = _named(s.body[:-1])
    if not isinstance(call, ir.Call) or names is None:
        return None
    given = _given(m, call, names, frame)
    return None if given is None else _refuses(m, _callee(m, call.func, frame), *given)


def _is_type_error(m: Interpreter, kind: ir.Expr | None, frame: Frame) -> bool:
    return isinstance(kind, ir.Name) and evaluate(m, kind, frame) == ExtV("builtins.TypeError")


def _named(block: ir.Block) -> dict[str, ir.Expr] | None:
    """The dict displays of names and constants that statements name, to be spread in the call; None for any other."""
    found: dict[str, ir.Expr] = {}
    for statement in block:
        if not isinstance(statement, ir.Assign) or not isinstance(statement.value, ir.Dict):
            return None
        if not all(isinstance(part, ir.Name | ir.Const) for pair in statement.value.items for part in pair):
            return None
        for target in statement.targets:
            if not isinstance(target, ir.Name):
                return None
            found[target.id] = statement.value
    return found


def _given(m: Interpreter, call: ir.Call, names: dict[str, ir.Expr], frame: Frame) -> _Call | None:
    """The arguments of a call, none of which does anything when it is evaluated; None where some are not known."""
    args: list[Value] = []
    kwargs: dict[str, Value] = {}
    for arg in call.args:
        source = names.get(arg.value.id, arg.value) if isinstance(arg.value, ir.Name) else arg.value
        if not isinstance(source, ir.Name | ir.Const | ir.Dict) or arg.star == "*":
            return None
        value = evaluate(m, source, frame)
        if arg.star == "**":
            items = m.dict_items(value) if isinstance(value, DictObj) and not value.open else None
            if items is None or not all(isinstance(key, str) for key in items):
                return None
            kwargs.update(items)
        elif arg.keyword is not None:
            kwargs[arg.keyword] = value
        else:
            args.append(value)
    return tuple(args), kwargs


def _callee(m: Interpreter, func: ir.Expr, frame: Frame) -> Value:
    """The class that a call builds, or the constructor that `super().__init__` is; None for anything else."""
    if isinstance(func, ir.Name):
        return evaluate(m, func, frame)
    of = func.value if isinstance(func, ir.Attr) else None
    if isinstance(of, ir.Name) and isinstance(func, ir.Attr):
        base = evaluate(m, of, frame)
        return m.get_attr(base, func.name, None) if isinstance(base, ExtV | PyModule) else None
    is_super = isinstance(of, ir.Call) and not of.args and isinstance(of.func, ir.Name) and of.func.id == "super"
    if not is_super or not isinstance(func, ir.Attr) or func.name != "__init__":
        return None
    found = m.super_of(frame, [])
    if isinstance(found, Sym) or not isinstance(found.receiver, ModuleObj):
        return None
    owner, init = classes.find(found.receiver.cls, "__init__", found.start)
    return BoundV(init, found.receiver) if isinstance(init, FuncV) else owner


def _refuses(m: Interpreter, callee: Value, args: tuple[Value, ...], kwargs: dict[str, Value]) -> bool | None:
    if type(callee) is Choice:
        answers = {_refuses(m, one, args, kwargs) for _, one in callee.alts}
        return answers.pop() if len(answers) == 1 else None
    if isinstance(callee, PartialV):
        return _refuses(m, callee.func, (*callee.args, *args), {**callee.kwargs, **kwargs})
    if isinstance(callee, ClassV):
        owner, init = classes.find(callee, "__init__")
        callee = BoundV(init, callee) if isinstance(init, FuncV) else owner
    if isinstance(callee, BoundV):
        return not _fits(callee.func, (callee.receiver, *args), kwargs)
    entry = m.entry(callee.dotted) if isinstance(callee, ExtV) else None
    return None if entry is None else bool(entry.misfit(args, kwargs))


def _fits(func: FuncV, args: tuple[Value, ...], kwargs: dict[str, Value]) -> bool:
    """Whether a function of the tree takes as many arguments, of these names, and lacks none."""
    kinds = {param.kind for param in func.params}
    placed = [p.name for p in func.params if p.kind in {"positional", "normal"}]
    named = {p.name for p in func.params if p.kind in {"keyword", "normal"}}
    if (len(args) > len(placed) and "*" not in kinds) or (not kwargs.keys() <= named and "**" not in kinds):
        return False
    taken = set(placed[: len(args)])
    needed = {p.name for p in func.params if p.default is None and p.kind in {"positional", "normal", "keyword"}}
    return not taken & kwargs.keys() and needed <= taken | kwargs.keys()
