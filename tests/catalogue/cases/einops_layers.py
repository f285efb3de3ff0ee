"""Configurations and inputs of einops.layers.torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalogue.cases.torch_nn import tensors
from catalogue.measure import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS, _IMAGE = tensors((5, 4)), tensors((2, 4, 6, 6))


def cases() -> Iterator[Case]:
    """Every case of einops."""
    layers = "einops.layers.torch"
    yield Case(f"{layers}.Rearrange('b c h w -> b (h w) c')", _IMAGE)
    yield Case(f"{layers}.Reduce('b c h w -> b c', 'mean')", _IMAGE)
    yield Case(f"{layers}.EinMix('b c -> b d', weight_shape='c d', c=4, d=3)", _ROWS)
    yield Case(f"{layers}.EinMix('b c -> b d', 'c d', bias_shape='d', c=4, d=3)", _ROWS)
