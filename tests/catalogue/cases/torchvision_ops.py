"""Configurations and inputs of torchvision.ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from catalogue.cases.torch_nn import tensors
from catalogue.measure import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalogue.cases.torch_nn import Inputs

_IMAGE, _VOLUME, _ROWS = tensors((2, 4, 6, 6)), tensors((2, 4, 6, 6, 6)), tensors((5, 4))
_NORMS = ("", ", norm_layer=None", ", norm_layer=torch.nn.Identity", ", norm_layer=torchvision.ops.FrozenBatchNorm2d")


def cases() -> Iterator[Case]:
    """Every case of torchvision.ops."""
    yield from _case("StochasticDepth", _IMAGE, "0.3, 'row'", "0.3, 'batch'", "0.0, 'row'", "1.0, 'row'")
    yield from _case("DropBlock2d", _IMAGE, "0.3, 3", "0.0, 3")
    yield from _case("DropBlock3d", _VOLUME, "0.3, 3", "0.0, 3")
    yield from _case("FrozenBatchNorm2d", _IMAGE, "4")
    yield from _case("Conv2dNormActivation", _IMAGE, *(f"4, 4{norm}" for norm in _NORMS))
    yield from _case("Conv3dNormActivation", _VOLUME, *(f"4, 4{norm}" for norm in _NORMS[:3]))
    yield from _case("SqueezeExcitation", _IMAGE, "4, 2")
    norms = ("", ", norm_layer=torch.nn.BatchNorm1d", ", norm_layer=torch.nn.LayerNorm")
    yield from _case("MLP", _ROWS, *(f"4, [6, 3]{norm}" for norm in norms), "4, [6, 3], dropout=0.3")
    yield from _case("Permute", _IMAGE, "[0, 2, 3, 1]")
    yield from _case("RoIAlign", _boxes, "2, 1.0, 2")
    yield from _case("FeaturePyramidNetwork", _pyramid, *(f"[4, 4], 3{norm}" for norm in _PYRAMID_NORMS))
    yield from _case(
        "FeaturePyramidNetwork",
        _pyramid,
        *(
            f"[4, 4], 3, torchvision.ops.feature_pyramid_network.{block}"
            for block in ("LastLevelMaxPool()", "LastLevelP6P7(3, 3)")
        ),
    )
    yield from _case("MultiScaleRoIAlign", _levels, "['a', 'b'], 2, 2")


_PYRAMID_NORMS = ("", ", norm_layer=torch.nn.BatchNorm2d", ", norm_layer=torch.nn.Identity")


def _case(name: str, inputs: Inputs, *arguments: str) -> Iterator[Case]:
    for text in arguments:
        yield Case(f"torchvision.ops.{name}({text})", inputs)


def _boxes(n: int) -> tuple[Any, ...]:
    return (*_IMAGE(n), torch.tensor([[0.0, 0.5, 0.5, 3.0, 4.0], [1.0, 0.0, 1.0, 2.0, 5.0]]))


def _pyramid(n: int) -> tuple[Any, ...]:
    return ({"a": _IMAGE(n)[0], "b": torch.randn(2, 4, 3, 3)},)


def _levels(n: int) -> tuple[Any, ...]:
    """Images of another size in every call, as in detection."""
    size = 32 * n
    maps = {"a": torch.randn(1, 3, 16, 16), "b": torch.randn(1, 3, 8, 8)}
    return maps, [torch.tensor([[1.0, 1.0, 9.0, 12.0], [3.0, 2.0, 20.0, 22.0]])], [(size, size)]
