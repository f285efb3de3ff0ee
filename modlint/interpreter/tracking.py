"""Uses and state: what is recorded while forward runs.

State crosses calls when an execution of a module reads an attribute that an earlier execution of the same module
wrote, and what was written depends on inputs, on the RNG or on earlier state. Writes to what the checkpoint saves count
at once.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from modlint.interpreter import classes
from modlint.interpreter.frames import Run
from modlint.interpreter.values import (
    MISSING,
    RNG,
    STATE,
    Choice,
    DictObj,
    IterObj,
    ListObj,
    ModuleObj,
    Obj,
    Sym,
    Tensor,
    Value,
)
from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modlint.graph import Site
    from modlint.interpreter.conditions import Cond
    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.values import CallArgs


class RawUse(NamedTuple):
    """One execution as it happened; `build` makes a `Use` of it."""

    order: int
    obj: ModuleObj
    parent: int | None
    site: Site | None
    within: str
    slot: tuple[ModuleObj, str] | None
    times: int
    at_least: bool
    cond: Cond
    frozen: bool
    recomputed: Site | None
    loop: int | None
    consumes: frozenset[int]
    extra: bool  # in the third or a later round of a loop whose trip count is not known
    guessed: bool  # in a later round of a loop whose trip count constructor arguments decide


class Written(NamedTuple):
    """Who wrote an attribute last, and what the value depends on.

    `carried`: it was made from what an earlier execution wrote. `lost`: it replaced what an earlier execution wrote,
    before anybody outside read that. `new`: the attribute had no value before forward gave it one.
    """

    run: Run | None
    taint: int
    carried: bool = False
    lost: bool = False
    new: bool = False


class Crossing(NamedTuple):
    """One execution of `obj` read what another one had written to an attribute, or updated it."""

    obj: ModuleObj
    name: str
    reader: Run
    writer: Run


def record(m: Interpreter, obj: ModuleObj, args: CallArgs) -> Run:
    """Note a use of `obj` and return its execution."""
    order = m.next_order()
    parent = m.run
    if m.counting:
        loops = m.loops[m.loop_floor :]
        src: frozenset[int] = frozenset()
        for value in (*args.args, *args.kwargs.values()):
            src = src | m.src_of(value)
        m.uses.append(
            RawUse(
                order,
                obj,
                None if parent is None else parent.order,
                args.site,
                args.within,
                args.slot,
                m.weight,
                any(not loop.known for loop in m.loops),
                m.pc,
                is_frozen(m, obj),
                m.checkpointed,
                loops[-1].id if loops else None,
                src,
                any(not loop.known and loop.round > 1 for loop in m.loops),
                any(loop.configured and loop.round for loop in m.loops),
            )
        )
    return Run(order, obj, parent, m.checkpointed)


def is_frozen(m: Interpreter, obj: ModuleObj) -> bool:
    """Whether the instance is in eval mode now."""
    return m.live(obj.cells.get("training", True)) is False


class Running:
    """Within: `run` is the innermost execution, and loops outside of it are not its own."""

    __slots__ = ("_floor", "_m", "_outer", "_run")

    def __init__(self, m: Interpreter, run: Run) -> None:
        self._m = m
        self._run = run

    def __enter__(self) -> None:
        m = self._m
        self._outer, self._floor = m.run, m.loop_floor
        m.run, m.loop_floor = self._run, len(m.loops)

    def __exit__(self, *raised: object) -> None:
        self._m.run, self._m.loop_floor = self._outer, self._floor


def keeper(m: Interpreter, obj: ModuleObj, name: str) -> tuple[ModuleObj, str]:
    """Whose state an attribute is: that of a module which nobody can call belongs to the one that holds it."""
    while (held := obj.held) is not None and classes.never_runs(m, obj):
        obj, name = held[0], f"{held[1]}.{name}"
    return obj, name


def read_attr(m: Interpreter, obj: ModuleObj, name: str) -> None:
    """A read of `obj.name` during forward: does it see what an earlier execution of `obj` wrote?"""
    if m.run is None or m.told:
        return
    if obj.held is not None:
        obj, name = keeper(m, obj, name)
    if name not in obj.meta:
        return
    reader = m.run.of(obj)
    for one in _written(m, obj, name):
        writer = one.run.of(obj) if one.run is not None and one.taint else None
        if writer is None:
            continue
        if reader is None:
            if one.lost:
                m.keeps(obj, name)
            m.set(obj.meta, name, Written(None, 0))
        elif (one.carried or writer is not reader) and not (one.new and _hands_over(m, obj, name)):
            if one.carried:
                m.keeps(obj, name)
            else:
                m.crossings.append(Crossing(obj, name, reader, writer))


def settle(m: Interpreter) -> None:
    """Tell state that is kept from state that one use leaves for another, after all that is to be run has run.

    Handed over is what some uses only write and others only read, each after a write of the same forward: a norm that
    is undone later. An instance for each use would break it.
    """
    for obj in {one.obj.id: one.obj for one in m.crossings}.values():
        mine = [one for one in m.crossings if one.obj is obj]
        names, readers = {one.name for one in mine}, {one.reader for one in mine}
        handed = not any(reader.wrote & names for reader in readers) and all(
            one.writer not in readers and one.writer.outermost is one.reader.outermost for one in mine
        )
        for one in () if handed else mine:
            m.keeps(obj, one.name)
        if handed:
            m.saved = [(owner, name) for owner, name in m.saved if owner is not obj or name not in names]
    for obj, name in m.saved:
        m.keeps(obj, name)
    m.crossings, m.saved = [], []


def forget_steps(m: Interpreter) -> None:
    """What a loop carries from one step to the next is no state where the caller resets it before the loop.

    So a recurrent cell, or an attention over steps, keeps its hidden state: an instance for each step would lose it.
    """
    by_obj: dict[int, list[RawUse]] = {}
    for use in m.uses:
        by_obj.setdefault(use.obj.id, []).append(use)
    for kept in (m.kept, m.kept_eval):
        for number in [number for number in kept if number in by_obj]:
            uses = by_obj[number]
            reset = _reset_before_loops(m, number, uses)
            left = {name: None for name in kept[number] if name not in reset or name in uses[0].obj.tensors}
            if left:
                kept[number] = left
            else:
                del kept[number]


def _reset_before_loops(m: Interpreter, number: int, uses: Sequence[RawUse]) -> frozenset[str]:
    """The attributes that are reset before each loop, where all uses are steps of loops, at one place in each."""
    loops = [list(steps) for _, steps in groupby(uses, lambda use: (use.site, use.loop))]
    if any(steps[0].loop is None for steps in loops):
        return frozenset()
    found, last = [], -1
    for steps in loops:
        first = steps[0].order
        found.append({name for of, name, order in m.resets if of == number and last <= order <= first})
        last = steps[-1].order
    return frozenset.intersection(*map(frozenset, found))


def _hands_over(m: Interpreter, obj: ModuleObj, name: str) -> bool:
    """Whether one call leaves `obj.name` for another that could not run without it, as a norm that is undone later.

    So it is where nothing that forward writes has a value before, and the class never asks whether it has one: each
    use with an instance of its own is then no way out.
    """
    if m.evaluating or not all(one.new for other in obj.meta for one in _written(m, obj, other)):
        return False
    methods = [function.node for function in classes.methods(obj.cls)]
    m.use(*methods)
    return not any(_speaks_of(node, name) for node in methods)


def _speaks_of(node: object, name: str) -> bool:
    """Whether code has a name as a string, as `hasattr(self, name)` has."""
    if isinstance(node, ir.Const):
        return bool(node.value == name)
    return isinstance(node, tuple) and any(_speaks_of(part, name) for part in node if isinstance(part, tuple))


def _written(m: Interpreter, obj: ModuleObj, name: str) -> list[Written]:
    written = m.live(obj.meta.get(name))
    alternatives = [v for _, v in written.alts] if type(written) is Choice else [written]
    return [one for one in alternatives if isinstance(one, Written)]


def note_write(m: Interpreter, obj: ModuleObj, name: str, taint: int, update: bool) -> None:
    """Remember a write, and what became of what an earlier execution of the same module wrote."""
    obj, name = keeper(m, obj, name)
    now = None if m.run is None else m.run.of(obj)
    carried = lost = False
    if now is not None and taint:
        now.wrote.add(name)
    if not (taint or update) and (now is None or not now.counted):
        m.resets.append((obj.id, name, m.orders))
    absent = not _is_part(name) and name not in obj.cells and name not in obj.tensors
    new = absent and classes.find_any(obj.cls, name) is MISSING
    if name in obj.meta:
        new = all(one.new for one in _written(m, obj, name))
    for one in _written(m, obj, name):
        before = one.run.of(obj) if one.run is not None and one.taint else None
        if before is not None and now is not None and before is not now:
            carried, lost = carried or update, lost or not update
        elif before is not None:
            carried, lost = carried or (update and one.carried), lost or one.lost
    if update and carried:
        taint |= STATE
    for part in [] if _is_part(name) or update else parts_of(obj, name):
        note_write(m, obj, part, 0, False)  # another object stands there now
    m.set(obj.meta, name, Written(m.run, taint | (STATE if update else 0), carried, lost, new))


def _is_part(name: str) -> bool:
    return "." in name or "[" in name


def parts_of(obj: ModuleObj, name: str) -> list[str]:
    """What forward wrote to attributes and entries of the object that stands at an attribute."""
    return [other for other in obj.meta if other.startswith((f"{name}.", f"{name}["))]


def wrote_attr(m: Interpreter, obj: ModuleObj, name: str, value: Value, update: bool) -> None:
    """A write of `obj.name` during forward."""
    if m.run is None:
        return
    taint = m.taint_of(value) | (STATE if update else 0)
    note_write(m, obj, name, taint, update)
    tensor = obj.tensors.get(name)
    if tensor is not None:
        m.set(obj.facts, f"version of {name}", m.fresh())
    if isinstance(tensor, Tensor) and (tensor.persistent or tensor.kind == "parameter") and taint:
        obj, name = keeper(m, obj, name)
        if taint & STATE:
            m.keeps(obj, name)
        else:
            m.saved.append((obj, name))


def wrote_into(
    m: Interpreter, container: ListObj | DictObj | Obj | IterObj, taint: int, part: str = "", update: bool = False
) -> None:
    """A list, dict, object or iterator that hangs at a module's attribute was changed during forward.

    `part`: the attribute (`.name`) or entry (`[key]`) that was changed, where it is known which. An entry of a dict
    that depends on nothing but its key is the same whoever makes it.
    """
    if m.run is None or container.owner is None:
        return
    obj, attribute = container.owner
    if part:
        note_write(m, obj, attribute + part, taint | (STATE if update else 0), update)
    elif isinstance(container, ListObj):
        note_write(m, obj, attribute, taint | STATE, True)
    elif taint:
        note_write(m, obj, attribute, taint, True)


def read_entry(m: Interpreter, container: Value, part: str = "") -> None:
    """A read of one entry (`[key]`) of a list or dict at a module's attribute, or of all of them."""
    if m.run is None or not isinstance(container, ListObj | DictObj) or container.owner is None:
        return
    obj, attribute = container.owner
    for name in [attribute + part, *parts_of(obj, attribute + part)]:
        read_attr(m, obj, name)


def owned(value: Value, obj: ModuleObj, name: str) -> None:
    """A container or object, and the containers in it, hang at an attribute of a module from now on."""
    if not isinstance(value, ListObj | DictObj | Obj | IterObj) or value.owner is not None:
        return
    value.owner = (obj, name)
    items = None if isinstance(value, Obj | IterObj) else value.cells["items"]
    if type(items) is tuple:
        items = dict(enumerate(items))
    for key, item in items.items() if type(items) is dict else ():
        owned(item, obj, f"{name}[{key!r}]")


def attached(value: Value, obj: ModuleObj, name: str) -> None:
    """What a copy of a module holds hangs at it, as what the module holds hangs at that."""
    if type(value) is ModuleObj and value.held is None:
        value.held = (obj, name)
    owned(value, obj, name)


def entry(m: Interpreter, container: Value, index: Value) -> str:
    """How an entry of a list or dict is called among the parts of an attribute, or "" where it is not known which."""
    index = m.concrete(index)
    if isinstance(container, DictObj):
        return "" if index is MISSING else f"[{index!r}]"
    items = m.live(container.cells["items"]) if isinstance(container, ListObj) else None
    if type(items) is not tuple or not isinstance(index, int) or not -len(items) <= index < len(items):
        return ""
    return f"[{index % len(items)}]"


def emptied(m: Interpreter, container: ListObj | DictObj) -> None:
    """A list or dict was cleared: nothing of what was in it lives on."""
    if m.run is not None and container.owner is not None:
        obj, name = container.owner
        for one in (name, *parts_of(obj, name)):
            m.set(obj.meta, one, Written(m.run, 0))


def restored(m: Interpreter, run: Run, mark: int) -> None:
    """A list that an execution leaves as it found it at `mark` is as good as not written: pushed and popped."""
    for name in run.wrote:
        value = m.live(run.obj.cells.get(name))
        if isinstance(value, ListObj) and _as_found(m, value, mark):
            m.set(run.obj.meta, name, Written(run, 0))


def _as_found(m: Interpreter, value: ListObj, mark: int) -> bool:
    now = m.live(value.cells["items"])
    then = next((old for cells, key, old in m.journal[mark:] if cells is value.cells and key == "items"), now)
    same = type(now) is tuple and type(then) is tuple and len(now) == len(then)
    return same and all(one is other for one, other in zip(now, then, strict=True))


def taint_of(m: Interpreter, value: Value, depth: int = 3) -> int:
    """What a value depends on: INPUT, RNG, STATE, in any combination."""
    kind = type(value)
    if kind is Sym:
        return int(value.taint)
    if kind is tuple and depth:
        taint = 0
        for item in value:
            taint |= taint_of(m, item, depth - 1)
        return taint
    if kind is Choice and depth:
        taint = 0
        for _, alternative in value.alts:
            taint |= taint_of(m, alternative, depth - 1)
        return taint
    if kind is ListObj and depth:
        return taint_of(m, value.cells["items"], depth)
    if kind is DictObj and depth:
        return taint_of(m, tuple(m.dict_items(value).values()), depth)
    return 0


def src_of(m: Interpreter, value: Value, depth: int = 2) -> frozenset[int]:
    """The orders of the uses whose outputs reach a value, and below zero the numbers of the buffers that do."""
    kind = type(value)
    if kind is Tensor:
        return frozenset({-value.id}) if value.kind == "buffer" else frozenset()
    if kind is Sym:
        src: frozenset[int] = value.src
        return src
    parts: tuple[Value, ...] = ()
    if kind is tuple:
        parts = value
    elif kind is Choice:
        parts = tuple(v for _, v in value.alts)
    elif kind is ListObj and type(value.cells["items"]) is tuple:
        parts = value.cells["items"]
    found: frozenset[int] = frozenset()
    for part in parts if depth else ():
        found = found | src_of(m, part, depth - 1)
    return found


def drawn(m: Interpreter) -> Sym:
    """A value drawn from the global RNG, by the module that runs now."""
    if m.run is not None:
        m.drawing.add(m.run.obj.id)
    return m.data(RNG)
