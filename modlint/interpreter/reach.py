"""What a function of the tree can do, read from its definition and, by name, from those of what it calls.

See `effects` for what the answer is good for. Nothing is run here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from modlint.interpreter import known_names, scope
from modlint.interpreter.values import ClassV, ExtV, FuncV, ModuleObj, Obj, PyModule, Sym, Value, is_const
from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.interpreter import Interpreter

FRESH, OTHER = "*fresh", "*other"  # what a function returns, where it is no parameter


class Effects(NamedTuple):
    """What a function without effect asks of its arguments and gives back; `why_not` names what has an effect."""

    why_not: str
    called: frozenset[str]  # parameters that it calls
    changed: frozenset[str]  # parameters that must be no list or dict of others, because it changes them
    methods: frozenset[tuple[str, str]]  # methods that it calls: on which parameter alone ("" if none), and the name
    raises: bool  # whether it may raise: no matter where nothing that it is given is open
    returns: str  # a parameter's name, "" for None, FRESH or OTHER

    @property
    def harmless(self) -> bool:
        """Whether it asks nothing but methods of what it is given."""
        return not (self.why_not or self.called or self.changed or self.raises)

    @classmethod
    def not_known(cls, why: str) -> Effects:
        return cls(why, frozenset(), frozenset(), frozenset(), True, OTHER)


def of(m: Interpreter, func: FuncV) -> Effects:
    """What a function does, worked out once for its definition."""
    known, number = func.module.effects, id(func.node)
    if number not in known:
        with m.learning("effects", number, func.node):
            known[number] = Effects.not_known("")._replace(raises=False)  # a recursive call adds nothing
            known[number] = _Reading(m, func).result()
    else:
        m.remembered("effects", number)
    return known[number]


class _Effect(Exception):
    """Something that may be seen from outside. `args[0]` says what."""


class _Reading:
    """One walk over a function's definition, and by name over what it calls."""

    def __init__(self, m: Interpreter, func: FuncV) -> None:
        self.m = m
        self.func = func
        self.params = {p.name for p in func.params}
        self.locals: dict[str, bool] = {}  # names that the body binds: whether always to something of its own
        self.items: set[str] = set()  # names that loops bind
        self.inner: dict[str, ir.FuncDef] = {}
        self.called: set[str] = set()
        self.changed: set[str] = set()
        self.methods: set[tuple[str, str]] = set()
        self.returns: set[str] = set()
        self.raises = False
        self.caches: set[str] = set()

    def result(self) -> Effects:
        node = self.func.node
        if isinstance(node, ir.FuncDef) and node.generator:
            return Effects.not_known("a generator")
        try:
            self._bind(node.body)
            self._visit(node.body)
            if isinstance(node, ir.Lambda):
                self.returns.add(self._kind(node.body))
        except _Effect as effect:
            return Effects.not_known(effect.args[0])
        if not self.returns <= {""} and len(self.returns) > 1:
            self.returns = {FRESH if self.returns <= {"", FRESH} else OTHER}
        returns = next(iter(self.returns), "")
        return Effects(
            "", frozenset(self.called), frozenset(self.changed), frozenset(self.methods), self.raises, returns
        )

    # -- names ---------------------------------------------------------------------------------------------------

    def _bind(self, node: object) -> None:
        """Note what the body binds, and which of it is a value of its own: changing that is seen by no one else."""
        if isinstance(node, ir.FuncDef):
            self.inner[node.name] = node
            self._bind_name(node.name, False)
            for param in node.params:
                self._bind_name(param.name, False)
        elif isinstance(node, ir.Assign):
            for target in node.targets:
                self._bind_target(target, node.value)
        elif isinstance(node, ir.AnnAssign) and node.value is not None:
            self._bind_target(node.target, node.value)
        elif isinstance(node, ir.ForStmt | ir.For):
            self._bind_target(node.target, None)
            if self._is_given(node.iter):
                targets = node.target.items if isinstance(node.target, ir.Sequence) else (node.target,)
                self.items |= {target.id for target in targets if isinstance(target, ir.Name)}
        elif isinstance(node, ir.Walrus):
            self._bind_name(node.name, False)
        elif isinstance(node, ir.With):
            for _, place in node.items:
                self._bind_target(place, None)
        elif isinstance(node, ir.Handler) and node.name:
            self._bind_name(node.name, False)
        elif isinstance(node, ir.Lambda):
            for param in node.params:
                self._bind_name(param.name, False)
        elif isinstance(node, ir.Import | ir.ImportFrom):
            for name, alias in node.names:
                self._bind_name(alias or name.split(".")[0], False)
        for part in node if isinstance(node, tuple) else ():
            if isinstance(part, tuple):
                self._bind(part)

    def _bind_target(self, target: object, value: ir.Expr | None) -> None:
        if isinstance(target, ir.Name):
            self._bind_name(target.id, value is not None and self._kind(value) == FRESH)
        elif isinstance(target, ir.Sequence):
            for item in target.items:
                self._bind_target(item, None)
        elif isinstance(target, ir.Starred):
            self._bind_target(target.value, None)

    def _bind_name(self, name: str, own: bool) -> None:
        self.locals[name] = own and self.locals.get(name, True) and name not in self.params

    def _kind(self, value: ir.Expr | None) -> str:
        """What an expression gives: a parameter, None, something fresh, or anything else."""
        if value is None or (isinstance(value, ir.Const) and value.value is None):
            return ""
        if isinstance(value, ir.Const | ir.Sequence | ir.Dict | ir.Comp | ir.Format | ir.Binary | ir.Compare):
            return FRESH
        if isinstance(value, ir.Name):
            if value.id in self.locals:
                return FRESH if self.locals[value.id] else OTHER
            return value.id if value.id in self.params else OTHER
        if isinstance(value, ir.Call):
            return self._call_kind(value)
        return OTHER

    def _call_kind(self, call: ir.Call) -> str:
        if isinstance(call.func, ir.Attr) and call.func.name in known_names.READERS - {
            "get",
            "items",
            "values",
            "copy",
        }:
            return FRESH
        callee = self._callee(call.func)
        if isinstance(callee, ExtV):
            gives_given = callee.dotted in known_names.GIVE_GIVEN or callee.dotted.startswith("torch.")
            return FRESH if known_names.is_safe(self.m, callee.dotted) and not gives_given else OTHER
        if not isinstance(callee, FuncV):
            return OTHER
        returns = of(self.m, callee).returns
        if returns in ("", FRESH, OTHER):
            return returns
        names = [p.name for p in callee.params]
        for place, arg in enumerate(call.args):
            if not arg.star and (arg.keyword or (names[place] if place < len(names) else "")) == returns:
                return self._kind(arg.value)
        return OTHER

    def _callee(self, node: ir.Expr) -> Value | None:
        """The value that a dotted name of the file's top level stands for; None for what the function binds."""
        if isinstance(node, ir.Name):
            if node.id in self.locals or node.id in self.params or self._enclosed(node.id):
                return None
            return self._global(node.id)
        if isinstance(node, ir.Attr):
            base = self._callee(node.value)
            if isinstance(base, ExtV):
                return ExtV(f"{base.dotted}.{node.name}")
            if isinstance(base, PyModule):
                return scope.attribute(self.m, base, node.name)
        return None

    def _enclosed(self, name: str) -> bool:
        frame = self.func.closure
        while frame is not None and not is_const(frame):
            if name in frame.cells and frame.kind == "function":
                return True
            frame = frame.parent
        return False

    def _global(self, name: str) -> Value:
        module = self.func.module
        self.m.ask(module.path, name)
        if name in module.cells:
            return scope.attribute(self.m, module, name)
        found = scope.starred(self.m, module, name)
        if found is not None:
            return found
        return ExtV(f"builtins.{name}") if name in scope.BUILTINS else Sym(0, "undefined", (), 0, frozenset(), "")

    # -- effects -------------------------------------------------------------------------------------------------

    def _visit(self, node: object) -> None:
        if not isinstance(node, tuple):
            return
        special = _VISITS.get(type(node))
        if special is not None:
            special(self, node)
            return
        for part in node:
            if isinstance(part, tuple):
                self._visit(part)

    def _refuse(self, node: object) -> None:
        raise _Effect(type(node).__name__)

    def _raise(self, node: ir.Raise | ir.Assert) -> None:
        self.raises = True
        for part in node:
            self._visit(part)

    def _return(self, node: ir.Return) -> None:
        self.returns.add(self._kind(node.value))
        self._visit(node.value)

    def _scope(self, node: ir.Scope) -> None:
        """`global name` is let pass where the name is None so far: a cache that is filled when it is first needed."""
        if node.kind != "global" or any(self._global(name) is not None for name in node.names):
            raise _Effect(f"assigns {node.kind} {', '.join(node.names)}")
        self.caches.update(node.names)

    def _assign(self, node: ir.Assign) -> None:
        for target in node.targets:
            self._store(target)
            fills = isinstance(target, ir.Name) and target.id in self.caches
            if fills and (isinstance(node.value, ir.Const) or self._kind(node.value) != FRESH):
                raise _Effect("keeps a value in a global name")
        self._visit(node.value)

    def _assign_one(self, node: ir.AugAssign | ir.AnnAssign) -> None:
        self._store(node.target)
        self._visit(node.value)

    def _store(self, target: object) -> None:
        if isinstance(target, ir.Name):
            return
        if isinstance(target, ir.Sequence):
            for item in target.items:
                self._store(item)
        elif isinstance(target, ir.Starred):
            self._store(target.value)
        elif isinstance(target, ir.Sub):
            self._visit(target.item)
            if not self._is_data(target.value):
                self._change(target.value)
        elif not (isinstance(target, ir.Attr) and (target.name in known_names.LABELS or self._is_data(target))):
            raise _Effect(f"stores to {getattr(target, 'name', 'something')}")

    def _is_data(self, node: ir.Expr) -> bool:
        """Whether an expression reaches into `.data` of a tensor, which is no `self.data`, nor that of a global."""
        while isinstance(node, ir.Sub | ir.Attr):
            if isinstance(node, ir.Attr) and node.name == "data":
                name = node.value.id if isinstance(node.value, ir.Name) else None
                return name is None or (name != "self" and (name in self.params or name in self.locals))
            node = node.value
        return False

    def _change(self, base: ir.Expr) -> None:
        if isinstance(base, ir.Sub):  # an item of a list or dict of its own is not known to be its own
            base = base.value
        if not isinstance(base, ir.Name):
            raise _Effect("changes something that others hold")
        if self.locals.get(base.id):
            return
        if base.id not in self.params or base.id in self.locals:
            raise _Effect(f"changes {base.id}")
        self.changed.add(base.id)

    def _loop(self, node: ir.ForStmt) -> None:
        self._store(node.target)
        for part in (node.iter, node.body, node.orelse):
            self._visit(part)

    def _function(self, node: ir.FuncDef) -> None:
        if node.generator or node.decorators:
            raise _Effect("a nested generator or decorator")
        self._visit(node.params)
        before = set(self.returns)
        self._visit(node.body)
        self.returns = before

    def _call(self, node: ir.Call) -> None:
        for arg in node.args:
            self._visit(arg.value)
        func = node.func
        if isinstance(func, ir.Name):
            self._call_name(func.id, node)
            return
        if not isinstance(func, ir.Attr):
            raise _Effect("calls what an expression gives")
        self._visit(func.value)
        callee = self._callee(func)
        if callee is not None:
            self._call_value(callee, node)
        elif func.name in known_names.CHANGERS:
            self._change(func.value)
        else:
            self._call_method(func, node)

    def _call_method(self, func: ir.Attr, node: ir.Call) -> None:
        if func.name.startswith("__"):
            raise _Effect(f"calls {func.name}")
        base = self._callee(func.value) if isinstance(func.value, ir.Name) else None
        if base is not None and (isinstance(base, Obj | ClassV | ModuleObj) or not known_names.reads(func.name)):
            raise _Effect(f"calls {func.name} of something global")
        if known_names.reads(func.name) and self._is_plain(func.value):
            return
        if not known_names.reads(func.name) and not self._is_given(func.value):
            raise _Effect(f"calls {func.name}")
        on = "" if node.args else self._parameter(func.value)  # with arguments it reaches more than its receiver
        if func.name != "apply":
            self.methods.add((on, func.name))
            return
        for arg in node.args:
            if isinstance(arg.value, ir.Attr):
                self.methods.add((on, arg.value.name))
            elif isinstance(arg.value, ir.Name):
                self._call_name(arg.value.id, ir.Call(arg.value, (), -1))
            else:
                raise _Effect("applies what an expression gives")

    def _parameter(self, node: ir.Expr) -> str:
        """The parameter that an expression is, if it is one and never rebound."""
        return node.id if isinstance(node, ir.Name) and node.id in self.params and node.id not in self.locals else ""

    def _is_given(self, node: ir.Expr) -> bool:
        """Whether an expression is an argument, a part of one, or an item of a loop."""
        while isinstance(node, ir.Attr | ir.Sub | ir.Call):
            if isinstance(node, ir.Call) and not isinstance(node.func, ir.Attr) and node.args:
                node = node.args[0].value  # enumerate(x), reversed(x), zip(x, y)
            else:
                node = node.func if isinstance(node, ir.Call) else node.value
        return isinstance(node, ir.Name) and (node.id in self.params or node.id in self.items)

    def _is_plain(self, node: ir.Expr) -> bool:
        """Whether an expression is surely text, a list or a dict: no object with methods of its own."""
        while isinstance(node, ir.Sub):
            node = node.value
        return self._kind(node) == FRESH or (isinstance(node, ir.Attr) and node.name in known_names.LABELS)

    def _call_name(self, name: str, node: ir.Call) -> None:
        if name in self.inner:
            return  # its body is part of this one
        if name in self.locals or self._enclosed(name):
            raise _Effect(f"calls {name}")
        if name in self.params:
            self.called.add(name)
            return
        self._call_value(self._global(name), node)

    def _call_value(self, callee: Value, node: ir.Call) -> None:
        if isinstance(callee, ExtV):
            if not known_names.is_safe(self.m, callee.dotted):
                raise _Effect(f"calls {callee.dotted}")
            return
        if not isinstance(callee, FuncV):
            raise _Effect(f"calls a {type(callee).__name__}")
        effects = of(self.m, callee)
        if effects.why_not:
            raise _Effect(f"{callee.name}: {effects.why_not}")
        self.raises |= effects.raises
        names = [p.name for p in callee.params]
        given = {arg.keyword or (names[i] if i < len(names) else ""): arg for i, arg in enumerate(node.args)}
        for on, name in effects.methods:
            self.methods.add((self._parameter(given[on].value) if on in given else "", name))
        for name in effects.called:
            self._pass_function(given.get(name))
        for name in effects.changed:
            if name in given and self._kind(given[name].value) != FRESH:
                self._change(given[name].value)

    def _pass_function(self, arg: ir.Arg | None) -> None:
        value = arg.value if arg is not None and not arg.star else None
        if isinstance(value, ir.Call) and value.args and self._callee(value.func) == ExtV("functools.partial"):
            value = value.args[0].value
        if not isinstance(value, ir.Name):
            raise _Effect("passes a function on that is not known")
        self._call_name(value.id, ir.Call(value, (), -1))


_VISITS: dict[type, Callable[[_Reading, Any], None]] = {
    **dict.fromkeys((ir.Raise, ir.Assert), _Reading._raise),
    **dict.fromkeys((ir.Yield, ir.Await, ir.ClassDef, ir.Delete), _Reading._refuse),
    ir.Scope: _Reading._scope,
    ir.Return: _Reading._return,
    ir.Assign: _Reading._assign,
    ir.AugAssign: _Reading._assign_one,
    ir.AnnAssign: _Reading._assign_one,
    ir.ForStmt: _Reading._loop,
    ir.FuncDef: _Reading._function,
    ir.Call: _Reading._call,
}
