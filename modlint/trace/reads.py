"""Noticing reads: while a block runs, instances tell which of the given attributes are read from them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import torch


@contextlib.contextmanager
def reads_watched(
    names: Mapping[torch.nn.Module, set[str]], told: Callable[[torch.nn.Module, str], None]
) -> Iterator[None]:
    """Call `told(module, name)` for every read of one of the module's `names`, by whomever.

    Each instance is given a subclass of its class for the time; one that refuses it is not watched.
    """
    before: list[tuple[torch.nn.Module, type]] = []
    for module, watched in names.items():
        cls = type(module)
        with contextlib.suppress(TypeError):
            module.__class__ = _telling(cls, frozenset(watched), told)
            before.append((module, cls))
    try:
        yield
    finally:
        for module, cls in before:
            module.__class__ = cls


def _telling(cls: Any, names: frozenset[str], told: Callable[[torch.nn.Module, str], None]) -> Any:
    def getattribute(self: torch.nn.Module, name: str) -> Any:
        if name in names:
            told(self, name)
        return original(self, name)

    original = cls.__getattribute__
    space = {"__getattribute__": getattribute, "__module__": cls.__module__, "__qualname__": cls.__qualname__}
    return type(cls)(cls.__name__, (cls,), space)
