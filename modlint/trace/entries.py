"""The catalogue as the live side asks it: by class instead of by dotted name."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from modlint.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modlint.catalogue import Entry

_extra: tuple[str, ...] = ()


def use_tables(paths: Sequence[str]) -> None:
    """Read the user's own tables of state classes (`states` in the configuration) before modlint's."""
    global _extra
    if tuple(paths) != _extra:
        _extra = tuple(paths)
        catalogue.cache_clear()
        entry_of.cache_clear()


@functools.cache
def catalogue() -> Catalogue:
    """The catalogue, read once."""
    return Catalogue.load([Path(path) for path in _extra])


@functools.cache
def entry_of(cls: Any) -> Entry | None:
    """The entry of that very class."""
    return catalogue().entry(f"{cls.__module__}.{cls.__qualname__}")


def nearest_entry(cls: type) -> tuple[Entry | None, bool]:
    """The entry of the class or of the nearest base that has one, and whether it is the class's own."""
    for base in cls.__mro__:
        if base is torch.nn.Module:  # which says nothing of what derives from it
            break
        entry = entry_of(base)
        if entry is not None:
            return entry, base is cls
    return None, False


def catalogued_methods(cls: type) -> tuple[str, ...]:
    """Methods whose calls count as uses."""
    entry, _ = nearest_entry(cls)
    return () if entry is None else tuple(name for name in entry.methods if hasattr(cls, name) and name != "forward")


def has_entry(module: torch.nn.Module) -> bool:
    """Whether the catalogue knows the very class of the module, so that nothing needs to be measured."""
    cls: Any = type(module)
    return entry_of(cls) is not None
