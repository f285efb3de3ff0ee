"""Small models that the tests of the experiment share."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Reusing(nn.Module):
    """Two convolutions with one module behind both."""

    def __init__(self, between: nn.Module, after: nn.Module | None = None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.m = between
        self.after = nn.Identity() if after is None else after

    def forward(self, x: torch.Tensor) -> Any:
        return self.after(self.m(self.conv2(self.m(self.conv1(x)))))


class Leaky(nn.Module):
    """The model of the thread's last post: two weights of -1 and one LeakyReLU behind both."""

    def __init__(self) -> None:
        super().__init__()
        self.activation = nn.LeakyReLU(0.01)
        self.w1 = nn.Parameter(torch.tensor([-1.0]))
        self.w2 = nn.Parameter(torch.tensor([-1.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.w2 * self.activation(self.w1 * x))


class Flat(nn.Module):
    """Two linear layers with one module behind both, applied to vectors."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.fc1 = nn.Linear(5, 4)
        self.fc2 = nn.Linear(4, 4)
        self.m = between

    def forward(self, x: torch.Tensor) -> Any:
        return self.m(self.fc2(self.m(self.fc1(x))))


class Counting(nn.Module):
    """State that is tracked and never read."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += x.detach().abs().mean()
        return x * self.scale


class Caching(nn.Module):
    """A cache whose value does not depend on the inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.table: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.table is None:
            self.table = torch.linspace(0, 1, x.shape[-1], device=x.device)
        return x + self.table


class LockedDropout(nn.Module):
    """Draws its mask at the first call and keeps it: the second use sees the mask of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.mask: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        if self.mask is None or self.mask.shape != x.shape:
            self.mask = (torch.rand_like(x) > 0.5).to(x)
        return x * self.mask


class Averaging(nn.Module):
    """A running average of its inputs that the output depends on in train mode already."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.mean = 0.5 * self.mean + x.detach().mean()
        return x - self.mean


def images(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*(shape or (4, 3, 6, 6)), generator=generator)


def vectors() -> torch.Tensor:
    return images(6, 5)


class Counted(Flat):
    """A hook that counts the calls of an activation and scales by that number."""

    def __init__(self) -> None:
        super().__init__(nn.ReLU())
        self.m.calls = 0
        self.m.register_forward_hook(_count)


def _count(module: nn.Module, _args: Any, output: torch.Tensor) -> torch.Tensor:
    module.calls += 1
    return output * module.calls
