"""What forwards keep: for modules without a catalogue entry, which attributes and buffers carry state between calls.

Decided from two consecutive recorded passes on different inputs. An attribute that changes while its owner runs is a
candidate; its owner is then run once as it is and once with that attribute put back, on equal inputs and RNG: when
nothing differs, nobody reads it (a memo, a write-only attribute). A persistent buffer that changes is saved, so it is
state without further proof. What the caller overwrites before every use is not.
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from modlint.graph import Trait
from modlint.trace.isolate import COPY_FAILS, copy_of
from modlint.trace.recorded import unshadowed
from modlint.trace.states import Measured
from modlint.trace.users import UserCodeError, user_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from modlint.trace.calls import Call

_PROBES = 200  # attributes tested in one model; more of them are decided by the class
_SMALL = 1 << 16  # elements of a buffer that is compared by value
_IGNORED = frozenset(vars(torch.nn.Module())) | {"forward"}


@dataclass(frozen=True, slots=True)
class _Seen:
    """An attribute's value as it was, cheap to compare: the object, and what shows that it was changed in place."""

    value: Any
    mark: Any

    def differs(self, other: _Seen | None) -> bool:
        if other is None:
            return True
        if isinstance(self.mark, torch.Tensor) and isinstance(other.mark, torch.Tensor):
            return not _same_tensor(self.mark, other.mark)
        if self.mark != other.mark:
            return True
        return self.value is not other.value and not _equal_scalars(self.value, other.value)


def _equal_scalars(one: Any, other: Any) -> bool:
    return (
        type(one) is type(other)
        and isinstance(one, (bool, int, float, str, tuple, type(None)))
        and _safe_equal(one, other)
    )


def _safe_equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except (RuntimeError, TypeError, ValueError):  # tuples of tensors
        return False


def _seen(value: Any) -> _Seen:
    if issubclass(type(value), torch.Tensor):  # a proxy of fx only says that it is one
        return _Seen(value, -1 if value.is_inference() else value._version)
    if isinstance(value, (list, set, frozenset, deque)):
        return _Seen(value, (len(value), tuple(map(id, list(value)[:64]))))
    if isinstance(value, dict):
        return _Seen(value, (len(value), tuple(map(id, list(value.values())[:64]))))
    return _Seen(value, None)


def attributes(module: torch.nn.Module) -> dict[str, Any]:
    """Everything a module keeps of its own that is no parameter and no child: attributes and buffers."""
    own = {name: value for name, value in vars(module).items() if name not in _IGNORED}
    return {**own, **module._buffers}


def seen_attributes(module: torch.nn.Module) -> dict[str, _Seen]:
    """The attributes of a module as they are now. Buffers by value: kernels write them without telling the version."""
    seen = {name: _seen(value) for name, value in attributes(module).items()}
    for name, buffer in module._buffers.items():
        if issubclass(type(buffer), torch.Tensor) and not buffer.is_meta and buffer.numel() <= _SMALL:
            seen[name] = _Seen(buffer, buffer.detach().clone())
    return seen


def changed(before: Mapping[str, _Seen], after: Mapping[str, _Seen]) -> set[str]:
    """Names whose value differs."""
    return {n for n in before.keys() | after.keys() if n not in after or after[n].differs(before.get(n))}


@dataclass(slots=True)
class _History:
    """What happened to one instance so far."""

    at_end: dict[str, _Seen] | None = None
    written: set[str] = field(default_factory=set)  # during its own calls
    calls: int = 0
    reset: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # overwritten by others between two calls


class Effects:
    """Observes recorded passes: what each instance's calls write, what callers reset, what draws random numbers."""

    def __init__(self, watched: Iterable[torch.nn.Module]) -> None:
        self.modules = {id(module): module for module in watched}
        self.kept: dict[int, Kept] = {}  # the first call of every candidate in the second pass
        self.draws: set[int] = set()
        self._history = {key: _History() for key in self.modules}
        self._first = {key: _values(module) for key, module in self.modules.items()}
        self._begun: list[dict[str, _Seen] | None] = []
        self._keep: frozenset[int] = frozenset()

    def begins(self, call: Call, values: Any) -> None:
        """Compare with what the last call left, then note the attributes."""
        key = id(call.module)
        history = self._history.get(key)
        if history is None:
            self._begun.append(None)
            return
        now = seen_attributes(call.module)
        if history.at_end is not None:
            for name in changed(history.at_end, now):
                history.reset[name] += 1
        self._begun.append(now)
        if key in self._keep and key not in self.kept:
            kept = _kept(call.module, values, self._first[key])
            if kept is not None:
                self.kept[key] = kept

    def ends(self, call: Call) -> None:
        """What changed while it ran was written by its forward."""
        before = self._begun.pop()
        history = self._history.get(id(call.module))
        if history is None or before is None:
            return
        history.at_end = seen_attributes(call.module)
        history.written |= changed(before, history.at_end)
        history.calls += 1

    def computes(self, call: Call | None, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """A function that draws random numbers makes the module that calls it stochastic."""
        if call is not None and draws(function, args, kwargs):
            self.draws.add(id(call.module))

    def candidates(self) -> dict[int, set[str]]:
        """Instance -> names that its calls wrote and that nobody overwrote before every later call."""
        found = {}
        for key, history in self._history.items():
            names = {n for n in history.written if history.calls < 2 or history.reset[n] < history.calls - 1}
            if names:
                found[key] = names
        return found

    def ran(self) -> list[tuple[int, torch.nn.Module]]:
        """The watched instances that ran."""
        return [(key, module) for key, module in self.modules.items() if self._history[key].calls]

    def keep(self, keys: Iterable[int]) -> None:
        """Keep these instances as they are at their next call, for probing."""
        self._keep = frozenset(keys)


@dataclass(frozen=True, slots=True)
class Kept:
    """An instance as it was when a call began, the call's arguments, and its attributes as they first were."""

    module: torch.nn.Module
    values: Any
    first: Mapping[str, Any]
    rng: torch.Tensor


def _values(module: torch.nn.Module) -> dict[str, Any]:
    return {name: _copied_value(value) for name, value in attributes(module).items()}


def _copied_value(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except COPY_FAILS:
        return value


def _kept(module: torch.nn.Module, values: Any, first: Mapping[str, Any]) -> Kept | None:
    """None where module or arguments do not let themselves be copied."""
    twin = copy_of(module, share=True)
    if twin is None:
        return None
    try:
        return Kept(unshadowed(twin), copy.deepcopy(values), first, torch.get_rng_state())
    except COPY_FAILS:
        return None


def probe(kept: Kept, names: Iterable[str]) -> tuple[set[str], str]:
    """Which of `names` carry state: run as it was and with the attribute put back, on equal inputs and RNG.

    Also a doubt, "" if there is none.
    """
    plain = _run(kept, None)
    if plain is None:
        return set(), "it could not be run again for the measurement"
    carried = set()
    for name in sorted(names):
        if _persistent(kept.module, name):
            carried.add(name)
            continue
        other = _run(kept, name)
        if other is None or not same(plain, other):
            carried.add(name)
    return carried, ""


def _writes_in_eval(kept: Kept, names: set[str]) -> bool:
    """Whether the same call in eval mode writes any of the names."""
    twin = copy_of(kept.module, share=True)
    if twin is None:
        return False
    twin.eval()
    before = seen_attributes(twin)
    args, kwargs = copy.deepcopy(kept.values)
    try:
        with user_code("the measurement in eval mode"):
            twin(*args, **kwargs)
    except UserCodeError:
        return False
    return bool(changed(before, seen_attributes(twin)) & names)


def _persistent(module: torch.nn.Module, name: str) -> bool:
    return name in module._buffers and name not in module._non_persistent_buffers_set


def _run(kept: Kept, put_back: str | None) -> Any:
    """Output and all attributes after one more call; None when it raises."""
    twin = copy_of(kept.module, share=True)
    if twin is None:
        return None
    if put_back is not None:
        _put_back(twin, put_back, kept.first)
    args, kwargs = copy.deepcopy(kept.values)
    torch.set_rng_state(kept.rng)
    try:
        with user_code("the measurement"):
            output = twin(*args, **kwargs)
    except UserCodeError:
        return None
    return output, [attributes(part) for part in twin.modules()]


def _put_back(module: torch.nn.Module, name: str, first: Mapping[str, Any]) -> None:
    space = module._buffers if name in module._buffers else vars(module)
    if name in first:
        space[name] = copy.deepcopy(first[name])
    else:
        space.pop(name, None)


def same(one: Any, other: Any, depth: int = 8) -> bool:
    """Deep equality of outputs and attributes; NaN equals NaN. Objects without contents are equal by type."""
    if one is other or depth == 0:
        return True
    if type(one) is not type(other):
        return False
    match one:
        case torch.Tensor():
            return _same_tensor(one, other)
        case bool() | int() | str() | bytes():
            return bool(one == other)
        case float():
            return one == other or (math.isnan(one) and math.isnan(other))
        case dict():
            return one.keys() == other.keys() and all(same(one[k], other[k], depth - 1) for k in one)
        case torch.nn.Module():
            return True  # compared on its own
        case set() | frozenset():
            return len(one) == len(other)
        case list() | tuple() | deque():
            return len(one) == len(other) and all(same(a, b, depth - 1) for a, b in zip(one, other, strict=True))
        case _:
            return same(getattr(one, "__dict__", None), getattr(other, "__dict__", None), depth - 1)


def _same_tensor(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.is_meta or other.is_meta:
        return True
    return bool(torch.equal(one.isnan(), other.isnan())) and bool(torch.equal(one.nan_to_num(), other.nan_to_num()))


# fmt: off
_DRAWING = frozenset((
    "bernoulli", "bernoulli_", "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like",
    "multinomial", "normal", "normal_", "uniform_", "random_", "exponential_", "poisson", "rrelu_", "gumbel_softmax",
    "geometric_", "cauchy_", "log_normal_",
))
_DROPPING = frozenset((
    "dropout", "dropout_", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "dropout1d", "dropout2d",
    "dropout3d", "rrelu",
))
# fmt: on


def draws(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a torch function, called so, draws from the global RNG."""
    name = function if isinstance(function, str) else getattr(function, "__name__", "")
    if name in _DRAWING:
        return kwargs.get("generator") is None
    if name in _DROPPING:
        return _drops(name, args, kwargs)
    if name == "scaled_dot_product_attention":
        return bool(kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0))
    return False


def _drops(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    at = 3 if name == "rrelu" else 2
    training = kwargs.get("training", args[at] if len(args) > at else name not in {"rrelu"})
    p = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
    return bool(training) and (name == "rrelu" or not isinstance(p, (int, float)) or 0 < p < 1)


def measured(effects: Effects, ran_twice: bool) -> dict[int, Measured]:
    """What was measured of every watched instance that ran. `ran_twice`: the second pass was recorded as well."""
    result = {}
    candidates = effects.candidates()
    tested = 0
    by_class: dict[tuple[type, frozenset[str]], tuple[set[str], str]] = {}
    for key, module in effects.ran():
        names = candidates.get(key, set())
        traits = {Trait.DRAWS_TRAIN} if key in effects.draws else set()
        carried: set[str] = set()
        doubt = ""
        if names:
            kind = (type(module), frozenset(names))
            if not ran_twice or key not in effects.kept:
                doubt = f"whether {', '.join(sorted(names))} is read again could not be measured"
            elif tested >= _PROBES and kind in by_class:
                carried, doubt = by_class[kind]
            else:
                carried, doubt = by_class[kind] = probe(effects.kept[key], names)
                tested += len(names)
        if carried:
            traits.add(Trait.WRITES_TRAIN)
            if key in effects.kept and _writes_in_eval(effects.kept[key], carried):
                traits.add(Trait.WRITES_EVAL)
        result[key] = Measured(tuple(sorted(carried)), frozenset(traits), doubt)
    return result
