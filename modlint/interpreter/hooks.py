"""Hooks around forward: functions that an instance is given, run before and after each call of it, until removed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from modlint.interpreter.values import (
    MISSING,
    BoundV,
    CallArgs,
    Choice,
    ExtMethod,
    ExtV,
    FuncV,
    ModuleObj,
    Obj,
    PartialV,
    Value,
)

if TYPE_CHECKING:
    from modlint.interpreter.interpreter import Interpreter

_BEFORE, _AFTER = "pre-hook", "hook"


def register(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    """`register_forward_hook` and `register_forward_pre_hook`: keep the function; its handle removes it."""
    function = args.args[0] if args.args else args.kwargs.get("hook")
    kind = _BEFORE if name == "register_forward_pre_hook" else _AFTER
    if m.live(args.kwargs.get("with_kwargs", False)) is True:
        kind += " with keywords"
    handle = m.new_plain(ExtV("torch.utils.hooks.RemovableHandle"))
    key = f"{kind} {handle.id}"
    handle.cells["remove"] = ExtMethod(obj, "remove", lambda mm, o, a, _: mm.set(o.facts, key, None))
    m.set(obj.facts, key, function)
    return handle


def is_hook(fact: str) -> bool:
    """Whether a fact about an instance is a function that runs around its forward."""
    return fact.startswith((_BEFORE, _AFTER))


def before(m: Interpreter, obj: ModuleObj, args: CallArgs) -> CallArgs:
    """The arguments that forward gets: those of the call, or what hooks return instead."""
    for function, keywords in _of(m, obj, _BEFORE):
        given = (obj, args.args, m.new_dict(dict(args.kwargs))) if keywords else (obj, args.args)
        returned = _run(m, function, given, args)
        if keywords:
            continue
        values = m.split(returned, partial(_or_else, args.args))
        args = args._replace(args=values if type(values) is tuple else (values,))
    return args


def after(m: Interpreter, obj: ModuleObj, args: CallArgs, result: Value) -> Value:
    """The result of the call: what forward gave, or what hooks return instead."""
    for function, keywords in _of(m, obj, _AFTER):
        more = (m.new_dict(dict(args.kwargs)),) if keywords else ()
        returned = _run(m, function, (obj, args.args, *more, result), args)
        result = m.split(returned, partial(_or_else, result))
    return result


def _or_else(before: Value, returned: Value) -> Value:
    return before if returned is None else returned


def _of(m: Interpreter, obj: ModuleObj, kind: str) -> list[tuple[Value, bool]]:
    found = []
    for key in list(obj.facts):
        if key.startswith(kind):
            value = m.live(obj.facts.get(key))
            if type(value) is Choice:  # where it was not registered there is nothing to run
                value = Choice(tuple((cond, None if v is MISSING else v) for cond, v in value.alts))
            found.append((value, "keywords" in key))
    return found


def _run(m: Interpreter, function: Value, given: tuple[Value, ...], args: CallArgs) -> Value:
    def one(f: Any) -> Value:
        known = isinstance(f, FuncV | BoundV | PartialV | ModuleObj | Obj)
        return m.call(f, args._replace(args=given, kwargs={}, places=(), named_places={}, slot=None)) if known else None

    return m.split(function, one)
