"""The abstract interpreter: one object that the transfer functions share.

Where things are (each calls the others through this class):

    State (machine)        cells, journal, path condition, forks, unknown values
      Interpreter          scopes, factories of values, placements; delegates to
        statements         one transfer function per statement: execute
        expressions        one per expression: evaluate, assign
        operators          binary, compare, negate
        attributes         get_attr, set_attr, get_item, ...
        calls              call, instantiate, bind parameters
        library            library names: builtin_models, standard_models, torch_models, the catalogue
        methods            of lists, dicts, strings, tensors;  module_api: of nn.Module and its containers
        modules            instances, registration, executions
        tracking           uses and state
"""

from __future__ import annotations

import math
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modlint.graph import Site, State
from modlint.interpreter import (
    attributes,
    calls,
    classes,
    copying,
    cues,
    iteration,
    library,
    module_api,
    modules,
    scope,
    states,
    tracking,
)
from modlint.interpreter.conditions import ALWAYS
from modlint.interpreter.frames import Frame, Loop
from modlint.interpreter.machine import Dead, GiveUp
from modlint.interpreter.machine import State as Machine
from modlint.interpreter.values import (
    MISSING,
    BoundV,
    CallArgs,
    Choice,
    ClassV,
    ContextV,
    DictObj,
    ExtV,
    FuncV,
    IterObj,
    ListObj,
    ModuleObj,
    Obj,
    Placement,
    PyModule,
    SuperV,
    Sym,
    Tensor,
    Value,
    View,
    is_const,
)
from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modlint.catalogue import Catalogue, Entry
    from modlint.catalogue.entries import Wrapper
    from modlint.interpreter.frames import Run
    from modlint.interpreter.tracking import RawUse
    from modlint.syntax.tree import SourceTree

BUDGET = 150_000  # steps of one model
_LONGEST_LIST = 4096
NOWHERE = Placement(())
_CHAIN = 8  # arguments that a placement remembers


class Interpreter(Machine):
    """See the module docstring. One interpreter serves many models; `begin` makes it ready for the next."""

    def __init__(self, tree: SourceTree, catalogue: Catalogue) -> None:
        super().__init__()
        self.tree = tree
        self.catalogue = catalogue
        self.files: dict[str, PyModule] = {}
        self.steps = 0
        self.budget = BUDGET
        self.stack: list[int] = []  # ids of the running functions
        self.sites: list[Site | None] = []
        self.modules: list[ModuleObj] = []  # every instance built since `begin`
        self.unknowns: Counter[str] = Counter()
        self.without_entry: Counter[str] = Counter()
        self.run: Run | None = None
        self.depth = 0
        self.counting = False
        self.uses: list[RawUse] = []
        self.orders = 0
        self.weight = 1
        self.loops: list[Loop] = []
        self.loop_floor = 0
        self.checkpointed: Site | None = None
        self.kept: dict[int, dict[str, None]] = {}
        self.drawing: set[int] = set()
        self.assumed: dict[int, bool] = {}
        self.placed: dict[tuple[int, Site, int, str], int] = {}
        self.repeats: dict[int, Site] = {}
        self.listed: dict[int, Placement] = {}
        self.cue = ""
        self.meant_shared: dict[int, str] = {}
        self.plain: dict[int, bool] = {}  # functions by id: whether calls in forward can be skipped
        self._entries: dict[str, Entry | None] = {}
        self._wrappers: dict[str, Wrapper | None] = {}
        self.evaluated: dict[int, bool] = {}  # classes by id: whether some method changes attributes by the mode
        self.resolving: set[tuple[str, str]] = set()
        self.states: dict[Any, State] = {}  # what the catalogue said of a class with given arguments
        self._cues: dict[int, tuple[ir.Expr, str]] = {}
        self.updated: tuple[str, str] | None = None  # the attribute that the running assignment updates
        self.asked_training = False
        self.open_defaults = 0  # the class whose constructor's flags are open, because others build it
        self.kept_eval: dict[int, dict[str, None]] = {}
        self.evaluating = False

    # -- runs ----------------------------------------------------------------------------------------------------

    def begin(self, budget: int) -> None:
        """Forget what the last model left, so that the next one does not depend on it."""
        self.undo(0)
        self.pending.clear()
        self.pc = ALWAYS
        self.conds.clear()
        self._literals.clear()
        self._equalities.clear()
        self._symbols.clear()
        self._drawn.clear()
        self._assumed.clear()
        self._configured.clear()
        self.steps, self.budget = 0, budget
        self.narrowed = False
        self.stack.clear()
        self.sites.clear()
        self.modules = []
        self.unknowns = Counter()
        self.without_entry = Counter()
        self.run, self.depth, self.counting = None, 0, False
        self.uses, self.orders, self.weight = [], 0, 1
        self.loops, self.loop_floor = [], 0
        self.checkpointed = None
        self.kept, self.drawing = {}, set()
        self.placed, self.repeats, self.listed = {}, {}, {}
        self.cue, self.meant_shared, self.updated = "", {}, None
        self.asked_training, self.kept_eval, self.evaluating, self.open_defaults = False, {}, False, 0

    def suspend(self) -> tuple[Any, ...]:
        """Set the present run aside, to run the top level of a file."""
        saved = (
            self.journal,
            self.pending,
            self.pc,
            self.steps,
            self.budget,
            self.stack,
            self.run,
            self.depth,
            self.counting,
            self.weight,
            self.loops,
            self.loop_floor,
            self.checkpointed,
            self.modules,
        )
        self.journal, self.pending, self.pc, self.steps, self.budget, self.stack = [], [], ALWAYS, 0, BUDGET, []
        self.run, self.depth, self.counting, self.weight = None, 0, False, 1
        self.loops, self.loop_floor, self.checkpointed = [], 0, None
        self.modules = []
        return saved

    def resume(self, saved: tuple[Any, ...]) -> None:
        """Go on with the run that was set aside; what the top level did stays."""
        (
            self.journal,
            self.pending,
            self.pc,
            self.steps,
            self.budget,
            self.stack,
            self.run,
            self.depth,
            self.counting,
            self.weight,
            self.loops,
            self.loop_floor,
            self.checkpointed,
            self.modules,
        ) = saved

    def tick(self) -> None:
        """One step of the budget. Raises GiveUp when it is spent."""
        self.steps += 1
        if self.steps > self.budget:
            raise GiveUp("gave up: step budget")

    def note(self, reason: str) -> None:
        """Count a reason for which something is unknown."""
        self.unknowns[reason] += 1

    def unknown(self, reason: str, taint: int = 0) -> Sym:
        """A value of which nothing is known; a reason that says the analysis gave up is counted."""
        if reason.startswith("gave up"):
            self.note(reason)
        return super().unknown(reason, taint)

    @contextmanager
    def looping(self, number: int, known: bool, by: bool = False) -> Iterator[Loop]:
        """Within: the body of a loop; uses in it are lower bounds when its trip count is not known."""
        loop = Loop(number, known, by)
        self.loops.append(loop)
        try:
            yield loop
        finally:
            self.loops.pop()

    def rounds(self) -> int:
        """How often the body of the innermost loop under way runs, all loops around it taken together."""
        return math.prod(loop.rounds for loop in self.loops)

    @contextmanager
    def weighted(self, times: int) -> Iterator[None]:
        """Within: every use stands for `times` of them."""
        before = self.weight
        self.weight = before * times
        try:
            yield
        finally:
            self.weight = before

    def next_order(self) -> int:
        """The number of the next use."""
        self.orders += 1
        return self.orders - 1

    def nesting(self, obj: ModuleObj) -> int:
        """How many executions of `obj` are under way."""
        count, run = 0, self.run
        while run is not None:
            count += run.obj is obj
            run = run.parent
        return count

    def release(self, path: str) -> None:
        """Forget a file; it is run anew when it is next needed. Right only while no other file has looked it up."""
        self.files.pop(path, None)
        self._cues.clear()

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
        if cls.id not in self.evaluated:
            methods = [v for base in cls.mro if isinstance(base, ClassV) for v in base.cells.values()]
            nodes = [v.node for v in methods if isinstance(v, FuncV) and v.name not in {"__init__", "train", "eval"}]
            self.evaluated[cls.id] = any(_mentions_training(node) for node in nodes)
        return self.evaluated[cls.id]

    def keeps(self, obj: ModuleObj, name: str) -> None:
        """`obj` carries the attribute `name` from one call to the next."""
        kept = self.kept_eval if self.evaluating else self.kept
        kept.setdefault(obj.id, {})[name] = None

    # -- factories -----------------------------------------------------------------------------------------------

    def new_list(self, items: Value, kind: str = "list") -> ListObj:
        """A list, set or deque. One that grows beyond measure is a list of unknown items."""
        return ListObj(self.fresh(), self.bounded(items), kind)

    def bounded(self, items: Value) -> Value:
        """Items, unless there are too many to follow."""
        too_many = type(items) is tuple and len(items) > _LONGEST_LIST
        return self.unknown("gave up: a very long list") if too_many else items

    def new_dict(self, items: dict[Any, Value], is_open: bool = False) -> DictObj:
        """A dict."""
        return DictObj(self.fresh(), items, is_open)

    def new_iter(self, items: tuple[Value, ...], endless: bool = False) -> IterObj:
        """An iterator over known items."""
        return IterObj(self.fresh(), items, endless)

    def assumed_range(self, items: tuple[Value, ...], by: bool = False) -> IterObj:
        """An iterator whose number of items is an assumption; `by`: the model's constructor arguments decide it."""
        made = IterObj(self.fresh(), items)
        self.assumed[made.id] = by
        return made

    def configures(self, source: Value) -> bool:
        """Whether constructor arguments that are not known decide how many items an iterable has."""
        source = self.live(source)
        if isinstance(source, IterObj):
            return self.assumed.get(source.id, False)
        if isinstance(source, ListObj):
            source = source.cells["items"]
        return type(source) is Sym and source.configured

    def new_module(self, cls: Value, site: Site | None) -> ModuleObj:
        """An nn.Module instance."""
        return modules.new_module(self, cls, site)

    def new_container(self, like: ModuleObj, children: tuple[Value, ...]) -> ModuleObj:
        """A container of the same class with other children."""
        return modules.new_container(self, like, children)

    def new_object(self, cls: ClassV, args: CallArgs) -> Value:
        """`object.__new__(cls)`."""
        return self.new_module(cls, args.site) if cls.is_module else Obj(self.fresh(), cls)

    def make_function(self, node: ir.FuncDef | ir.Lambda, frame: Frame) -> FuncV:
        """A function value; its defaults are evaluated now."""
        from modlint.interpreter.expressions import evaluate

        defaults = {p.name: evaluate(self, p.default, frame) for p in node.params if p.default is not None}
        name = getattr(node, "name", "<lambda>")
        prefix = "" if frame.kind == "module" else f"{frame.qualname}."
        closure = None if frame.kind == "module" else frame
        owner = frame.owner if frame.kind == "class" else self._owner(frame)
        return FuncV(self.fresh(), node, frame.module, prefix + name, defaults, closure, owner)

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
        inner.first = frame.first
        inner.places = frame.places
        return inner

    # -- names ---------------------------------------------------------------------------------------------------

    def site(self, frame: Frame, number: int) -> Site:
        """The place of a numbered node."""
        sites = frame.module.sites
        found = sites.get(number)
        if found is None:
            found = sites[number] = Site(frame.module.path, number)
        return found

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
        kind = frame.scopes.get(name)
        if kind == "global":
            self.set(frame.module.cells, name, value)
            return
        target = frame
        if kind == "nonlocal":
            scope_ = frame.parent
            while scope_ is not None and name not in scope_.cells:
                scope_ = scope_.parent
            target = scope_ or frame
        self.set(target.cells, name, value)

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

    # -- placements ----------------------------------------------------------------------------------------------

    def placement(self, value: Value, source: ir.Expr, frame: Frame, kind: str = "slot") -> Placement:
        """Where the source puts `value`: the expression, and the arguments that a parameter came by.

        An instance that one expression of one activation puts somewhere at two times is repeated.
        """
        if type(value) is not ModuleObj and type(value) is not Choice:
            return NOWHERE
        self._mean(value)
        number = _number(source)
        if number is None:
            return self.list_placement(value) or Placement(())
        site = self.site(frame, number)
        self._place_again(value, site, frame, kind)
        carried = frame.places.get(source.id) if isinstance(source, ir.Name) else None
        if isinstance(source, ir.IfExp | ir.Boolean):
            carried = self.list_placement(value)
        return Placement((site,)) if carried is None else Placement((*carried.sites[:_CHAIN], site))

    @contextmanager
    def under(self, test: ir.Expr) -> Iterator[None]:
        """Within: what a condition decides; if its words speak of sharing, what is placed here is shared on purpose."""
        cue = self._cue(test)
        before, self.cue = self.cue, cue or self.cue
        try:
            yield
        finally:
            self.cue = before

    def meant(self, test: ir.Expr, value: Value) -> Value:
        """What a conditional expression gives, shared on purpose if its test speaks of sharing."""
        cue = self._cue(test)
        if cue:
            before, self.cue = self.cue, cue
            self._mean(value)
            self.cue = before
        return value

    def _mean(self, value: Value) -> None:
        if self.cue:
            for one in self.possible(value):
                if isinstance(one, ModuleObj):
                    self.meant_shared.setdefault(one.id, self.cue)

    def _cue(self, test: ir.Expr) -> str:
        known = self._cues.get(id(test))
        if known is None or known[0] is not test:
            known = self._cues[id(test)] = (test, cues.in_expression(test))
        return known[1]

    def name_module(self, value: Value, name: str) -> None:
        """A local variable names the module that it holds; the name, or what decides it, may say that it is shared."""
        self._mean(value)
        if isinstance(value, ModuleObj) and cues.speaks(name):
            self.meant_shared.setdefault(value.id, f"the name {name!r}")

    def _place_again(self, value: Value, site: Site, frame: Frame, kind: str) -> None:
        for one in self.possible(value):
            if isinstance(one, ModuleObj):
                key = (one.id, site, self._activation(frame), kind)
                before = self.placed.setdefault(key, self.steps)
                if before != self.steps and self.run is None:
                    self.repeats.setdefault(one.id, site)

    @staticmethod
    def _activation(frame: Frame) -> int:
        scope_ = frame
        while scope_.kind == "comprehension" and scope_.parent is not None:
            scope_ = scope_.parent
        return scope_.id

    def place(self, value: Value, source: ir.Expr, frame: Frame) -> Placement:
        """Note that the source puts `value` into an argument, a list or a dict."""
        if type(value) is not ModuleObj and type(value) is not Choice:
            return NOWHERE
        found = self.placement(value, source, frame, "item")
        for one in self.possible(value):
            if isinstance(one, ModuleObj):
                self.listed[one.id] = found
        return found

    def carry_place(self, frame: Frame, name: str, source: ir.Expr) -> None:
        """A local that takes over a parameter takes its place over too."""
        if isinstance(source, ir.Name) and source.id in frame.places:
            frame.places[name] = frame.places[source.id]
        elif name in frame.places:
            del frame.places[name]

    def list_placement(self, value: Value) -> Placement | None:
        """Where an item of a list, or an argument, was last put."""
        for one in self.possible(value):
            if isinstance(one, ModuleObj) and one.id in self.listed:
                return self.listed[one.id]
        return None

    def repeat(self, value: Value, site: Site | None) -> None:
        """`value` is repeated by the expression at `site`."""
        for one in self.possible(value):
            if isinstance(one, ModuleObj) and site is not None:
                self.repeats.setdefault(one.id, site)

    def repeat_common(self, left: Value, right: Value, site: Site | None) -> None:
        """A list is joined to one that holds the same instances over again."""
        if type(left) is tuple and type(right) is tuple:
            held = {item.id for item in left if isinstance(item, ModuleObj)}
            again = [item for item in right if isinstance(item, ModuleObj)]
            if len(again) > 1 and all(item.id in held for item in again):
                for item in again:
                    self.repeat(item, site)

    def slot_read(self, func: ir.Expr, frame: Frame) -> Any:
        """The attribute that a called module is read from, as (owner, name)."""
        if isinstance(func, ir.Name):
            return frame.slots.get(func.id)
        if not isinstance(func, ir.Attr) or not isinstance(func.value, ir.Name):
            return None
        owner = self.live(frame.cells.get(func.value.id))
        return (owner, func.name) if isinstance(owner, ModuleObj) and func.name in owner.mods else None

    def carry_slot(self, frame: Frame, name: str, value: Value, source: ir.Expr) -> None:
        """A local that holds a module read from an attribute: calls of it are uses through that slot."""
        read = self.slot_read(source, frame) if isinstance(value, ModuleObj) else None
        frame.slots[name] = read if read is not None and self.live(read[0].mods.get(read[1])) is value else None

    def mark(self, value: Value, fact: str, name: str) -> None:
        """Modules in `value` were reached by a way that several models share."""
        if isinstance(value, ModuleObj):
            self.set(value.facts, fact, True)
            if "name" not in value.facts:
                self.set(value.facts, "name", name)
        elif isinstance(value, ListObj | DictObj) or type(value) is tuple:
            items = self.live(value.cells["items"]) if isinstance(value, ListObj | DictObj) else value
            for item in items.values() if type(items) is dict else items if type(items) is tuple else ():
                if isinstance(item, ModuleObj):
                    self.mark(item, fact, name)

    # -- values --------------------------------------------------------------------------------------------------

    def possible(self, value: Value) -> tuple[Value, ...]:
        """The alternatives of a value."""
        return tuple(v for _, v in value.alts) if type(value) is Choice else (value,)

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
        assumed = isinstance(value, IterObj) and value.id in self.assumed
        found, known = iteration.items_of(self, value)
        return found, known and not assumed

    def iterate_module(self, obj: ModuleObj) -> tuple[tuple[Value, ...], bool]:
        """The items of a container module."""
        return modules.iterate_module(self, obj)

    def iterate_object(self, value: Value) -> tuple[tuple[Value, ...], bool]:
        """The items of an object with `__iter__`, of a view, or of something unknown."""
        if isinstance(value, View):
            return tuple(value.cells()), True
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
        self.wrote_into(lst, self.taint_of(items))

    def enter(self, manager: Value) -> Value:
        """What `with manager as ...` binds."""
        if isinstance(manager, ContextV):
            return manager.value
        user = classes.find_any(getattr(manager, "cls", None), "__enter__")
        if isinstance(user, FuncV):
            return self.call(BoundV(user, manager), CallArgs((), {}, None))
        return manager

    def is_instance(self, value: Value, cls: Value) -> Value:
        """`isinstance(value, cls)`."""
        return self.lift(value, lambda v: states.is_instance(self, v, self.live(cls)))

    def has_attr(self, base: Value, name: str) -> Value:
        """`hasattr(base, name)`."""
        return states.has_attr(self, base, name)

    def call_operator(self, op: str, left: Value, right: Value, site: Site | None) -> Value:
        """A user's `__add__` and the like; MISSING when there is none."""
        name = {"+": "__add__", "*": "__mul__", "@": "__matmul__", "|": "__or__", ">>": "__rshift__"}.get(op)
        user = classes.find_any(getattr(left, "cls", None), name) if name else MISSING
        return self.call(BoundV(user, left), CallArgs((right,), {}, site)) if isinstance(user, FuncV) else MISSING

    def as_argument(self, value: Value) -> object:
        """A value as the catalogue takes it."""
        return modules.as_argument(self, value)

    def drawn(self) -> Sym:
        """A value drawn from the global RNG."""
        return tracking.drawn(self)

    # -- delegates -----------------------------------------------------------------------------------------------

    def call(self, func: Value, args: CallArgs) -> Value:
        return calls.call(self, func, args)

    def call_module(self, obj: ModuleObj, args: CallArgs) -> Value:
        return modules.call_module(self, obj, args)

    def run_module(self, obj: ModuleObj, forward: Value, args: CallArgs) -> Value:
        return modules.run_module(self, obj, forward, args)

    def run_method(self, obj: ModuleObj, func: FuncV, args: CallArgs) -> Value:
        return modules.run_method(self, obj, func, args)

    def library_init(self, obj: ModuleObj, owner: ExtV, args: CallArgs) -> None:
        modules.library_init(self, obj, owner, args)

    def super_method(self, obj: ModuleObj, owner: ExtV, name: str) -> Value:
        return modules.super_method(self, obj, owner, name)

    def set_module_attr(
        self, obj: ModuleObj, name: str, value: Value, place: Placement | None, update: bool = False
    ) -> None:
        modules.set_module_attr(self, obj, name, value, place, update)

    def module_item(self, obj: ModuleObj, index: Value, site: Site | None) -> Value:
        return modules.module_item(self, obj, index, site)

    def set_module_item(self, obj: ModuleObj, index: Value, value: Value, place: Placement | None) -> None:
        modules.set_module_item(self, obj, index, value, place)

    def delete_module_item(self, obj: ModuleObj, index: Value) -> None:
        modules.delete_module_item(self, obj, index)

    def module_method(self, obj: ModuleObj, name: str) -> Any:
        return module_api.module_method(self, obj, name)

    def special_attr(self, obj: ModuleObj, name: str) -> Value:
        return module_api.special_attr(self, obj, name)

    def library_attr(self, obj: ModuleObj, name: str) -> Value:
        return states.library_attr(self, obj, name)

    def get_attr(self, base: Value, name: str, site: Site | None, reading: bool = True) -> Value:
        return attributes.get_attr(self, base, name, site, reading)

    def set_attr(
        self, base: Value, name: str, value: Value, place: Placement | None = None, update: bool = False
    ) -> None:
        attributes.set_attr(self, base, name, value, place, update)

    def delete_attr(self, base: Value, name: str) -> None:
        attributes.delete_attr(self, base, name)

    def get_item(self, base: Value, index: Value, site: Site | None) -> Value:
        return attributes.get_item(self, base, index, site)

    def set_item(self, base: Value, index: Value, value: Value, place: Placement | None) -> None:
        attributes.set_item(self, base, index, value, place)

    def delete_item(self, base: Value, index: Value) -> None:
        attributes.delete_item(self, base, index)

    def dict_item(self, d: DictObj, index: Value) -> Value:
        return attributes.dict_item(self, d, index)

    def alternatives(self, index: Sym, items: dict[Any, Value]) -> Value:
        return attributes.alternatives(self, index, items)

    def read_attr(self, obj: ModuleObj, name: str) -> None:
        tracking.read_attr(self, obj, name)

    def wrote_attr(self, obj: ModuleObj, name: str, value: Value, update: bool) -> None:
        tracking.wrote_attr(self, obj, name, value, update)

    def wrote_into(self, container: ListObj | DictObj | Obj, taint: int, name: str = "") -> None:
        tracking.wrote_into(self, container, taint, name)

    def emptied(self, container: ListObj | DictObj) -> None:
        tracking.emptied(self, container)

    def write_tensor(self, tensor: Tensor, taint: int, update: bool) -> None:
        tracking.write_tensor(self, tensor, taint, update)

    def taint_of(self, value: Value) -> int:
        return tracking.taint_of(self, value)

    def src_of(self, value: Value) -> frozenset[int]:
        return tracking.src_of(self, value)

    def deep_copy(self, value: Value, site: Site | None = None) -> Value:
        return copying.deep_copy(self, value, site)

    def shallow_copy(self, value: Value, site: Site | None = None) -> Value:
        return copying.shallow_copy(self, value, site)


def _mentions_training(node: object) -> bool:
    """Whether code reads an attribute called `training` in a condition."""
    if isinstance(node, ir.If | ir.IfExp) and _reads_training(node.test):
        return True
    return isinstance(node, tuple) and any(_mentions_training(part) for part in node if isinstance(part, tuple))


def _reads_training(node: object) -> bool:
    if isinstance(node, ir.Attr) and node.name == "training":
        return True
    return isinstance(node, tuple) and any(_reads_training(part) for part in node if isinstance(part, tuple))


def _number(source: ir.Expr) -> int | None:
    """The number of an expression, or of the part of it that gives the value."""
    match source:
        case ir.IfExp():
            return _number(source.body)
        case ir.Boolean():
            return _number(source.left)
        case ir.Walrus() | ir.Await() | ir.Starred():
            return _number(source.value)
        case _:
            return getattr(source, "n", None)
