"""Configurations and inputs of timm.layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from catalogue.cases.torch_nn import tensors
from catalogue.measure import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalogue.cases.torch_nn import Inputs

_IMAGE, _ROWS, _TOKENS, _LAST = tensors((2, 8, 8, 8)), tensors((5, 8)), tensors((2, 6, 8)), tensors((2, 6, 6, 8))
_NORM2D = ", norm_layer=torch.nn.BatchNorm2d"
_DROP = ("", ", drop=0.3", ", drop=1.0")
_DROP_LAYER = ("", ", drop_layer=timm.layers.DropBlock2d")


def cases() -> Iterator[Case]:
    """Every case of timm.layers."""
    for part in (_draws, _pure, _norms, _linear, _blocks, _attention):
        yield from part()


def _case(names: str, inputs: Inputs, *arguments: str, **more: Any) -> Iterator[Case]:
    for name in names.split():
        for text in arguments or ("",):
            yield Case(f"timm.layers.{name}({text})", inputs, **more)


def _draws() -> Iterator[Case]:
    yield from _case("DropPath", _IMAGE, "", "0.3", "1.0")
    yield from _case("DropBlock2d", _IMAGE, "0.3, 3", "0.0")
    yield from _case("PatchDropout PatchDropoutWithIndices", _TOKENS, "", "0.0")


def _pure() -> Iterator[Case]:
    yield from _case("GELU GELUTanh QuickGELU Swish Mish Sigmoid Tanh HardMish HardSigmoid HardSwish PReLU", _ROWS)
    yield from _case("AdaptiveAvgMaxPool2d SelectAdaptivePool2d SpaceToDepth", _IMAGE)
    yield from _case("DepthToSpace", _IMAGE, "2")
    yield from _case("AvgPool2dSame", _IMAGE, "2, 2")
    yield from _case("BlurPool2d", _IMAGE, "8")
    yield from _case("FourierEmbed", _IMAGE, "")
    yield from _case("RotaryEmbedding RotaryEmbeddingCat", lambda n: ((4 + n, 4),), "8", method="get_embed")


def _norms() -> Iterator[Case]:
    affine = ("8", "8, affine=False")
    yield from _case("LayerNorm LayerNormFp32 RmsNorm RmsNormFp32 SimpleNorm SimpleNormFp32", _ROWS, *affine)
    yield from _case(
        "LayerNorm2d LayerNorm2dFp32 RmsNorm2d RmsNorm2dFp32 SimpleNorm2d SimpleNorm2dFp32", _IMAGE, *affine
    )
    yield from _case("GroupNorm", _IMAGE, "8, 2", "8, 2, affine=False")
    yield from _case("GroupNorm1", _IMAGE, "8")
    drops = [f"{text}{drop}" for text in affine for drop in _DROP_LAYER]
    yield from _case("GroupNormAct", _IMAGE, *(text.replace("8", "8, 2", 1) for text in drops))
    yield from _case("GroupNorm1Act LayerNormAct2d FrozenBatchNormAct2d", _IMAGE, *drops[:2])
    yield from _case("GroupNorm1Act LayerNormAct2d", _IMAGE, "8, affine=False")
    yield from _case("LayerNormAct", _IMAGE, *drops)
    tracking = [f"{text}{more}" for text in affine for more in ("", ", track_running_stats=False", ", momentum=0.0")]
    yield from _case("BatchNormAct2d SyncBatchNormAct SplitBatchNorm2d", _IMAGE, *tracking)
    yield from _case("BatchNormAct2d", _IMAGE, *drops)
    yield from _case("convert_sync_batchnorm", _IMAGE, "torch.nn.BatchNorm2d(8)", "timm.layers.BatchNormAct2d(8)")
    yield from _case("EvoNorm2dB0 EvoNorm2dB1 EvoNorm2dB2", _IMAGE, "8", "8, apply_act=False")
    yield from _case("EvoNorm2dS0 EvoNorm2dS0a EvoNorm2dS1 EvoNorm2dS1a EvoNorm2dS2 EvoNorm2dS2a", _IMAGE, "8, 2")
    yield from _case("FilterResponseNormAct2d FilterResponseNormTlu2d", _IMAGE, "8")


def _linear() -> Iterator[Case]:
    yield from _case("Linear", _ROWS, "8, 3")
    yield from _case("Conv2dSame StdConv2d StdConv2dSame ScaledStdConv2d ScaledStdConv2dSame", _IMAGE, "8, 4, 3")
    yield from _case("MixedConv2d SeparableConv2d", _IMAGE, "8, 4, 3")
    yield from _case("CondConv2d", lambda n: (*_IMAGE(n), torch.rand(2, 4)), "8, 4, 3")
    yield from _case("LayerScale", _ROWS, "8")
    yield from _case("LayerScale2d", _IMAGE, "8")
    yield from _case("RelPosBias", lambda n: (torch.randn(2, 2, 16, 16),), "(4, 4), 2")
    norms = ("", ", norm_layer=torch.nn.LayerNorm", ", norm_layer=torch.nn.BatchNorm1d")
    sized = "img_size=8, patch_size=4, in_chans=8, embed_dim=4"
    yield from _case("PatchEmbed PatchEmbedWithSize", _IMAGE, *(f"{sized}{norm}" for norm in norms[:2]))
    yield from _case("PatchEmbed", _IMAGE, f"{sized}{_NORM2D}, flatten=False")


def _blocks() -> Iterator[Case]:
    for name in ("Mlp", "GluMlp", "GatedMlp", "SwiGLU"):
        norms = ("", ", norm_layer=torch.nn.BatchNorm1d", ", norm_layer=torch.nn.LayerNorm")
        yield from _case(name, _ROWS, *(f"8, 12{text}" for text in (*norms, ", drop=0.3")))
    yield from _case("ConvMlp", _IMAGE, *(f"8, 12{text}" for text in ("", _NORM2D, ", drop=0.3")))
    yield from _case("GlobalResponseNormMlp", _LAST, "8, 12", "8, 12, drop=0.3")
    norms = ("", ", norm_layer=timm.layers.LayerNorm2d", ", apply_norm=False", ", norm_layer='groupnorm1'")
    yield from _case("ConvNormAct", _IMAGE, *(f"8, 4, 3{text}" for text in (*norms, _DROP_LAYER[1])))
    yield from _case("SeparableConvNormAct", _IMAGE, *(f"8, 4, 3{text}" for text in (*norms[:1], _DROP_LAYER[1])))
    yield from _case("SelectiveKernel", _IMAGE, "8, 8")
    yield from _case("SplitAttn", _IMAGE, "8, 8", f"8, 8{_NORM2D}")
    yield from _case("ClassifierHead", _IMAGE, "8, 3", "8, 0", "8, 3, drop_rate=0.3")
    yield from _case("NormMlpClassifierHead", _IMAGE, "8, 3", "8, 3, drop_rate=0.3", "8, 3, norm_layer='batchnorm2d'")
    yield from _case("ClNormMlpClassifierHead", _LAST, "8, 3", "8, 3, drop_rate=0.3")


def _attention() -> Iterator[Case]:
    settings = ("", ", attn_drop=0.3", ", proj_drop=0.3", ", qk_norm=True, norm_layer=torch.nn.LayerNorm")
    yield from _case("Attention", _TOKENS, *(f"8, 2{text}" for text in settings))
    yield from _case("AttentionRope", _TOKENS, *(f"8, 2{text}" for text in settings))
    yield from _case(
        "Attention2d", _IMAGE, "8, num_heads=2", "8, num_heads=2, attn_drop=0.3", "8, num_heads=2, proj_drop=0.3"
    )
    yield from _case("AttentionPool2d", _IMAGE, "8, 8, num_heads=2, head_dim=None")
    yield from _case("RotAttentionPool2d", _IMAGE, "8, ref_feat_size=8, num_heads=2, head_dim=None")
    yield from _case("SqueezeExcite", _IMAGE, "8", f"8{_NORM2D}")
    yield from _case("EffectiveSqueezeExcite EfficientChannelAttn CircularEfficientChannelAttn", _IMAGE, "8")
    yield from _case("GlobalContext NonLocalAttn", _IMAGE, "8")
