"""copy.deepcopy and copy.copy of abstract values. The memo keeps aliases: two names of one module stay one module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import enums, tracking
from modlint.interpreter.hooks import is_hook
from modlint.interpreter.values import (
    MISSING,
    BoundV,
    Choice,
    DictObj,
    IterObj,
    ListObj,
    ModuleObj,
    Obj,
    PartialV,
    Placement,
    Tensor,
    Value,
)

if TYPE_CHECKING:
    from modlint.graph import Site
    from modlint.interpreter.interpreter import Interpreter


def deep_copy(m: Interpreter, value: Value, site: Site | None = None) -> Value:
    """A copy of everything that the value reaches."""
    return _copy(m, value, site, {})


def _copy(m: Interpreter, value: Value, site: Site | None, memo: dict[int, Value]) -> Value:
    m.tick()
    if type(value) is tuple:
        return tuple(_copy(m, item, site, memo) for item in value)
    if type(value) is dict:
        return {key: _copy(m, item, site, memo) for key, item in value.items()}
    if type(value) is Choice:
        return Choice(tuple((cond, _copy(m, v, site, memo)) for cond, v in value.alts))
    if isinstance(value, BoundV):  # a bound method of what is copied is bound to the copy
        return BoundV(value.func, _copy(m, value.receiver, site, memo))
    if isinstance(value, PartialV):
        func, args, kwargs = (_copy(m, part, site, memo) for part in (value.func, value.args, value.kwargs))
        return PartialV(func, args, kwargs)
    if not isinstance(value, ModuleObj | Obj | ListObj | DictObj | IterObj | Tensor) or enums.is_member(value):
        return value
    if id(value) in memo:
        if isinstance(value, ModuleObj) and value.id in m.repeats:
            m.repeats.setdefault(memo[id(value)].id, m.repeats[value.id])
        return memo[id(value)]
    return _copy_object(m, value, site, memo)


def _copy_object(m: Interpreter, value: Value, site: Site | None, memo: dict[int, Value]) -> Value:
    if isinstance(value, ModuleObj):
        made = memo[id(value)] = _blank(m, value, site)
        for source, target in ((value.cells, made.cells), (value.mods, made.mods), (value.tensors, made.tensors)):
            for key, item in source.items():
                target[key] = _copy(m, item, site, memo)
                tracking.attached(target[key], made, key)
        made.facts.update({key: _copy(m, hook, site, memo) for key, hook in _hooks(value)})
        return made
    if isinstance(value, Tensor):
        owner = None if value.owner is None else memo.get(id(value.owner), value.owner)
        copied = memo[id(value)] = Tensor(m.fresh(), value.kind, owner, value.name, value.persistent)
        return copied
    new: Value
    if isinstance(value, Obj):
        new = memo[id(value)] = m.new_plain(value.cls)
        new.cells.update({key: _copy(m, item, site, memo) for key, item in value.cells.items()})
    elif isinstance(value, ListObj):
        new = memo[id(value)] = m.new_list((), value.kind)
        new.cells["items"] = _copy(m, value.cells["items"], site, memo)
    elif isinstance(value, DictObj):
        new = memo[id(value)] = m.new_dict({}, value.open)
        new.cells["items"] = _copy(m, value.cells["items"], site, memo)
        new.factory = value.factory
    else:
        new = memo[id(value)] = m.new_iter(_copy(m, value.items, site, memo), value.endless)
        new.start = value.start
        new.cells.update(value.cells)
    return new


def _blank(m: Interpreter, value: ModuleObj, site: Site | None) -> ModuleObj:
    made = ModuleObj(m.fresh(), value.cls, value.created)
    m.bear(made.cells, made.mods, made.tensors, made.meta)
    made.entry, made.bound = value.entry, dict(value.bound)
    made.places = dict(value.places)
    keep = ("wrappers", "frozen", "unknown-children", "unknown-class")
    made.facts = {key: fact for key, fact in value.facts.items() if key in keep}
    m.bear(made.places, made.facts)
    m.modules.append(made)
    if value.id in m.meant_shared:
        m.meant_shared[made.id] = m.meant_shared[value.id]
    if value.id in m.repeats and site is None:
        m.repeats[made.id] = m.repeats[value.id]
    return made


def _hooks(value: ModuleObj) -> list[tuple[str, Value]]:
    return [(key, hook) for key, hook in value.facts.items() if is_hook(key)]


def shallow_copy(m: Interpreter, value: Value, site: Site | None = None) -> Value:
    """A copy that shares what the value holds."""
    if isinstance(value, ListObj):
        return m.new_list(value.cells["items"], value.kind)
    if isinstance(value, DictObj):
        return m.new_dict(dict(m.dict_items(value)), value.open)
    if isinstance(value, Obj) and not enums.is_member(value):
        made = m.new_plain(value.cls)
        made.cells.update(value.cells)
        return made
    if isinstance(value, ModuleObj):
        copied = _blank(m, value, site)
        copied.cells.update(value.cells)
        copied.mods.update({k: v for k, v in value.mods.items() if v is not MISSING})
        copied.tensors.update(value.tensors)
        copied.facts.update(_hooks(value))
        m.set(copied.facts, "shares-tensors", True)
        if site is not None:
            copied.places.update(dict.fromkeys(copied.mods, Placement((site,))))  # the copy is what shares them
        return copied
    return value
