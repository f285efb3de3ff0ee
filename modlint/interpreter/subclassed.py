"""Objects of user classes that derive from dict or list: the dict or list behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import classes, methods
from modlint.interpreter.values import MISSING, CallArgs, ClassV, DictObj, ExtMethod, ExtV, FuncV, ListObj, Obj, Value

if TYPE_CHECKING:
    from modlint.interpreter.interpreter import Interpreter

_BEHIND = "#behind"
_KINDS = {
    "builtins.dict": "dict",
    "collections.OrderedDict": "dict",
    "collections.UserDict": "dict",
    "builtins.list": "list",
    "collections.UserList": "list",
}


def begin(m: Interpreter, obj: Obj) -> None:
    """Give a new object what its class derives from, empty. A dataclass is what its fields are."""
    cls = obj.cls
    if not isinstance(cls, ClassV) or cls.dataclass:
        return
    kind = next((_KINDS[base.dotted] for base in cls.mro if isinstance(base, ExtV) and base.dotted in _KINDS), "")
    if kind:
        obj.cells[_BEHIND] = m.new_dict({}) if kind == "dict" else m.new_list(())
        if any(isinstance(base, ExtV) and base.dotted.startswith("collections.User") for base in cls.mro):
            obj.cells["data"] = obj.cells[_BEHIND]


def behind(m: Interpreter, value: Value, method: str = "") -> Value:
    """The dict or list, unless the user's class has the `method` itself; MISSING where there is none."""
    if not isinstance(value, Obj) or _BEHIND not in value.cells:
        return MISSING
    if method and isinstance(classes.find_any(value.cls, method), FuncV):
        return MISSING
    return m.live(value.cells[_BEHIND])


def fill(m: Interpreter, obj: Value, args: CallArgs, name: str) -> Value:
    """`dict.__init__` and `list.__init__`."""
    held = behind(m, obj)
    if isinstance(held, DictObj | ListObj):
        made = m.call(ExtV("builtins.dict" if isinstance(held, DictObj) else "builtins.list"), args)
        m.set(held.cells, "items", made.cells["items"])
        if isinstance(held, DictObj):
            held.open = made.open
    return None


def attribute(m: Interpreter, obj: Obj, name: str) -> Value:
    """An attribute that the dict or list has, or that `self.__dict__ = self` makes of an entry; else MISSING."""
    held = behind(m, obj)
    if isinstance(held, DictObj) and obj.cells.get("__dict__") is obj and name in (entries := m.dict_items(held)):
        return m.live(entries[name])
    handler = methods.method_of(held, name)
    return MISSING if handler is None else ExtMethod(held, name, handler)


def inherited(m: Interpreter, obj: Obj, name: str) -> Value:
    """What `super()` gives of dict or list; MISSING for what is not modelled."""
    if name == "__init__":
        return ExtMethod(obj, name, fill)
    held = behind(m, obj)
    if name == "__getitem__":
        return ExtMethod(held, name, lambda mm, on, args, _: mm.get_item(on, args.args[0], args.site))
    if name == "__setitem__":
        return ExtMethod(held, name, lambda mm, on, args, _: mm.set_item(on, args.args[0], args.args[1], None))
    return attribute(m, obj, name)
