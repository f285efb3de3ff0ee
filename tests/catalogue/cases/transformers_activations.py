"""Configurations and inputs of the small modules of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalogue.cases.torch_nn import tensors
from catalogue.measure import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = tensors((5, 4))
_NAMES = "AccurateGELU FastGELU GELU Laplace Linear Mish NewGELU QuickGELU ReLUSquared SiLU SqrtSoftplus"


def cases() -> Iterator[Case]:
    """Every case of transformers."""
    activations = "transformers.activations"
    for name in _NAMES.split():
        yield Case(f"{activations}.{name}Activation()", _ROWS)
    yield Case(f"{activations}.ClippedGELUActivation(-1, 1)", _ROWS)
    yield Case(f"{activations}.GELUTanh()", _ROWS)
    yield Case(f"{activations}.XIELUActivation(dtype=torch.float32)", _ROWS)
    for name in ("gelu", "relu", "prelu"):
        yield Case(f"{activations}.get_activation('{name}')", _ROWS)
    yield Case("transformers.pytorch_utils.Conv1D(3, 4)", _ROWS)
