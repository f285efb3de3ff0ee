"""What kind of value it is: `isinstance` and `issubclass`.

A test that is not decided here makes two paths of one, and what only one of them builds is known less well.
"""

from __future__ import annotations

import collections.abc
import numbers
from collections import deque
from typing import TYPE_CHECKING

from modlint.interpreter import classes, enums
from modlint.interpreter.values import (
    MISSING,
    BoundV,
    ClassV,
    DictObj,
    ExtV,
    FuncV,
    ListObj,
    ModuleObj,
    Obj,
    PartialV,
    Sym,
    Value,
    is_const,
)

if TYPE_CHECKING:
    from modlint.catalogue import Entry
    from modlint.interpreter.interpreter import Interpreter

_PYTHON = {
    "builtins.int": int,
    "builtins.float": float,
    "builtins.str": str,
    "builtins.bool": bool,
    "builtins.bytes": bytes,
}
_ABSTRACT: dict[str, type] = {
    name: getattr(room, name) for room in (collections.abc, numbers) for name in room.__all__ if name != "Callable"
}
_ABSTRACT_ROOMS = ("collections.", "typing.", "numbers.")
_DATA = frozenset({*_PYTHON, "builtins.list", "builtins.tuple", "builtins.dict", "builtins.set", "builtins.frozenset"})
_NONE = frozenset({"types.NoneType"})
_CALLABLE = frozenset({"typing.Callable", "collections.abc.Callable", "collections.Callable"})
_OF_FUNCTION = _CALLABLE | {"types.FunctionType", "types.LambdaType"}
_OF_METHOD = _CALLABLE | {"types.MethodType"}
_OF_CLASS = _CALLABLE | {"builtins.type"}
_OF_PARTIAL = _CALLABLE | {"functools.partial"}
_OF_CODE = _DATA | _OF_FUNCTION | _OF_METHOD | _OF_CLASS | _OF_PARTIAL  # where the answer is known
_STRUCTURAL = {
    "Hashable": (),
    "Callable": ("__call__",),
    "Iterable": ("__iter__",),
    "Iterator": ("__iter__", "__next__"),
    "Sized": ("__len__",),
    "Container": ("__contains__",),
    "Collection": ("__len__", "__iter__", "__contains__"),
}
_OF_ENUM = frozenset({"enum.EnumMeta", "enum.EnumType"})
_FAMILIES = {
    "_BatchNorm": ("BatchNorm", "SyncBatchNorm", "LazyBatchNorm"),
    "_InstanceNorm": ("InstanceNorm", "LazyInstanceNorm"),
    "_NormBase": ("BatchNorm", "InstanceNorm", "SyncBatchNorm"),
    "_ConvNd": ("Conv", "LazyConv"),
    "_ConvTransposeNd": ("ConvTranspose",),
    "_DropoutNd": ("Dropout", "AlphaDropout", "FeatureAlphaDropout"),
    "RNNBase": ("RNN", "LSTM", "GRU"),
    "_Loss": ("",),
}


def is_instance(m: Interpreter, value: Value, cls: Value) -> Value:
    """`isinstance` of one value and one class, or a tuple of classes."""
    if type(cls) is tuple:
        answers = [is_instance(m, value, m.live(one)) for one in cls]
        if any(answer is True for answer in answers):
            return True
        if all(answer is False for answer in answers):
            return False
        return next(answer for answer in answers if answer is not False)
    if isinstance(value, ModuleObj):
        return _module_is(m, value, cls)
    if isinstance(cls, ExtV) and is_const(value):
        return _constant_is(value, cls.dotted)
    if isinstance(cls, ExtV) and (known := _container_is(value, cls.dotted)) is not None:
        return known
    if (known := _code_is(m, value, cls)) is not None:
        return known
    if enums.is_member(value) and isinstance(cls, ExtV) and cls.dotted in _PYTHON:
        return isinstance(m.concrete(value), _PYTHON[cls.dotted])
    if isinstance(value, Obj):
        return _object_is(m, value, cls)
    if type(value) is Sym:
        return m.symbol("isinstance", value, getattr(cls, "dotted", None) or getattr(cls, "qualname", str(id(cls))))
    return False if isinstance(cls, ClassV) or is_const(value) else m.unknown("isinstance of a value not modelled")


def is_class_like(m: Interpreter, value: Value) -> bool:
    """Whether a value can stand in `int | Norm | None`: a class, a union of classes, or None."""
    if type(value) is tuple:
        return bool(value) and all(is_class_like(m, one) for one in value)
    if isinstance(value, ExtV):
        return value.dotted in _DATA or value.dotted in _NONE or m.entry(value.dotted) is not None
    return value is None or isinstance(value, ClassV)


def union(left: Value, right: Value) -> tuple[Value, ...]:
    """`left | right` of classes, as the tuple that `isinstance` takes for it."""
    parts = (*(left if type(left) is tuple else (left,)), *(right if type(right) is tuple else (right,)))
    return tuple(ExtV("types.NoneType") if part is None else part for part in parts)


def is_subclass(m: Interpreter, cls: Value, other: Value) -> Value:
    """`issubclass` of one class and another, or a tuple of classes."""
    if type(other) is tuple:
        answers = [is_subclass(m, cls, m.live(one)) for one in other]
        return True if True in answers else next((answer for answer in answers if answer is not False), False)
    if not isinstance(cls, ClassV | ExtV) or not isinstance(other, ClassV | ExtV):
        return m.unknown("issubclass of what is not known")
    mro = cls.mro if isinstance(cls, ClassV) else (cls,)
    if isinstance(other, ClassV):
        return other in mro
    if classes.is_module_root(other) and classes.is_module_class(m, cls):
        return True
    if any(isinstance(base, ExtV) and _canonical(m, base) == _canonical(m, other) for base in mro):
        return True
    base = classes.library_base(m, cls)
    entry = None if base is None else m.entry(base.dotted)
    if entry is not None:
        return _catalogued_is(m, entry, _canonical(m, other))
    known = isinstance(cls, ClassV) and not classes.open_base(m, cls)
    return False if known else m.unknown("issubclass of a library class")


def _canonical(m: Interpreter, cls: ExtV) -> str:
    return m.catalogue.canonical(cls.dotted) or cls.dotted


def _constant_is(value: Value, dotted: str) -> bool:
    if dotted in _PYTHON:
        return isinstance(value, _PYTHON[dotted])
    if dotted in _NONE or dotted == "builtins.object":
        return value is None or dotted == "builtins.object"
    abstract = _ABSTRACT.get(dotted.rpartition(".")[2])
    return abstract is not None and dotted.startswith(_ABSTRACT_ROOMS) and isinstance(value, abstract)


def _object_is(m: Interpreter, value: Obj, cls: Value) -> Value:
    """By the bases of its class, or by the methods that an abstract class asks for."""
    if not isinstance(value.cls, ClassV):
        return m.symbol("isinstance", value.id, id(cls))
    name = cls.dotted.rpartition(".")[2] if isinstance(cls, ExtV) else ""
    if name in _STRUCTURAL and cls.dotted.startswith(_ABSTRACT_ROOMS):
        return all(classes.find_any(value.cls, method) is not MISSING for method in _STRUCTURAL[name])
    return cls in value.cls.mro


def _container_is(value: Value, dotted: str) -> bool | None:
    kind: type | None = None
    if type(value) is tuple:
        kind = tuple
    elif isinstance(value, ListObj):
        kind = {"set": set, "deque": deque}.get(value.kind, list)
    elif isinstance(value, DictObj):
        kind = dict
    if kind is None:
        return None
    name = dotted.rpartition(".")[2]
    if dotted.startswith(_ABSTRACT_ROOMS) and name in _ABSTRACT:
        return issubclass(kind, _ABSTRACT[name])
    return name.lower() == kind.__name__ or (kind is dict and name == "OrderedDict")


def _code_is(m: Interpreter, value: Value, cls: Value) -> bool | None:
    """What is known of a class, a function, a method or a partial."""
    if isinstance(value, FuncV):
        mine = _OF_FUNCTION
    elif isinstance(value, BoundV):
        mine = _OF_METHOD
    elif isinstance(value, PartialV):
        mine = _OF_PARTIAL
    elif isinstance(value, ClassV) or (isinstance(value, ExtV) and m.entry(value.dotted) is not None):
        mine = _OF_CLASS
    else:
        return None
    if isinstance(cls, ClassV):
        return False
    if not isinstance(cls, ExtV):
        return None
    if cls.dotted in _OF_ENUM:
        return enums.members(value) is not None
    if cls.dotted in _OF_CODE:
        return cls.dotted in mine
    return False if classes.is_module_class(m, cls) else None


def _module_is(m: Interpreter, value: ModuleObj, cls: Value) -> Value:
    mro = value.cls.mro if isinstance(value.cls, ClassV) else (value.cls,)
    if isinstance(cls, ClassV):
        return cls in mro
    if not isinstance(cls, ExtV):
        return m.unknown("isinstance with an unknown class")
    if classes.is_module_root(cls):
        return True
    asked = _canonical(m, cls)
    if any(isinstance(base, ExtV) and _canonical(m, base) == asked for base in mro):
        return True
    if value.entry is not None:
        return _catalogued_is(m, value.entry, asked)
    open_class = isinstance(value.cls, ClassV) and classes.open_base(m, value.cls)
    return m.symbol("isinstance", value.id, asked) if open_class or not isinstance(value.cls, ClassV) else False


def _catalogued_is(m: Interpreter, entry: Entry, asked: str) -> Value:
    name = asked.rpartition(".")[2]
    own = entry.type.rpartition(".")[2]
    if name in _FAMILIES:
        return own.startswith(_FAMILIES[name])
    if m.entry(asked) is not None or not asked.startswith("torch."):
        return False
    return m.symbol("isinstance", entry.type, asked)
