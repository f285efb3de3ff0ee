"""What kind of value it is: `isinstance` and `issubclass`.

A test that is not decided here makes two paths of one, and what only one of them builds is known less well.
"""

from __future__ import annotations

import collections
import collections.abc
import numbers
from typing import TYPE_CHECKING, Any

from modlint.interpreter import classes
from modlint.interpreter.values import (
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
_ABSTRACT: dict[str, Any] = {
    **{f"collections.abc.{name}": getattr(collections.abc, name) for name in collections.abc.__all__},
    **{f"typing.{name}": getattr(collections.abc, name) for name in collections.abc.__all__ if name != "Set"},
    **{f"numbers.{name}": getattr(numbers, name) for name in numbers.__all__},
    "typing.AbstractSet": collections.abc.Set,
}
_LIKE_LIST: dict[str, Any] = {"list": [], "set": set(), "deque": collections.deque()}
_DATA = frozenset({*_PYTHON, "builtins.list", "builtins.tuple", "builtins.dict", "builtins.set", "builtins.frozenset"})
_CALLABLE = frozenset({"typing.Callable", "collections.abc.Callable", "collections.Callable"})
_OF_FUNCTION = _CALLABLE | {"types.FunctionType", "types.LambdaType"}
_OF_METHOD = _CALLABLE | {"types.MethodType"}
_OF_CLASS = _CALLABLE | {"builtins.type"}
_OF_PARTIAL = _CALLABLE | {"functools.partial"}
_OF_CODE = _DATA | _OF_FUNCTION | _OF_METHOD | _OF_CLASS | _OF_PARTIAL  # where the answer is known
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
    if isinstance(cls, ExtV) and cls.dotted in _PYTHON and is_const(value):
        return isinstance(value, _PYTHON[cls.dotted])
    if isinstance(cls, ExtV) and cls.dotted in _ABSTRACT and is_const(value):
        return isinstance(value, _ABSTRACT[cls.dotted])
    if isinstance(cls, ExtV) and (known := _container_is(value, cls.dotted)) is not None:
        return known
    if (known := _code_is(m, value, cls)) is not None:
        return known
    if isinstance(value, Obj):
        return cls in value.cls.mro if isinstance(value.cls, ClassV) else m.symbol("isinstance", value.id, id(cls))
    if type(value) is Sym:
        return m.symbol("isinstance", value, getattr(cls, "dotted", None) or getattr(cls, "qualname", str(id(cls))))
    return False if isinstance(cls, ClassV) or is_const(value) else m.unknown("isinstance of a value not modelled")


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


def _container_is(value: Value, dotted: str) -> bool | None:
    name = dotted.rpartition(".")[2]
    like: Any
    if type(value) is tuple:
        like, names = (), {"tuple", "Tuple"}
    elif isinstance(value, ListObj):
        like, names = _LIKE_LIST.get(value.kind, []), {value.kind, value.kind.capitalize()}
    elif isinstance(value, DictObj):
        like, names = {}, {"dict", "OrderedDict", "Dict"}
    else:
        return None
    return isinstance(like, _ABSTRACT[dotted]) if dotted in _ABSTRACT else name in names


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
