"""Is a module elementwise, so that its local derivative is a quotient of two gradients? Found out by trying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_leaves

from modlint.confirm.replica import replicate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


class Elementwise:
    """Answers by name for library modules without parameters, at the first input that each is seen with."""

    def __init__(self, modules: Mapping[str, nn.Module], known: dict[str, bool]) -> None:
        self._modules = modules
        self._known = known

    def __call__(self, name: str, inputs: Any) -> bool:
        """Whether the module of that name, which is about to run on `inputs`, is elementwise."""
        if name not in self._known:
            tensors = [value for value in tree_leaves(inputs) if torch.is_tensor(value)]
            module = self._modules[name]
            self._known[name] = len(tensors) == 1 and _plain(module) and is_elementwise(module, tensors[0])
        return self._known[name]


def is_elementwise(module: nn.Module, x: torch.Tensor) -> bool:
    """Whether changing some elements of `x` leaves the others of the output as they are, to the last bit."""
    generator = torch.Generator().manual_seed(0)
    changed = (torch.rand(x.shape, generator=generator) > 0.5).to(x.device)
    other = torch.where(changed, -1.7 * x.detach() + 0.3, x.detach())
    y, z = _output(module, x.detach().clone()), _output(module, other)
    if not (torch.is_tensor(y) and torch.is_tensor(z) and y.shape == x.shape):
        return False
    return bool((y[~changed] == z[~changed]).all())


def _output(module: nn.Module, x: torch.Tensor) -> Any:
    devices = [x.device] if x.device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices):
        torch.manual_seed(0)
        replica, _ = replicate(module)
        return replica.train()(x)


def _plain(module: nn.Module) -> bool:
    return not list(module.parameters()) and all(type(m).__module__.startswith("torch.nn") for m in module.modules())
