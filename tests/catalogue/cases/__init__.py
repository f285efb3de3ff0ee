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

# What has to be imported for the cases of a library that need not be there.
_OPTIONAL = {
    "torchvision.ops": torchvision_ops,
    "timm.layers": timm_layers,
    "transformers.pytorch_utils": transformers_activations,
    "torchmetrics.classification": torchmetrics_metrics,
    "einops.layers.torch": einops_layers,
}


def every() -> Iterator[Case]:
    """The cases of torch, and of every other library that is installed."""
    for module in (torch_nn, torch_nn_utils, torch_ao, *_installed()):
        yield from module.cases()


def _installed() -> Iterator[ModuleType]:
    for name, module in _OPTIONAL.items():
        package = name.partition(".")[0]
        if importlib.util.find_spec(package) is not None:
            importlib.import_module(name)
            NAMESPACE[package] = importlib.import_module(package)
            yield module
