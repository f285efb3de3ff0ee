"""Keeping the user's model as it was: copies to trace on, snapshots to restore, RNG states put back."""

from __future__ import annotations

import contextlib
import copy
import random
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.parameter import UninitializedBuffer, is_lazy

from modlint.trace.tensors import tensors_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COPY_FAILS = (RuntimeError, TypeError, AttributeError, NotImplementedError, ValueError, RecursionError, KeyError)


def copy_of(model: torch.nn.Module, meta: bool = False, share: bool = False) -> torch.nn.Module | None:
    """A deep copy of the model with the same aliasing inside.

    `meta`: on the meta device, so that it needs no memory for weights. `share`: with the original's parameters, which a
    forward pass does not change. None where the model does not let itself be copied.
    """
    memo: dict[int, Any] = {id(p): p for p in model.parameters()} if share else {}
    for module in model.modules():
        memo.update(computed_copies(list(vars(module).values())))
    memo.update(lazy_copies(model.modules()))
    if meta:
        for tensor in (t for t in (*model.parameters(), *model.buffers()) if not is_lazy(t)):
            shell = torch.empty_like(tensor, device="meta")
            parameter = isinstance(tensor, torch.nn.Parameter)
            memo[id(tensor)] = torch.nn.Parameter(shell, tensor.requires_grad) if parameter else shell
    try:
        return copy.deepcopy(model, memo)
    except COPY_FAILS:  # a non-leaf tensor, a lock, a generator kept on self
        return None


def computed_copies(value: Any) -> dict[int, Any]:
    """A memo for deepcopy: tensors that a forward computed (and left there) are copied by value."""
    return {id(t): t.detach().clone() for t in tensors_in(value) if not t.is_leaf}


def lazy_copies(modules: Iterable[torch.nn.Module]) -> dict[int, Any]:
    """A memo for deepcopy: the buffers that lazy modules have not filled yet, which torch does not copy."""
    buffers = [buffer for module in modules for buffer in module._buffers.values()]
    return {
        id(buffer): UninitializedBuffer(False, buffer.device, buffer.dtype)
        for buffer in buffers
        if isinstance(buffer, UninitializedBuffer)
    }


class Snapshot:
    """Attributes and tensors of some modules, to be put back in place. Tensors are kept by value.

    Without `parameters` their values are not kept: forwards do not change them, and they may be large.
    """

    def __init__(self, *modules: torch.nn.Module, parameters: bool = True) -> None:
        self._parameters = parameters
        self._kept: dict[int, tuple[torch.nn.Module, type, dict[str, Any], dict[str, Any]]] = {}
        self._values: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.add(*modules)

    def add(self, *modules: torch.nn.Module) -> None:
        """Keep these modules as they are now; what is kept already stays as it was."""
        for module in modules:
            if id(module) not in self._kept:
                self._keep(module)

    def _keep(self, module: torch.nn.Module) -> None:
        own = dict(vars(module))
        contents = {name: copy.copy(value) for name, value in own.items() if isinstance(value, (dict, list, set))}
        self._kept[id(module)] = (module, type(module), own, contents)
        held = [*own.values(), *module._buffers.values()]
        for value in (*held, *(module._parameters.values() if self._parameters else ())):
            if isinstance(value, torch.Tensor) and not value.is_meta and not is_lazy(value):
                self._values[id(value)] = (value, value.detach().clone())

    def restore(self) -> None:
        """Put everything back into the same objects, so that whoever else holds them sees it too."""
        for module, cls, own, contents in self._kept.values():
            if type(module) is not cls:  # a lazy module takes on another
                module.__class__ = cls
            vars(module).clear()
            vars(module).update(own)
            for name, content in contents.items():
                _refill(own[name], content)
        with torch.no_grad():
            for tensor, value in self._values.values():
                if tensor.shape != value.shape or not torch.equal(tensor, value):
                    tensor.data = value


def _refill(held: Any, content: Any) -> None:
    """Give a dict, list or set the content that it had."""
    held.clear()
    if isinstance(held, list):
        held.extend(content)
    else:
        held.update(content)


@contextlib.contextmanager
def same_random_state() -> Iterator[None]:
    """Put the states of Python's, NumPy's and torch's generators back after the block."""
    import numpy

    python, array = random.getstate(), numpy.random.get_state()
    with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
        try:
            yield
        finally:
            random.setstate(python)
            numpy.random.set_state(array)


@contextlib.contextmanager
def untouched(model: torch.nn.Module) -> Iterator[None]:
    """Put attributes and buffers of the model back after the block: closures lead from a copy to the original."""
    before = Snapshot(*model.modules(), parameters=False)
    try:
        yield
    finally:
        before.restore()
