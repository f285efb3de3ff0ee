"""Constructors that run again with equal arguments: what the first one built is made again, with all that it left.

Decision: half of a run is constructors, and a network builds the same block many times over. A call is remembered under
its class, its arguments by content and what else a constructor can see; its outcome is taken for that of another such
call if all that it wrote was its own, if it made no unknown value that another call would have for itself, and if
nothing has been written since that it may have read. What is not sure is run. Numbers, counts and steps are those of a
run, so that nothing that is said of a model depends on which of its calls were run.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

from modlint.interpreter.blueprints import Blueprint, drawn_up, is_plain_key
from modlint.interpreter.classes import find_any
from modlint.interpreter.stretches import NOTHING_ASKED, Stretch
from modlint.interpreter.values import (
    Choice,
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
    from collections.abc import Callable, Hashable

    from modlint.graph import Site
    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.replays import Summary
    from modlint.interpreter.values import CallArgs, Read

_MOST_ROWS = 150_000  # things in all blueprints that outlive a model
_DEEPEST_KEY = 8  # containers within containers, in arguments


class Instance:
    """What one call of a constructor built: modules `first` to `first + count` of the run, and `numbers`."""

    __slots__ = ("count", "first", "numbers", "since", "template")

    def __init__(self, template: Template, first: int, count: int, numbers: range, since: int) -> None:
        self.template = template
        self.first = first
        self.count = count
        self.numbers = numbers
        self.since = since  # the number of the last write while it was built

    def intact(self, m: Interpreter) -> bool:
        """Whether nothing that it holds was written after it was built."""
        touched = m.touched
        if touched.keys().isdisjoint(self.numbers):
            return True
        since = self.since
        return all(touched.get(number, 0) <= since for number in self.numbers)


class Sub(NamedTuple):
    """An instance within another: its root and its modules among those of the other, and its rows among its rows."""

    template: Template
    root: int
    first: int
    modules: int
    rows: range


class Template:
    """One call of a constructor: what it took (steps, notes), and what it made, as long as that is as it was."""

    __slots__ = (
        "asked_training",
        "blueprint",
        "copied",
        "deepest",
        "holes",
        "instance",
        "keep",
        "left",
        "mark",
        "number",
        "oldest",
        "root",
        "stable",
        "steps",
        "subs",
        "summaries",
        "unknowns",
        "used",
        "vain",
        "without_entry",
    )

    def __init__(self, m: Interpreter, stretch: Stretch, keyed: _Key, root: ModuleObj) -> None:
        first = stretch.modules
        modules = m.modules[first:]
        self.root = root
        self.number = root.id
        self.mark, self.stable, self.vain, self.holes = stretch.mark, stretch.stable, stretch.vain, keyed.holes
        self.keep = (m.pc, keyed.holes)  # whose identities the key has
        self.steps, self.deepest = stretch.steps, stretch.deepest
        self.unknowns, self.without_entry = stretch.unknowns, stretch.without_entry
        self.asked_training, self.used = stretch.asked_training, stretch.used
        self.oldest = NOTHING_ASKED if stretch.pure else stretch.oldest
        self.left = [
            [(at, table[one.id]) for at, one in enumerate(modules) if one.id in table]
            for table in (m.listed, m.repeats, m.meant_shared)
        ]
        self.instance = Instance(self, first, len(modules), range(stretch.mark + 1, m.count + 1), m.writes)
        self.blueprint: Blueprint | None = None
        self.subs: list[Sub] = []
        self.copied = False  # whether it was ever made again
        self.summaries: dict[Hashable, Summary] = {}

    def drawn(self, m: Interpreter) -> bool:
        """Whether there is a blueprint: it is made when it is first needed, of the instance that was built."""
        if self.blueprint is not None:
            return True
        if not self.instance.intact(m):
            return False
        first, count = self.instance.first, self.instance.count
        modules = m.modules[first : first + count]
        numbers, self.blueprint = drawn_up(self.root, modules, self.mark, self.holes, self.stable, self.vain)
        if self.blueprint is None:
            return False
        at = {id(one): index for index, one in enumerate(modules)}
        for one in modules:
            inner = one.made
            if inner is None or one is self.root or not inner.intact(m):
                continue
            rows = range(bisect_left(numbers, inner.numbers.start), bisect_left(numbers, inner.numbers.stop))
            self.subs.append(Sub(inner.template, at[id(one)], inner.first - first, inner.count, rows))
        return True

    def made(self, m: Interpreter, holes: list[Value], site: Site | None) -> ModuleObj:
        """What another call makes, with all that it leaves in the machine."""
        assert self.blueprint is not None
        start, first = m.count + 1, len(m.modules)
        made = self.blueprint.made(m, holes, site)
        modules = [one for one in made[: len(self.blueprint.rows)] if type(one) is ModuleObj]
        m.modules += modules
        tables: tuple[dict[int, Any], ...] = (m.listed, m.repeats, m.meant_shared)
        for table, kept in zip(tables, self.left, strict=True):
            for at, what in kept:
                table[modules[at].id] = what
        self.copied = True
        m.steps += self.steps
        m.unknowns.update(self.unknowns)
        m.without_entry.update(self.without_entry)
        m.asked_training |= self.asked_training
        if m.recalls:
            m.used.update(self.used)
        m.ran_alike(self.deepest, self.oldest)
        root: ModuleObj = made[self.blueprint.root]
        root.made = Instance(self, first, len(modules), range(start, m.count + 1), m.writes)
        for sub in self.subs:
            numbers = range(start + sub.rows.start, start + sub.rows.stop)
            modules[sub.root].made = Instance(sub.template, first + sub.first, sub.modules, numbers, m.writes)
        return root


def built(m: Interpreter, cls: ClassV, args: CallArgs, run: Callable[[], Value]) -> Value:
    """An instance of a module class: made after an earlier one, or by `run`."""
    if not m.templating or m.run is not None or m.updated is not None or 0 in m.touched:
        return run()
    keyed = _Key(m, cls, args)
    if keyed.text is None:
        return run()
    template = m.lasting.get(keyed.text) or m.templates.get(keyed.text) or m.templates.get((keyed.text, id(m.pc)))
    if template is not None and m.has_room(template.deepest, template.steps) and template.drawn(m):
        return template.made(m, keyed.holes, args.site)
    return _recorded(m, keyed, run)


def _recorded(m: Interpreter, keyed: _Key, run: Callable[[], Value]) -> Value:
    stretch = Stretch(m)
    try:
        root = run()
    finally:
        stretch.end(m)
    stretch.reentered.discard(keyed.init)
    if type(root) is not ModuleObj or not stretch.own or m.conds.crowded or not stretch.repeatable(m):
        return root
    template = Template(m, stretch, keyed, root)
    root.made = template.instance
    if not stretch.pure or keyed.open:
        m.draft((keyed.text, id(m.pc)), template)
    elif not m.recalls:
        m.draft(keyed.text, template)
    elif template.drawn(m) and template.blueprint is not None and not template.blueprint.choices:
        _keep(m, keyed.text, template)
    else:
        m.draft((keyed.text, id(m.pc)), template)
    return root


def _keep(m: Interpreter, text: Hashable, template: Template) -> None:
    """Remember a call beyond this model; where there are too many, start anew."""
    if sum(len(one.blueprint.rows) for one in m.lasting.values() if one.blueprint is not None) > _MOST_ROWS:
        m.lasting.clear()
    m.lasting[text] = template


def outdate(m: Interpreter, changed: set[Read]) -> None:
    """Forget the calls and executions that ran or read something which has changed since."""
    for text, template in list(m.lasting.items()):
        if not changed.isdisjoint(template.used):
            del m.lasting[text]
            continue
        for one in (template, *(sub.template for sub in template.subs)):
            for inputs, summary in list(one.summaries.items()):
                if not changed.isdisjoint(summary.used):
                    del one.summaries[inputs]


class _Unkeyed(Exception):
    """An argument that says nothing of what it will be in another call."""


class _Key:
    """What a constructor can see, as a hashable `text` (None: too much), and the containers among its arguments.

    `open`: it has values that are not known, so that it says nothing beyond this model.
    """

    __slots__ = ("_began", "_places", "holes", "init", "open", "text")

    def __init__(self, m: Interpreter, cls: ClassV, args: CallArgs) -> None:
        self.holes: list[Value] = []
        self.open = False
        self.init = 0  # the number of the constructor
        self._places: dict[int, int] = {}
        self._began = m.began
        self.text: tuple[Any, ...] | None = None
        if cls.id > m.began and cls.module.cells.get(cls.name) is not cls:
            return  # a class of a function: what its methods see may change
        init = find_any(cls, "__init__")
        self.init = init.id if isinstance(init, FuncV) else 0
        try:
            given = (*map(self._of, args.args), *((name, self._of(value)) for name, value in args.kwargs.items()))
        except _Unkeyed:
            return
        opened = m.open_defaults if m.open_defaults[1] else None
        self.text = (cls.id, given, m.stack.count(self.init), m.cue, opened, m.longest_loop())

    def _of(self, value: Value, depth: int = _DEEPEST_KEY) -> Any:
        kind = type(value)
        if kind is float or kind is complex:
            return kind, repr(value)
        if is_const(value):
            return kind, value
        if depth == 0:
            raise _Unkeyed
        if kind is tuple:
            return kind, tuple(self._of(item, depth - 1) for item in value)
        if kind is ExtV:
            return value
        if kind is Sym:
            self.open = True
            return kind, value.id
        if kind is ClassV or kind is FuncV:
            if value.id > self._began and (kind is ClassV or value.closure is not None):
                raise _Unkeyed
            return kind, value.id
        if kind is PartialV:
            parts = self._of(value.func, depth - 1), self._of(value.args, depth - 1)
            return kind, *parts, self._named(value.kwargs, depth)
        if kind is Choice:
            self.open = True
            return kind, tuple((id(cond), self._of(one, depth - 1)) for cond, one in value.alts)
        if kind is ListObj or kind is DictObj or kind is Obj:
            return self._holder(value, depth)
        raise _Unkeyed

    def _named(self, values: dict[Any, Value], depth: int) -> tuple[Any, ...]:
        return tuple((name, self._of(value, depth - 1)) for name, value in values.items())

    def _holder(self, value: Value, depth: int) -> Any:
        """A container: one that a file's top level made is itself, another is what it holds."""
        if value.id <= self._began:
            return "static", value.id
        known = self._places.get(id(value))
        if known is not None:
            return "again", known
        self._places[id(value)] = len(self.holes)
        self.holes.append(value)
        if value.owner is not None:
            raise _Unkeyed
        if type(value) is ListObj:
            if value.length is not None or type(value.cells["items"]) is not tuple:
                raise _Unkeyed
            return ListObj, value.kind, self._of(value.cells["items"], depth - 1)
        if type(value) is Obj:
            return Obj, self._of(value.cls, depth - 1), self._named(value.cells, depth)
        items = value.cells["items"]
        if value.open or value.factory is not None or type(items) is not dict or not all(map(is_plain_key, items)):
            raise _Unkeyed
        return DictObj, self._named(items, depth)
