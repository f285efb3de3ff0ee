"""What one training run leaves behind, as tensors, and the distance between two runs.

A `Record` maps (observable, step, name) to tensors; where the copies of an instance hold the same thing several times
over, to several. Everything stays on the device until a distance is asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Quantity(str, Enum):
    """The observables of the experiment, in the order in which they are printed."""

    TRAIN_OUTPUTS = "train_outputs"
    INPUT_GRADIENTS = "input_gradients"
    PARAMETER_GRADIENTS = "parameter_gradients"
    LOCAL_DERIVATIVES = "local_derivatives"
    BUFFERS = "buffers"
    PARAMETERS = "parameters"
    EVAL_OUTPUTS = "eval_outputs"
    RANDOM_STATE = "random_state"


class Key(NamedTuple):
    """One thing observed: `step` counts from 0; what is looked at once, after the last step, has step -1."""

    quantity: Quantity
    step: int
    name: str


@dataclass(slots=True)
class Record:
    """What a run of one model left behind."""

    tensors: dict[Key, tuple[torch.Tensor, ...]] = field(default_factory=dict)

    def put(self, quantity: Quantity, step: int, values: Mapping[str, Iterable[torch.Tensor]]) -> None:
        """Keep copies of `values`, by name."""
        self.keep(quantity, step, {name: [t.detach().clone() for t in tensors] for name, tensors in values.items()})

    def keep(self, quantity: Quantity, step: int, values: Mapping[str, Iterable[torch.Tensor]]) -> None:
        """Keep `values` themselves, which nobody else has."""
        for name, tensors in values.items():
            self.tensors[Key(quantity, step, name)] = tuple(tensors)

    def at(self, step: int) -> Record:
        """What was observed at that step."""
        return Record({key: tensors for key, tensors in self.tensors.items() if key.step == step})


@dataclass(frozen=True, slots=True)
class Gap:
    """The largest absolute difference, and the largest magnitude of what was compared."""

    difference: float = 0.0
    scale: float = 0.0

    @property
    def relative(self) -> float:
        """The difference as a share of the scale."""
        if self.difference == 0:
            return 0.0
        return self.difference / self.scale if self.scale else math.inf


Gaps = dict[Key, Gap]


def gaps(one: Record, other: Record) -> Gaps:
    """The distance of two runs, for everything observed in either. What only one of them has is infinitely far."""
    keys = [*one.tensors, *(key for key in other.tensors if key not in one.tensors)]
    rows = [_gap(one.tensors.get(key), other.tensors.get(key)) for key in keys]
    if not rows:
        return {}
    values = torch.stack([row.to(rows[0].device) for row in rows]).tolist()  # the one transfer from the device
    return {key: Gap(*_bounded(key, pair)) for key, pair in zip(keys, values, strict=True)}


def worst(found: Gaps) -> dict[Quantity, Gap]:
    """The largest gap of each quantity: by difference, with the scale of the tensor that it was found in."""
    return {key.quantity: found[key] for key in worst_keys(found)}


def worst_keys(found: Gaps) -> list[Key]:
    """Where the largest gap of each quantity was found, in the order of the quantities."""
    result: dict[Quantity, Key] = {}
    for key, gap in found.items():
        best = found[result[key.quantity]] if key.quantity in result else None
        if best is None or (gap.difference, gap.relative) > (best.difference, best.relative):
            result[key.quantity] = key
    return [result[quantity] for quantity in Quantity if quantity in result]


def equal(found: Gaps) -> bool:
    """Whether nothing differs, to the last bit."""
    return all(gap.difference == 0 for gap in found.values())


def _bounded(key: Key, pair: list[float]) -> tuple[float, float]:
    difference, scale = pair
    if key.quantity is Quantity.RANDOM_STATE:  # a checksum: equal or not
        return float(difference != 0), 1.0
    return difference, scale


def _gap(one: tuple[torch.Tensor, ...] | None, other: tuple[torch.Tensor, ...] | None) -> torch.Tensor:
    if not one or not other:
        tensor = (one or other or (torch.zeros(()),))[0]
        return torch.tensor([math.inf, 0.0], dtype=torch.float64, device=tensor.device)
    pairs = list(zip(one, other, strict=True)) if len(one) == len(other) else [(a, b) for a in one for b in other]
    found = [distance(a, b) for a, b in pairs]
    return torch.stack([row.to(found[0].device) for row in found]).amax(dim=0)


def distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(largest absolute difference, largest finite magnitude) in float64; zeros when equal. NaN equals NaN alone."""
    b = b.to(a.device)
    if a.shape != b.shape:
        return torch.tensor([math.inf, 0.0], dtype=torch.float64, device=a.device)
    if a.numel() == 0 or (a.dtype == b.dtype and a.layout is b.layout is torch.strided and torch.equal(a, b)):
        return torch.zeros(2, dtype=torch.float64, device=a.device)
    x, y = _real(a), _real(b)
    same = (x == y) | (x.isnan() & y.isnan())
    gap = torch.where(same, torch.zeros_like(x), (x - y).abs())
    size = torch.maximum(x.abs(), y.abs())
    size = torch.where(size.isfinite(), size, torch.zeros_like(size))
    return torch.stack([torch.where(gap.isnan(), math.inf, gap).max(), size.max()])


def spread(copies: tuple[torch.Tensor, ...], number: int) -> torch.Tensor:
    """All copies as one float64 vector; a single one stands for `number` equal ones."""
    flat = torch.cat([_real(copy).reshape(-1) for copy in copies])
    return flat.repeat(number) if len(copies) == 1 else flat


def distances(rows: torch.Tensor) -> torch.Tensor:
    """The largest absolute difference of every two rows, as in `distance`: a symmetric matrix."""
    if rows.shape[1] == 0:
        return rows.new_zeros((len(rows), len(rows)))
    result = []
    for row in rows:
        same = (rows == row) | (rows.isnan() & row.isnan())
        gap = torch.where(same, 0.0, (rows - row).abs())
        result.append(torch.where(gap.isnan(), math.inf, gap).amax(dim=1))
    return torch.stack(result)


def _real(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    return (torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor).double()
