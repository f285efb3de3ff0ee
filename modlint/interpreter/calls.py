"""Calls: functions of the tree, classes of the tree, library names, and whatever else can be called."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from modlint.interpreter import (
    classes,
    effects,
    enums,
    known_names,
    library,
    managers,
    plain,
    recursion,
    subclassed,
    templates,
)
from modlint.interpreter.expressions import evaluate
from modlint.interpreter.frames import Frame
from modlint.interpreter.iteration import drain, exhaust, items_of
from modlint.interpreter.machine import Dead
from modlint.interpreter.remembering import remembered
from modlint.interpreter.values import (
    MISSING,
    BoundV,
    CallArgs,
    Choice,
    ClassV,
    ContextV,
    Descriptor,
    DictObj,
    ExtMethod,
    ExtV,
    FuncV,
    IterObj,
    ListObj,
    ModuleObj,
    Obj,
    PartialV,
    Placement,
    Sym,
    Value,
    is_const,
)
from modlint.syntax import ir

if TYPE_CHECKING:
    from modlint.interpreter.interpreter import Interpreter


def call(m: Interpreter, func: Value, args: CallArgs) -> Value:
    """Call a value."""
    return m.split(func, lambda f: _call(m, f, args)) if type(func) is Choice else _call(m, func, args)


def _call(m: Interpreter, func: Value, args: CallArgs) -> Value:
    m.tick()
    if isinstance(func, FuncV):
        return _call_unbound(m, func, args)
    if isinstance(func, BoundV):
        return _call_bound(m, func, args)
    if isinstance(func, ModuleObj):
        return m.call_module(func, args)
    if isinstance(func, ClassV):
        return instantiate(m, func, args)
    if isinstance(func, ExtV):
        return library.call(m, func.dotted, args)
    if isinstance(func, ExtMethod):
        return func.handler(m, func.receiver, args, func.name)
    if isinstance(func, PartialV):
        return _call_partial(m, func, args)
    if isinstance(func, Obj):
        method = classes.find_any(func.cls, "__call__")
        if isinstance(method, FuncV):
            return call_function(m, method, args.after(func))
    if func is None or is_const(func):
        raise Dead  # not callable: this path raises
    return unknown_call(m, func, args)


def unknown_call(m: Interpreter, func: Value, args: CallArgs) -> Value:
    """The result of what cannot be followed: data that depends on the arguments."""
    values = (*args.args, *args.kwargs.values())
    exhaust(m, values)
    if m.run is not None and any(isinstance(v, ModuleObj) for v in values):
        m.note("a module is passed to a function that is not known")
    taint, src = m.taint_of(func), m.src_of(func)
    for value in values:
        taint |= m.taint_of(value)
        src = src | m.src_of(value)
    if taint or src or (isinstance(func, Sym) and func.op in {"data", "field"}):
        return m.data(taint, src)
    if type(func) is Sym and func.op == "attr" and func.args[1] == "get" and all(map(is_const, values)):
        return m.symbol("get", func, *values)  # the same entry of the same configuration each time it is asked for
    found = m.unknown("a call that is not known")
    read = isinstance(func, ExtV) and known_names.reads_settings(func.dotted)
    found.configured = read or any(type(value) is Sym and value.configured for value in (func, *values))
    return found


def _call_partial(m: Interpreter, func: PartialV, args: CallArgs) -> Value:
    places = (None,) * len(func.args) + args.places
    merged = args._replace(args=(*func.args, *args.args), kwargs={**func.kwargs, **args.kwargs}, places=places)
    return call(m, func.func, merged)


def _call_unbound(m: Interpreter, func: FuncV, args: CallArgs) -> Value:
    """A function; `Block.forward(self.block, x)` is what `self.block.forward(x)` is."""
    first = args.args[0] if args.args and func.owner is not None else None
    if isinstance(first, ModuleObj) and _runs_apart(m, first) and func.owner in getattr(first.cls, "mro", ()):
        return _call_bound(m, BoundV(func, first), args._replace(args=args.args[1:], places=args.places[1:]))
    return call_function(m, func, args)


def _runs_apart(m: Interpreter, obj: ModuleObj) -> bool:
    """Whether forward is under way, and not that of `obj`."""
    return m.run is not None and m.run.of(obj) is None


def _call_bound(m: Interpreter, bound: BoundV, args: CallArgs) -> Value:
    func, receiver = bound.func, bound.receiver
    if isinstance(receiver, ModuleObj) and isinstance(func, FuncV):
        if func.name == "forward" and (m.run is None or m.run.of(receiver) is None):
            return m.run_module(receiver, func, args)
        if m.run is not None and m.run.of(receiver) is None and not func.name.startswith("__"):
            return m.run_method(receiver, func, args)
    if isinstance(func, FuncV):
        return call_function(m, func, args.after(receiver))
    return call(m, func, args.after(receiver))


# -- functions ---------------------------------------------------------------------------------------------------


def call_function(m: Interpreter, func: FuncV, args: CallArgs) -> Value:
    """Run a function of the tree and join what its paths return. Raises Dead when every path raises."""
    if func.dispatches or plain.skippable(m, func, args):
        return unknown_call(m, func, args)
    if m.run is None and (result := effects.skipped(m, func, args)) is not None:
        return result[0]
    if func.cached is not None:
        return remembered(m, func.cached, args, partial(_activate, m, func, args))
    if plain.boundable(m, func, args):
        found = plain.within_bounds(m, partial(_activate, m, func, args))
        return found[0] if found else unknown_call(m, m.unknown("gave up: too many paths"), args)
    return _activate(m, func, args)


def _activate(m: Interpreter, func: FuncV, args: CallArgs) -> Value:
    if m.recalls:
        m.used[id(func.node)] = func.node
    if func.id in m.stack:
        m.reentered.add(func.id)
    if len(m.stack) >= m.highest:
        m.highest = len(m.stack) + 1
    if not recursion.goes_on(m, func, args):
        m.note("gave up: recursion")
        return unknown_call(m, m.unknown("gave up: recursion"), args)
    frame = Frame(m.fresh(), "function", func.module, func.qualname, func.closure, None, func.owner)
    m.bear(frame.cells)
    bind_params(m, func, args, frame)
    if isinstance(func.node, ir.Lambda):
        with recursion.Active(m, func, args):
            return evaluate(m, func.node.body, frame)
    return _run_body(m, func, args, frame)


def _run_body(m: Interpreter, func: FuncV, args: CallArgs, frame: Frame) -> Value:
    from modlint.interpreter.statements import execute

    if func.generator:
        if m.run is not None and not func.context and frame.yields is None:
            return _generator(m, func, args, frame)
        frame.yields = {"items": ()}  # anew, should the body run on several paths
        m.bear(frame.yields)
    assert isinstance(func.node, ir.FuncDef)
    parts = managers.halves(func.node.body) if func.context else None
    start = len(m.pending)
    m.activated.add(func.id)
    with recursion.Active(m, func, args):
        falls = execute(m, parts[0] if parts else func.node.body, frame)
    exits = m.take(start, frame)
    if falls:
        exits.append(m.here())
    if not exits:
        raise Dead
    value = m.merge(exits)
    if frame.yields is not None:
        items = m.live(frame.yields["items"])
        if func.context and type(items) is tuple and items:
            return ContextV(items[0], managers.rest_of(m, parts[1], frame) if parts else None)
        return m.new_iter(items) if type(items) is tuple else m.unknown("gave up: a generator with several paths")
    return value


def _generator(m: Interpreter, func: FuncV, args: CallArgs, frame: Frame) -> Value:
    """A generator in forward: its body runs once the first item is drawn, and then all of it does."""

    def start() -> tuple[Value, ...]:
        frame.yields = {"items": ()}
        m.bear(frame.yields)
        made = _run_body(m, func, args, frame)
        return drain(m, made) if isinstance(made, IterObj) else items_of(m, made)[0]

    made = m.new_iter(())
    made.start = start
    return made


def bind_params(m: Interpreter, func: FuncV, args: CallArgs, frame: Frame) -> None:
    """Bind arguments to parameters, defaults where there are none; a missing argument is unknown."""
    rest, kwargs, at = args.args, dict(args.kwargs), 0
    spread, starred = kwargs.pop("**", None), kwargs.pop("*", None)
    for param in func.params:
        name = param.name
        if param.kind == "*":
            frame.cells[name] = rest[at:] if starred is None else starred
            at = len(rest)
        elif param.kind == "**":
            frame.cells[name] = m.new_dict(kwargs, spread is not None)
            kwargs = {}
        elif param.kind != "keyword" and at < len(rest):
            frame.cells[name] = rest[at]
            if at < len(args.places):
                _carry(frame, name, args.places[at])
            at += 1
        elif name in kwargs:
            frame.cells[name] = kwargs.pop(name)
            _carry(frame, name, args.named_places.get(name))
        elif spread is not None or starred is not None:
            frame.cells[name] = _maybe_given(m, func, name)
        else:
            frame.cells[name] = _default(m, func, name)
    for name, value in frame.cells.items():
        if isinstance(value, ModuleObj):
            m.name_module(value, name)
    if func.params:
        frame.first = frame.cells[func.params[0].name]


def _carry(frame: Frame, name: str, place: Placement | None) -> None:
    if place is not None:
        frame.places[name] = place


def _default(m: Interpreter, func: FuncV, name: str) -> Value:
    if name not in func.defaults:
        return m.symbol("param", func.id, name)
    value = m.live(func.defaults[name])
    root, opened = m.open_defaults
    of_root = func.owner is not None and func.owner.id == root and func.name == "__init__"
    if of_root and isinstance(value, opened):
        return m.symbol("param", func.id, name)
    m.mark(value, "default-argument", name)
    return value


def _maybe_given(m: Interpreter, func: FuncV, name: str) -> Value:
    """A parameter that an unknown `*args` or `**kwargs` may fill: its default, if there is one."""
    return _default(m, func, name)


# -- instances ---------------------------------------------------------------------------------------------------


def instantiate(m: Interpreter, cls: ClassV, args: CallArgs) -> Value:
    """Build an instance of a class of the tree."""
    if enums.members(cls) is not None:
        return enums.by_value(m, cls, args)
    user = classes.find_any(cls.meta, "__call__")
    return call_function(m, user, args.after(cls)) if isinstance(user, FuncV) else construct(m, cls, args)


def construct(m: Interpreter, cls: ClassV, args: CallArgs) -> Value:
    """What `type` does when a class is called."""
    maker = classes.find_any(cls, "__new__")
    if isinstance(maker, FuncV):
        before = m.count
        made = call_function(m, maker, args.after(cls))
        if not isinstance(made, Sym):
            return m.split(made, lambda one: _made_by_new(m, cls, one, args, before))
    if _derives(cls, "TypedDict"):
        return m.call(ExtV("builtins.dict"), args)
    if cls.is_module:
        return templates.built(m, cls, args, partial(_module, m, cls, args))
    obj = m.new_plain(cls)
    subclassed.begin(m, obj)
    _initialise(m, cls, obj, args)
    return obj


def _made_by_new(m: Interpreter, cls: ClassV, made: Value, args: CallArgs, before: int) -> Value:
    """An instance that `__new__` gave, made after number `before` or kept from another call: both are initialised."""
    own = made.cls if isinstance(made, ModuleObj | Obj) else None
    if isinstance(own, ClassV) and cls in own.mro:
        if isinstance(made, ModuleObj) and made.id > before:
            made.created = args.site
        _initialise(m, own, made, args)
    return made


def _module(m: Interpreter, cls: ClassV, args: CallArgs) -> Value:
    obj = m.new_module(cls, args.site)
    _initialise(m, cls, obj, args)
    return obj


def _initialise(m: Interpreter, cls: ClassV, obj: Value, args: CallArgs) -> None:
    owner, init = classes.find(cls, "__init__")
    if cls.dataclass and not (isinstance(owner, ClassV) and isinstance(init, FuncV) and "#fields" not in owner.cells):
        _init_dataclass(m, cls, obj, args)
    elif isinstance(init, FuncV):
        call_function(m, init, args.after(obj))
    elif isinstance(owner, ExtV) and isinstance(obj, ModuleObj):
        m.library_init(obj, owner, args)
    elif isinstance(obj, Obj) and is_namedtuple(cls):
        _init_dataclass(m, cls, obj, args)
    else:
        subclassed.fill(m, obj, args, "__init__")


def is_namedtuple(cls: ClassV) -> bool:
    """Whether instances are tuples with named fields."""
    return _derives(cls, "NamedTuple")


def _derives(cls: ClassV, name: str) -> bool:
    """Whether a library class of that name is among the bases."""
    return any(isinstance(base, ExtV) and base.dotted.rpartition(".")[2] == name for base in cls.mro)


def _init_dataclass(m: Interpreter, cls: ClassV, obj: Value, args: CallArgs) -> None:
    rest = list(args.args)
    for name in classes.fields(cls):
        stands = classes.find_any(cls, name)
        if rest:
            value = rest.pop(0)
        elif name in args.kwargs:
            value = args.kwargs[name]
        else:
            value = _field_default(m, cls, name, m.live(stands))
        if type(obj) is Obj and not isinstance(stands, Descriptor):
            m.set(obj.cells, name, value)  # what `set_attr` comes to
        else:
            m.set_attr(obj, name, value)
    after = classes.find_any(cls, "__post_init__")
    if isinstance(after, FuncV):
        call_function(m, after, CallArgs((obj,), {}, args.site))


def _field_default(m: Interpreter, cls: ClassV, name: str, value: Value) -> Value:
    if value is MISSING:
        return m.symbol("field", cls.id, name)
    if isinstance(value, Obj) and "#factory" in value.cells:
        return call(m, value.cells["#factory"], CallArgs((), {}, None))
    if isinstance(value, Obj) and "#default" in value.cells:
        value = value.cells["#default"]
    m.mark(value, "default-argument", name)
    return value


def container_of(value: Value) -> bool:
    """Whether a value is a list or dict object."""
    return isinstance(value, ListObj | DictObj)
