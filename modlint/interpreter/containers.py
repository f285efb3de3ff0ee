"""Sequential, ModuleList and ModuleDict: their items, and their methods `handler(machine, container, call, name)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.catalogue.entries import Holds
from modlint.interpreter import classes, parameter_lists
from modlint.interpreter.arguments import argument
from modlint.interpreter.iteration import items_of, iterate
from modlint.interpreter.modules import LISTS, fill, new_module, register, update_dict
from modlint.interpreter.truth import TRIPS
from modlint.interpreter.values import INPUT, MISSING, BoundV, CallArgs, FuncV, ModuleObj, Placement, Sym, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.graph import Site
    from modlint.interpreter.interpreter import Interpreter


def list_like(obj: ModuleObj) -> bool:
    """Whether children are numbered: Sequential, ModuleList and what derives from them."""
    return obj.entry is not None and obj.entry.holds in LISTS


def module_item(m: Interpreter, obj: ModuleObj, index: Value, site: Site | None) -> Value:
    """`container[index]`."""
    user = classes.find_any(obj.cls, "__getitem__")
    if isinstance(user, FuncV):
        return m.call(BoundV(user, obj), CallArgs((index,), {}, site))
    if (tensors := parameter_lists.held(m, obj)) is not MISSING:
        return m.get_item(tensors, index, site)
    if isinstance(index, str):
        return m.live(obj.mods.get(index, MISSING)) if index in obj.mods else m.unknown("gave up: no such key")
    children = list(obj.mods.values())
    if isinstance(index, slice):
        keeps_names = obj.entry is not None and obj.entry.holds is Holds.POSITIONAL
        names = tuple(obj.mods)[index] if keeps_names else ()
        return new_container(m, obj, tuple(children[index]), None if site is None else Placement((site,)), names)
    where = m.concrete(index)
    if isinstance(where, int):
        if -len(children) <= where < len(children):
            return m.live(children[where])
        return m.unknown("gave up: index out of range")
    if type(index) is Sym and obj.entry is not None and obj.entry.holds is Holds.DICT and len(children) <= 8:
        return m.alternatives(obj, index, dict(obj.mods))
    return m.unknown("gave up: index not known", INPUT)


def new_container(
    m: Interpreter,
    like: ModuleObj,
    children: tuple[Value, ...],
    place: Placement | None = None,
    names: tuple[str, ...] = (),
) -> ModuleObj:
    """A container of the same class with these children, put there by `place` or by what put them somewhere last.

    They have these names, or numbers.
    """
    obj = new_module(m, like.cls, like.created)
    obj.entry, obj.bound = like.entry, like.bound
    for index, child in enumerate(children):
        register(m, obj, names[index] if names else str(index), child, place)
    m.set(obj.facts, "view", True)
    return obj


def set_module_item(m: Interpreter, obj: ModuleObj, index: Value, value: Value, place: Placement | None) -> None:
    """`container[index] = module`."""
    if (tensors := parameter_lists.held(m, obj)) is not MISSING:
        m.set_item(tensors, index, value, place)
        return
    where = m.concrete(index)
    names = list(obj.mods)
    if isinstance(where, str):
        register(m, obj, where, value, place)
    elif isinstance(where, int) and -len(names) <= where < len(names):
        register(m, obj, names[where], value, place)


def delete_module_item(m: Interpreter, obj: ModuleObj, index: Value) -> None:
    """`del container[index]`; the children of a list move up."""
    children = list(obj.mods.items())
    where = m.concrete(index) if not isinstance(index, slice) else index
    if isinstance(where, str):
        m.set(obj.mods, where, MISSING)
        return
    if not isinstance(where, int | slice):
        return
    try:
        del children[where]
    except IndexError:
        return
    replace_children(m, obj, [child for _, child in children])


def replace_children(m: Interpreter, obj: ModuleObj, children: list[Value]) -> None:
    """Number the children of a list-like container anew."""
    for name in list(obj.mods):
        m.set(obj.mods, name, MISSING)
    for index, child in enumerate(children):
        register(m, obj, str(index), child, None)


def iterate_module(m: Interpreter, obj: ModuleObj) -> tuple[tuple[Value, ...], bool]:
    """The items of a container, and whether their number is known."""
    user = classes.find_any(obj.cls, "__iter__")
    if isinstance(user, FuncV):
        return items_of(m, m.call(BoundV(user, obj), CallArgs((), {}, None)))
    if (tensors := parameter_lists.held(m, obj)) is not MISSING:
        return items_of(m, tensors)
    if m.live(obj.facts.get("unknown-children", False)):
        m.note("a container with unknown children")
        return tuple(m.unknown("a child of a container with unknown children") for _ in range(TRIPS)), False
    if obj.entry is not None and obj.entry.holds is Holds.DICT:
        return tuple(name for name, child in obj.mods.items() if child is not MISSING), True
    return tuple(m.live(child) for child in obj.mods.values()), True


# -- methods ----------------------------------------------------------------------------------------------------------


def _append(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    value = argument(args, 0, "module")
    register(m, obj, _next(obj), value, args.places[0] if args.places else None)
    return obj


def _next(obj: ModuleObj) -> str:
    return str(len(obj.mods))


def _extend(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    fill(m, obj, argument(args, 0, "modules"))
    return obj


def _insert(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    where, children = m.concrete(argument(args, 0, "index")), list(obj.mods.values())
    if isinstance(where, int):
        children.insert(where, argument(args, 1, "module"))
        replace_children(m, obj, children)
    return obj


def _pop(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    children = list(obj.mods.values())
    where = m.concrete(argument(args, 0, "key", -1))
    if isinstance(where, int) and -len(children) <= where < len(children):
        taken = children.pop(where)
        replace_children(m, obj, children)
        return m.live(taken)
    return m.unknown("gave up: pop at an unknown index")


def _dict_pop(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    key = argument(args, 0, "key")
    taken = obj.mods.get(key, MISSING) if isinstance(key, str) else MISSING
    if taken is MISSING:
        return m.unknown("gave up: pop of an unknown key")
    m.set(obj.mods, key, MISSING)
    return m.live(taken)


def _keys(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    return tuple(obj.mods)


def _values(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    return tuple(m.live(child) for child in obj.mods.values())


def _items(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    return tuple((key, m.live(child)) for key, child in obj.mods.items())


def _update(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    update_dict(m, obj, argument(args, 0, "modules"))
    return None


def _clear(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    replace_children(m, obj, [])
    return None


def _dict_get(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    key = argument(args, 0, "key")
    if isinstance(key, str):
        return m.live(obj.mods[key]) if key in obj.mods else argument(args, 1, "default")
    return m.get_item(obj, key, args.site)


def _iter(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    return m.new_iter(iterate(m, obj))


def _len(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    return len(obj.mods)


def _copy_slice(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    return new_container(m, obj, tuple(obj.mods.values()))


LIST_METHODS: dict[str, Callable[..., Value]] = {
    "append": _append,
    "extend": _extend,
    "insert": _insert,
    "pop": _pop,
    "__iter__": _iter,
    "__len__": _len,
    "copy": _copy_slice,
}
DICT_METHODS: dict[str, Callable[..., Value]] = {
    "keys": _keys,
    "values": _values,
    "items": _items,
    "update": _update,
    "pop": _dict_pop,
    "clear": _clear,
    "get": _dict_get,
    "__len__": _len,
}
