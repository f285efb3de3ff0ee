"""Copies of live models to run: deep copies in every respect, whose tensors share memory until one of them is written.

In: a model. Out: its copy and, by id, which original each of the copy's modules comes from. `copy.deepcopy` asks every
object how it wants to be copied and copies every weight, which takes longer than following the forward. Here modules
and plain containers are copied directly, with deepcopy's memo, and deepcopy is left what wants it.
"""

from __future__ import annotations

import contextlib
import copy
import copyreg
import functools
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.parameter import UninitializedBuffer, is_lazy

from modlint.trace.tensors import tensors_in
from modlint.trace.walk import modules_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COPY_FAILS = (RuntimeError, TypeError, AttributeError, NotImplementedError, ValueError, RecursionError, KeyError)


@dataclass(frozen=True, slots=True)
class Twin:
    """A copied model. `originals` has the original of every copied module, by the copy's id."""

    root: torch.nn.Module
    originals: dict[int, torch.nn.Module]


def twin_of(model: torch.nn.Module, meta: bool = False) -> Twin | None:
    """A deep copy of the model with the same aliasing inside; None where the model does not let itself be copied.

    `meta`: on the meta device, so that it needs no memory for weights.
    """
    modules = modules_of(model)
    copying = _Copying(_on_meta(modules) if meta else {})
    copying.memo.update(lazy_copies(modules))
    try:
        root = copying.value(model)
    except COPY_FAILS:  # a lock, a generator kept on self
        return None
    return Twin(root, copying.originals)


def copy_of(model: torch.nn.Module, meta: bool = False) -> torch.nn.Module | None:
    """The root of `twin_of`."""
    twin = twin_of(model, meta)
    return None if twin is None else twin.root


def _on_meta(modules: Iterable[torch.nn.Module]) -> dict[int, Any]:
    """A memo in which every parameter and buffer is already copied, to the meta device."""
    memo: dict[int, Any] = {}
    for tensor in (t for m in modules for t in (*m._parameters.values(), *m._buffers.values())):
        if tensor is not None and not is_lazy(tensor) and id(tensor) not in memo:
            shell = torch.empty_like(tensor, device="meta")
            parameter = isinstance(tensor, torch.nn.Parameter)
            memo[id(tensor)] = torch.nn.Parameter(shell, tensor.requires_grad) if parameter else shell
    return memo


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


# Tensors --------------------------------------------------------------------------------------------------------------

_lent: list[weakref.ref[torch.Tensor]] | None = None  # tensors of copies that share an original's memory


@contextlib.contextmanager
def lending() -> Iterator[None]:
    """After the outermost such block no tensor of a copy made within shares memory any more: it is emptied."""
    global _lent
    if _lent is not None:
        yield
        return
    _lent = []
    try:
        yield
    finally:
        for tensor in (one() for one in _lent):
            if tensor is not None and is_plain(tensor) and is_unwritten(tensor):
                tensor.data = tensor.data.new_empty(0)
        _lent = None


_LARGE = 1 << 16  # bytes of a parameter above which sharing pays


def sharing(tensor: torch.Tensor) -> torch.Tensor | None:
    """A tensor on the same memory, of which either gets its own when it is first written, by whatever way.

    That is torch's copy on write of storages. For large parameters alone, and None where torch cannot: the memory is
    NumPy's, a file, shared. A storage that is shared so must not grow (torch 2.13 then fails at the next write), and
    forwards may well give buffers their size; to parameters they do not.
    """
    if type(tensor) is not torch.nn.Parameter or not is_plain(tensor) or tensor.nbytes < _LARGE:
        return None
    try:
        return torch._lazy_clone(tensor.detach())
    except RuntimeError:
        return None


def is_unwritten(tensor: torch.Tensor) -> bool:
    """Whether a tensor of which `sharing` made another has not been written since."""
    return bool(torch._C._is_cow_tensor(tensor))


def is_plain(tensor: torch.Tensor) -> bool:
    """Whether a tensor is its shape, its strides and its memory."""
    return (
        type(tensor) in {torch.Tensor, torch.nn.Parameter}
        and tensor.layout is torch.strided
        and tensor.device.type in {"cpu", "cuda", "meta"}
        and not (tensor.is_quantized or tensor.is_conj() or tensor.is_neg() or tensor.is_inference())
    )


# Everything else ------------------------------------------------------------------------------------------------------

ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes, type, FunctionType, BuiltinFunctionType))
_NOT_COPIED = "_compiled_call_impl"  # by `nn.Module.__getstate__`


class _Copying:
    """One copy being made."""

    def __init__(self, memo: dict[int, Any]) -> None:
        self.memo = memo
        self.originals: dict[int, torch.nn.Module] = {}
        self._storages: dict[int, Any] = memo.setdefault("torch", {})  # type: ignore[call-overload]

    def value(self, value: Any) -> Any:
        """The copy of any value, the same one each time."""
        cls = type(value)
        if cls in ATOMS:
            return value
        known = self.memo.get(id(value))
        if known is not None:
            return known
        if issubclass(cls, torch.nn.Module):
            return self._module(value)
        if cls is dict or cls is OrderedDict:
            return self._dict(value)
        if cls is list:
            made: list[Any] = []
            self.memo[id(value)] = made
            made.extend(map(self.value, value))
            return made
        if cls is tuple:
            return self._tuple(value)
        if cls is set:
            made_set = self.memo[id(value)] = set(map(self.value, value))
            return made_set
        if cls is torch.nn.Parameter or cls is torch.Tensor:
            return self._tensor(value)
        if cls is MethodType:
            return MethodType(value.__func__, self.value(value.__self__))
        self.memo.update({key: t for key, t in computed_copies(value).items() if key not in self.memo})
        return copy.deepcopy(value, self.memo)

    def _dict(self, value: dict[Any, Any]) -> dict[Any, Any]:
        made = type(value)()
        self.memo[id(value)] = made
        for key, item in value.items():
            made[self.value(key)] = self.value(item)
        return made

    def _tuple(self, value: tuple[Any, ...]) -> tuple[Any, ...]:
        items = [self.value(item) for item in value]
        known = self.memo.get(id(value))  # copied meanwhile, on a round that led back to it
        if known is None:
            same = all(one is other for one, other in zip(items, value, strict=True))
            known = self.memo[id(value)] = value if same else tuple(items)
        return known

    def _module(self, module: torch.nn.Module) -> Any:
        cls: Any = type(module)
        if not _copies_plainly(cls):
            made = copy.deepcopy(module, self.memo)
            self.originals.update(_counterparts(made, module))
            return made
        made = object.__new__(cls)
        self.memo[id(module)] = made
        self.originals[id(made)] = module
        kept = {name: value for name, value in vars(module).items() if name != _NOT_COPIED}
        made.__setstate__({name: self.value(value) for name, value in kept.items()})
        return made

    def _tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        if is_plain(tensor):
            made = self._on_copied_memory(tensor)
            if type(tensor) is torch.nn.Parameter:
                made = torch.nn.Parameter(made, tensor.requires_grad)
            elif tensor.is_leaf:
                self._annotate(made, tensor)
        else:
            made = copy.deepcopy(tensor, self.memo) if tensor.is_leaf else tensor.detach().clone()
        self.memo[id(tensor)] = made
        if _lent is not None and made.nbytes >= _LARGE:
            _lent.append(weakref.ref(made))
        return made

    def _annotate(self, made: torch.Tensor, tensor: torch.Tensor) -> None:
        """What deepcopy takes along of a tensor that is no parameter."""
        made.requires_grad_(tensor.requires_grad)
        if tensor.grad is not None:
            made.grad = self.value(tensor.grad)
        if vars(tensor):
            vars(made).update({name: self.value(value) for name, value in vars(tensor).items()})

    def _on_copied_memory(self, tensor: torch.Tensor) -> torch.Tensor:
        """A tensor like it; those on one storage have copies on one storage."""
        storage = tensor.untyped_storage()
        known = self._storages.get(storage._cdata)
        if known is None:
            made = sharing(tensor)
            if made is None and storage.nbytes() == tensor.nbytes:
                made = tensor.detach().clone()
            if made is not None:
                self._storages[storage._cdata] = made.untyped_storage()
                return made
            known = self._storages[storage._cdata] = storage.clone()
        empty = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
        return empty.set_(known, tensor.storage_offset(), tensor.size(), tensor.stride())


@functools.lru_cache(maxsize=4096)
def _copies_plainly(cls: Any) -> bool:
    """Whether deepcopy would do no more with a module of that class than copy its attributes, as for `nn.Module`."""
    theirs = ("__deepcopy__", "__getstate__", "__getnewargs__", "__getnewargs_ex__", "__reduce__", "__reduce_ex__")
    changed = [name for name in theirs if getattr(cls, name, None) is not getattr(torch.nn.Module, name, None)]
    plain = cls.__new__ is object.__new__ and cls not in copyreg.dispatch_table
    return plain and not changed and not copyreg._slotnames(cls)  # type: ignore[attr-defined]


def _counterparts(made: Any, module: torch.nn.Module) -> dict[int, torch.nn.Module]:
    """The originals inside of a module that copied itself, as far as both are built alike."""
    if not isinstance(made, torch.nn.Module):
        return {}
    return {id(one): other for one, other in zip(modules_of(made), modules_of(module), strict=False)}
