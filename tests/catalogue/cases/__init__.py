"""Configurations and inputs: one module a library, each with `cases()`."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

from catalogue.cases import (
    einops_layers,
    timm_layers,
    torch_ao,
    torch_nn,
    torch_nn_utils,
    torchmetrics_metrics,
    torchvision_ops,
    transformers_activations,
)
from catalogue.measure import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from catalogue.measure import Case

# The case modules of each file of entries.
LIBRARIES: dict[str, tuple[ModuleType, ...]] = {
    "torch": (torch_nn, torch_nn_utils),
    "torch.ao": (torch_ao,),
    "torchvision": (torchvision_ops,),
    "timm": (timm_layers,),
    "transformers": (transformers_activations,),
    "torchmetrics": (torchmetrics_metrics,),
    "einops": (einops_layers,),
}

# What the cases of a library name, for those that need not be installed.
_OPTIONAL = {
    "torchvision": "torchvision.ops",
    "timm": "timm.layers",
    "transformers": "transformers.pytorch_utils",
    "torchmetrics": "torchmetrics.classification",
    "einops": "einops.layers.torch",
}


def every() -> Iterator[Case]:
    """The cases of torch, and of every other library that is installed."""
    for library, modules in LIBRARIES.items():
        if library in _OPTIONAL and not _imported(library):
            continue
        for module in modules:
            yield from module.cases()


def _imported(library: str) -> bool:
    """Whether the library is installed; if so the expressions of the cases can name it."""
    if importlib.util.find_spec(library) is None:
        return False
    importlib.import_module(_OPTIONAL[library])
    NAMESPACE[library] = importlib.import_module(library)
    return True
