"""The abstract interpreter: one object that the transfer functions share.

Where things are (each calls the others through this class):

    State (machine)        cells, journal, path condition, forks, unknown values
      Truths (truth)       when an unknown value is true, which constant it is assumed to be
        Runs               what is set to nothing before each model, loops, the budget
          Placements       where the source puts modules, and whether it says that they are shared
            Interpreter    scopes, functions, values; delegates to
        statements         one transfer function per statement: execute
        expressions        one per expression: evaluate, assign
        operators          binary, compare, negate
        attributes         get_attr, set_attr, delete_attr;  subscripts: get_item, set_item, ...
        calls              call, instantiate, bind parameters
        library            library names: the *_models, and the catalogue
        methods            of lists, dicts, strings, tensors;  module_api: of nn.Module
        modules            instances, registration, executions;  containers: their items and methods
        tracking           uses and state
        templates          constructors that run again alike (taken down by blueprints);  replays: such forwards;
                           stretches: whether a part of a run can be repeated so
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modlint.interpreter import (
    attributes,
    calls,
    classes,
    comprehensions,
    containers,
    copying,
    enums,
    evaluation,
    in_place,
    iteration,
    kinds,
    library,
    module_api,
    modules,
    scope,
    states,
    subclassed,
    subscripts,
    tracking,
    views,
)
from modlint.interpreter.frames import Frame
from modlint.interpreter.machine import Dead
from modlint.interpreter.placements import NOWHERE, Placements
from modlint.interpreter.runs import BUDGET
from modlint.interpreter.values import (
    MISSING,
    MODAL,
    BoundV,
    CallArgs,
    Choice,
    ClassV,
    DictObj,
    ExtV,
    FuncV,
    ListObj,
    ModuleObj,
    Obj,
    PyModule,
    SuperV,
    Sym,
    Value,
    View,
    is_const,
)
from modlint.syntax import ir

if TYPE_CHECKING:
    from modlint.catalogue import Entry
    from modlint.catalogue.entries import Wrapper
    from modlint.graph import Site, State

__all__ = ["BUDGET", "NOWHERE", "Interpreter"]

_OPERATORS = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "@": "matmul", "|": "or", "&": "and", "^": "xor"} | {
    "<<": "lshift",
    ">>": "rshift",
}


class Interpreter(Placements):
    """See the module docstring. One interpreter serves many models; `begin` makes it ready for the next."""

    # -- catalogue -----------------------------------------------------------------------------------------------

    def entry(self, dotted: str) -> Entry | None:
        """The catalogue's entry for a class."""
        if dotted not in self._entries:
            self._entries[dotted] = self.catalogue.entry(dotted)
        return self._entries[dotted]

    def wrapper(self, dotted: str) -> Wrapper | None:
        """The catalogue's entry for a function that changes modules."""
        if dotted not in self._wrappers:
            self._wrappers[dotted] = self.catalogue.wrapper(dotted)
        return self._wrappers[dotted]

    def is_library_name(self, dotted: str) -> bool:
        """Whether a model of the name exists."""
        return library.is_library_name(dotted) or self.wrapper(dotted) is not None

    def classify(self, obj: ModuleObj) -> State:
        """What the catalogue says of the library class of an instance."""
        return states.library_state(self, obj)

    def own_state(self, obj: ModuleObj) -> State:
        """The state class of an instance without its children."""
        return states.own_state(self, obj)

    def writes_in_eval(self, cls: Value) -> bool:
        """Whether some method of the class decides by `training` what it does."""
        if not isinstance(cls, ClassV):
            return False
        if self.recalls or cls.id not in self.evaluated:
            nodes = [v.node for v in classes.methods(cls, MODAL) if v.name not in {"__init__", "train", "eval"}]
            self.use(*nodes)
            if cls.id not in self.evaluated:
                self.evaluated[cls.id] = any(mentions_training(node) for node in nodes)
        return self.evaluated[cls.id]

    def keeps(self, obj: ModuleObj, name: str) -> None:
        """`obj` carries the attribute `name` from one call to the next."""
        kept = self.kept_eval if self.evaluating else self.kept
        kept.setdefault(obj.id, {})[name.partition("[")[0]] = None

    # -- factories -----------------------------------------------------------------------------------------------

    def new_module(self, cls: Value, site: Site | None) -> ModuleObj:
        """An nn.Module instance."""
        return modules.new_module(self, cls, site)

    def new_container(self, like: ModuleObj, children: tuple[Value, ...]) -> ModuleObj:
        """A container of the same class with other children."""
        return containers.new_container(self, like, children)

    def new_object(self, cls: ClassV, args: CallArgs) -> Value:
        """`object.__new__(cls)`."""
        if cls.is_module:
            return self.new_module(cls, args.site)
        made = self.new_plain(cls)
        subclassed.begin(self, made)
        return made

    def make_function(self, node: ir.FuncDef | ir.Lambda, frame: Frame) -> FuncV:
        """A function value; its defaults are evaluated now."""
        from modlint.interpreter.expressions import evaluate

        defaults = {p.name: evaluate(self, p.default, frame) for p in node.params if p.default is not None}
        name = getattr(node, "name", "<lambda>")
        prefix = "" if frame.kind == "module" else f"{frame.qualname}."
        closure = None if frame.kind == "module" else frame
        owner = frame.owner if frame.kind == "class" else self._owner(frame)
        function = FuncV(self.fresh(), node, frame.module, prefix + name, defaults, closure, owner)
        if self.recalls and frame.module.state == "running":
            frame.module.functions.setdefault(id(node), []).append(function)
        return function

    @staticmethod
    def _owner(frame: Frame) -> ClassV | None:
        scope_: Frame | None = frame
        while scope_ is not None:
            if scope_.owner is not None:
                return scope_.owner
            scope_ = scope_.parent
        return None

    def decorate(self, decorator: Value, value: Value, site: Site | None) -> Value:
        """Apply a decorator. One that is not modelled, or that fails here, is taken to leave the function as it is."""
        try:
            return self._decorated(self.live(decorator), value, site)
        except Dead:
            return value

    def _decorated(self, decorator: Value, value: Value, site: Site | None) -> Value:
        if isinstance(decorator, ExtV):
            if not library.is_library_name(decorator.dotted):
                return value
            made = self.call(decorator, CallArgs((value,), {}, site))
        elif isinstance(decorator, Sym):
            return value
        else:
            made = self.call(decorator, CallArgs((value,), {}, site))
        return value if isinstance(made, Sym) or made is None else made

    def comprehension_frame(self, frame: Frame) -> Frame:
        """The scope of a comprehension."""
        inner = Frame(self.fresh(), "comprehension", frame.module, frame.qualname, frame, None, frame.owner)
        self.bear(inner.cells)
        inner.first = frame.first
        inner.places = frame.places
        return inner

    # -- names ---------------------------------------------------------------------------------------------------

    def global_name(self, module: PyModule, name: str, frame: Frame) -> Value:
        """A name that no enclosing function binds."""
        return scope.global_name(self, module, name, frame)

    def resolve_import(self, module: PyModule, value: Any) -> Value:
        """What a local import binds."""
        return scope.resolve(self, module, value)

    def inside_model(self, frame: Frame) -> bool:
        """Whether a module's method, or a function that it calls, is running in `frame`."""
        return self.run is not None or self._owner(frame) is not None

    def bind_name(self, frame: Frame, name: str, value: Value) -> None:
        """`name = value` in the scope that the name belongs to."""
        kind = frame.scopes.get(name) if frame.scopes else None
        if kind == "global":
            self.set(frame.module.cells, name, value)
            return
        if kind == "nonlocal":
            scope_ = frame.parent
            while scope_ is not None and name not in scope_.cells:
                scope_ = scope_.parent
            self.set((scope_ or frame).cells, name, value)
            return
        self.set_local(frame.cells, name, value)

    def super_of(self, frame: Frame, args: list[Value]) -> Value:
        """`super()` with or without arguments."""
        if len(args) >= 2:
            cls, receiver = self.live(args[0]), self.live(args[1])
        else:
            scope_: Frame | None = frame
            while scope_ is not None and scope_.first is None:
                scope_ = scope_.parent
            cls = self._owner(frame)
            receiver = None if scope_ is None else self.live(scope_.first)
        if isinstance(cls, ClassV) and isinstance(receiver, ModuleObj | Obj | ClassV):
            return SuperV(receiver, cls)
        return self.unknown("super() outside of a known class")

    # -- values --------------------------------------------------------------------------------------------------

    def lift_present(self, value: Choice) -> Value:
        """Whether a dict entry is there, by path."""
        return self.join([(cond, v is not MISSING) for cond, v in value.alts])

    def dict_items(self, d: DictObj) -> dict[Any, Value]:
        """The entries of a dict; entries that some path lacks are Choices with MISSING."""
        items = self.live(d.cells["items"])
        if type(items) is dict:
            return items
        found: dict[Any, Value] = {}
        for one in self.possible(items):
            if type(one) is dict:
                found.update(one)
        return found

    def key_of(self, value: Value) -> Any:
        """A dict key: the constant, or what stands for the value."""
        value = self.live(value)
        known = self.concrete(value)
        if known is not MISSING:
            return known
        if isinstance(value, ExtV):
            return value
        if type(value) is tuple and all(is_const(item) for item in value):
            return value
        if type(value) is Choice:
            return ("choice", tuple(self.key_of(v) for _, v in value.alts))
        return ("value", value.id, value) if hasattr(value, "id") else ("object", id(value))

    def value_of_key(self, key: Any) -> Value:
        """The value that a dict key stands for."""
        if type(key) is tuple and len(key) == 3 and key[0] == "value":
            return key[2]
        return key

    def items(self, value: Value) -> tuple[tuple[Value, ...], bool]:
        """The items of an iterable, and whether their number is known."""
        value = self.live(value)
        found, known = iteration.items_of(self, value)
        return found, known and not self.is_assumed(value)

    def iterate_module(self, obj: ModuleObj) -> tuple[tuple[Value, ...], bool]:
        """The items of a container module."""
        return containers.iterate_module(self, obj)

    def iterate_object(self, value: Value) -> tuple[tuple[Value, ...], bool]:
        """The items of an object with `__iter__`, of a view, or of something unknown."""
        if isinstance(value, View):
            return tuple(views.entries(self, value)), True
        if (members := enums.members(value)) is not None:
            return tuple(dict.fromkeys(members.values())), True
        if (held := subclassed.behind(self, value, "__iter__")) is not MISSING:
            return self.items(held)
        cls = getattr(value, "cls", None)
        if isinstance(value, Obj) and isinstance(cls, ClassV) and calls.is_namedtuple(cls):
            return tuple(self.live(item) for item in value.cells.values()), True
        user = classes.find_any(getattr(value, "cls", None), "__iter__")
        if isinstance(user, FuncV):
            return iteration.items_of(self, self.call(BoundV(user, value), CallArgs((), {}, None)))
        return iteration.symbolic(self, value), False

    def extend_list(self, lst: ListObj, items: tuple[Value, ...], frame: Frame, number: int) -> None:
        """`lst += items`."""
        old = self.live(lst.cells["items"])
        self.repeat_common(old, items, self.site(frame, number))
        if type(old) is tuple:
            self.set(lst.cells, "items", self.bounded(old + items))
        elif type(old) is Choice:
            self.set(lst.cells, "items", self.lift(old, lambda v: v + items if type(v) is tuple else v))
        self.grown(lst)
        self.wrote_into(lst, self.taint_of(items))

    def is_instance(self, value: Value, cls: Value) -> Value:
        """`isinstance(value, cls)`."""
        return self.lift(value, lambda v: kinds.is_instance(self, v, self.live(cls)))

    def has_attr(self, base: Value, name: str) -> Value:
        """`hasattr(base, name)`."""
        return states.has_attr(self, base, name)

    def told_truth(self, value: Value) -> Value:
        """What `__bool__`, or else `__len__`, of an object's class gives; MISSING where it has neither."""
        if isinstance(value, Obj | ModuleObj):
            for name in ("__bool__", "__len__"):
                user = classes.find_any(value.cls, name)
                if isinstance(user, FuncV):
                    return self.call(BoundV(user, value), CallArgs((), {}, None))
        return MISSING

    def call_operator(self, op: str, left: Value, right: Value, site: Site | None, in_place: bool = False) -> Value:
        """A user's `__add__` and the like, or before it `__iadd__`; MISSING when there is none."""
        for name in (f"__i{_OPERATORS[op]}__",) * in_place + (f"__{_OPERATORS[op]}__",) if op in _OPERATORS else ():
            user = classes.find_any(getattr(left, "cls", None), name)
            if isinstance(user, FuncV):
                return self.call(BoundV(user, left), CallArgs((right,), {}, site))
        return MISSING

    def as_argument(self, value: Value) -> object:
        """A value as the catalogue takes it."""
        return modules.as_argument(self, value)

    def drawn(self) -> Sym:
        """A value drawn from the global RNG."""
        return tracking.drawn(self)

    # -- delegates: functions whose first parameter is the interpreter are its methods as they are ------------------

    call = calls.call
    construct = calls.construct
    call_module = modules.call_module
    run_module = modules.run_module
    run_method = modules.run_method
    library_init = modules.library_init
    super_method = modules.super_method
    set_module_attr = modules.set_module_attr
    module_item = containers.module_item
    set_module_item = containers.set_module_item
    delete_module_item = containers.delete_module_item
    module_method = module_api.module_method
    special_attr = module_api.special_attr
    library_attr = states.library_attr
    comprehension = comprehensions.comprehension
    get_attr = attributes.get_attr
    set_attr = attributes.set_attr
    delete_attr = attributes.delete_attr
    get_item = subscripts.get_item
    eval_text = evaluation.evaluated
    set_item = subscripts.set_item
    delete_item = subscripts.delete_item
    dict_item = subscripts.dict_item
    past_the_end = subscripts.past_the_end
    alternatives = subscripts.alternatives
    read_attr = tracking.read_attr
    wrote_attr = tracking.wrote_attr
    wrote_into = tracking.wrote_into
    read_entry = tracking.read_entry
    entry_of = tracking.entry
    emptied = tracking.emptied
    write_tensor = in_place.write_tensor
    to_change = in_place.to_change
    taint_of = tracking.taint_of
    src_of = tracking.src_of
    deep_copy = copying.deep_copy
    shallow_copy = copying.shallow_copy


def mentions_training(node: object) -> bool:
    """Whether code reads an attribute called `training` in a condition."""
    if isinstance(node, ir.If | ir.IfExp) and _reads_training(node.test):
        return True
    return isinstance(node, tuple) and any(mentions_training(part) for part in node if isinstance(part, tuple))


def _reads_training(node: object) -> bool:
    if isinstance(node, ir.Attr) and node.name == "training":
        return True
    return isinstance(node, tuple) and any(_reads_training(part) for part in node if isinstance(part, tuple))
