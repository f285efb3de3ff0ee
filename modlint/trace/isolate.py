"""Keeping the user's model as it was: snapshots to restore, RNG states put back. Copies are made by `copies`."""

from __future__ import annotations

import contextlib
import copy
import gc
import random
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.parameter import is_lazy

from modlint.trace.copies import ATOMS, is_plain, is_unwritten, lending, sharing
from modlint.trace.tensors import tensors_in
from modlint.trace.walk import modules_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class Snapshot:
    """Attributes and tensors of some modules, to be put back in place. Tensors are kept by value.

    That costs no memory before somebody writes them, where they can share it until then (`copies.sharing`).
    """

    def __init__(self, *modules: torch.nn.Module) -> None:
        self._modules: dict[int, _Module] = {}
        self._tensors: dict[int, _Tensor] = {}
        self.add(*modules)

    def add(self, *modules: torch.nn.Module) -> None:
        """Keep these modules as they are now; what is kept already stays as it was."""
        for module in modules:
            if id(module) not in self._modules:
                self._modules[id(module)] = kept = _Module(module)
                for tensor in kept.tensors():
                    self._add(tensor)

    def _add(self, tensor: torch.Tensor) -> None:
        if id(tensor) not in self._tensors and not (tensor.is_meta or is_lazy(tensor)):
            self._tensors[id(tensor)] = kept = _Tensor(tensor)
            if kept.grad is not None:
                self._add(kept.grad)

    def restore(self) -> None:
        """Put everything back into the same objects, so that whoever else holds them sees it too."""
        for module in self._modules.values():
            module.restore()
        with torch.no_grad():
            for tensor in self._tensors.values():
                tensor.restore()

    def let_go(self) -> None:
        """Keep nothing any more, and let the tensors have alone the memory that they shared with what was kept."""
        tensors = [kept.tensor for kept in self._tensors.values()]
        self._tensors.clear()
        for tensor in tensors:
            if is_plain(tensor) and is_unwritten(tensor):
                tensor.data_ptr()  # asking for an address to write to ends the sharing


_CONTAINERS = (dict, list, set)


class _Module:
    """A module's class and attributes as they were, and what its containers held."""

    __slots__ = ("_class", "_contents", "_module", "_own")

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module
        self._class = type(module)
        self._own = dict(vars(module))
        held = [value for value in self._own.values() if type(value) not in ATOMS and isinstance(value, _CONTAINERS)]
        self._contents = [(value, copy.copy(value) if len(value) else ()) for value in held]

    def tensors(self) -> Iterator[torch.Tensor]:
        """All that are kept, parameters and buffers among them."""
        for value in self._own.values():
            if type(value) in ATOMS or (type(value) in _FLAT and not value):
                continue
            yield from tensors_in(value)

    def restore(self) -> None:
        """Everything but the values of tensors."""
        module = self._module
        if type(module) is not self._class:  # a lazy module takes on another
            module.__class__ = self._class
        vars(module).clear()
        vars(module).update(self._own)
        for held, content in self._contents:
            if content or len(held):
                _refill(held, content)


_FLAT = frozenset({dict, list, set, tuple, OrderedDict, deque})


def _refill(held: Any, content: Any) -> None:
    """Give a dict, list or set the content that it had."""
    held.clear()
    if isinstance(held, list):
        held.extend(content)
    else:
        held.update(content)


class _Tensor:
    """A tensor as it was: its memory, what stood there, whether it asked for gradients, its version."""

    __slots__ = ("_alias", "_content", "_memory", "_requires_grad", "_shared", "_version", "grad", "tensor")

    def __init__(self, tensor: torch.Tensor) -> None:
        shared = sharing(tensor)
        self.tensor = tensor
        self.grad = tensor.grad if tensor.is_leaf else None
        self._alias = tensor.data  # on the same memory, with a version of its own
        self._memory = _memory(tensor)
        self._requires_grad = tensor.requires_grad
        self._version = None if tensor.is_inference() else tensor._version
        self._shared = shared is not None
        self._content = tensor.detach().clone() if shared is None else shared

    def restore(self) -> None:
        tensor = self.tensor
        if self._shared and self._alias.untyped_storage().nbytes() != self._content.untyped_storage().nbytes():
            tensor.data = self._alias = self._content.clone()  # it was resized, see `sharing`
        if _memory(tensor) != self._memory:
            tensor.data = self._alias
        if not (is_unwritten(self._alias) if self._shared else _equal(self._alias, self._content)):
            self._alias.copy_(self._content)
        if tensor.is_leaf:
            tensor.requires_grad_(self._requires_grad)
            if tensor.grad is not self.grad:
                tensor.grad = self.grad
        if self._version is not None and tensor._version != self._version:
            torch._C._autograd._unsafe_set_version_counter((tensor,), (self._version,))


def _memory(tensor: torch.Tensor) -> tuple[Any, ...]:
    """What tells where the values of a tensor stand."""
    storage = tensor.untyped_storage()._cdata if is_plain(tensor) else 0
    return (storage, tensor.storage_offset(), tensor.stride(), tensor.shape) if storage else (tensor.shape,)


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and one.layout is torch.strided and torch.equal(one, other)


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
def uncollected() -> Iterator[None]:
    """Hold off the garbage collector, for work that makes many objects which nobody holds afterwards.

    A collection of everything, which their number would set off, takes several times what an fx pass does.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextlib.contextmanager
def untouched(model: torch.nn.Module) -> Iterator[None]:
    """Put attributes and tensors of the model back after the block: closures lead from a copy to the original."""
    before = Snapshot(*modules_of(model))
    try:
        with lending():
            yield
    finally:
        before.restore()
        before.let_go()
