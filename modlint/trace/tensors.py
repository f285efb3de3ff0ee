"""Tensors inside of values: what a forward takes, returns and leaves on its module."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


def tensors_in(value: Any, depth: int = 4) -> Iterator[torch.Tensor]:
    """Tensors in nested tuples, lists, dicts and plain objects such as dataclass outputs."""
    if isinstance(value, torch.Tensor):
        yield value
    elif depth:
        if isinstance(value, (tuple, list, deque)):
            inner: Any = value
        elif isinstance(value, dict):
            inner = value.values()
        elif hasattr(value, "__dataclass_fields__"):
            inner = list(vars(value).values())
        else:
            return
        for item in inner:
            yield from tensors_in(item, depth - 1)
