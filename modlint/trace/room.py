"""How much a model may take in weights while it is built. Out: `Outgrown`, on which it is built without weights."""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.modules import module as registers
from torch.nn.parameter import is_lazy

from modlint.errors import ModlintError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Outgrown(ModlintError):
    """The weights of a model take more than there is room for."""


@contextlib.contextmanager
def weights_within(room: int | None) -> Iterator[None]:
    """Within: what models being built hold at the same time is counted, in bytes. Raises Outgrown past `room`.

    Weights are copied for every pass over a model, so that the room for them is a small part of the memory.
    """
    if room is None:
        yield
        return
    count = _Count(room)
    with contextlib.ExitStack() as stack:
        for register in (
            registers.register_module_parameter_registration_hook,
            registers.register_module_buffer_registration_hook,
            registers.register_module_module_registration_hook,  # a copied layer registers none of its parameters
        ):
            stack.callback(register(count.registered).remove)
        yield


class _Count:
    """The bytes of all tensors that were registered and are still alive."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._bytes = 0
        self._seen: dict[int, weakref.ref[torch.Tensor]] = {}

    def registered(self, module: torch.nn.Module, name: str, value: Any) -> None:
        """A registration hook of torch."""
        if isinstance(value, torch.nn.Module):
            for tensor in (*value.parameters(), *value.buffers()):
                self._add(tensor)
        elif isinstance(value, torch.Tensor):
            self._add(value)

    def _add(self, tensor: torch.Tensor) -> None:
        key = id(tensor)
        if key in self._seen or tensor.is_meta or is_lazy(tensor):
            return
        size = tensor.nbytes

        def gone(_: weakref.ref[torch.Tensor]) -> None:
            self._bytes -= size
            self._seen.pop(key, None)

        self._seen[key] = weakref.ref(tensor, gone)
        self._bytes += size
        if self._bytes > self._room:
            raise Outgrown(f"the weights take more than {self._room / 2**30:.2g} GiB")
