"""Reading what the source of a class may do in eval mode, to know whether an eval pass is worth running."""

from __future__ import annotations

import dis
import functools
from types import FunctionType
from typing import Any

import torch

_CHANGES = frozenset({"append", "appendleft", "extend", "insert", "add", "update", "setdefault", "pop", "clear"})
_STORES = frozenset({"STORE_ATTR", "STORE_SUBSCR", "DELETE_ATTR"})


def may_write_by_mode(module: torch.nn.Module) -> bool:
    """Whether a class looks at `self.training` and changes attributes or items outside of its constructor."""
    cls: Any = type(module)
    return _may(cls)


@functools.lru_cache(maxsize=4096)
def _may(cls: Any) -> bool:
    functions = [
        function
        for base in cls.__mro__
        if base is not torch.nn.Module and base is not object
        for name, function in vars(base).items()
        if isinstance(function, FunctionType) and name not in {"__init__", "train", "eval"}
    ]
    asks = any("training" in function.__code__.co_names for function in functions)
    return asks and any(_stores(function) for function in functions)


def _stores(function: FunctionType) -> bool:
    in_place = any(name in _CHANGES or name.endswith("_") for name in function.__code__.co_names)
    return in_place or any(step.opname in _STORES for step in dis.get_instructions(function))
