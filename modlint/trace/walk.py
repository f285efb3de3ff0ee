"""Walks over a module tree, each node once and without a generator at every depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def modules_of(root: torch.nn.Module) -> list[torch.nn.Module]:
    """`root.modules()`: every module once, in the same order."""
    seen: dict[int, torch.nn.Module] = {}
    open_modules = [root]
    while open_modules:
        module = open_modules.pop()
        if id(module) not in seen:
            seen[id(module)] = module
            if module._modules:
                open_modules.extend(child for child in reversed(module._modules.values()) if child is not None)
    return list(seen.values())


def paths_of(root: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """`root.named_modules(remove_duplicate=False)`: every path, in the same order; "" is the root.

    A module that contains itself has infinitely many; each ends where it would enter a module again.
    """
    found: dict[str, torch.nn.Module] = {}
    open_paths: list[tuple[str, torch.nn.Module, frozenset[int]]] = [("", root, frozenset())]
    while open_paths:
        path, module, inside = open_paths.pop()
        found[path] = module
        if not module._modules:
            continue
        inner = inside | {id(module)}
        prefix = f"{path}." if path else ""
        open_paths.extend(
            (prefix + name, child, inner)
            for name, child in reversed(module._modules.items())
            if child is not None and id(child) not in inner
        )
    return found
