"""What a layer demands of its input: rank, channels, features, vocabulary. Read from the live layer's attributes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from modlint.trace.inputs import InputSpec

BATCH = 2
LENGTH = 16  # of a sequence
SPATIAL = 32  # of an image


@dataclass(frozen=True, slots=True)
class Demand:
    """Sizes at fixed dimensions (negative: from the end), the ranks that are possible, the least rank first."""

    sizes: tuple[tuple[int, int], ...] = ()
    ranks: tuple[int, ...] = ()
    vocabulary: int | None = None

    def met_by(self, spec: InputSpec) -> bool:
        """Whether a tensor to this specification would be taken."""
        rank = len(spec.shape)
        if self.vocabulary is not None:
            return not spec.dtype.is_floating_point and spec.high is not None and spec.high < self.vocabulary
        if not spec.dtype.is_floating_point or (self.ranks and rank not in self.ranks):
            return False
        return all(-rank <= at < rank and spec.shape[at] == size for at, size in self.sizes)

    def applied(self, spec: InputSpec) -> InputSpec:
        """The specification changed as little as the demand asks."""
        if self.vocabulary is not None:
            shape = spec.shape if len(spec.shape) <= 2 else (BATCH, LENGTH)
            return InputSpec(shape, torch.int64, 0, self.vocabulary - 1)
        fits = not self.ranks or len(spec.shape) in self.ranks
        sizes = list(spec.shape if fits else _of_rank(spec.shape, self.ranks[0]))
        for at, size in self.sizes:
            while not -len(sizes) <= at < len(sizes):
                sizes.append(size)
            sizes[at] = size
        dtype = spec.dtype if spec.dtype.is_floating_point else torch.float32
        return replace(spec, shape=tuple(sizes), dtype=dtype, low=None, high=None)


def _of_rank(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    spatial = {2: (), 3: (LENGTH,), 4: (SPATIAL, SPATIAL), 5: (SPATIAL // 2,) * 3}.get(rank, (4,) * max(rank - 2, 0))
    channels = shape[1] if len(shape) > 1 else 3
    return (BATCH, channels, *spatial) if rank > 1 else (BATCH,)


def demand_of(module: nn.Module) -> Demand | None:
    """The demand of a layer on its first input; None for a layer that takes anything, or that is not known."""
    match module:
        case nn.Linear():
            return None if module.in_features == 0 else Demand(((-1, module.in_features),))
        case nn.Bilinear():
            return Demand(((-1, module.in1_features),))
        case nn.modules.conv._ConvNd():
            channels = ((1, module.in_channels),) if module.in_channels else ()
            return Demand(channels, (len(module.kernel_size) + 2,))
        case nn.Embedding() | nn.EmbeddingBag():
            return Demand(vocabulary=module.num_embeddings)
        case nn.RNNBase():
            return Demand(((-1, module.input_size),), (3,))
        case nn.modules.rnn.RNNCellBase():
            return Demand(((-1, module.input_size),), (2,))
        case nn.MultiheadAttention():
            return Demand(((-1, module.embed_dim),), (3,))
        case nn.TransformerEncoderLayer() | nn.TransformerDecoderLayer():
            return Demand(((-1, module.linear1.in_features),), (3,))
        case nn.Transformer():
            return Demand(((-1, module.d_model),), (3,))
        case nn.LayerNorm() | nn.RMSNorm():
            shape = tuple(module.normalized_shape)
            return Demand(tuple((at - len(shape), size) for at, size in enumerate(shape)))
        case nn.GroupNorm():
            return Demand(((1, module.num_channels),))
        case nn.modules.batchnorm._NormBase():
            return Demand(
                ((1, module.num_features),) if module.num_features else (), _NORM_RANKS.get(_digit(module), ())
            )
        case nn.PReLU() if module.num_parameters > 1:
            return Demand(((1, module.num_parameters),))
        case _:
            return _demand_by_name(module)


_NORM_RANKS = {"1": (2, 3), "2": (4,), "3": (5,)}


def _digit(module: nn.Module) -> str:
    names = [cls.__name__ for cls in type(module).__mro__ if cls.__module__.startswith("torch.nn.modules.")]
    return next((c for name in names for c in name if c in "123"), "")


def _demand_by_name(module: nn.Module) -> Demand | None:
    """Pooling, padding and dropout layers fix the rank by the digit in their name."""
    name = type(module).__name__
    if type(module).__module__.startswith("torch.nn.modules") and name.endswith(("1d", "2d", "3d")):
        return Demand((), (int(name[-2]) + 2,))
    return None
