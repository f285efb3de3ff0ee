"""Class statements -> ClassV, method resolution, and what a name on a class means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.catalogue.entries import Forward
from modlint.interpreter import enums
from modlint.interpreter.frames import Frame
from modlint.interpreter.values import EVERY, MISSING, CallArgs, ClassV, Descriptor, ExtV, FuncV, ModuleObj, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modlint.interpreter.interpreter import Interpreter
    from modlint.syntax import ir

_MODULE_BASES = frozenset({"torch.nn.Module", "torch.jit.ScriptModule", "torch.fx.GraphModule"})
_MODULE_ENDINGS = ("Module", "PreTrainedModel", "LightningModule")


def define(m: Interpreter, node: ir.ClassDef, frame: Frame, execute: Callable[..., bool]) -> ClassV:
    """Run a class body and return the class."""
    from modlint.interpreter.descriptors import tell_names
    from modlint.interpreter.expressions import evaluate

    bases = tuple(
        m.live(evaluate(m, base.value, frame)) for base in node.bases if base.keyword is None and not base.star
    )
    prefix = "" if frame.kind == "module" else f"{frame.qualname}."
    cls = ClassV(m.fresh(), node, frame.module, prefix + node.name, bases)
    cls.mro = linearise(cls, bases)
    cls.asked = m if m.recalls and frame.module.state == "running" else None
    cls.is_module = any(is_module_class(m, base) for base in bases) or _looks_like_module(cls, bases)
    cls.meta = _metaclass(m, cls, frame)
    m.bear(cls.cells)
    body = Frame(m.fresh(), "class", frame.module, cls.qualname, frame, cls.cells, cls)
    execute(m, node.body, body)
    enums.complete(m, cls)
    tell_names(m, cls)
    begin = find_any(cls.meta, "__init__")
    if isinstance(begin, FuncV):
        m.call(begin, CallArgs((cls, cls.name, bases, m.new_dict({})), {}))
    hook = find_any(cls, "__init_subclass__", cls)
    if hook is not MISSING:
        function = hook.func if isinstance(hook, Descriptor) else hook
        keywords = {b.keyword: evaluate(m, b.value, frame) for b in node.bases if b.keyword not in {None, "metaclass"}}
        m.call(function, CallArgs((cls,), keywords))
    return cls


def _metaclass(m: Interpreter, cls: ClassV, frame: Frame) -> ClassV | None:
    """The metaclass, of those that a file of the tree defines."""
    from modlint.interpreter.expressions import evaluate

    for base in cls.node.bases:
        if base.keyword == "metaclass":
            given = m.live(evaluate(m, base.value, frame))
            return given if isinstance(given, ClassV) else None
    return next((base.meta for base in cls.mro[1:] if isinstance(base, ClassV) and base.meta is not None), None)


def linearise(cls: ClassV, bases: Sequence[Value]) -> tuple[Value, ...]:
    """The C3 linearisation; bases one after the other where the hierarchy has none."""
    rows = [list(base.mro) if isinstance(base, ClassV) else [base] for base in bases]
    rows.append(list(bases))
    found: list[Value] = [cls]
    while any(rows):
        rows = [row for row in rows if row]
        head = next((row[0] for row in rows if not any(_in(row[0], other[1:]) for other in rows)), rows[0][0])
        found.append(head)
        rows = [[c for c in row if not _same(c, head)] for row in rows]
    return tuple(found)


def _same(one: Value, other: Value) -> bool:
    return bool(one is other or (isinstance(one, ExtV) and one == other))


def _in(value: Value, row: Sequence[Value]) -> bool:
    return any(_same(value, other) for other in row)


def is_module_class(m: Interpreter, cls: Value) -> bool:
    """Whether instances of the class are nn.Modules, as far as names tell."""
    if isinstance(cls, ClassV):
        return cls.is_module
    if isinstance(cls, ExtV):
        if cls.dotted in _MODULE_BASES or m.entry(cls.dotted) is not None:
            return True
        return cls.dotted.endswith(_MODULE_ENDINGS) and not cls.dotted.startswith(("pydantic", "types.", "builtins"))
    return False


def is_module_root(cls: ExtV) -> bool:
    """Whether the name is nn.Module itself, by any of its paths."""
    return cls.dotted in {"torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module"}


def _looks_like_module(cls: ClassV, bases: Sequence[Value]) -> bool:
    """A class with an unknown base and a forward of its own."""
    unknown = [b for b in bases if not isinstance(b, ClassV) and not (isinstance(b, ExtV) and _plain(b.dotted))]
    return bool(unknown) and any(getattr(s, "name", "") == "forward" for s in cls.node.body)


def _plain(dotted: str) -> bool:
    return dotted.startswith(
        ("builtins.", "typing.", "abc.", "enum.", "torch.autograd.", "torch.utils.", "dataclasses.")
    )


def find(cls: Value, name: str, after: ClassV | None = None) -> tuple[Value, Value]:
    """The class that defines `name`, and the value; an ExtV of the MRO ends the search (value MISSING)."""
    if not isinstance(cls, ClassV):
        return cls, MISSING
    started = after is None
    for base in cls.mro:
        if not started:
            started = base is after
            continue
        if isinstance(base, ClassV):
            value = base.cells.get(name, MISSING) if base.asked is None else base.own(name)
            if value is not MISSING:
                return base, value
        elif isinstance(base, ExtV) and base.dotted not in {"builtins.object", "abc.ABC", "typing.Generic"}:
            if name in {"forward", "__init__", "__call__"} and base.dotted in _MODULE_BASES and _more(cls, base):
                continue
            return base, MISSING
    return None, MISSING


def _more(cls: ClassV, base: ExtV) -> bool:
    """Whether another class of the MRO comes after `base`: nn.Module itself defines none of what is looked for."""
    after = list(cls.mro)[list(cls.mro).index(base) + 1 :]
    return any(isinstance(other, ClassV | ExtV) for other in after)


def find_any(cls: Value, name: str, after: ClassV | None = None) -> Value:
    """The value of `name` on a user class of the MRO, past library bases."""
    if not isinstance(cls, ClassV):
        return MISSING
    started = after is None
    for base in cls.mro:
        if not started:
            started = base is after
        elif isinstance(base, ClassV):
            value = base.cells.get(name, MISSING) if base.asked is None else base.own(name)
            if value is not MISSING:
                return value
    return MISSING


def methods(cls: Value, counting: str = EVERY) -> list[FuncV]:
    """Every function that an instance has from its classes; `counting` says which of them decide anything."""
    found: list[FuncV] = []
    for base in cls.mro if isinstance(cls, ClassV) else ():
        if isinstance(base, ClassV):
            base.own(counting)
            found += (value for value in base.cells.values() if isinstance(value, FuncV))
    return found


def fields(cls: Value) -> tuple[str, ...]:
    """The annotated names of a class and its bases, as a dataclass and a named tuple take them."""
    found: dict[str, None] = {}
    for base in reversed(cls.mro) if isinstance(cls, ClassV) else ():
        if isinstance(base, ClassV):
            found.update(dict.fromkeys(base.cells.get("#fields", ())))
    return tuple(found)


def library_base(m: Interpreter, cls: Value) -> ExtV | None:
    """The catalogued class that a user class derives from (nn.Sequential, nn.BatchNorm2d, ...), if any."""
    if isinstance(cls, ExtV):
        return cls
    for base in cls.mro if isinstance(cls, ClassV) else ():
        if isinstance(base, ExtV) and base.dotted not in _MODULE_BASES and m.entry(base.dotted) is not None:
            return base
    return None


def open_base(m: Interpreter, cls: Value) -> bool:
    """Whether the class derives from a library class of which nothing is known: attributes may come from there."""
    return isinstance(cls, ClassV) and any(
        not isinstance(base, ClassV)
        and not (
            isinstance(base, ExtV)
            and (base.dotted in _MODULE_BASES or _plain(base.dotted) or m.entry(base.dotted) is not None)
        )
        for base in cls.mro
    )


def defines_forward(m: Interpreter, cls: ClassV) -> bool:
    """Whether instances can be called: a forward in the tree, or a library class with one."""
    if isinstance(find_any(cls, "forward"), FuncV):
        return True
    base = library_base(m, cls)
    return base is not None


def never_runs(m: Interpreter, obj: ModuleObj) -> bool:
    """Whether nobody can call an instance: its class has no forward, nor a library class that may have one."""
    cls = obj.cls
    if not isinstance(cls, ClassV):
        return obj.entry is not None and obj.entry.forward is Forward.NONE
    known, looked = m.passive.get(cls.id), (cls.id, "#runs")
    if known is None or (m.recalls and looked not in m.used):  # what is looked up for it counts for whoever asks
        m.ask(*looked)
        called = defines_forward(m, cls) or isinstance(find_any(cls, "__call__"), FuncV) or open_base(m, cls)
        known = m.passive[cls.id] = not called
    return known and "forward" not in obj.cells


def type_name(obj: ModuleObj) -> str:
    """The qualified type of an instance: the user's class by its name, a library class by its canonical path."""
    if isinstance(obj.cls, ClassV):
        return obj.cls.qualname
    if obj.entry is not None:
        return obj.entry.type
    return obj.cls.dotted if isinstance(obj.cls, ExtV) else "Module"
