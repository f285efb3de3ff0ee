"""What a module keeps of its own, and whether it changed: attributes, buffers and parameters, compared cheaply."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.parameter import is_lazy

if TYPE_CHECKING:
    from collections.abc import Mapping

_SMALL = 1 << 16  # elements of a buffer that is compared by value
_ITEMS = 64  # of a container
_IGNORED = frozenset(vars(torch.nn.Module())) | {"forward"}
_SCALARS = (bool, int, float, complex, str, bytes, type(None))


@dataclass(frozen=True, slots=True)
class Seen:
    """A value as it was: the object, and what shows that it was changed in place."""

    value: Any
    mark: Any

    def differs(self, other: Seen | None) -> bool:
        """Whether it is another value than `other` was, or the same one changed."""
        if other is None:
            return True
        if isinstance(self.mark, torch.Tensor) and isinstance(other.mark, torch.Tensor):
            return self.value is not other.value or not same_tensor(self.mark, other.mark)
        if type(self.value) is type(other.value) and isinstance(self.value, _SCALARS):
            return not same(self.value, other.value)
        return self.value is not other.value or self.mark != other.mark


def attributes(module: torch.nn.Module) -> dict[str, Any]:
    """Everything a module keeps of its own that is no child: attributes, buffers, parameters."""
    own = {name: value for name, value in vars(module).items() if name not in _IGNORED}
    return {**own, **module._buffers, **module._parameters}


def seen_attributes(module: torch.nn.Module) -> dict[str, Seen]:
    """The attributes of a module as they are now.

    Buffers and parameters by value, if they are small: kernels, and writes through `.data`, do not tell the version.
    """
    seen = {name: Seen(value, _mark(value)) for name, value in attributes(module).items()}
    held = [*module._buffers.items(), *((n, p) for n, p in module._parameters.items() if p is not None)]
    for name, tensor in held:
        changeable = is_tensor(tensor) and not (tensor.is_meta or is_lazy(tensor))
        if changeable and tensor.numel() <= _SMALL:
            seen[name] = Seen(tensor, tensor.detach().clone())
    return seen


def changed(before: Mapping[str, Seen], after: Mapping[str, Seen]) -> set[str]:
    """Names whose value differs. A name that is gone counts as well."""
    return {n for n in before.keys() | after.keys() if n not in after or after[n].differs(before.get(n))}


def is_tensor(value: Any) -> bool:
    """Whether it really is a tensor (a proxy of fx is none)."""
    return issubclass(type(value), torch.Tensor)


def _mark(value: Any, depth: int = 2) -> Any:
    """What changes when a value is changed in place."""
    if is_tensor(value):
        return _version(value)
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, (list, set, frozenset, deque, dict)):
        items = value.values() if isinstance(value, dict) else value
        return (len(value), tuple((id(item), _version(item)) for _, item in zip(range(_ITEMS), items, strict=False)))
    if not depth or isinstance(value, (type, torch.nn.Module)) or callable(value):
        return None
    return tuple((name, id(item), _mark(item, depth - 1)) for name, item in _contents(value).items())


def _version(value: Any) -> int:
    """How often a tensor was changed in place, where that is counted."""
    return value._version if is_tensor(value) and not value.is_inference() else -1


def _contents(value: Any) -> dict[str, Any]:
    """The attributes of a plain object."""
    try:
        return dict(vars(value))
    except TypeError:  # it has no __dict__
        return {}


def same(one: Any, other: Any, depth: int = 8) -> bool:
    """Deep equality of outputs and attributes; NaN equals NaN. Objects without contents are equal by type."""
    if one is other or depth == 0:
        return True
    if type(one) is not type(other):
        return False
    match one:
        case torch.Tensor():
            return same_tensor(one, other)
        case float():
            return one == other or (math.isnan(one) and math.isnan(other))
        case bool() | int() | complex() | str() | bytes():
            return bool(one == other)
        case dict():
            return one.keys() == other.keys() and all(same(one[k], other[k], depth - 1) for k in one)
        case torch.nn.Module():
            return True  # compared on its own
        case set() | frozenset():
            return len(one) == len(other)
        case list() | tuple() | deque():
            return len(one) == len(other) and all(same(a, b, depth - 1) for a, b in zip(one, other, strict=True))
        case _:
            return same(_contents(one), _contents(other), depth - 1)


def same_tensor(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Equality of shape, type and values, NaN equal to NaN; on the meta device of shape and type."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.is_meta or other.is_meta:
        return True
    return bool(torch.equal(one.isnan(), other.isnan())) and bool(torch.equal(one.nan_to_num(), other.nan_to_num()))
