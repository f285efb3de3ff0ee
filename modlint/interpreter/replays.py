"""Forwards of instances that are alike: what the first one did is noted down, and done again with the others' modules.

It goes for instances of one template (see `templates`) that nothing was written into since they were built, for inputs
that are constants and tensors, and for executions that write nothing, draw on no unknown value of their own, and give
data. Whatever else happens is run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from modlint.interpreter import tracking
from modlint.interpreter.conditions import mentions
from modlint.interpreter.runs import DEEP_MODULES
from modlint.interpreter.stretches import NOTHING_ASKED, Stretch
from modlint.interpreter.values import FuncV, Sym, Value, is_const

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from modlint.graph import Site
    from modlint.interpreter.conditions import Cond
    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.templates import Instance
    from modlint.interpreter.tracking import RawUse
    from modlint.interpreter.values import CallArgs, Definitions, ModuleObj

_INPUTS = frozenset({"data", "input", "join"})  # unknown values, of which nothing is known
_COMPUTED = frozenset({"attr", "item", "unknown", "*", "+", "-", "/", "//", "%"})  # sizes, and what is made of them
_RUN = "library-forward"  # the fact that a library's forward ran; besides it only versions of buffers may be written
_VERSION = "version of "
_NEVER = 2  # tries after which it is given up to note down a forward


class _Inner(NamedTuple):
    """A use inside of the execution; orders count from that of the execution, modules within the instance."""

    order: int
    module: int
    parent: int
    site: Site | None
    within: str
    slot: tuple[int, str] | None
    times: int
    at_least: bool
    cond: Cond | None  # None: as the execution
    frozen: bool
    recomputed: Site | None
    loop: int | None
    consumes: tuple[int, ...]
    inputs: tuple[int, ...]
    extra: bool
    guessed: bool


class Summary(NamedTuple):
    """What one execution did."""

    inner: tuple[_Inner, ...]
    orders: int
    loops: int
    steps: int
    deepest: int
    nested: int
    unknowns: Counter[str]
    without_entry: Counter[str]
    asked_training: bool
    used: Definitions
    facts: tuple[tuple[int, str], ...]
    kept: tuple[tuple[int, str], ...]
    drawing: tuple[int, ...]
    tensors: tuple[tuple[int, str], ...]
    result: Any
    oldest: tuple[float, float]
    pc: Cond  # that of the execution, whose identity the key may have

    def happens(self, m: Interpreter, instance: Instance, obj: ModuleObj, args: CallArgs, given: list[Sym]) -> Value:
        """Do it again."""
        run = tracking.record(m, obj, args)
        base = run.order
        modules = m.modules[instance.first : instance.first + instance.count]
        loops = m.number(self.loops)
        at_least = any(not loop.known for loop in m.loops)
        extra = any(not loop.known and loop.round > 1 for loop in m.loops)
        guessed = any(loop.configured and loop.round for loop in m.loops)
        for one in self.inner:
            consumes = frozenset(base + order for order in one.consumes)
            for index in one.inputs:
                consumes |= given[index].src
            m.uses.append(
                tracking.RawUse(
                    base + one.order,
                    modules[one.module],
                    base + one.parent,
                    one.site,
                    one.within,
                    None if one.slot is None else (modules[one.slot[0]], one.slot[1]),
                    one.times * m.weight,
                    one.at_least or at_least,
                    m.pc if one.cond is None else one.cond,
                    one.frozen,
                    one.recomputed,
                    None if one.loop is None else loops + one.loop,
                    consumes,
                    one.extra or extra,
                    one.guessed or guessed,
                )
            )
        m.orders = base + self.orders
        for at, fact in self.facts:
            m.set(modules[at].facts, fact, True if fact == _RUN else m.fresh())
        for at, name in self.kept:
            m.keeps(modules[at], name)
        for at, name in self.tensors:
            m.library_attr(modules[at], name)
        m.drawing.update(modules[at].id for at in self.drawing)
        m.steps += self.steps
        m.unknowns.update(self.unknowns)
        m.without_entry.update(self.without_entry)
        m.asked_training |= self.asked_training
        if m.recalls:
            m.used.update(self.used)
        m.ran_alike(self.deepest, self.oldest)
        return _given_back(m, self.result, base)


def executed(
    m: Interpreter, obj: ModuleObj, forward: Value, args: CallArgs, hooked: bool, run: Callable[[], Value]
) -> Value:
    """One execution of a module whose constructor is known: as one of its like, or by `run`."""
    instance = obj.made
    if instance is None or not m.templating or m.checkpointed is not None or not m.has_gradients or 0 in m.touched:
        return run()
    template = instance.template
    inputs = _Inputs(m, forward, args, hooked) if template.copied or m.recalls else None
    if inputs is None or inputs.text is None or not instance.intact(m):
        return run()
    text = inputs.text
    known: Summary | int | None = template.summaries.get(text)
    if known is None:
        text = (text, template.number, id(m.pc), *(one.id for one in inputs.found))
        known = m.summaries.get(text)
    if isinstance(known, Summary):
        if m.depth + known.nested <= DEEP_MODULES and m.has_room(known.deepest, known.steps):
            return known.happens(m, instance, obj, args, inputs.found)
        return run()
    tries = known or 0
    if tries >= _NEVER or any(not loop.known or loop.configured for loop in m.loops):
        return run()
    result, summary = _noted(m, instance, inputs, run)
    if summary is None:
        m.summaries[text] = tries + 1
    elif summary[0]:
        template.summaries[inputs.text] = summary[1]
    else:
        m.summaries[text] = summary[1]
    return result


class _Inputs:
    """The inputs of an execution: as a hashable `text` (None: more than constants and tensors), and the tensors."""

    __slots__ = ("found", "text")

    def __init__(self, m: Interpreter, forward: Value, args: CallArgs, hooked: bool) -> None:
        self.found: list[Sym] = []
        self.text: Any = None
        if not isinstance(forward, FuncV):
            return
        given = tuple(map(self._of, (*args.args, *args.kwargs.values())))
        if None not in given:
            self.text = (forward.id, hooked, given, tuple(args.kwargs), m.cue, m.longest_loop())

    def _of(self, value: Value) -> Any:
        kind = type(value)
        if kind is Sym:
            if value.op not in _COMPUTED and (value.op not in _INPUTS or value.args):
                return None
            if not any(value is one for one in self.found):
                self.found.append(value)
            at = next(index for index, one in enumerate(self.found) if one is value)
            return kind, at, value.op, value.taint, value.configured
        if kind is tuple:
            parts = tuple(map(self._of, value))
            return None if None in parts else (kind, parts)
        if kind is float or kind is complex:
            return kind, repr(value)
        return (kind, value, "") if is_const(value) else None


def _noted(
    m: Interpreter, instance: Instance, inputs: _Inputs, run: Callable[[], Value]
) -> tuple[Value, tuple[bool, Summary] | None]:
    """The result of an execution that is run, and what it did, if that can be done again (and whether on any path)."""
    modules = m.modules[instance.first : instance.first + instance.count]
    notes = _Notes(m, modules)
    before = [symbol.src for symbol in inputs.found]
    marks = [-m.fresh() for _ in before]
    for symbol, mark in zip(inputs.found, marks, strict=True):
        symbol.src = symbol.src | {mark}
    stretch = Stretch(m)
    try:
        result = run()
    finally:
        stretch.end(m)
        for symbol, src in zip(inputs.found, before, strict=True):
            symbol.src = src
    if m.conds.crowded or not stretch.repeatable(m):
        return result, None
    summary = notes.summary(m, stretch, marks, result)
    return result, None if summary is None else (stretch.blind, summary)


class _Notes:
    """What is there before an execution, to tell from it what that did."""

    def __init__(self, m: Interpreter, modules: Sequence[ModuleObj]) -> None:
        self.modules = modules
        self.at = {id(one): index for index, one in enumerate(modules)}
        self.uses, self.order, self.journal, self.loops = len(m.uses), m.orders, len(m.journal), len(m.loops)
        self.tensors = [len(one.tensors) for one in modules]
        self.left = _left(m)
        self.fresh = not any(one.id in m.drawing or one.id in m.kept for one in modules)
        self.weight, self.pc = m.weight, m.pc

    def summary(self, m: Interpreter, stretch: Stretch, marks: list[int], result: Value) -> Summary | None:
        """What the execution did; None where some of it cannot be done again."""
        shape = _shape(result, self.order)
        facts = self._facts(m, stretch.mark)
        kept = [(at, name) for at, one in enumerate(self.modules) for name in m.kept.get(one.id, ())]
        left = (*self.left[:-1], self.left[-1] + len(kept))
        if shape is None or facts is None or not self.fresh or _left(m) != left or 0 in m.touched:
            return None
        loops: dict[int, int] = {}
        inner = [self._inner(use, marks, loops) for use in m.uses[self.uses + 1 :]]
        found = [one for one in inner if one is not None]
        if stretch.vain and any(one.cond is not None and mentions(one.cond, stretch.vain) for one in found):
            return None
        if len(found) < len(inner) or m.uses[self.uses].order != self.order:
            return None
        nested: dict[int, int] = {0: 1}
        for one in found:
            nested[one.order] = nested.get(one.parent, 0) + 1
        tensors = [
            (at, name)
            for at, (one, before) in enumerate(zip(self.modules, self.tensors, strict=True))
            for name in list(one.tensors)[before:]
        ]
        return Summary(
            tuple(found),
            m.orders - self.order,
            len(loops),
            stretch.steps,
            stretch.deepest,
            max(nested.values()),
            stretch.unknowns,
            stretch.without_entry,
            stretch.asked_training,
            stretch.used,
            facts,
            tuple(kept),
            tuple(at for at, one in enumerate(self.modules) if one.id in m.drawing),
            tuple(tensors),
            shape,
            NOTHING_ASKED if stretch.blind else stretch.oldest,
            self.pc,
        )

    def _facts(self, m: Interpreter, mark: int) -> tuple[tuple[int, str], ...] | None:
        """What was written to facts of the modules; None where anything else was written that was there before."""
        facts = {id(one.facts): index for index, one in enumerate(self.modules)}
        found: dict[tuple[int, str], None] = {}
        for cells, key, _ in m.journal[self.journal :]:
            if m.born.get(id(cells), 0) > mark:
                continue
            if id(cells) not in facts or not (key == _RUN or key.startswith(_VERSION)):
                return None
            found[facts[id(cells)], key] = None
        return tuple(found)

    def _inner(self, use: RawUse, marks: list[int], loops: dict[int, int]) -> _Inner | None:
        module = self.at.get(id(use.obj))
        slot = None if use.slot is None else (self.at.get(id(use.slot[0]), -1), use.slot[1])
        if module is None or (slot is not None and slot[0] < 0) or use.parent is None or use.parent < self.order:
            return None
        return _Inner(
            use.order - self.order,
            module,
            use.parent - self.order,
            use.site,
            use.within,
            slot,
            use.times // self.weight,
            use.at_least,
            None if use.cond is self.pc else use.cond,
            use.frozen,
            use.recomputed,
            None if use.loop is None else loops.setdefault(use.loop, len(loops)),
            tuple(order - self.order for order in use.consumes if order >= self.order),
            tuple(index for index, mark in enumerate(marks) if mark in use.consumes),
            use.extra,
            use.guessed,
        )


def _left(m: Interpreter) -> tuple[int, ...]:
    """How much of what executions leave in the machine is there."""
    kept, kept_eval = (sum(map(len, one.values())) for one in (m.kept, m.kept_eval))
    return len(m.crossings), len(m.saved), len(m.resets), len(m.meant_shared), m.places, kept_eval, kept


def _shape(result: Value, order: int) -> Any:
    """A result of tensors and constants, as it can be given back; None where it holds anything else."""
    kind = type(result)
    if kind is Sym:
        fits = result.op == "data" and not result.args and not result.configured and result.src == {order}
        return (kind, result.taint) if fits else None
    if kind is tuple:
        parts = tuple(_shape(item, order) for item in result)
        return None if None in parts else (kind, parts)
    return (None, result) if is_const(result) else None


def _given_back(m: Interpreter, shape: Any, order: int) -> Value:
    kind, what = shape
    if kind is Sym:
        return Sym(m.fresh(), "data", (), what, frozenset({order}))
    return tuple(_given_back(m, part, order) for part in what) if kind is tuple else what
