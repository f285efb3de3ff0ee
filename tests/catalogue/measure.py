"""The measurement that entries are held against: what a live module does, whatever its class is called.

In: a way to build a module, to call it, and inputs by number. Out: `Measured`, the traits and what is written, and
`Sharing`, where one module used twice and two copies of it differ. All on the CPU.
"""

from __future__ import annotations

import contextlib
import copy
import math
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
import torch.ao.quantization
import torch.nn.utils.prune
from torch import nn

from modlint.graph import Trait

NAMESPACE = {"torch": torch}  # what expressions name; a library that is installed adds itself
Snapshot = Mapping[str, object]


@dataclass(frozen=True)
class Case:
    """One configuration: the expression that both the catalogue and Python evaluate, and how to run what it makes.

    `inputs(n)` are fresh arguments of the n-th call. `covering` are the arguments of a call that overwrites all that an
    earlier one rewrote.
    """

    expression: str
    inputs: Callable[[int], tuple[Any, ...]]
    method: str = "__call__"
    prepare: Callable[[nn.Module], nn.Module] | None = None  # after building
    covering: Callable[[], tuple[Any, ...]] | None = None
    unshared: str = ""  # why it cannot be trained or copied
    engine: str = ""  # the backend of quantised operations that has it

    @property
    def entry(self) -> str:
        """The dotted name that is called."""
        return self.expression.partition("(")[0]

    @property
    def name(self) -> str:
        """The call as text, with the method where it is not the call of the instance."""
        return self.expression if self.method == "__call__" else f"{self.expression}.{self.method}"

    def call(self, module: nn.Module, arguments: tuple[Any, ...]) -> Any:
        """Run the module once."""
        return getattr(module, self.method)(*arguments)


@dataclass(frozen=True)
class Measured:
    """What was seen. `written` is all that forward changed, `state` what a later call or a checkpoint has of it."""

    traits: frozenset[Trait]
    state: frozenset[str]
    written: frozenset[str]
    replaced: frozenset[str]  # the part of `written` that was set anew, not changed in place
    rewrites: frozenset[str]  # written and saved, but nothing that an earlier call left reaches a later output

    @property
    def learnable(self) -> bool:
        """Whether training changes it."""
        return Trait.LEARNABLE in self.traits


def build(case: Case) -> nn.Module:
    """The module of a case, run once where it is lazy so that its parameters exist.

    The parameters are moved as training would. What is newly built may be a fixed point of its updates, as after the
    power iterations of spectral_norm, and then writes nothing that shows.
    """
    torch.manual_seed(0)
    with _unwritten_is_zero() as settle:
        module: nn.Module = eval(case.expression, NAMESPACE)
        settle(module)
    if case.prepare is not None:
        module = case.prepare(module)
    if any(isinstance(p, nn.parameter.UninitializedTensorMixin) for p in (*module.parameters(), *module.buffers())):
        module.eval()
        case.call(module, case.inputs(9))
        module.train()
    _move(module)
    return module


@contextlib.contextmanager
def _unwritten_is_zero() -> Iterator[Callable[[nn.Module], None]]:
    """Make what a constructor leaves unwritten zero, where it would be whatever stood in memory.

    `qat.LinearBn1d` takes its bias from `torch.empty` and never writes it. Such memory is filled with NaN meanwhile.
    """

    def settle(module: nn.Module) -> None:
        with torch.no_grad():
            for tensor in (*module.parameters(), *module.buffers()):
                if tensor.is_floating_point() and not isinstance(tensor, nn.parameter.UninitializedTensorMixin):
                    tensor[tensor.isnan()] = 0.0

    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)  # `fill_uninitialized_memory` acts in this mode alone
    try:
        yield settle
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def _move(module: nn.Module) -> None:
    """Change the parameters as training would."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.is_floating_point() and parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape) * 0.3)


def measure(case: Case, module: nn.Module) -> Measured:
    """The traits of a module as they show in its calls, in train and in eval mode."""
    traits = {Trait.LEARNABLE} if any(p.requires_grad for p in module.parameters()) else set()
    state: set[str] = set()
    written: set[str] = set()
    replaced: set[str] = set()
    rewritten: set[str] = set()
    for training, draws, writes in (
        (True, Trait.DRAWS_TRAIN, Trait.WRITES_TRAIN),
        (False, Trait.DRAWS_EVAL, Trait.WRITES_EVAL),
    ):
        subject = clone(module).train(training)
        before, where = snapshot(subject), addresses(subject)
        if _run(case, subject, 1)[1]:
            traits.add(draws)
        changed = difference(before, snapshot(subject))
        written |= changed
        replaced |= {name for name in changed if addresses(subject).get(name) != where.get(name)}
        carried = _carried(case, module, training, changed)
        overwritten = _overwritten(case, module, training, carried)
        rewritten |= overwritten
        state |= carried - overwritten
        if carried - overwritten:
            traits.add(writes)
    return Measured(frozenset(traits), *map(frozenset, (state, written, replaced, rewritten)))


def clone(module: nn.Module) -> nn.Module:
    """A deep copy. Tensors that autograd made (the `weight` that a hook sets) are detached in the copy only."""
    memo: dict[int, Any] = {}
    for part in module.modules():
        for value in vars(part).values():
            for tensor in value if isinstance(value, list) else (value,):
                if isinstance(tensor, torch.Tensor) and not tensor.is_leaf:
                    memo[id(tensor)] = tensor.detach().clone()
    copied = copy.deepcopy(module, memo)
    for part in copied.modules():
        for name in part._modules:
            # TransformerDecoderLayer.__setstate__ hides a module given as `activation` behind relu in every copy.
            vars(part).pop(name, None)
    return copied


def _run(case: Case, module: nn.Module, number: int) -> tuple[Any, bool]:
    """The output of one call under the seed of its number, and whether it drew from the global generator."""
    torch.manual_seed(100 + number)
    arguments = case.inputs(number)
    torch.manual_seed(200 + number)
    before = torch.get_rng_state()
    output = case.call(module, arguments)
    return output, not torch.equal(before, torch.get_rng_state())


def _carried(case: Case, module: nn.Module, training: bool, changed: set[str]) -> set[str]:
    """What of `changed` depends on the call before the last one, and is saved or read by a later call."""
    after, fresh = clone(module).train(training), clone(module).train(training)
    _run(case, after, 1)
    for part in (after, fresh):
        torch.manual_seed(7)
        _move(part)
    start = clone(after)
    _run(case, after, 2)
    _run(case, fresh, 2)
    dependent = difference(snapshot(after), snapshot(fresh)) & changed
    saved = set(_saved(module)) | set(_saved(after))
    return {name for name in dependent if name in saved or _is_read(case, module, start, after, name)}


def _is_read(case: Case, initial: nn.Module, start: nn.Module, after: nn.Module, name: str) -> bool:
    """Whether a call sees what the call before left under `name`: reset that alone, run again, compare everything."""
    subject = clone(start)
    owner, _, attribute = name.rpartition(".")
    source = initial.get_submodule(owner)
    target = subject.get_submodule(owner)
    if not hasattr(source, attribute):
        return False
    reset = getattr(source, attribute)
    setattr(target, attribute, reset.detach().clone() if isinstance(reset, torch.Tensor) else copy.deepcopy(reset))
    _run(case, subject, 2)
    return bool(difference(snapshot(subject), snapshot(after)))


def _overwritten(case: Case, module: nn.Module, training: bool, carried: set[str]) -> set[str]:
    """What a call rewrites to no effect: idempotent, seen in no later output, and gone after a covering call."""
    if case.covering is None or not carried:
        return set()
    once, twice, fresh = (clone(module).train(training) for _ in range(3))
    _run(case, once, 1)
    _run(case, twice, 1)
    _run(case, twice, 1)
    idempotent = carried - difference(snapshot(once), snapshot(twice))
    for number in (2, 3):
        for mode in (True, False):
            outputs = [_run(case, clone(part).train(mode), number)[0] for part in (once, fresh)]
            if frozen(outputs[0]) != frozen(outputs[1]):
                return set()
    for part in (once, fresh):
        case.call(part, case.covering())
    return idempotent - difference(snapshot(once), snapshot(fresh))


def snapshot(module: nn.Module) -> dict[str, object]:
    """Parameters, buffers and Python attributes of a module and its parts, by path, as values that compare."""
    found: dict[str, object] = {}
    for path, part in module.named_modules():
        prefix = f"{path}." if path else ""
        for name, value in _members(part):
            found[prefix + name] = frozen(value)
    return found


# What nn.Module keeps for itself. `training` is set by the measurement.
_OWN = {*vars(nn.Module()), "training"}


def _members(part: nn.Module) -> Iterator[tuple[str, object]]:
    yield from part._parameters.items()
    yield from part._buffers.items()
    yield from ((name, value) for name, value in vars(part).items() if name not in _OWN and not _is_alias(value))


def _is_alias(value: object) -> bool:
    """A second reference to a parameter, as the recurrent modules keep."""
    if isinstance(value, list) and value:
        return any(isinstance(item, (nn.Parameter, weakref.ref)) for item in value)
    return isinstance(value, nn.Parameter)


def addresses(module: nn.Module) -> dict[str, int]:
    """The identity of every member, to tell a change in place from a new value."""
    return {
        f"{path}.{name}" if path else name: value.data_ptr() if _has_storage(value) else id(value)
        for path, part in module.named_modules()
        for name, value in _members(part)
    }


def _has_storage(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.layout is torch.strided


def _saved(module: nn.Module) -> list[str]:
    return [name for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)]


def difference(one: Snapshot, other: Snapshot) -> set[str]:
    """The names that the two have not in common with equal values."""
    return {name for name in {*one, *other} if one.get(name, _ABSENT) != other.get(name, _ABSENT)}


_ABSENT = object()


def frozen(value: object) -> object:
    """A value that is equal for equal content. Tensors by dtype, shape and bytes."""
    match value:
        case nn.parameter.UninitializedTensorMixin():
            return "uninitialised"
        case torch.Tensor():
            return _frozen_tensor(value)
        case float() if math.isnan(value):
            return "nan"
        case None | bool() | int() | float() | str() | bytes() | Enum() | torch.dtype() | torch.device() | type():
            return value
        case list() | tuple():
            return tuple(frozen(item) for item in value)
        case Mapping():
            return tuple((str(key), frozen(item)) for key, item in value.items())
        case set() | frozenset():
            return frozenset(map(str, value))
        case torch.ScriptObject():
            return frozen(value.__getstate__()) if hasattr(value, "__getstate__") else "script object"
        case nn.Module():
            return tuple(snapshot(value).items())
        case _:
            return type(value).__qualname__


def _frozen_tensor(tensor: torch.Tensor) -> object:
    if tensor.is_quantized:
        scale = tensor.q_scale() if "tensor" in str(tensor.qscheme()) else frozen(tensor.q_per_channel_scales())
        return ("quantized", scale, _frozen_tensor(tensor.int_repr()))
    dense = tensor.detach().to_dense() if tensor.layout is not torch.strided else tensor.detach()
    raw = dense.clone().contiguous()  # its own memory: what numpy has seen cannot be resized, and observers resize
    return (str(tensor.dtype), tuple(tensor.shape), raw.numpy().tobytes())
