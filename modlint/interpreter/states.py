"""What an instance is: its state class, `isinstance`, `hasattr`, and the attributes that library classes have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.catalogue import UNKNOWN
from modlint.catalogue.entries import Holds, join
from modlint.graph import State, StateClass, Trait
from modlint.interpreter import classes
from modlint.interpreter.values import (
    MISSING,
    BoundV,
    ClassV,
    DictObj,
    ExtV,
    FuncV,
    ListObj,
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
_WRITES = frozenset({Trait.WRITES_TRAIN, Trait.WRITES_EVAL})
_PYTHON = {
    "builtins.int": int,
    "builtins.float": float,
    "builtins.str": str,
    "builtins.bool": bool,
    "builtins.bytes": bytes,
}


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
        tensor = Tensor(m.fresh(), "parameter", obj, name)
        obj.tensors[name] = tensor
        return tensor
    if name in obj.bound:
        value = obj.bound[name]
        return value if is_const(value) else m.symbol("attr-of", id(obj), name)
    return MISSING


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


def is_instance(m: Interpreter, value: Value, cls: Value) -> Value:
    """`isinstance` of one value and one class, or a tuple of classes."""
    if type(cls) is tuple:
        answers = [is_instance(m, value, m.live(one)) for one in cls]
        if any(answer is True for answer in answers):
            return True
        if all(answer is False for answer in answers):
            return False
        return next(answer for answer in answers if answer is not False)
    if isinstance(value, ModuleObj):
        return _module_is(m, value, cls)
    if isinstance(cls, ExtV) and cls.dotted in _PYTHON and is_const(value):
        return isinstance(value, _PYTHON[cls.dotted])
    if isinstance(cls, ExtV) and (known := _container_is(value, cls.dotted)) is not None:
        return known
    if isinstance(value, Obj):
        return cls in value.cls.mro if isinstance(value.cls, ClassV) else m.symbol("isinstance", value.id, id(cls))
    if type(value) is Sym:
        return m.symbol("isinstance", value, getattr(cls, "dotted", None) or getattr(cls, "qualname", str(id(cls))))
    return False if isinstance(cls, ClassV) or is_const(value) else m.unknown("isinstance of a value not modelled")


def _container_is(value: Value, dotted: str) -> bool | None:
    name = dotted.rpartition(".")[2]
    if type(value) is tuple:
        return name in {"tuple", "Sequence", "Iterable", "Collection"}
    if isinstance(value, ListObj):
        return name in {value.kind, "Sequence", "Iterable", "Collection", "List"}
    if isinstance(value, DictObj):
        return name in {"dict", "OrderedDict", "Mapping", "Iterable", "Collection"}
    if isinstance(value, FuncV | BoundV):
        return name in {"Callable", "FunctionType", "LambdaType"}
    return None


def _module_is(m: Interpreter, value: ModuleObj, cls: Value) -> Value:
    mro = value.cls.mro if isinstance(value.cls, ClassV) else (value.cls,)
    if isinstance(cls, ClassV):
        return cls in mro
    if not isinstance(cls, ExtV):
        return m.unknown("isinstance with an unknown class")
    if cls.dotted in {"torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module"}:
        return True
    asked = m.catalogue.canonical(cls.dotted) or cls.dotted
    for base in mro:
        if isinstance(base, ExtV) and (m.catalogue.canonical(base.dotted) or base.dotted) == asked:
            return True
    if value.entry is not None:
        return _catalogued_is(m, value, asked)
    open_class = isinstance(value.cls, ClassV) and classes.open_base(m, value.cls)
    return m.symbol("isinstance", value.id, asked) if open_class or not isinstance(value.cls, ClassV) else False


_FAMILIES = {
    "_BatchNorm": ("BatchNorm", "SyncBatchNorm", "LazyBatchNorm"),
    "_InstanceNorm": ("InstanceNorm", "LazyInstanceNorm"),
    "_NormBase": ("BatchNorm", "InstanceNorm", "SyncBatchNorm"),
    "_ConvNd": ("Conv", "LazyConv"),
    "_ConvTransposeNd": ("ConvTranspose",),
    "_DropoutNd": ("Dropout", "AlphaDropout", "FeatureAlphaDropout"),
    "RNNBase": ("RNN", "LSTM", "GRU"),
    "_Loss": ("",),
}


def _catalogued_is(m: Interpreter, value: ModuleObj, asked: str) -> Value:
    name = asked.rpartition(".")[2]
    own = value.entry.type.rpartition(".")[2] if value.entry is not None else ""
    if name in _FAMILIES:
        return own.startswith(_FAMILIES[name])
    if m.entry(asked) is not None or not asked.startswith("torch."):
        return False
    return m.symbol("isinstance", value.id, asked)
