"""Functions without effect: outside forward, a call of one is skipped and gives back the argument that it returns.

Weight initialisation and decorators that write docstrings are most of what constructors and module levels run, and
nothing that is judged can see what they do. Decision: a function counts as such only if everything that it can reach,
by the names in it, is known not to matter: it keeps nothing, builds no module, stores to no attribute but a
docstring's, changes no list or dict but its own, and raises nothing that would rule a path out. What it asks of its
arguments (functions it calls, methods it calls on them) is checked at the call, against the values themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import classes, known_names
from modlint.interpreter.reach import FRESH, OTHER, Effects, of
from modlint.interpreter.values import (
    MISSING,
    BoundV,
    CallArgs,
    Choice,
    ClassV,
    DictObj,
    ExtV,
    FuncV,
    ListObj,
    ModuleObj,
    Obj,
    PartialV,
    Sym,
    Tensor,
    Value,
    is_const,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modlint.interpreter.interpreter import Interpreter

_HOLDERS = frozenset({ModuleObj, Obj, ListObj, DictObj})
_NO_CLASS_BELOW = frozenset({bool, int, float, str, type(None), type(MISSING), Sym, Tensor, ExtV, FuncV})


def skipped(m: Interpreter, func: FuncV, args: CallArgs) -> tuple[Value] | None:
    """The result of a call that need not be run, in a tuple; None when it must be."""
    effects = of(m, func)
    if effects.why_not or effects.returns in (FRESH, OTHER):
        return None
    given = _given(func, args)
    if given is None or not _harmless(m, func, effects, given):
        return None
    return (given.get(effects.returns, func.defaults.get(effects.returns)),)


def without_effect(m: Interpreter, function: Value, module: ModuleObj) -> bool:
    """Whether a function of one module has no effect on `module` or any below it."""
    args: tuple[Value, ...] = (module,)
    kwargs: dict[str, Value] = {}
    while isinstance(function, BoundV | PartialV):
        if isinstance(function, PartialV):
            args, kwargs = (*function.args, *args), {**function.kwargs, **kwargs}
        else:
            args = (function.receiver, *args)
        function = function.func
    if not isinstance(function, FuncV):
        return False
    return skipped(m, function, CallArgs(args, kwargs, None)) is not None


def _given(func: FuncV, args: CallArgs) -> dict[str, Value] | None:
    names = [p.name for p in func.params if p.kind in ("positional", "normal")]
    if len(args.args) > len(names) or any(p.kind in ("*", "**") for p in func.params) or {"*", "**"} & set(args.kwargs):
        return None
    return {**dict(zip(names, args.args, strict=False)), **args.kwargs}


def _harmless(m: Interpreter, func: FuncV, effects: Effects, given: dict[str, Value]) -> bool:
    if any(isinstance(given.get(name), ListObj | DictObj | Obj | ModuleObj) for name in effects.changed):
        return False
    if effects.raises and any(not is_const(v) and not isinstance(v, FuncV | ClassV | ExtV) for v in given.values()):
        return False
    asked = {(on, name) for on, name in effects.methods if _may_have(m, given.get(on), name)}
    for name in effects.called:
        callee = given.get(name, func.defaults.get(name, MISSING))
        while isinstance(callee, PartialV | BoundV):
            callee = callee.func
        inner = of(m, callee) if isinstance(callee, FuncV) else None
        if inner is None or not inner.harmless:
            return False
        asked |= {("", name) for _, name in inner.methods}
    for on in {on for on, _ in asked}:
        methods = {name for of_it, name in asked if of_it == on and not known_names.in_place(name)}
        receivers = [given[on]] if on in given else given.values()
        if methods and not _methods_harmless(m, methods, _classes(m, receivers)):
            return False
    return True


def _may_have(m: Interpreter, value: Value, name: str) -> bool:
    """False for a class or function that surely lacks a method: a call of it is never reached."""
    if isinstance(value, FuncV):
        return False
    if not isinstance(value, ClassV) or classes.open_base(m, value):
        return True
    return known_names.reads(name) or classes.find_any(value, name) is not MISSING


def _methods_harmless(m: Interpreter, methods: set[str], found: set[ClassV]) -> bool:
    """Whether every method of these names that the classes define has no effect either, and the others are readers."""
    todo, seen = list(methods), set(methods)
    while todo:
        name = todo.pop()
        defined = False
        for cls in found:
            for base in cls.mro:
                value = base.own(name) if isinstance(base, ClassV) else MISSING
                if value is MISSING:
                    continue
                defined = True
                inner = of(m, value) if isinstance(value, FuncV) else None
                if inner is None or not inner.harmless:
                    return False
                more = {method for _, method in inner.methods} - seen
                todo += more
                seen |= more
        if not defined and (name in known_names.SETTERS or name in known_names.CHANGERS):
            return False
    return True


def _classes(m: Interpreter, values: Iterable[Value]) -> set[ClassV]:
    """The user classes of modules among values and below them."""
    found: set[ClassV] = set()
    for value in values:
        if type(value) not in _NO_CLASS_BELOW:
            found |= _classes_below(m, value)
    return found


def _classes_below(m: Interpreter, value: Value) -> set[ClassV]:
    """Kept until something is written: a loop over the modules of a model asks this of the model for each of them."""
    if m.below[0] != m.writes:
        m.below = (m.writes, {})
    known = m.below[1].get(id(value))
    if known is None or known[0] is not value:
        known = m.below[1][id(value)] = (value, _walk(value))
    return known[1]


def _walk(value: Value) -> set[ClassV]:
    found: set[ClassV] = set()
    todo, seen = [value], set()
    while todo:
        value = todo.pop()
        kind = type(value)
        if kind in _NO_CLASS_BELOW:
            continue
        if kind in _HOLDERS:
            if id(value) in seen:
                continue
            seen.add(id(value))
            todo += value.cells.values()
            if kind is ModuleObj:
                todo += value.mods.values()
            if (kind is ModuleObj or kind is Obj) and isinstance(value.cls, ClassV):
                found.add(value.cls)
        elif kind is tuple:
            todo += value
        elif kind is Choice:
            todo += [v for _, v in value.alts]
        elif kind is dict:
            todo += value.values()
        elif kind is BoundV:
            todo.append(value.receiver)
        elif kind is ClassV:
            found.add(value)
    return found
