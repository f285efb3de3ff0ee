"""A graph of values that one call made, taken down so that it can be made again: the same shape, numbers of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from modlint.interpreter.conditions import mentions
from modlint.interpreter.values import (
    BoundV,
    Choice,
    ClassV,
    DictObj,
    ExtMethod,
    ExtV,
    FuncV,
    LazyImport,
    ListObj,
    Missing,
    ModuleObj,
    Obj,
    PartialV,
    Placement,
    PyModule,
    Sym,
    Tensor,
    Value,
    Wrapped,
    is_const,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from modlint.graph import Site
    from modlint.interpreter.interpreter import Interpreter

    Fixes = tuple[tuple[Any, "_Part"], ...]  # keys of a dict, and the parts that take the place of their values

_SHARED = frozenset({ExtV, PyModule, LazyImport, Placement, Wrapped, Missing, frozenset, slice})
_HOLDERS = frozenset({ModuleObj, ListObj, DictObj, Obj})
_KEYS = frozenset({"value", "choice", "object"})  # of dicts: what stands for a value, which every run has for itself


class Unfit(Exception):
    """Something that cannot be made again."""


class _Part(NamedTuple):
    """A value that holds something new: the row at `at`, or of another `kind` what `items` say."""

    at: int
    kind: type | None = None
    items: tuple[Any, ...] = ()

    def made(self, rows: Sequence[Value]) -> Value:
        """The value among the things that were made."""
        if self.kind is None:
            return rows[self.at]
        items = [item.made(rows) if type(item) is _Part else item for item in self.items]
        if self.kind is tuple:
            return tuple(items)
        if self.kind is BoundV:
            return BoundV(*items)
        if self.kind is dict:
            return dict(zip(items[::2], items[1::2], strict=True))
        if self.kind is Choice:
            return Choice(tuple(zip(items[::2], items[1::2], strict=True)))
        func, count, *rest = items
        return PartialV(func, tuple(rest[:count]), dict(zip(rest[count::2], rest[count + 1 :: 2], strict=True)))


class _Cells(NamedTuple):
    """A dict as it was, and which of its values are made anew."""

    plain: dict[Any, Value]
    fixes: Fixes


_NOTHING = _Cells({}, ())


class _Row(NamedTuple):
    """One thing to be made. `like` is what it was made after, from which what never changes is taken."""

    kind: type
    like: Value
    cells: tuple[_Cells, ...]
    entry: Value = None
    bound: Any = None  # shared by all copies: nobody changes it in place
    held: tuple[int, str] | None = None  # row of what holds it, or of a container's owner, and the name there
    length: Sym | None = None


class Blueprint(NamedTuple):
    """Rows in the order of their numbers."""

    rows: tuple[_Row, ...]
    root: int
    choices: bool  # whether some value depends on the path

    def made(self, m: Interpreter, holes: Sequence[Value], site: Site | None) -> list[Value]:
        """Everything, as one call of the constructor at `site` makes it of `holes`, which follow the rows."""
        first = m.number(len(self.rows))
        born = m.born
        made: list[Value] = []
        for number, row in enumerate(self.rows, first):
            kind, like = row.kind, row.like
            if kind is ModuleObj:
                made.append(_module(number, row, born))
            elif kind is Sym:
                made.append(Sym(number, like.op, (), like.taint, like.src, like.reason))
            elif kind is Tensor:
                made.append(Tensor(number, like.kind, None, like.name, like.persistent))
            else:
                made.append(_container(number, row, born))
        made += holes
        for row, one in zip(self.rows, made, strict=False):
            _complete(row, one, made)
        made[self.root].created = site
        return made


def _module(number: int, row: _Row, born: dict[int, int]) -> ModuleObj:
    obj = ModuleObj(number, row.like.cls, row.like.created)
    obj.entry, obj.bound = row.entry, row.bound
    cells, mods, tensors, places, facts = row.cells
    if cells.plain:
        obj.cells = dict(cells.plain)
    if mods.plain:
        obj.mods = dict(mods.plain)
    if tensors.plain:
        obj.tensors = dict(tensors.plain)
    if places.plain:
        obj.places = dict(places.plain)
    if facts.plain:
        obj.facts = dict(facts.plain)
    for one in (obj.cells, obj.mods, obj.tensors, obj.meta, obj.places, obj.facts):
        born[id(one)] = number
    return obj


def _container(number: int, row: _Row, born: dict[int, int]) -> Value:
    like, (cells,) = row.like, row.cells
    made: Value
    if row.kind is Obj:
        made = Obj(number, like.cls)
    elif row.kind is ListObj:
        made = ListObj(number, (), like.kind)
        made.length = row.length
    else:
        made = DictObj(number, {}, like.open)
        made.factory = like.factory
    made.cells = dict(cells.plain)
    born[id(made.cells)] = number
    return made


def _complete(row: _Row, one: Value, made: list[Value]) -> None:
    """Put what was made where it belongs."""
    if row.kind is ModuleObj:
        cells, mods, tensors, _, facts = row.cells
        for key, part in mods.fixes:
            one.mods[key] = made[part.at] if part.kind is None else part.made(made)
        for fixed, target in ((cells, one.cells), (tensors, one.tensors), (facts, one.facts)):
            for key, part in fixed.fixes:
                target[key] = part.made(made)
        if row.held is not None:
            one.held = (made[row.held[0]], row.held[1])
        return
    for fixed in row.cells:
        for key, part in fixed.fixes:
            one.cells[key] = part.made(made)
    if row.held is not None:
        one.owner = made[row.held[0]] if row.kind is Tensor else (made[row.held[0]], row.held[1])


class _Drawing:
    """One walk over what a call made: everything with a number above `mark`, from the modules that it built."""

    def __init__(self, mark: int, holes: Sequence[Value], stable: Collection[int], vain: Collection[int]) -> None:
        self.mark = mark
        self.stable = stable
        self.vain = vain
        self.holes = {id(hole): index for index, hole in enumerate(holes)}
        self.found: dict[int, Value] = {}  # by identity
        self.choices = False

    def walk(self, values: list[Value]) -> None:
        """Find everything that is new. Raises Unfit."""
        todo = values
        while todo:
            value = todo.pop()
            kind = type(value)
            if is_const(value) or kind in _SHARED or id(value) in self.found or id(value) in self.holes:
                continue
            if kind is tuple:
                todo += value
            elif kind is dict:
                todo += value.values()
                if not all(map(is_plain_key, value)):
                    raise Unfit
            elif kind in _HOLDERS:
                if value.id > self.mark:
                    self.found[id(value)] = value
                    todo += self.below(value)
            elif kind is Tensor:
                if value.id > self.mark:
                    self.found[id(value)] = value
            elif kind is Sym:
                self.symbol(value)
            elif kind is ClassV or kind is FuncV:
                if value.id > self.mark:
                    raise Unfit
            elif kind is BoundV:
                todo += (value.func, value.receiver)
            elif kind is PartialV:
                todo += (value.func, *value.args, *value.kwargs.values())
            elif kind is Choice:
                self.choices = True
                if self.vain and any(mentions(cond, self.vain) for cond, _ in value.alts):
                    raise Unfit
                todo += [one for _, one in value.alts]
            elif kind is ExtMethod:
                if getattr(value.receiver, "id", 0) > self.mark:
                    raise Unfit
            else:
                raise Unfit

    def below(self, value: Value) -> list[Value]:
        """What a holder holds, and what it is."""
        if type(value) is ModuleObj:
            if value.meta:
                raise Unfit
            groups = (value.cells, value.mods, value.tensors, value.facts)
            return [value.cls, *(one for group in groups for one in group.values())]
        if type(value) is ListObj and value.length is not None:
            self.symbol(value.length)
        if type(value) is DictObj and not isinstance(value.factory, ExtV | ClassV | None):
            raise Unfit
        return [value.cls, *value.cells.values()] if type(value) is Obj else [*value.cells.values()]

    def symbol(self, value: Sym) -> None:
        """A value that every run has for itself is made anew; one that is the same in each is shared."""
        if value.id <= self.mark or value.id in self.stable:
            return
        if value.args or value.op not in {"unknown", "data"} or value.configured:
            raise Unfit
        self.found[id(value)] = value


class _Rows:
    """What was found, as rows."""

    def __init__(self, drawing: _Drawing, root: ModuleObj) -> None:
        self.root = root
        self.things = sorted(drawing.found.values(), key=lambda one: one.id)
        self.at = {id(one): index for index, one in enumerate(self.things)}
        for hole, index in drawing.holes.items():
            self.at[hole] = len(self.things) + index

    def part(self, value: Value) -> Value:
        """The value itself, or the part that stands for it."""
        at = self.at.get(id(value))
        if at is not None:
            return _Part(at)
        kind = type(value)
        items: list[Any]
        if kind is tuple:
            items = list(value)
        elif kind is BoundV:
            items = [value.func, value.receiver]
        elif kind is dict:
            items = [one for pair in value.items() for one in pair]
        elif kind is Choice:
            items = [one for pair in value.alts for one in pair]
        elif kind is PartialV:
            items = [value.func, len(value.args), *value.args, *(one for pair in value.kwargs.items() for one in pair)]
        else:
            return value
        parts = [self.part(item) for item in items]
        if all(part is item for part, item in zip(parts, items, strict=True)):
            return value
        return _Part(0, kind, tuple(parts))

    def cells(self, cells: dict[Any, Value]) -> _Cells:
        """A dict and its fixes."""
        if not cells:
            return _NOTHING
        parts = [(key, self.part(value)) for key, value in cells.items()]
        fixes = tuple((key, part) for key, part in parts if type(part) is _Part)
        return _Cells(dict(cells) if not fixes else {key: None if type(p) is _Part else p for key, p in parts}, fixes)

    def row(self, one: Value) -> _Row:
        """What one thing is made of."""
        kind = type(one)
        if kind is ModuleObj:
            groups = (one.cells, one.mods, one.tensors, one.places, one.facts)
            held = None if one is self.root else self.holder(one.held)  # what holds the root came after it
            return _Row(kind, one, tuple(map(self.cells, groups)), one.entry, one.bound, held)
        if kind is Sym:
            return _Row(kind, one, ())
        if kind is Tensor:
            return _Row(kind, one, (), held=self.holder(None if one.owner is None else (one.owner, "")))
        length = one.length if kind is ListObj else None
        return _Row(kind, one, (self.cells(one.cells),), held=self.holder(one.owner), length=length)

    def holder(self, held: tuple[ModuleObj, str] | None) -> tuple[int, str] | None:
        if held is None:
            return None
        if id(held[0]) not in self.at:
            raise Unfit
        return self.at[id(held[0])], held[1]


def is_plain_key(key: Any) -> bool:
    """Whether a key of a dict is the same in every run."""
    if type(key) is tuple:
        return all(map(is_const, key)) and not (key and key[0] in _KEYS)
    return is_const(key) or type(key) is ExtV


def drawn_up(
    root: ModuleObj,
    modules: Sequence[ModuleObj],
    mark: int,
    holes: Sequence[Value],
    stable: Collection[int],
    vain: Collection[int],
) -> tuple[list[int], Blueprint | None]:
    """What one call made with numbers above `mark`: these, and how it is made again; None where it cannot be."""
    drawing = _Drawing(mark, holes, stable, vain)
    try:
        drawing.walk([root, *modules])
        rows = _Rows(drawing, root)
        drawn = Blueprint(tuple(map(rows.row, rows.things)), rows.at[id(root)], drawing.choices)
    except Unfit:
        return [], None
    return [one.id for one in rows.things], drawn
