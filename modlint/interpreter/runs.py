"""One interpreter's models, one after the other: what is set to nothing before each, loops, the budget, places."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from modlint.graph import Site
from modlint.interpreter.conditions import ALWAYS, Cond, Conditions
from modlint.interpreter.frames import Loop, Within
from modlint.interpreter.machine import GiveUp
from modlint.interpreter.truth import Truths
from modlint.interpreter.values import DictObj, IterObj, ListObj, Obj, Sym, Value, is_const

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from modlint.catalogue import Catalogue, Entry
    from modlint.catalogue.entries import Wrapper
    from modlint.graph import State as StateClass
    from modlint.interpreter.frames import Frame, Run
    from modlint.interpreter.replays import Summary
    from modlint.interpreter.templates import Template
    from modlint.interpreter.tracking import Crossing, RawUse
    from modlint.interpreter.values import CallArgs, ClassV, Definitions, ModuleObj, Placement, PyModule
    from modlint.syntax import ir
    from modlint.syntax.tree import SourceTree

BUDGET = 150_000  # steps of one model
SPENT = "gave up: step budget"
LONGEST = 64  # iterations that are run one by one
_LONGEST_NEST = 1024  # iterations of the innermost of nested loops, taken together
_SHORTEST = 16
_LONGEST_LIST = 4096
_DEEP = 40  # calls within calls up to which an outcome is taken for that of a run
DEEP_MODULES = 20  # the same of executions within executions
_Held = TypeVar("_Held", ListObj, DictObj, IterObj, Obj)


class Learning:
    """While a fact about a definition is found out: what is read for it is noted, and counts as read all around."""

    __slots__ = ("_around", "_key", "_m", "_node")

    def __init__(self, m: Runs, key: tuple[str, int], node: ir.FuncDef | ir.Lambda) -> None:
        self._m = m
        self._key = key
        self._node = node
        self._around: Definitions = {}

    def __enter__(self) -> None:
        if self._m.recalls:
            self._around = self._m.used
            self._m.used = self._m.behind[self._key] = {id(self._node): self._node}

    def __exit__(self, *raised: object) -> None:
        if self._m.recalls:
            self._around.update(self._m.used)
            self._m.used = self._around


def distinct(items: tuple[Value, ...]) -> tuple[Value, ...]:
    """The items of a set: each once."""
    found: list[Value] = []
    for item in items:
        if not any(other is item or (is_const(item) and is_const(other) and other == item) for other in found):
            found.append(item)
    return tuple(found)


class Runs(Truths):
    """The cells and conditions of a run, and all that one model leaves and the next must not see."""

    def __init__(self, tree: SourceTree, catalogue: Catalogue) -> None:
        super().__init__()
        self.tree = tree
        self.catalogue = catalogue
        self.files: dict[str, PyModule] = {}
        self.used: Definitions = {}  # what the present model, or the top level under way, has run or read so far
        self.behind: dict[tuple[str, int], Definitions] = {}  # what remembered facts about functions were read from
        self.recalls = False  # whether anybody asks for these two
        self.steps = 0
        self.budget = BUDGET
        self.stack: list[int] = []  # ids of the running functions
        self.given: list[CallArgs] = []  # and what each was called with
        self.activated: set[int] = set()  # and of those that ran in this model
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
        self.has_gradients = True
        self.kept: dict[int, dict[str, None]] = {}
        self.drawing: set[int] = set()
        self.crossings: list[Crossing] = []
        self.resets: list[tuple[int, str, int]] = []  # what a caller resets, and the order of the use before that
        self.saved: list[tuple[ModuleObj, str]] = []  # what forward assigned, of what the checkpoint saves
        self.placed: dict[tuple[int, Site, int, str], int] = {}
        self.repeats: dict[int, Site] = {}
        self.listed: dict[int, Placement] = {}
        self.cue = ""
        self.meant_shared: dict[int, str] = {}
        self.below: tuple[int, dict[int, tuple[Value, set[ClassV]]]] = (0, {})  # classes below values, by writes
        self.plain: dict[int, bool] = {}  # functions by id: whether calls in forward can be skipped
        self._entries: dict[str, Entry | None] = {}
        self._wrappers: dict[str, Wrapper | None] = {}
        self.passive: dict[int, bool] = {}  # classes by id: whether nobody can call their instances
        self.evaluated: dict[int, bool] = {}  # classes by id: whether some method changes attributes by the mode
        self.resolving: set[tuple[str, str]] = set()
        self.states: dict[Any, StateClass] = {}  # what the catalogue said of a class with given arguments
        self._cues: dict[int, tuple[ir.Expr, str]] = {}
        self.building: dict[int, tuple[object, frozenset[str] | None]] = {}  # functions by identity: what they call
        self.updating: dict[int, tuple[ir.Assign, ir.Attr | None]] = {}  # by identity: what it updates
        self.updated: tuple[str, str] | None = None  # the attribute that the running assignment updates
        self.telling: dict[int, tuple[ir.Stmt, bool]] = {}  # by identity: whether a statement only tells what happens
        self.told = False  # whether such a statement is running
        self.asked_training = False
        self.templates: dict[Hashable, Template] = {}  # calls of constructors of this model
        self.summaries: dict[Hashable, Summary | int] = {}  # executions of instances, or how often that was tried
        self.places = 0  # how often the source put an instance into a list or an argument
        self.lasting: dict[Hashable, Template] = {}  # and of every model, where somebody asks
        self.templating = False
        self.comparing = 0  # how many parts the comparison under way may still look at
        self.began = 0  # the last number that is older than this model
        self.highest = 0  # calls within calls, since somebody asked
        self.reentered: set[int] = set()  # functions that ran within themselves, since the same
        self.open_defaults: tuple[int, tuple[type, ...]] = (0, ())  # a class, and defaults of its constructor to doubt
        self.accepted: Cond = ALWAYS  # the arguments with which the model does not raise
        self.kept_eval: dict[int, dict[str, None]] = {}
        self.evaluating = False

    # -- runs ----------------------------------------------------------------------------------------------------

    def begin(self, budget: int) -> None:
        """Forget what the last model left, so that the next one does not depend on it."""
        self.undo(0)
        self.pending.clear()
        self.pc = ALWAYS
        self.conds.clear()
        self.conds.against = False
        self.symbols.clear()
        self.forget_templates()
        self.forget_truths()
        self.steps, self.budget = 0, budget
        self.narrowed = False
        self.stack.clear()
        self.given.clear()
        self.activated.clear()
        self.modules = []
        self.unknowns = Counter()
        self.without_entry = Counter()
        self.run, self.depth, self.counting = None, 0, False
        self.uses, self.orders, self.weight = [], 0, 1
        self.loops, self.loop_floor = [], 0
        self.checkpointed, self.has_gradients = None, True
        self.kept, self.drawing = {}, set()
        self.crossings, self.saved, self.resets = [], [], []
        self.placed, self.repeats, self.listed = {}, {}, {}
        self.cue, self.meant_shared, self.updated, self.told = "", {}, None, False
        self.accepted = ALWAYS
        self.asked_training, self.kept_eval, self.evaluating, self.open_defaults = False, {}, False, (0, ())

    def forget_templates(self) -> None:
        """Make ready for another model: what its constructors build is looked at anew."""
        self.born.clear()
        self.touched.clear()
        self.drafts.clear()
        self.templates.clear()
        self.summaries.clear()
        self.reentered.clear()
        self.began, self.templating = self.count, True

    def draft(self, key: Hashable, template: Template) -> None:
        """Remember a constructor's call, as long as what it wrote is not undone."""
        self.templates[key] = template
        self.drafts.append((len(self.journal), partial(self._spoil, key)))

    def has_room(self, deeper: int, steps: int) -> bool:
        """Whether calls that deep within the present one, and as many steps, are far from where runs give up."""
        return len(self.stack) + deeper <= _DEEP and self.steps + steps <= self.budget

    def ran_alike(self, deepest: int, oldest: tuple[float, float]) -> None:
        """Take notice of what a run would have that something else stands for: calls within calls, what it asks."""
        self.highest = max(self.highest, len(self.stack) + deepest)
        self.oldest = min(self.oldest[0], oldest[0]), min(self.oldest[1], oldest[1])

    def _spoil(self, key: Hashable) -> None:
        self.templates.pop(key, None)

    def suspend(self) -> tuple[Any, ...]:
        """Set the present run aside, to run the top level of a file."""
        saved = (
            self.journal,
            self.pending,
            self.pc,
            self.steps,
            self.budget,
            self.stack,
            self.given,
            self.run,
            self.depth,
            self.counting,
            self.weight,
            self.loops,
            self.loop_floor,
            self.checkpointed,
            self.modules,
            self.conds,
            self.narrowed,
            self.templating,
            self.touched,
            self.drafts,
            self.born,
            self.numbered,
        )
        self.templating, self.touched, self.drafts, self.born = False, {}, [], {}
        self.conds, self.narrowed = Conditions(), False
        self.journal, self.pending, self.pc, self.steps, self.budget = [], [], ALWAYS, 0, BUDGET
        self.stack, self.given = [], []
        self.run, self.depth, self.counting, self.weight = None, 0, False, 1
        self.loops, self.loop_floor, self.checkpointed = [], 0, None
        self.modules = []
        return saved

    @contextmanager
    def gradients(self, enabled: bool | None) -> Iterator[None]:
        """Within: operations are recorded for backward, or not; None leaves that as it is."""
        before = self.has_gradients
        self.has_gradients = before if enabled is None else enabled
        try:
            yield
        finally:
            self.has_gradients = before

    def resume(self, saved: tuple[Any, ...]) -> None:
        """Go on with the run that was set aside; what the top level did stays, and all of its branches know of it."""
        self.keep_literals(saved[-1])
        made = self.born
        (
            self.journal,
            self.pending,
            self.pc,
            self.steps,
            self.budget,
            self.stack,
            self.given,
            self.run,
            self.depth,
            self.counting,
            self.weight,
            self.loops,
            self.loop_floor,
            self.checkpointed,
            self.modules,
            self.conds,
            self.narrowed,
            self.templating,
            self.touched,
            self.drafts,
            self.born,
            _,
        ) = saved
        for cells in made:
            self.born.pop(cells, None)  # a file's, where a dict of this run was that is gone

    def tick(self) -> None:
        """One step of the budget. Raises GiveUp when it is spent."""
        self.steps += 1
        if self.steps > self.budget:
            raise GiveUp(SPENT)

    def note(self, reason: str) -> None:
        """Count a reason for which something is unknown."""
        self.unknowns[reason] += 1

    def unknown(self, reason: str, taint: int = 0) -> Sym:
        """A value of which nothing is known; a reason that says the analysis gave up is counted."""
        if reason.startswith("gave up"):
            self.note(reason)
        return super().unknown(reason, taint)

    def use(self, *nodes: ir.FuncDef | ir.Lambda) -> None:
        """Take notice that the bodies of functions are run or read."""
        if self.recalls:
            self.used.update((id(node), node) for node in nodes)

    def ask(self, owner: str | int, name: str) -> None:
        """Take notice that a name is looked up in a file, by its path, or on a class, by its number."""
        if self.recalls:
            self.used[owner, name] = None

    def learning(self, fact: str, number: int, node: ir.FuncDef | ir.Lambda) -> Learning:
        """Within: a fact about a definition is found out that will be remembered."""
        return Learning(self, (fact, number), node)

    def remembered(self, fact: str, number: int) -> None:
        """Take notice that what was read for a remembered fact counts as read now."""
        if self.recalls:
            self.used.update(self.behind.get((fact, number), {}))

    def looping(self, number: int, known: bool, by: bool = False) -> Within:
        """Within: the body of a loop; uses in it are lower bounds when its trip count is not known."""
        return Within(self.loops, Loop(number, known, by))

    def rounds(self) -> int:
        """How often the body of the innermost loop under way runs, all loops around it taken together."""
        return math.prod(loop.rounds for loop in self.loops)

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
        self.lasting.clear()
        module = self.files.pop(path, None)
        for number in () if module is None else module.effects:
            self.behind.pop(("effects", number), None)
        self._cues.clear()
        self.updating.clear()
        self.telling.clear()
        self.building.clear()

    def site(self, frame: Frame, number: int) -> Site:
        """The place of a numbered node."""
        sites = frame.module.sites
        found = sites.get(number)
        if found is None:
            found = sites[number] = Site(frame.module.path, number)
        return found

    def longest_loop(self) -> int:
        """How many iterations of a loop are run one by one; the last of them stands for the rest."""
        return min(LONGEST, max(_SHORTEST, _LONGEST_NEST // self.rounds()))

    # -- lists, dicts, iterators ---------------------------------------------------------------------------------

    def _born(self, made: _Held) -> _Held:
        self.born[id(made.cells)] = made.id
        return made

    def new_plain(self, cls: Value) -> Obj:
        """An instance of a class that is no module, without anything in it."""
        return self._born(Obj(self.fresh(), cls))

    def new_list(self, items: Value, kind: str = "list") -> ListObj:
        """A list, set or deque. One that grows beyond measure is a list of unknown items."""
        if kind == "set" and type(items) is tuple:
            items = distinct(items)
        return self._born(ListObj(self.fresh(), self.bounded(items), kind))

    def bounded(self, items: Value) -> Value:
        """Items, unless there are too many to follow."""
        too_many = type(items) is tuple and len(items) > _LONGEST_LIST
        return self.unknown("gave up: a very long list") if too_many else items

    def new_dict(self, items: dict[Any, Value], is_open: bool = False) -> DictObj:
        """A dict."""
        return self._born(DictObj(self.fresh(), items, is_open))

    def new_iter(self, items: tuple[Value, ...], endless: bool = False) -> IterObj:
        """An iterator over known items."""
        return self._born(IterObj(self.fresh(), items, endless))

    def assumed_range(self, items: tuple[Value, ...], by: bool = False) -> IterObj:
        """An iterator whose number of items is an assumption; `by`: the model's constructor arguments decide it."""
        made = self._born(IterObj(self.fresh(), items))
        made.assumed = by
        return made

    def is_assumed(self, value: Value) -> bool:
        """Whether the number of items that a list or an iterator has here is an assumption."""
        if isinstance(value, IterObj):
            return value.assumed is not None
        return isinstance(value, ListObj) and value.length is not None

    def assume_length(self, lst: ListObj, by: bool) -> ListObj:
        """Take notice that a list may have more items or fewer; `by`: constructor arguments decide how many."""
        length = self.symbol("len", self.unknown("the length of a list that is built in a loop"))
        length.configured = by
        lst.length = length
        return lst

    def grown(self, lst: ListObj) -> None:
        """Take notice that a list was changed: a loop around it of unknown trip count leaves its length unknown."""
        around = [loop for loop in self.loops if not loop.known and loop.id > lst.id]
        if around or lst.length is not None:
            self.assume_length(lst, any(loop.configured for loop in around) or self.configures(lst))

    def configures(self, source: Value) -> bool:
        """Whether constructor arguments that are not known decide how many items an iterable has."""
        source = self.live(source)
        if isinstance(source, IterObj):
            return bool(source.assumed)
        if isinstance(source, ListObj) and source.length is not None:
            return source.length.configured
        if isinstance(source, ListObj):
            source = source.cells["items"]
        return type(source) is Sym and source.configured
