"""What an instance is: its state class, `hasattr`, and the attributes that library classes have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modlint.catalogue import UNKNOWN
from modlint.catalogue.entries import Holds, join
from modlint.graph import State, StateClass, Trait
from modlint.interpreter import classes
from modlint.interpreter.conditions import ALWAYS
from modlint.interpreter.values import (
    MISSING,
    Choice,
    ClassV,
    FuncV,
    ModuleObj,
    Obj,
    Sym,
    Tensor,
    Value,
    Wrapped,
    is_const,
)

if TYPE_CHECKING:
    from modlint.interpreter.interpreter import Interpreter

_PARAMETERS = frozenset({"weight", "bias", "in_proj_weight", "in_proj_bias", "weight_v", "weight_g", "weight_orig"})
_BUFFERS = frozenset({"running_mean", "running_var", "num_batches_tracked"})
_CONVOLUTIONS = re.compile(r"torch\.nn\.(?:Lazy)?Conv(?:Transpose)?([123])d$")
_BY_SIDE = frozenset({"kernel_size", "stride", "padding", "dilation", "output_padding"})
_WRITES = frozenset({Trait.WRITES_TRAIN, Trait.WRITES_EVAL})


def own_state(m: Interpreter, obj: ModuleObj) -> State:
    """The state class of an instance without its children: library part, wrappers, what its own source does."""
    if m.live(obj.facts.get("unknown-class", False)):
        return State.unknown(f"no source and no catalogue entry for {classes.type_name(obj)}")
    state = library_state(m, obj)
    for wrapped in m.possible(m.live(obj.facts.get("wrappers"))):
        if isinstance(wrapped, Wrapped):
            for wrapper, bound in wrapped.by:
                state = wrapper.apply(state, dict(bound))
            break
    state = _with_source(m, obj, state)
    return _thawed(m, obj, state)


def library_state(m: Interpreter, obj: ModuleObj) -> State:
    """The state class of what an instance is by its library class."""
    if obj.entry is None:
        return State(StateClass.STATELESS)
    if isinstance(obj.cls, ClassV) and not obj.bound and obj.entry.holds is Holds.NOTHING:
        state = obj.entry.classify(obj.entry.bind((), {}, complete=False))
    else:
        state = _classified(m, obj)
    if isinstance(obj.cls, ClassV) and isinstance(classes.find_any(obj.cls, "forward"), FuncV):
        ran = m.live(obj.facts.get("library-forward", False))
        if not ran and obj.id not in m.kept:
            return State.of(state.traits & {Trait.LEARNABLE}, (), state.certain, state.reason)
    return state


def _classified(m: Interpreter, obj: ModuleObj) -> State:
    assert obj.entry is not None
    now = _as_now(m, obj)
    try:
        key = (obj.entry.name, tuple((name, type(value), value) for name, value in now.items()))
        found = m.states.get(key)
    except TypeError:  # an argument that cannot be hashed
        return obj.entry.classify(now)
    if found is None:
        found = m.states[key] = obj.entry.classify(now)
    return found


def _as_now(m: Interpreter, obj: ModuleObj) -> dict[str, object]:
    """Arguments as later assignments left them: `bn.track_running_stats = False`, `drop.p = 0.0`."""
    now = dict(obj.bound)
    for name in now:
        if name in obj.cells:
            value = m.live(obj.cells[name])
            now[name] = value if is_const(value) else UNKNOWN
    return now


def _with_source(m: Interpreter, obj: ModuleObj, state: State) -> State:
    traits = set(state.traits)
    writes = list(state.writes)
    for kept, trait in ((m.kept, Trait.WRITES_TRAIN), (m.kept_eval, Trait.WRITES_EVAL)):
        for name in kept.get(obj.id, ()):
            traits.add(trait)
            if name not in writes:
                writes.append(name)
    if obj.id in m.drawing:
        traits.add(Trait.DRAWS_TRAIN)
    if any(_learns(m, tensor) for tensor in obj.tensors.values()):
        traits.add(Trait.LEARNABLE)
    if traits == state.traits and len(writes) == len(state.writes):
        return state
    found = State.of(frozenset(traits), tuple(writes), state.certain, state.reason)
    return found if found.kind.rank >= state.kind.rank else state


def _learns(m: Interpreter, value: Value) -> bool:
    value = m.live(value)
    return isinstance(value, Tensor) and value.kind == "parameter" and value.persistent


def _thawed(m: Interpreter, obj: ModuleObj, state: State) -> State:
    """Parameters that do not require gradients are constants."""
    if m.live(obj.facts.get("frozen", False)) is True and Trait.LEARNABLE in state.traits:
        return State.of(state.traits - {Trait.LEARNABLE}, state.writes, state.certain, state.reason)
    return state


def full_state(m: Interpreter, obj: ModuleObj, memo: dict[int, State], used: set[int]) -> State:
    """The strongest of an instance and its children. An unknown child counts only when it is called."""
    if obj.id in memo:
        return memo[obj.id]
    own = memo[obj.id] = own_state(m, obj)
    parts = []
    for name, child in obj.mods.items():
        for one in m.possible(child):
            if isinstance(one, ModuleObj):
                if one.facts.get("unknown-class") and one.id not in used:
                    continue
                parts.append((name, full_state(m, one, memo, used)))
            elif isinstance(one, Sym):
                parts.append((name, State.unknown("holds a module that is not known")))
    if m.live(obj.facts.get("unknown-children", False)):
        parts.append(("*", State.unknown("holds modules that are not known")))
    memo[obj.id] = join(own, parts) if parts else own
    return memo[obj.id]


# -- what an instance has ----------------------------------------------------------------------------------------


def library_attr(m: Interpreter, obj: ModuleObj, name: str) -> Value:
    """An attribute that a library class sets from its arguments: a tensor, or the argument itself; else MISSING."""
    if obj.entry is None:
        return MISSING
    if name in _BUFFERS and name not in obj.tensors:
        writes = name in _classified(m, obj).writes
        tensor = Tensor(m.fresh(), "buffer", obj, name) if writes else None
        obj.tensors[name] = tensor
        return tensor
    if name in _PARAMETERS and obj.entry.holds is Holds.NOTHING and name not in obj.tensors:
        state = _classified(m, obj)
        if state.certain and Trait.LEARNABLE not in state.traits:
            return None if {"affine", "elementwise_affine"} & obj.bound.keys() else MISSING
        obj.tensors[name] = made = _if_asked_for(m, obj, name, Tensor(m.fresh(), "parameter", obj, name))
        return made
    if name in obj.bound:
        value = obj.bound[name]
        if not is_const(value):
            return m.symbol("attr-of", id(obj), name)
        sides = _CONVOLUTIONS.match(obj.entry.type)
        return (value,) * int(sides[1]) if sides and name in _BY_SIDE and isinstance(value, int) else value
    return MISSING


def _if_asked_for(m: Interpreter, obj: ModuleObj, name: str, tensor: Tensor) -> Value:
    """A parameter that an argument of its name may leave out: `nn.Linear(3, 4, bias=False)` has None for it."""
    asked = obj.bound.get(name, True)
    if not isinstance(asked, bool | Sym | Choice):
        return tensor
    true, false = m.truth(asked)
    if true is ALWAYS or false is ALWAYS:
        return tensor if true is ALWAYS else None
    return Choice(((true, tensor), (false, None)))


def has_attr(m: Interpreter, base: Value, name: str) -> Value:
    """Whether an attribute is there: True, False, or unknown."""
    if isinstance(base, ModuleObj):
        for cells in (base.cells, base.mods, base.tensors):
            if name in cells:
                return True
        if classes.find_any(base.cls, name) is not MISSING or m.module_method(base, name) is not None:
            return True
        if m.special_attr(base, name) is not MISSING or m.library_attr(base, name) is not MISSING:
            return True
        known = isinstance(base.cls, ClassV) and not classes.open_base(m, base.cls) and base.entry is None
        return False if known else m.symbol("has", id(base), name)
    if isinstance(base, Obj):
        if name in base.cells or classes.find_any(base.cls, name) is not MISSING:
            return True
        return m.symbol("has", id(base), name) if classes.open_base(m, base.cls) else False
    if is_const(base):
        return hasattr(base, name)
    if isinstance(base, ClassV):
        if classes.find_any(base, name) is not MISSING:
            return True
        return m.symbol("has", id(base), name) if classes.open_base(m, base) else False
    return m.symbol("has", base, name) if isinstance(base, Sym) else m.unknown("hasattr of an unknown value")
