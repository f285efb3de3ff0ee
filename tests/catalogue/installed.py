"""What the installed torch has: every module class in the packages that the catalogue covers, and all of its names."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import sys
import warnings
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from types import ModuleType

COVERED = ("torch.nn", "torch.ao.nn", "torch.ao.quantization")


def classes() -> dict[type[nn.Module], list[str]]:
    """Every class defined in a covered package, with the names that are meant for import."""
    for package in COVERED:
        _import_all(importlib.import_module(package))
    found: dict[type[nn.Module], list[str]] = {}
    for module_name, module in sorted(sys.modules.items()):
        if not module_name.startswith((*COVERED, "torch.quantization")):
            continue
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, nn.Module) and _within(value.__module__):
                offered = name in getattr(module, "__all__", ()) or module_name in {value.__module__, *COVERED}
                found.setdefault(value, []).extend([f"{module_name}.{name}"] if offered else [])
    return found


def resolve(dotted: str) -> object:
    """The object of that name."""
    parts = dotted.split(".")
    for length in range(len(parts) - 1, 0, -1):
        with contextlib.suppress(ImportError):
            found: object = importlib.import_module(".".join(parts[:length]))
            for part in parts[length:]:
                found = getattr(found, part)
            return found
    raise ImportError(dotted)


def version() -> str:
    """The release, without the build."""
    return torch.__version__.partition("+")[0]


def _within(module_name: str) -> bool:
    return any(module_name == package or module_name.startswith(f"{package}.") for package in COVERED)


def _import_all(package: ModuleType) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.", onerror=lambda name: None):
            importlib.import_module(found.name)
