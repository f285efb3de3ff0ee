"""The modules that run as part of an unshared model, which of them have run, and their tensors with all copies."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import nn

    from modlint.confirm.journal import State

    Copies = dict[str, tuple[torch.Tensor, ...]]
    Found = dict[str, list[tuple[torch.Tensor, bool]]]  # tensors by name, and whether their module has run


class Ledger:
    """`states` gives the states of a marked instance, and None for any other module."""

    def __init__(self, states: Callable[[nn.Module], list[State] | None]) -> None:
        self.home: dict[int, nn.Module] = {}
        self._states = states
        self._ran: set[int] = set()
        self._versions: dict[int, tuple[torch.Tensor, int]] = {}

    def __contains__(self, module: nn.Module) -> bool:
        return id(module) in self.home

    def welcome(self, module: nn.Module) -> None:
        """A module that is part of the model; whether its tensors change is noted from now on."""
        if module not in self:
            self.home[id(module)] = module
            self.note(vars(module))

    def note(self, state: State) -> None:
        """The tensors of a new copy, as they are before it has run."""
        self._versions.update((id(t), (t, t._version)) for t in own_tensors(state).values())

    def ran(self, module: nn.Module) -> None:
        """The module has been called."""
        self._ran.add(id(module))

    def gathered(self, roots: Iterable[tuple[str, nn.Module]], registry: str, idle: bool = False) -> Copies:
        """The tensors of `_parameters` or `_buffers` below the modules, by name: the original and its copies.

        A tensor that has several names is listed under the first. Left out are buffers that no checkpoint holds, and,
        unless `idle`, the copies that nothing has used: of a head with a norm for each of its uses, the norms that
        did not run in a copy.
        """
        found: Found = defaultdict(list)
        seen: set[int] = set()
        for prefix, module in roots:
            self._gather(module, prefix, registry, found, seen)
        return {name: self._chosen(copies, idle) for name, copies in found.items()}

    def _gather(self, module: nn.Module, prefix: str, registry: str, found: Found, seen: set[int]) -> None:
        if id(module) in seen:
            return
        seen.add(id(module))
        if isinstance(module, torch.jit.ScriptModule):
            named = module.named_parameters() if registry == "_parameters" else module.named_buffers()
            for name, tensor in named:
                found[prefix + name].append((tensor, True))
            return
        states = self._states(module)
        ran = states is not None or id(module) in self._ran
        for state in [vars(module)] if states is None else states:
            for name, tensor in state[registry].items():
                hidden = registry == "_buffers" and name in state["_non_persistent_buffers_set"]
                if tensor is not None and id(tensor) not in seen and not hidden:
                    seen.add(id(tensor))
                    found[prefix + name].append((tensor, ran))
            for name, child in state["_modules"].items():
                if child is not None:
                    self._gather(child, f"{prefix}{name}.", registry, found, seen)

    def _chosen(self, copies: list[tuple[torch.Tensor, bool]], idle: bool) -> tuple[torch.Tensor, ...]:
        used = [tensor for tensor, ran in copies if idle or ran or self._changed(tensor)]
        return tuple(used) or (copies[0][0],)

    def _changed(self, tensor: torch.Tensor) -> bool:
        """Whether the tensor has another value than it came with, or has received a gradient."""
        if tensor.is_leaf and tensor.grad is not None:
            return True
        _, version = self._versions.get(id(tensor), (tensor, None))
        return not tensor.is_inference() and tensor._version != version


def own_tensors(state: State) -> dict[str, torch.Tensor]:
    """The parameters and buffers of a module itself. TorchScript has neither in its state."""
    registered = {**state.get("_parameters", {}), **state.get("_buffers", {})}
    return {name: tensor for name, tensor in registered.items() if tensor is not None and not tensor.is_inference()}
