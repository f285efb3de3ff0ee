"""What torch.nn.utils makes of a module: every function that the catalogue lists, on modules of several kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from catalogue.cases.torch_nn import IMAGE, ROWS, tensors
from catalogue.measure import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINEAR, _CONV, _NORM = "torch.nn.Linear(4, 3)", "torch.nn.Conv2d(4, 3, 2)", "torch.nn.BatchNorm2d(4)"
_UTILS = "torch.nn.utils"
_NEW = f"{_UTILS}.parametrizations"
_PRUNE = f"{_UTILS}.prune"


def cases() -> Iterator[Case]:
    """Every case of torch.nn.utils."""
    for norm in (f"{_UTILS}.spectral_norm", f"{_NEW}.spectral_norm"):
        yield Case(f"{norm}({_LINEAR})", ROWS)
        yield Case(f"{norm}({_CONV}, n_power_iterations=3)", IMAGE)
        yield Case(f"{norm}(torch.nn.LSTM(4, 3), 'weight_hh_l0')", tensors((5, 2, 4)))
        yield Case(f"torch.nn.Sequential({norm}({_LINEAR}))", ROWS)
    yield Case(f"{_UTILS}.spectral_norm({_LINEAR}, 'bias')", ROWS)
    yield Case(f"{_NEW}.spectral_norm({_LINEAR}, 'bias')", ROWS)
    yield Case(f"{_UTILS}.remove_spectral_norm({_UTILS}.spectral_norm({_LINEAR}))", ROWS)
    for name in (f"{_UTILS}.weight_norm", f"{_NEW}.weight_norm", f"{_NEW}.orthogonal"):
        yield Case(f"{name}({_LINEAR})", ROWS)
    yield Case(f"{_NEW}.orthogonal({_LINEAR}, orthogonal_map='cayley', use_trivialization=False)", ROWS)
    yield Case(f"{_UTILS}.remove_weight_norm({_UTILS}.weight_norm({_LINEAR}))", ROWS)
    for inner in ("ReLU()", "Dropout()", "BatchNorm1d(4)"):
        yield Case(f"{_UTILS}.parametrize.register_parametrization({_LINEAR}, 'weight', torch.nn.{inner})", ROWS)
    yield Case(f"{_UTILS}.parametrize.remove_parametrizations({_NEW}.spectral_norm({_LINEAR}), 'weight')", ROWS)
    yield Case(f"{_PRUNE}.identity({_LINEAR}, 'weight')", ROWS)
    yield Case(f"{_PRUNE}.random_unstructured({_LINEAR}, 'weight', 0.5)", ROWS)
    yield Case(f"{_PRUNE}.l1_unstructured({_LINEAR}, 'weight', 0.5)", ROWS)
    yield Case(f"{_PRUNE}.random_structured({_LINEAR}, 'weight', 0.5, 0)", ROWS)
    yield Case(f"{_PRUNE}.ln_structured({_LINEAR}, 'weight', 0.5, 2, 0)", ROWS)
    yield Case(f"{_PRUNE}.custom_from_mask({_LINEAR}, 'weight', torch.ones(3, 4))", ROWS)
    yield Case(f"{_PRUNE}.remove({_PRUNE}.identity({_LINEAR}, 'weight'), 'weight')", ROWS)
    yield Case(f"{_UTILS}.convert_conv2d_weight_memory_format({_CONV}, torch.channels_last)", IMAGE)
    volume, shape = "torch.nn.Conv3d(4, 3, 2)", tensors((2, 4, 6, 6, 6))
    yield Case(f"{_UTILS}.convert_conv3d_weight_memory_format({volume}, torch.channels_last_3d)", shape)
    yield Case(f"{_UTILS}.fuse_conv_bn_eval(torch.nn.Conv2d(4, 4, 2).eval(), {_NORM}.eval())", IMAGE)
    yield Case(f"{_UTILS}.fuse_linear_bn_eval({_LINEAR}.eval(), torch.nn.BatchNorm1d(3).eval())", ROWS)
    for arguments in ("Linear, 4, 3", "Linear, in_features=4, out_features=3", "BatchNorm1d, 4"):
        yield Case(f"{_UTILS}.skip_init(torch.nn.{arguments})", ROWS, prepare=_initialised)
    yield from _parametrizations()
    yield Case(f"torch.nn.SyncBatchNorm.convert_sync_batchnorm({_NORM})", IMAGE)
    yield Case(f"torch.nn.SyncBatchNorm.convert_sync_batchnorm({_CONV})", IMAGE)


def _initialised(module: torch.nn.Module) -> torch.nn.Module:
    """What skip_init leaves as the memory happened to be, drawn anew."""
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = torch.rand(tensor.shape) if tensor.is_floating_point() else torch.zeros_like(tensor)
    return module


def _parametrizations() -> Iterator[Case]:
    """The modules that the functions of `parametrizations` register, on matrices of their own."""
    matrix = tensors((3, 4))
    yield Case(f"{_NEW}._SpectralNorm(torch.randn(3, 4))", matrix)
    yield Case(f"{_NEW}._WeightNorm()", lambda n: (torch.rand(3, 1) + n, torch.randn(3, 4)))
    for kind in ("matrix_exp", "cayley", "householder"):
        made = f"{_NEW}._OrthMaps.{kind}"
        yield Case(f"{_NEW}._Orthogonal(torch.randn(4, 4), {made}, use_trivialization=False)", tensors((4, 4)))
