"""nn.Module instances: building, registering, calling; and the containers Sequential, ModuleList and ModuleDict."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from modlint.catalogue import UNKNOWN
from modlint.catalogue.entries import Forward, Holds
from modlint.interpreter import classes, hooks, parameter_lists, replays, tracking
from modlint.interpreter.frames import Run
from modlint.interpreter.iteration import exhaust, items_of, iterate
from modlint.interpreter.machine import Dead
from modlint.interpreter.values import (
    INPUT,
    MISSING,
    RNG,
    BoundV,
    CallArgs,
    Choice,
    ClassV,
    DictObj,
    ExtMethod,
    ExtV,
    FuncV,
    ListObj,
    ModuleObj,
    PartialV,
    Placement,
    Sym,
    Tensor,
    Value,
    is_const,
)

if TYPE_CHECKING:
    from modlint.graph import Site
    from modlint.interpreter.interpreter import Interpreter

NESTED = 40  # executions within executions
LISTS = frozenset({Holds.POSITIONAL, Holds.LIST})
_MOST = 512  # children that a container is given


def new_module(m: Interpreter, cls: Value, site: Site | None) -> ModuleObj:
    """An instance of a user class, or of a library class by its name, not initialised yet."""
    obj = ModuleObj(m.fresh(), cls, site)
    m.bear(obj.cells, obj.mods, obj.tensors, obj.meta, obj.places, obj.facts)
    base = classes.library_base(m, cls)
    if base is not None:
        obj.entry = m.entry(base.dotted)
    m.modules.append(obj)
    return obj


def library_init(m: Interpreter, obj: ModuleObj, owner: ExtV, args: CallArgs) -> None:
    """`__init__` of a library class on `obj`: its arguments decide the state class; its children are registered."""
    entry = m.entry(owner.dotted)
    if entry is None:
        return
    obj.entry = entry
    complete = "**" not in args.kwargs and "*" not in args.kwargs
    kwargs = {k: v for k, v in args.kwargs.items() if k not in {"*", "**"}}
    try:
        named = entry.bind(args.args, kwargs, complete=complete)
    except (TypeError, ValueError):
        named = {}
    obj.bound = {name: as_argument(m, value) for name, value in named.items()}
    if entry.holds is Holds.POSITIONAL:
        _fill_sequential(m, obj, args)
    elif entry.holds is Holds.LIST and args.args:
        fill(m, obj, args.args[0])
    elif entry.holds is Holds.DICT and args.args:
        update_dict(m, obj, args.args[0])
    elif entry.holds is Holds.PARAMETERS:
        parameter_lists.fill(m, obj, next(iter(named.values()), None))
    else:
        _keep_children(m, obj, named, args)


def as_argument(m: Interpreter, value: Value) -> object:
    """A value as the catalogue's conditions take it: a constant, or UNKNOWN."""
    value = m.live(value)
    if is_const(value):
        return value
    if type(value) is tuple and all(is_const(item) for item in value):
        return value
    if isinstance(value, ExtV):
        return m.catalogue.canonical(value.dotted) or UNKNOWN
    return UNKNOWN


def _fill_sequential(m: Interpreter, obj: ModuleObj, args: CallArgs) -> None:
    if len(args.args) == 1 and isinstance(m.live(args.args[0]), DictObj):
        update_dict(m, obj, args.args[0])
        return
    if "*" in args.kwargs and not args.args:
        m.set(obj.facts, "unknown-children", True)
    for index, value in enumerate(args.args[:_MOST]):
        place = args.places[index] if index < len(args.places) else None
        register(m, obj, str(index), value, place)


def fill(m: Interpreter, obj: ModuleObj, source: Value) -> None:
    """Append the items of an iterable to a list-like container."""
    items, known = items_of(m, source)
    if not known and (isinstance(source, Sym) or (isinstance(source, ListObj) and type(source.cells["items"]) is Sym)):
        m.set(obj.facts, "unknown-children", True)
        return
    for value in items[:_MOST]:
        register(m, obj, str(len(obj.mods)), value, m.list_placement(value))


def update_dict(m: Interpreter, obj: ModuleObj, source: Value) -> None:
    """Register the entries of a mapping, or of an iterable of pairs."""
    source = m.live(source)
    if isinstance(source, DictObj):
        pairs: list[tuple[Any, Value]] = [(m.value_of_key(k), v) for k, v in m.dict_items(source).items()]
    elif isinstance(source, ModuleObj):
        pairs = list(source.mods.items())
    else:
        pairs = [(p[0], p[1]) for p in iterate(m, source) if type(p) is tuple and len(p) == 2]
    for key, value in pairs:
        register(m, obj, key if isinstance(key, str) else f"<{len(obj.mods)}>", value, m.list_placement(value))


def _keep_children(m: Interpreter, obj: ModuleObj, named: dict[str, Any], args: CallArgs) -> None:
    """The modules that a library class keeps, or deep-copies, from its arguments."""
    entry = obj.entry
    for child in entry.children if entry is not None else ():
        value = m.live(named.get(child.argument))
        if not isinstance(value, ModuleObj):
            continue
        if child.copies:
            count, _ = m.trips(m.live(named.get(child.copies)))
            for index in range(min(count, _MOST)):
                register(m, obj, f"{child.at}.{index}", m.deep_copy(value), None)
        else:
            register(m, obj, child.at, value, args.named_places.get(child.argument) or m.list_placement(value))


def register(m: Interpreter, obj: ModuleObj, name: str, value: Value, place: Placement | None) -> None:
    """Put a child into a slot, which takes modules only: where a value may be a class instead, that path ends."""
    if not all(_fits(m, one) for one in m.possible(value)):
        value = m.split(value, lambda v: _fitting(m, v)) if _holds_module(value) else m.unknown("no module in a slot")
    _put(m, obj, name, value, place)


def _fits(m: Interpreter, value: Value) -> bool:
    """False for what is surely no module: a class, a function."""
    if isinstance(value, ExtV):
        return m.entry(value.dotted) is None
    return not isinstance(value, ClassV | FuncV | BoundV | PartialV)


def _fitting(m: Interpreter, value: Value) -> Value:
    if not _fits(m, value):
        raise Dead  # TypeError
    return value


def _put(m: Interpreter, obj: ModuleObj, name: str, value: Value, place: Placement | None) -> None:
    if place is None:
        place = m.list_placement(value)
    if place is not None:
        m.set(obj.places, name, place)
    if type(value) is ModuleObj and value.held is None:
        value.held = (obj, name)
    m.set(obj.mods, name, value)


def set_module_attr(
    m: Interpreter, obj: ModuleObj, name: str, value: Value, place: Placement | None, update: bool = False
) -> None:
    """`module.name = value`, as nn.Module.__setattr__ sorts it."""
    if _holds_module(value):
        if name in obj.cells:
            m.set(obj.cells, name, MISSING)
        _put(m, obj, name, value, place)
        return
    if isinstance(value, Tensor) and value.owner is None:
        value.owner, value.name = obj, name
        m.set(obj.tensors, name, value)
        return
    if name in obj.tensors and m.run is not None:
        m.wrote_attr(obj, name, value, update)
        return
    if name in obj.mods:
        m.set(obj.mods, name, MISSING)
    tracking.owned(value, obj, name)
    if place is not None:
        m.set(obj.places, name, place)
    m.wrote_attr(obj, name, value, update)
    m.set(obj.cells, name, value)


def _holds_module(value: Value) -> bool:
    if isinstance(value, ModuleObj):
        return True
    return type(value) is Choice and any(isinstance(v, ModuleObj) for _, v in value.alts)


# -- calling -----------------------------------------------------------------------------------------------------


def call_module(m: Interpreter, obj: ModuleObj, args: CallArgs) -> Value:
    """`module(...)`: an overridden `__call__`, else forward."""
    user = classes.find_any(obj.cls, "__call__")
    if isinstance(user, FuncV):
        return m.call(user, args.after(obj))
    return run_forward(m, obj, args)


def run_forward(m: Interpreter, obj: ModuleObj, args: CallArgs, hooked: bool = True) -> Value:
    """What nn.Module.__call__ does: the instance's own forward, the class's, or the library's; hooks before and after.

    A direct call of forward is not `hooked`.
    """
    own = obj.cells.get("forward", MISSING)
    if own is not MISSING:
        return m.split(own, lambda f: run_module(m, obj, PartialV(f, (), {}), args, hooked))
    owner, forward = classes.find(obj.cls, "forward")
    if isinstance(owner, ExtV) and m.entry(owner.dotted) is None:
        forward = classes.find_any(obj.cls, "forward")
    return run_module(m, obj, forward, args, hooked)


def run_module(m: Interpreter, obj: ModuleObj, forward: Value, args: CallArgs, hooked: bool = False) -> Value:
    """One execution: recorded, then followed if its source is known, or taken from that of another instance."""
    if obj.made is None or not m.counting:
        return _executed(m, obj, forward, args, hooked)
    return replays.executed(m, obj, forward, args, hooked, partial(_executed, m, obj, forward, args, hooked))


def _executed(m: Interpreter, obj: ModuleObj, forward: Value, args: CallArgs, hooked: bool) -> Value:
    if m.nesting(obj) >= 3 or m.depth >= NESTED:
        m.note("gave up: recursion")
        return m.data(INPUT)
    run = tracking.record(m, obj, args)
    m.depth += 1
    mark = len(m.journal)
    try:
        with tracking.Running(m, run):
            if hooked:
                args = hooks.before(m, obj, args)
            result = stamped(m, _run_code(m, obj, forward, args), run.order)
            if hooked:
                result = stamped(m, hooks.after(m, obj, args, result), run.order)
            if run.parent is None:
                exhaust(m, result)  # whoever runs the model draws what it gives
        tracking.restored(m, run, mark)
    finally:
        m.depth -= 1
    return result


def _run_code(m: Interpreter, obj: ModuleObj, forward: Value, args: CallArgs) -> Value:
    if forward is MISSING or forward is None:
        return library_forward(m, obj, args)
    if isinstance(forward, FuncV):
        return m.call(forward, args.after(obj))
    return m.call(forward, args)


def run_method(m: Interpreter, obj: ModuleObj, func: FuncV, args: CallArgs) -> Value:
    """A method of another module, called from outside: an execution for state, no use that hooks would count."""
    run = Run(m.run.order if m.run is not None else 0, obj, m.run, m.checkpointed, False)
    floor = m.loop_floor
    with tracking.Running(m, run):
        m.loop_floor = floor
        return m.call(func, args.after(obj))


def stamped(m: Interpreter, value: Value, order: int) -> Value:
    """The result of a use: data that comes from it."""
    if type(value) is Sym and value.op != "attr":
        return Sym(m.fresh(), "data", (), value.taint, frozenset({order}))
    if type(value) is tuple:
        return tuple(stamped(m, item, order) for item in value)
    return value


def library_forward(m: Interpreter, obj: ModuleObj, args: CallArgs) -> Value:
    """The forward of a library class: a container runs its children, a leaf gives data."""
    entry = obj.entry
    m.set(obj.facts, "library-forward", True)
    if entry is not None and entry.forward is Forward.SEQUENTIAL:
        return _run_sequence(m, obj, args)
    if entry is not None and entry.forward is Forward.EACH_ONCE:
        for child in list(obj.mods.values()):
            m.split(child, lambda c: m.call(c, args) if isinstance(c, ModuleObj) else None)
    taint = 0
    for value in (*args.args, *args.kwargs.values()):
        taint |= m.taint_of(value)
    state = m.classify(obj)
    if any(trait.value.startswith("draws") for trait in state.traits):
        taint |= RNG
    return m.data(taint or INPUT)


def _run_sequence(m: Interpreter, obj: ModuleObj, args: CallArgs) -> Value:
    if m.live(obj.facts.get("unknown-children", False)):
        m.note("a container with unknown children")
    x = args
    for name, child in list(obj.mods.items()):
        result = m.split(child, partial(_run_child, m, obj, name, args=x))
        x = args._replace(args=(result,), kwargs={}, places=(), named_places={})
    return x.args[0] if x.args else m.data(INPUT)


def _run_child(m: Interpreter, obj: ModuleObj, name: str, child: Value, args: CallArgs) -> Value:
    if child is None or child is MISSING:
        return args.args[0] if args.args else m.data(INPUT)
    return m.call(child, args._replace(slot=(obj, name)))


def super_method(m: Interpreter, obj: ModuleObj, owner: ExtV, name: str) -> Value:
    """A method of the library class that `super()` reaches."""
    if name == "__init__":
        return ExtMethod(obj, name, lambda mm, o, a, _: library_init(mm, o, owner, a))
    if name == "forward":
        return ExtMethod(obj, name, lambda mm, o, a, _: library_forward(mm, o, a))
    if name == "__call__":
        return ExtMethod(obj, name, lambda mm, o, a, _: run_forward(mm, o, a))
    if name == "__setattr__":
        return ExtMethod(obj, name, _plain_setattr)
    handler = m.module_method(obj, name)
    return m.unknown("a method of a library class") if handler is None else ExtMethod(obj, name, handler)


def _plain_setattr(m: Interpreter, obj: Value, args: CallArgs, _: str) -> Value:
    if len(args.args) == 2 and isinstance(args.args[0], str):
        set_module_attr(m, obj, args.args[0], args.args[1], None)
    return None
