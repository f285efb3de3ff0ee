"""What the interpreter saw of one model -> UseGraph."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from modlint.graph import Instance, Manner, Origin, Slot, Use, UseGraph
from modlint.interpreter import classes, cues, states
from modlint.interpreter.conditions import NEVER, TooManyPaths
from modlint.interpreter.machine import GiveUp
from modlint.interpreter.values import DictObj, ListObj, ModuleObj, Placement, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modlint.graph import Site, State
    from modlint.interpreter.conditions import Cond
    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.tracking import RawUse

    _Chain = tuple[tuple[Site, ...], ...]  # what put an instance into a slot, then the same of what is around it
    _Held = tuple[str, ModuleObj, Site | None, bool]  # path, instance, what put it there, whether that repeats it

MOST_SLOTS = 4096
_ORIGINS = {
    "default-argument": Origin.DEFAULT_ARGUMENT,
    "class-attribute": Origin.CLASS_ATTRIBUTE,
    "module-level": Origin.MODULE_LEVEL,
}


def build(m: Interpreter, root: ModuleObj, model: str, restricted: bool) -> UseGraph:
    """The graph of one forward pass of `root`.

    `restricted`: leave out uses that depend on constructor arguments which are not known here.
    """
    uses = claimed(m, restricted)
    slots = _slots(m, root)
    paths: dict[int, list[Slot]] = {}
    for path, obj, place, repeated in slots:
        paths.setdefault(obj.id, []).append(
            Slot(path, place, Manner.REPEATED if repeated else Manner.ASSIGNED),
        )
    memo: dict[int, State] = {}
    used = {use.obj.id for use in uses}
    local = {obj.id for obj in m.modules}
    members = _members(root, slots, uses)
    keys = {id_: f"i{index}" for index, id_ in enumerate(members)}
    graph = UseGraph(model)
    for id_, obj in members.items():
        graph.add_instance(_instance(m, obj, keys[id_], paths.get(id_, []), memo, used, id_ in local))
    reaching = _reaching(m, uses)
    for use in uses:
        graph.add_use(_use(m, use, keys, paths, root, reaching))
    return graph


def objects(m: Interpreter, root: ModuleObj, restricted: bool) -> dict[int, ModuleObj]:
    """The instances that the graph would have, by id."""
    return _members(root, _slots(m, root), claimed(m, restricted))


def _members(root: ModuleObj, slots: list[_Held], uses: list[RawUse]) -> dict[int, ModuleObj]:
    return {root.id: root} | {obj.id: obj for _, obj, _, _ in slots} | {use.obj.id: use.obj for use in uses}


def nothing_again(m: Interpreter) -> bool:
    """Whether no instance runs twice on any paths, none again in backward, and each was built for this model alone."""
    return not again(m)


def again(m: Interpreter) -> list[ModuleObj]:
    """The instances that may be used more than once: twice on any paths, in backward, by another model."""
    local = {obj.id for obj in m.modules}
    runs = Counter[int]()
    for use in m.uses:
        elsewhere = use.recomputed is not None or use.obj.id not in local
        runs[use.obj.id] += 2 if elsewhere else use.times
    return list({use.obj.id: use.obj for use in m.uses if runs[use.obj.id] > 1}.values())


def claimed(m: Interpreter, restricted: bool) -> list[RawUse]:
    """What is claimed: two rounds of a loop whose trip count is not known, however many were looked at."""
    kept: dict[int, RawUse] = {}
    seen: Counter[tuple[int, Site | None]] = Counter()
    for use in m.uses:
        if use.parent is not None and use.parent not in kept:
            continue
        seen[use.obj.id, use.site] += 1
        if not use.extra or seen[use.obj.id, use.site] < 3:
            kept[use.order] = use
    return _unrestricted(m, list(kept.values())) if restricted else list(kept.values())


def _unrestricted(m: Interpreter, uses: list[RawUse]) -> list[RawUse]:
    """The uses that happen whatever the constructor was given."""
    kept: dict[int, RawUse] = {}
    known: dict[Cond, Cond] = {}
    for use in uses:
        cond = known.get(use.cond)
        if cond is None:
            cond = known[use.cond] = _whatever_is_given(m, use.cond)
        if cond and not use.guessed and (use.parent is None or use.parent in kept):
            kept[use.order] = use._replace(cond=cond)
    return list(kept.values())


def _whatever_is_given(m: Interpreter, cond: Cond) -> Cond:
    """The part of a condition that holds with all arguments that the constructor takes; none, if that is too much."""
    try:
        return m.conjoin(m.accepted, m.unconfigured(m.disjoin(cond, m.negated(m.accepted))))
    except (GiveUp, TooManyPaths):
        return NEVER


def _reaching(m: Interpreter, uses: list[RawUse]) -> dict[int, tuple[int, ...]]:
    """By order of a claimed use, the claimed uses that reach it: one that is not claimed hands on its inputs."""
    kept = {use.order for use in uses}
    through: dict[int, frozenset[int]] = {}
    for use in m.uses:  # in the order of execution: what a use consumes came before it
        found: set[int] = set()
        for order in use.consumes:
            found |= {order} if order in kept else through.get(order, frozenset())
        through[use.order] = frozenset(found)
    return {order: tuple(sorted(through[order])) for order in kept}


def _instance(
    m: Interpreter, obj: ModuleObj, key: str, slots: list[Slot], memo: dict[int, State], used: set[int], local: bool
) -> Instance:
    own = states.own_state(m, obj)
    name = m.live(obj.facts.get("name", ""))
    return Instance(
        key,
        classes.type_name(obj),
        states.full_state(m, obj, memo, used),
        own,
        tuple(slots),
        obj.created,
        Origin.CONSTRUCTOR if local else _origin(m, obj),
        bool(obj.mods),
        _shared(m, obj, slots, name),
        name if isinstance(name, str) else "",
    )


def _origin(m: Interpreter, obj: ModuleObj) -> Origin:
    for fact, origin in _ORIGINS.items():
        if obj.facts.get(fact):
            return origin
    return Origin.CONSTRUCTOR


def _shared(m: Interpreter, obj: ModuleObj, slots: list[Slot], name: Value) -> str:
    """What in the source says that the sharing is meant: a name, or the condition that decides it."""
    for text in (*(slot.path for slot in slots), str(name)):
        if cues.speaks(text):
            return f"the name {text!r}"
    return m.meant_shared.get(obj.id, "")


def _use(
    m: Interpreter,
    use: RawUse,
    keys: dict[int, str],
    paths: dict[int, list[Slot]],
    root: ModuleObj,
    reaching: dict[int, tuple[int, ...]],
) -> Use:
    return Use(
        use.order,
        keys[use.obj.id],
        use.parent,
        use.site,
        use.within,
        _slot_path(use, paths, root),
        use.times,
        use.at_least,
        m.conds.terms(use.cond),
        use.frozen,
        use.recomputed is not None,
        use.recomputed,
        use.loop,
        reaching[use.order],
    )


def _slot_path(use: RawUse, paths: dict[int, list[Slot]], root: ModuleObj) -> str | None:
    if use.slot is None:
        return None
    owner, name = use.slot
    if owner is root:
        return name
    found = paths.get(owner.id)
    return f"{found[0].path}.{name}" if found else None


def _slots(m: Interpreter, root: ModuleObj) -> list[_Held]:
    """Every path at which a module is registered, or kept in a plain list or dict, below the root."""
    found: list[_Held] = []
    seen: dict[int, _Chain] = {}
    stack: list[tuple[str, ModuleObj, tuple[int, ...], _Chain]] = [("", root, (root.id,), ())]
    while stack and len(found) < MOST_SLOTS:
        prefix, obj, above, outside = stack.pop(0)
        for name, child, kept in _held(m, obj):
            if child.id in above:
                continue
            path = f"{prefix}.{name}" if prefix else name
            if kept and child.id not in m.repeats:
                continue  # an item of a plain list is no registered slot, unless a repetition made it
            placement = m.listed.get(child.id) if kept else obj.places.get(name)
            sites = next((p.sites for p in m.possible(placement) if isinstance(p, Placement)), ())
            first = child.id not in seen
            chain = (sites, *outside)
            place = _difference(seen.setdefault(child.id, chain), chain)
            repeat = None if first else m.repeats.get(child.id)
            found.append((path, child, repeat or place, repeat is not None))
            if first:
                stack.append((path, child, (*above, child.id), chain))
    return found


def _difference(first: _Chain, chain: _Chain) -> Site | None:
    """The outermost expression that put an instance elsewhere than it was put first.

    Items of a list that is handed over whole keep their place: then it is what put their containers elsewhere.
    """
    sites = chain[0]
    for index, site in enumerate(sites):
        if index >= len(first[0]) or first[0][index] != site:
            return site
    if not sites or sites is not first[0]:
        return sites[-1] if sites else None
    known = {site for one in first for site in one}
    return next((site for one in chain[1:] for site in one if site not in known), sites[-1])


def _held(m: Interpreter, obj: ModuleObj) -> Iterator[tuple[str, ModuleObj, bool]]:
    for name, child in obj.mods.items():
        for one in m.possible(m.live(child)):
            if isinstance(one, ModuleObj):
                yield name, one, False
    for name, value in obj.cells.items():
        value = m.live(value)
        items: Value = None
        if isinstance(value, ListObj):
            items = m.live(value.cells["items"])
        elif type(value) is tuple:
            items = value
        if type(items) is tuple:
            for index, item in enumerate(items):
                if isinstance(item, ModuleObj):
                    yield f"{name}.{index}", item, True
        elif isinstance(value, DictObj):
            for key, item in m.dict_items(value).items():
                if isinstance(item, ModuleObj):
                    yield f"{name}.{key}", item, True
