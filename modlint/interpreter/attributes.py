"""Attributes: reading, writing and deleting them on every kind of value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import classes, descriptors, enums, methods, scope, series, subclassed, views
from modlint.interpreter.values import (
    MISSING,
    PLAIN,
    STATE,
    BoundV,
    CallArgs,
    Choice,
    ClassV,
    Descriptor,
    ExtMethod,
    ExtV,
    FuncV,
    ModuleObj,
    Obj,
    PartialV,
    Placement,
    PyModule,
    SuperV,
    Sym,
    Tensor,
    Value,
    View,
)

if TYPE_CHECKING:
    from modlint.graph import Site
    from modlint.interpreter.interpreter import Interpreter

SHAPES = frozenset({"shape", "device", "dtype", "ndim", "requires_grad", "is_cuda", "layout", "itemsize"})
_VIEWS = frozenset({"data", "T", "mT", "H", "mH", "real"})


def get_attr(m: Interpreter, base: Value, name: str, site: Site | None, reading: bool = True) -> Value:
    """`base.name`. `reading` is False where the value is read only to be updated."""
    if type(base) is not Choice:
        return _get(m, base, name, site, reading)
    return m.split(base, lambda b: _get(m, b, name, site, reading))


def _get(m: Interpreter, base: Value, name: str, site: Site | None, reading: bool) -> Value:
    if isinstance(base, ModuleObj):
        return module_attr(m, base, name, site, reading)
    if isinstance(base, ExtV):
        if name in {"__name__", "__qualname__"} and (entry := m.entry(base.dotted)) is not None:
            return entry.type.rpartition(".")[2]
        return scope.external(f"{base.dotted}.{name}")
    if isinstance(base, Sym):
        return _symbol_attr(m, base, name)
    if isinstance(base, PyModule):
        return scope.attribute(m, base, name)
    if isinstance(base, Obj):
        if reading and base.owner is not None:
            m.read_attr(base.owner[0], f"{base.owner[1]}.{name}")
        return _object_attr(m, base, name, site)
    if isinstance(base, View):
        handler = views.METHODS.get(name)
        return m.unknown("a method of a view") if handler is None else ExtMethod(base, name, handler)
    if isinstance(base, ClassV):
        return class_attr(m, base, name, site)
    if isinstance(base, SuperV):
        return _super_attr(m, base, name, site)
    if isinstance(base, Tensor):
        return _tensor_attr(m, base, name)
    if isinstance(base, Descriptor) and name in {"setter", "getter", "fget"}:
        return ExtV("builtins.property")
    if isinstance(base, PartialV) and name in {"func", "args", "keywords"}:
        return {"func": base.func, "args": base.args, "keywords": m.new_dict(dict(base.kwargs))}[name]
    if isinstance(base, FuncV | BoundV) and name in {"__name__", "__qualname__"}:
        return getattr(base if isinstance(base, FuncV) else base.func, "name", m.unknown("a function's name"))
    if isinstance(base, BoundV) and name == "__self__":
        return base.receiver
    handler = methods.method_of(base, name)
    if handler is not None:
        return ExtMethod(base, name, handler)
    return m.unknown("an attribute that is not modelled", m.taint_of(base))


def _symbol_attr(m: Interpreter, base: Sym, name: str) -> Value:
    if name in SHAPES:
        found = m.symbol("attr", base, name)
        found.taint, found.src = 0, frozenset()
        return found
    of_known = series.method(base, name)
    if of_known is not None:
        return of_known
    if name in methods.TENSOR_METHODS:
        return ExtMethod(base, name, methods.data_method(name))
    if base.op in {"data", "join"}:  # a method, or a part of what a module returned
        return m.data(base.taint, base.src) if name in _VIEWS else m.symbol("field", base, name)
    return m.symbol("attr", base, name)


def _tensor_attr(m: Interpreter, base: Tensor, name: str) -> Value:
    if name in _VIEWS:
        return base
    if name in SHAPES:
        return m.symbol("attr-of", id(base), name)
    return ExtMethod(base, name, methods.tensor_method)


# -- modules -----------------------------------------------------------------------------------------------------


def module_attr(m: Interpreter, obj: ModuleObj, name: str, site: Site | None, reading: bool = True) -> Value:
    """An attribute of a module instance, as nn.Module's lookup finds it."""
    if name in obj.cells:
        if reading:
            m.read_attr(obj, name)
        return m.live(obj.cells[name])
    value = classes.find_any(obj.cls, name)
    if value is not MISSING:
        return _bind(m, value, obj, site, name)
    if name in obj.mods:
        return m.live(obj.mods[name])
    if name in obj.tensors:
        if reading:
            m.read_attr(obj, name)
        return m.live(obj.tensors[name])
    return _library_attr(m, obj, name, site)


def _library_attr(m: Interpreter, obj: ModuleObj, name: str, site: Site | None) -> Value:
    special = m.special_attr(obj, name)
    if special is not MISSING:
        return special
    handler = m.module_method(obj, name)
    if handler is not None:
        return ExtMethod(obj, name, handler)
    known = m.library_attr(obj, name)
    if known is not MISSING:
        return known
    getter = classes.find_any(obj.cls, "__getattr__")
    if isinstance(getter, FuncV) and not name.startswith("__"):
        return m.call(BoundV(getter, obj), CallArgs((name,), {}, site))
    return m.symbol("attr-of", id(obj), name)


def _bind(m: Interpreter, value: Value, receiver: Value, site: Site | None, name: str = "") -> Value:
    """What a name on the class gives on an instance."""
    value = m.live(value)
    if isinstance(value, FuncV):
        return BoundV(value, receiver)
    if isinstance(value, Descriptor):
        return _through_descriptor(m, value, receiver, site, name)
    if (given := descriptors.read(m, value, receiver, getattr(receiver, "cls", None), site)) is not MISSING:
        return given
    if isinstance(receiver, ModuleObj):
        m.mark(value, "class-attribute", name)
    return value


def _through_descriptor(m: Interpreter, value: Descriptor, receiver: Value, site: Site | None, name: str) -> Value:
    if value.kind == "staticmethod":
        return value.func
    if value.kind == "partialmethod" and isinstance(value.func, PartialV):
        inner = value.func
        return PartialV(_bind(m, inner.func, receiver, site, name), inner.args, inner.kwargs)
    if value.kind == "classmethod":
        return BoundV(value.func, getattr(receiver, "cls", receiver))
    result = m.call(BoundV(value.func, receiver), CallArgs((), {}, site))
    if value.kind == "cached_property" and isinstance(receiver, ModuleObj | Obj) and name:
        m.set(receiver.cells, name, result)
    return result


def _object_attr(m: Interpreter, base: Obj, name: str, site: Site | None) -> Value:
    if name in base.cells:
        return m.live(base.cells[name])
    value = classes.find_any(base.cls, name)
    if value is not MISSING:
        return _bind(m, value, base, site, name)
    if name in {"__class__"}:
        return base.cls
    if name == "__dict__":
        return m.new_dict({key: value for key, value in base.cells.items() if not key.startswith("#")})
    if (found := subclassed.attribute(m, base, name)) is not MISSING:
        return found
    if PLAIN in base.cells:
        return m.get_attr(base.cells[PLAIN], name, site)
    handler = methods.object_method(base, name)
    if handler is not None:
        return ExtMethod(base, name, handler)
    getter = classes.find_any(base.cls, "__getattr__")
    if isinstance(getter, FuncV) and not name.startswith("__"):
        return m.call(BoundV(getter, base), CallArgs((name,), {}, site))
    found = m.symbol("attr-of", id(base), name)
    found.configured = isinstance(base.cls, ExtV)
    return found


def class_attr(m: Interpreter, cls: ClassV, name: str, site: Site | None) -> Value:
    """`Class.name`."""
    if name in {"__name__", "__qualname__"}:
        return cls.name
    if name == "__members__" and (members := enums.members(cls)) is not None:
        return m.new_dict(dict(members))
    value = m.live(classes.find_any(cls, name))
    if value is MISSING:
        of_meta = m.live(classes.find_any(cls.meta, name))
        if of_meta is not MISSING:
            return _bind(m, of_meta, cls, site, name)
        base, _ = classes.find(cls, name)
        if isinstance(base, ExtV):
            return ExtV(f"{base.dotted}.{name}")
        return m.symbol("attr-of", id(cls), name)
    if isinstance(value, Descriptor) and value.kind in {"staticmethod", "classmethod"}:
        return value.func if value.kind == "staticmethod" else BoundV(value.func, cls)
    if (given := descriptors.read(m, value, None, cls, site)) is not MISSING:
        return given
    if cls.is_module:
        m.mark(value, "class-attribute", name)
    return value


def _super_attr(m: Interpreter, base: SuperV, name: str, site: Site | None) -> Value:
    receiver = base.receiver
    cls = receiver if isinstance(receiver, ClassV) else receiver.cls
    if isinstance(receiver, ClassV) and base.start not in receiver.mro:
        return _super_of_metaclass(m, base, name, site)
    owner, value = classes.find(cls, name, base.start)
    if value is not MISSING:
        return _bind(m, value, receiver, site, name)
    if isinstance(owner, ExtV) and isinstance(receiver, ModuleObj):
        return m.super_method(receiver, owner, name)
    if isinstance(receiver, ModuleObj):
        return m.super_method(receiver, ExtV("torch.nn.Module"), name)
    if isinstance(receiver, Obj) and subclassed.behind(m, receiver) is not MISSING:
        found = subclassed.inherited(m, receiver, name)
        return m.unknown("super() of a library class") if found is MISSING else found
    if name == "__init__" and isinstance(receiver, Obj):
        return ExtV("builtins.object.__init__")
    if name == "__new__":
        return ExtV("builtins.object.__new__")
    return m.unknown("super() of a library class")


def _super_of_metaclass(m: Interpreter, base: SuperV, name: str, site: Site | None) -> Value:
    """`super()` in a method of a metaclass: what comes after it are other metaclasses, and `type`."""
    value = classes.find_any(base.receiver.meta, name, base.start)
    if value is not MISSING:
        return _bind(m, value, base.receiver, site, name)
    if name == "__call__":
        return ExtMethod(base.receiver, name, lambda mm, cls, args, _: mm.construct(cls, args))
    return ExtV(f"builtins.object.{name}")


def set_attr(
    m: Interpreter, base: Value, name: str, value: Value, place: Placement | None = None, update: bool = False
) -> None:
    """`base.name = value`."""
    m.split(base, lambda b: _set(m, b, name, value, place, update))


def _set(m: Interpreter, base: Value, name: str, value: Value, place: Placement | None, update: bool) -> None:
    if isinstance(base, ModuleObj):
        setter = classes.find_any(base.cls, name)
        if isinstance(setter, Descriptor) and setter.setter is not None:
            if update and m.run is not None:
                value = m.data(m.taint_of(value) | STATE, m.src_of(value))
            m.call(BoundV(setter.setter, base), CallArgs((value,), {}, None))
        elif not descriptors.write(m, base, name, value):
            m.set_module_attr(base, name, value, place, update)
    elif isinstance(base, Obj | ClassV):
        setter = classes.find_any(getattr(base, "cls", None), name)
        if isinstance(setter, Descriptor) and setter.setter is not None:
            m.call(BoundV(setter.setter, base), CallArgs((value,), {}, None))
        elif not descriptors.write(m, base, name, value):
            m.set(base.cells, name, value)
            if isinstance(base, Obj) and base.owner is not None:
                m.wrote_into(base, m.taint_of(value), f".{name}", update)
    elif isinstance(base, PyModule):
        m.set(base.cells, name, value)
    elif isinstance(base, Tensor) and name == "data":
        m.write_tensor(base, m.taint_of(value), value is base)
    elif isinstance(base, Tensor) and name == "requires_grad" and base.owner is not None:
        m.set(base.owner.facts, "frozen", value is False)


def delete_attr(m: Interpreter, base: Value, name: str) -> None:
    """`del base.name`."""
    base = m.live(base)
    for cells in (getattr(base, "cells", {}), getattr(base, "mods", {}), getattr(base, "tensors", {})):
        if name in cells:
            m.set(cells, name, MISSING)
