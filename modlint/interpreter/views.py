"""`module._modules`, `._parameters`, `._buffers` and `.__dict__`: the mappings themselves, read and written.

What stands in them is what the attribute of that name gives: a write during forward is a write of the attribute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modlint.interpreter.arguments import argument
from modlint.interpreter.machine import Dead
from modlint.interpreter.modules import update_dict
from modlint.interpreter.values import MISSING, CallArgs, DictObj, ModuleObj, Placement, Tensor, Value, View

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.interpreter import Interpreter

_KINDS = {"_modules": "modules", "_parameters": "parameter", "_buffers": "buffer", "__dict__": "dict"}


def view_of(obj: ModuleObj, name: str) -> Any:
    """The mapping that an attribute of a module is, or MISSING."""
    return View(obj, _KINDS[name]) if name in _KINDS else MISSING


def entries(m: Interpreter, view: View) -> dict[str, Value]:
    """What a view maps now."""
    if view.kind in {"modules", "dict"}:
        return {name: m.live(value) for name, value in view.cells().items()}
    for name in ("weight", "bias") if view.kind == "parameter" and not view.obj.tensors else ():
        m.library_attr(view.obj, name)
    found = {name: m.live(value) for name, value in view.cells().items()}
    return {name: value for name, value in found.items() if not isinstance(value, Tensor) or value.kind == view.kind}


def view_item(m: Interpreter, view: View, index: Value) -> Value:
    """`view[index]`."""
    if _is_view(view, index):
        return view_of(view.obj, index)
    if not isinstance(index, str) or index not in (found := entries(m, view)):
        return m.unknown("gave up: no such key")
    if view.kind != "modules":
        m.read_attr(view.obj, index)
    return found[index]


def _is_view(view: View, key: Value) -> bool:
    """Whether `__dict__` has one of the other mappings under a key."""
    return view.kind == "dict" and isinstance(key, str) and key in _KINDS and key != "__dict__"


def set_view_item(
    m: Interpreter, view: View, index: str, value: Value, place: Placement | None, update: bool = False
) -> None:
    """`view[index] = value`."""
    if view.kind == "modules":
        m.set_module_item(view.obj, index, value, place)
    elif view.kind == "dict" and isinstance(value, ModuleObj):
        m.set(view.obj.cells, index, value)  # not registered
    else:
        m.set_module_attr(view.obj, index, value, place, update)


def delete_view_item(m: Interpreter, view: View, index: Value) -> None:
    """`del view[index]`."""
    if isinstance(index, str):
        m.set(view.cells(), index, MISSING)


def registered(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    """nn.Module.__getattr__: what the three mappings have under a name."""
    key = argument(args, 0, "name")
    for kind in ("parameter", "buffer", "modules"):
        view = View(obj, kind)
        if isinstance(key, str) and key in entries(m, view):
            return view_item(m, view, key)
    if isinstance(key, str):
        raise Dead  # AttributeError
    return m.unknown("gave up: getattr with an unknown name")


def _keys(m: Interpreter, view: View, args: CallArgs, name: str) -> Value:
    return tuple(entries(m, view))


def _values(m: Interpreter, view: View, args: CallArgs, name: str) -> Value:
    return tuple(entries(m, view).values())


def _items(m: Interpreter, view: View, args: CallArgs, name: str) -> Value:
    return tuple(entries(m, view).items())


def _get(m: Interpreter, view: View, args: CallArgs, name: str) -> Value:
    key = argument(args, 0, "key")
    if isinstance(key, str) and key not in entries(m, view) and not _is_view(view, key):
        return argument(args, 1, "default")
    return view_item(m, view, key)


def _pop(m: Interpreter, view: View, args: CallArgs, name: str) -> Value:
    taken = _get(m, view, args, name)
    delete_view_item(m, view, argument(args, 0, "key"))
    return taken


def _update(m: Interpreter, view: View, args: CallArgs, name: str) -> Value:
    source = m.live(argument(args, 0))
    if view.kind == "modules":
        update_dict(m, view.obj, source)
        return None
    given = m.dict_items(source) if isinstance(source, DictObj) else {}
    for key, value in {**given, **args.kwargs}.items():
        if isinstance(key, str) and key not in {"*", "**"}:
            set_view_item(m, view, key, value, None)
    return None


def _clear(m: Interpreter, view: View, args: CallArgs, name: str) -> Value:
    for key in entries(m, view):
        delete_view_item(m, view, key)
    return None


METHODS: dict[str, Callable[..., Value]] = {
    "keys": _keys,
    "values": _values,
    "items": _items,
    "get": _get,
    "pop": _pop,
    "update": _update,
    "clear": _clear,
}
