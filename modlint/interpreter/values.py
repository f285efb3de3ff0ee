"""Abstract values. Constants and tuples are the Python objects themselves; everything else is a class of this module.

What can change over time (attributes, items) lives in dicts that only the machine writes, so that it can journal and
undo them. `Choice` holds alternatives, each under a path condition.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modlint.catalogue import Entry
    from modlint.catalogue.entries import Wrapper
    from modlint.graph import Site
    from modlint.interpreter.conditions import Cond
    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.reach import Effects
    from modlint.interpreter.templates import Instance
    from modlint.syntax import ir

Value: TypeAlias = Any  # a constant, a tuple of values, or an instance of a class below
# What was read: the definition of a function, by identity; a name, by the path of the file or the number of the class
Read: TypeAlias = "int | tuple[str | int, str]"
Definitions: TypeAlias = "dict[Read, ir.FuncDef | ir.Lambda | None]"  # the definitions that were read

EVERY = "*"  # stands for all names, where everything that a class or a file has is looked at
MODAL = "*training"  # the same where only what depends on the mode counts
PLAIN = "#plain"  # the cell of an enumeration's member that holds the string or number that it also is
INPUT, RNG, STATE = 1, 2, 4  # what a value depends on: inputs of forward, the RNG, earlier state


class Missing:
    """Nothing stands in a cell."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


class Kept(dict[Any, "Value"]):
    """What a function that keeps its results gave, by its arguments. Unknown ones are so on every path."""

    __slots__ = ()


class Sym:
    """A value that is not known: `id` identifies it, `op` and `args` say how it is computed from others.

    `taint` is what it depends on; `src` the orders of the uses whose outputs reach it, and below zero the numbers of
    the buffers that do; `reason` why it is unknown.
    `configured`: it is computed from a parameter that nothing in the analysis gave a value.
    """

    __slots__ = ("args", "configured", "id", "op", "reason", "src", "taint")

    def __init__(
        self,
        id: int,
        op: str,
        args: tuple[Any, ...],
        taint: int = 0,
        src: frozenset[int] = frozenset(),
        reason: str = "",
    ) -> None:
        self.id = id
        self.op = op
        self.args = args
        self.taint = taint
        self.src = src
        self.reason = reason
        self.configured: bool = op == "param"
        for arg in args:
            if type(arg) is Sym and arg.configured:
                self.configured = True

    def __repr__(self) -> str:
        return f"Sym({self.op}#{self.id})"


class Choice:
    """One of several values, by path."""

    __slots__ = ("alts",)

    def __init__(self, alts: tuple[tuple[Cond, Value], ...]) -> None:
        self.alts = alts

    def __repr__(self) -> str:
        return f"Choice({', '.join(repr(v) for _, v in self.alts)})"


class Obj:
    """An instance of a user class that is no module, or of a modelled library class."""

    __slots__ = ("cells", "cls", "id", "owner")

    def __init__(self, id: int, cls: Value) -> None:
        self.id = id
        self.cls = cls
        self.owner: tuple[ModuleObj, str] | None = None
        self.cells: dict[str, Value] = {}


class ListObj:
    """A list, set or deque. `cells["items"]` is a tuple of values, or a Sym when nothing is known of them."""

    __slots__ = ("cells", "id", "kind", "length", "owner")

    def __init__(self, id: int, items: Value, kind: str = "list") -> None:
        self.id = id
        self.kind = kind
        self.cells: dict[str, Value] = {"items": items}
        self.length: Sym | None = None  # where the number of items is an assumption
        self.owner: tuple[ModuleObj, str] | None = None


class DictObj:
    """A dict. `cells["items"]` maps hashable keys to values, never changed in place; `open`: there may be more."""

    __slots__ = ("cells", "factory", "id", "open", "owner")

    def __init__(self, id: int, items: Value, open: bool = False) -> None:
        self.id = id
        self.cells: dict[str, Value] = {"items": items}
        self.open = open
        self.factory: Value = None  # of a defaultdict
        self.owner: tuple[ModuleObj, str] | None = None


class Delayed:
    """An item of an iterator that is computed when it is drawn."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Value]) -> None:
        self.make = make


class IterObj:
    """An iterator: items, a cursor in `cells["at"]`, and whether the items repeat for ever.

    `start` gives the items when the first of them is drawn; from then on they are in `cells["items"]`.
    """

    __slots__ = ("assumed", "cells", "endless", "id", "items", "owner", "start")

    def __init__(self, id: int, items: tuple[Value, ...], endless: bool = False) -> None:
        self.id = id
        self.items = items
        self.endless = endless
        self.start: Callable[[], tuple[Value, ...]] | None = None
        self.assumed: bool | None = None  # where the number of items is an assumption: by constructor arguments?
        self.owner: tuple[ModuleObj, str] | None = None
        self.cells: dict[str, Value] = {"at": 0}


class Tensor:
    """A parameter or buffer that a module registers. `kind` is "parameter" or "buffer".

    Where a tensor is changed in place it may be a `part` of one, or of `kind` "plain": what stands at an attribute.
    """

    __slots__ = ("id", "kind", "name", "owner", "part", "persistent")

    def __init__(
        self,
        id: int,
        kind: str,
        owner: ModuleObj | None = None,
        name: str = "",
        persistent: bool = True,
        part: bool = False,
    ) -> None:
        self.id = id
        self.kind = kind
        self.owner = owner
        self.name = name
        self.persistent = persistent
        self.part = part

    def partly(self) -> Tensor:
        """A part of it."""
        return Tensor(self.id, self.kind, self.owner, self.name, self.persistent, True)


class Wrapped(NamedTuple):
    """The functions that changed a module (spectral_norm, ...), each with its arguments, in order."""

    by: tuple[tuple[Wrapper, tuple[tuple[str, object], ...]], ...]


class Placement(NamedTuple):
    """Where a module was put into a slot, list or argument.

    `sites`: the expression that did it, and before it the arguments that the module came by, outermost first.
    """

    sites: tuple[Site, ...]


class ModuleObj:
    """An nn.Module instance.

    `cells` holds plain attributes, `mods` children by name, `tensors` parameters and buffers, `meta` what forward wrote
    to attributes. `entry` and `bound` describe the library class at the end of its MRO, if the catalogue knows it.
    `held` is the first module that it is a child of, and the name that it has there.
    """

    __slots__ = (
        "bound",
        "cells",
        "cls",
        "created",
        "entry",
        "facts",
        "held",
        "id",
        "made",
        "meta",
        "mods",
        "places",
        "tensors",
    )

    def __init__(self, id: int, cls: Value, created: Site | None) -> None:
        self.id = id
        self.cls = cls
        self.created = created
        self.cells: dict[str, Value] = {}
        self.mods: dict[str, Value] = {}
        self.tensors: dict[str, Value] = {}
        self.meta: dict[str, Value] = {}
        self.places: dict[str, Placement] = {}
        self.facts: dict[str, Value] = {}  # "default", "class-attribute", "module-level", "frozen", "wrapped", ...
        self.entry: Entry | None = None
        self.bound: dict[str, object] = {}
        self.held: tuple[ModuleObj, str] | None = None
        self.made: Instance | None = None  # what one call of its constructor built, if that is known


class View:
    """A mapping of a module itself: `_modules` (`kind` "modules"), `_parameters`, `_buffers` or `__dict__` ("dict")."""

    __slots__ = ("kind", "obj")

    def __init__(self, obj: ModuleObj, kind: str) -> None:
        self.obj = obj
        self.kind = kind

    def cells(self) -> dict[str, Value]:
        """Where what it maps is kept."""
        obj = self.obj
        return obj.mods if self.kind == "modules" else obj.cells if self.kind == "dict" else obj.tensors


class PyModule:
    """A file of the tree as a namespace."""

    __slots__ = ("cells", "effects", "functions", "ir", "made", "path", "sites", "stars", "state", "used", "wrote")

    def __init__(self, path: str, file: ir.FileIR) -> None:
        self.path = path
        self.ir = file
        self.cells: dict[str, Value] = {}
        self.stars: list[Value] = []
        self.state = "new"
        self.sites: dict[int, Site] = {}
        self.made: list[ModuleObj] = []  # instances that its top level builds
        self.effects: dict[int, Effects] = {}  # of its functions, by the identity of their definitions
        self.functions: dict[int, list[FuncV]] = {}  # those that its top level makes, by the same
        self.used: Definitions = {}  # what its top level ran or read
        self.wrote: list[tuple[dict[Any, Any], Any, Value, Value]] = []  # and what it wrote: before and after


class LazyImport:
    """A name that an import binds, resolved when it is first read."""

    __slots__ = ("level", "module", "name")

    def __init__(self, module: str, level: int, name: str | None) -> None:
        self.module = module
        self.level = level
        self.name = name


class ExtV:
    """A name of a library, by its dotted path."""

    __slots__ = ("dotted",)

    def __init__(self, dotted: str) -> None:
        self.dotted = dotted

    def __repr__(self) -> str:
        return f"ExtV({self.dotted})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExtV) and other.dotted == self.dotted

    def __hash__(self) -> int:
        return hash(self.dotted)


class ExtMethod:
    """A method of a modelled object: `handler(machine, receiver, call)`."""

    __slots__ = ("handler", "name", "receiver")

    def __init__(self, receiver: Value, name: str, handler: Callable[..., Value]) -> None:
        self.receiver = receiver
        self.name = name
        self.handler = handler


class ClassV:
    """A user class. `cells` is its namespace, `mro` its linearisation (ClassV and ExtV), `meta` a user's metaclass."""

    __slots__ = (
        "asked",
        "bases",
        "cells",
        "dataclass",
        "id",
        "is_module",
        "meta",
        "module",
        "mro",
        "name",
        "node",
        "qualname",
    )

    def __init__(self, id: int, node: ir.ClassDef, module: PyModule, qualname: str, bases: tuple[Value, ...]) -> None:
        self.id = id
        self.node = node
        self.name = node.name
        self.module = module
        self.qualname = qualname
        self.bases = bases
        self.cells: dict[str, Value] = {}
        self.mro: tuple[Value, ...] = ()
        self.is_module = False
        self.dataclass = False
        self.meta: ClassV | None = None
        self.asked: Interpreter | None = None  # who wants to know which names are looked up here: see `recall`

    def __repr__(self) -> str:
        return f"ClassV({self.qualname})"

    def own(self, name: str) -> Value:
        """What the class itself has under a name, or MISSING."""
        if self.asked is not None:
            self.asked.used[self.id, name] = None
        return self.cells.get(name, MISSING)


class FuncV:
    """A user function or lambda with its defaults and the frames it closes over."""

    __slots__ = (
        "body",
        "cached",
        "closure",
        "context",
        "defaults",
        "dispatches",
        "generator",
        "id",
        "module",
        "name",
        "node",
        "owner",
        "params",
        "qualname",
    )

    def __init__(
        self,
        id: int,
        node: ir.FuncDef | ir.Lambda,
        module: PyModule,
        qualname: str,
        defaults: dict[str, Value],
        closure: Value,
        owner: ClassV | None,
    ) -> None:
        self.id = id
        self.node = node
        self.params = node.params
        self.body = node.body
        self.generator = getattr(node, "generator", False)
        self.name = getattr(node, "name", "<lambda>")
        self.module = module
        self.qualname = qualname
        self.defaults = defaults
        self.closure = closure
        self.owner = owner
        self.cached: Kept | None = None
        self.context = False  # made a context manager by its decorator
        self.dispatches = False  # which of several bodies runs is decided by the type of an argument

    def __repr__(self) -> str:
        return f"FuncV({self.qualname})"


class BoundV:
    """A function with its first argument."""

    __slots__ = ("func", "receiver")

    def __init__(self, func: Value, receiver: Value) -> None:
        self.func = func
        self.receiver = receiver


class PartialV:
    """functools.partial."""

    __slots__ = ("args", "func", "kwargs")

    def __init__(self, func: Value, args: tuple[Value, ...], kwargs: dict[str, Value]) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs


class Descriptor:
    """property, staticmethod, classmethod, cached_property: `kind` and the function."""

    __slots__ = ("func", "kind", "setter")

    def __init__(self, kind: str, func: Value) -> None:
        self.kind = kind
        self.func = func
        self.setter: Value = None


class SuperV:
    """super(): attributes are looked up after `start` in the MRO of the receiver's class."""

    __slots__ = ("receiver", "start")

    def __init__(self, receiver: Value, start: ClassV) -> None:
        self.receiver = receiver
        self.start = start


class ContextV:
    """A context manager that gives `value`; `leave` runs when its block is left."""

    __slots__ = ("leave", "value")

    def __init__(self, value: Value, leave: Callable[[], bool] | None = None) -> None:
        self.value = value
        self.leave = leave


class CallArgs(NamedTuple):
    """The evaluated arguments of a call, its site, and the sites of the argument expressions."""

    args: tuple[Value, ...]
    kwargs: dict[str, Value]
    site: Site | None = None
    places: tuple[Placement | None, ...] = ()
    named_places: Mapping[str, Placement] = MappingProxyType({})
    within: str = ""  # the function that the call stands in
    slot: Any = None  # the attribute that the callee was read from: (owner, name)

    def after(self, receiver: Value) -> CallArgs:
        """The arguments with a receiver before them. `_replace` takes three times as long, and this runs every call."""
        args, kwargs, site, places, named, within, slot = self
        return CallArgs((receiver, *args), kwargs, site, (None, *places), named, within, slot)


CONSTANTS = (int, float, complex, str, bytes, type(None), type(...))
_COMMON = frozenset({*CONSTANTS, bool})


def is_const(value: Value) -> bool:
    """Whether the value is a Python constant."""
    return type(value) in _COMMON or isinstance(value, CONSTANTS)
