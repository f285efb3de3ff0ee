"""A live model -> a replica that shares nothing with it, and the map from each original object to its copy.

`copy.deepcopy` alone leaves two doors open: it refuses tensors that are part of a graph (an activation kept on self,
the weight that weight_norm recomputes), and it copies functions by reference, so that a lambda or hook that closes
over `self` would run the original's modules from inside the copy.
"""

from __future__ import annotations

import copy
import types
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_leaves

from modlint.errors import ModlintError
from modlint.trace.copies import lazy_copies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import nn

Memo = dict[int, Any]


def replicate(model: nn.Module) -> tuple[nn.Module, Memo]:
    """A deep copy of `model` and the memo that maps `id(original)` to the copy, for every object in it."""
    memo: Memo = {}
    return duplicate(model, model.modules(), memo), memo


def duplicate(root: Any, modules: Iterable[nn.Module], memo: Memo) -> Any:
    """`copy.deepcopy(root, memo)` that also copies the graph tensors and closures kept on `modules`."""
    modules = list(modules)
    memo.update((key, buffer) for key, buffer in lazy_copies(modules).items() if key not in memo)
    values = [value for module in modules for value in _held(module)]
    for value in values:
        if isinstance(value, torch.Tensor) and not value.is_leaf and id(value) not in memo:
            memo[id(value)] = value.detach().clone()
    functions = [f for value in values if isinstance(value, types.FunctionType) for f in _rebuilt(value, memo)]
    try:
        result = copy.deepcopy(root, memo)
        for original, function in functions:
            _fill(original, function, memo)
    except (RuntimeError, TypeError, NotImplementedError, AttributeError) as error:
        what = type(root).__name__ if not isinstance(root, dict) else "an instance in it"
        raise ModlintError(
            f"the model cannot be copied ({what}: {error}); the experiment needs copies: "
            "keep what cannot be deep-copied out of the module's attributes"
        ) from error
    _uncover(modules, memo)
    return result


def _uncover(modules: Iterable[nn.Module], memo: Memo) -> None:
    """Remove what copying has put in front of a child, as TransformerDecoderLayer does to a module as `activation`."""
    for module in modules:
        twin = memo.get(id(module))
        if not isinstance(twin, torch.nn.Module) or twin is module or isinstance(twin, torch.jit.ScriptModule):
            continue
        for name in [name for name in twin._modules if name in twin.__dict__ and name not in module.__dict__]:
            del twin.__dict__[name]


def _held(module: nn.Module) -> Iterator[Any]:
    """What the module keeps in attributes and hooks, other than parameters, buffers and child modules."""
    for name, value in vars(module).items():
        if name not in {"_parameters", "_modules"}:
            yield from tree_leaves(value)


def _rebuilt(function: types.FunctionType, memo: Memo) -> list[tuple[types.FunctionType, types.FunctionType]]:
    """A twin of `function` with empty cells, put into the memo, and twins of the functions it closes over."""
    if id(function) in memo or not (function.__closure__ or function.__defaults__ or function.__kwdefaults__):
        return []
    cells = tuple(types.CellType() for _ in function.__closure__ or ())
    twin = types.FunctionType(function.__code__, function.__globals__, function.__name__, None, cells)
    twin.__dict__.update(function.__dict__)
    memo[id(function)] = twin
    found = [(function, twin)]
    for value in _closed_over(function):
        if isinstance(value, types.FunctionType):
            found += _rebuilt(value, memo)
    return found


def _closed_over(function: types.FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        if cell != types.CellType():  # which equals a cell that is not filled yet
            yield cell.cell_contents


def _fill(original: types.FunctionType, twin: types.FunctionType, memo: Memo) -> None:
    for cell, target in zip(original.__closure__ or (), twin.__closure__ or (), strict=True):
        if cell != types.CellType():
            target.cell_contents = copy.deepcopy(cell.cell_contents, memo)
    twin.__defaults__ = copy.deepcopy(original.__defaults__, memo)
    twin.__kwdefaults__ = copy.deepcopy(original.__kwdefaults__, memo)
