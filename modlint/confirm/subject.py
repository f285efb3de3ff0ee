"""What the experiment runs: a private copy of the user's model on the device, with its inputs and its loss."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from modlint.confirm.determinism import applied, seed_all
from modlint.confirm.replica import replicate
from modlint.trace.inputs import floating
from modlint.trace.users import user_code

if TYPE_CHECKING:
    from modlint.confirm.determinism import Settings
    from modlint.trace.inputs import Inputs


@dataclass(slots=True)
class Subject:
    """A model and its inputs, ready to be replicated for each run. `executions` counts forward passes of the whole."""

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    input_gradients: bool = True
    executions: int = 0
    notes: list[str] = field(default_factory=list)
    elementwise: dict[str, bool] = field(default_factory=dict)  # by name, what has been found out
    modes: tuple[dict[str, bool], dict[str, bool]] | None = None  # train flags in train and eval mode, of a part

    def set_mode(self, model: nn.Module, mode: bool) -> None:
        """Put `model`, a replica, into train or eval mode, as the whole model does it where this is a part of one."""
        model.train(mode)
        if self.modes is not None:
            flags = self.modes[0 if mode else 1]
            for name, module in model.named_modules():
                module.training = flags.get(name, mode)

    def fresh_inputs(self) -> tuple[tuple[Any, ...], dict[str, Any], list[torch.Tensor]]:
        """Copies of the inputs for one step, and the leaves whose gradients are the input gradients.

        The model is given a clone of each leaf, since a leaf that needs gradients cannot be changed in place.
        """
        leaves: list[torch.Tensor] = []

        def fresh(value: Any) -> Any:
            if not isinstance(value, torch.Tensor):
                return copy.deepcopy(value) if isinstance(value, (list, dict, set)) else value
            copied = value.detach().clone()
            if not (self.input_gradients and (copied.is_floating_point() or copied.is_complex())):
                return copied
            leaves.append(copied.requires_grad_())
            return copied.clone()

        args, kwargs = tree_map(fresh, (self.args, self.kwargs))
        return args, kwargs, leaves


def prepare(
    model: nn.Module, inputs: Inputs, settings: Settings, awaken: bool = True
) -> tuple[Subject, dict[int, Any]]:
    """A subject that shares nothing with `model`, and the map from the user's objects to its own.

    `awaken` fills weights that are zero throughout, behind which nothing can be seen.
    """
    replica, memo = replicate(model)
    with applied(settings):
        with user_code(f"moving {type(model).__name__} to {settings.device}"):
            replica.to(settings.device, settings.dtype)
        args, kwargs = _moved((inputs.args, inputs.named), settings, floating(replica))
        subject = Subject(replica, args, kwargs)
        _materialise(subject)
        if awaken:
            _awaken(subject)
    return subject, memo


def loss_of(outputs: Any, seed: int) -> torch.Tensor | None:
    """A scalar whose gradient with respect to every differentiable output is not trivial; None when there is none.

    The Huber distance to a fixed random target: a plain mean sends zeros back through a normalisation, and a quadratic
    grows without bound over the steps.
    """
    parts = [t for t in leaves_of(outputs) if torch.is_tensor(t) and t.requires_grad and t.numel()]
    if not parts:
        return None
    generator = torch.Generator().manual_seed(seed)
    terms = []
    for part in parts:
        real = torch.view_as_real(part) if part.is_complex() else part
        target = torch.randn(real.shape, generator=generator).to(real)
        terms.append(nn.functional.smooth_l1_loss(real, target))
    return torch.stack([term.to(terms[0]) for term in terms]).sum()


def tensors_in(outputs: Any) -> dict[str, tuple[torch.Tensor, ...]]:
    """The tensors of an output (tensor, tuple, dict, dataclass, any pytree) by position, numbers as tensors."""
    found = {}
    for number, leaf in enumerate(leaves_of(outputs)):
        if torch.is_tensor(leaf):
            found[str(number)] = (leaf,)
        elif isinstance(leaf, (bool, int, float)):
            found[str(number)] = (torch.tensor(leaf, dtype=torch.float64),)
    return found


def leaves_of(outputs: Any) -> list[Any]:
    """Leaves of a pytree; an object that is none, such as a plain dataclass, is taken apart by its attributes."""
    found = []
    for leaf in tree_leaves(outputs):
        fields = getattr(leaf, "__dataclass_fields__", None)
        if fields is not None and not isinstance(leaf, type):
            found += [inner for name in fields for inner in leaves_of(getattr(leaf, name, None))]
        elif hasattr(leaf, "to_tuple"):
            found += leaves_of(leaf.to_tuple())
        else:
            found.append(leaf)
    return found


def _moved(values: Any, settings: Settings, dtype: torch.dtype | None) -> Any:
    def move(value: Any) -> Any:
        if not torch.is_tensor(value):
            return value
        value = value.detach().to(settings.device)
        return value.to(dtype) if dtype is not None and value.is_floating_point() else value

    leaves, spec = tree_flatten(values)
    return tree_unflatten([move(leaf) for leaf in leaves], spec)


def _materialise(subject: Subject) -> None:
    """Lazy modules get their parameters from a first forward pass."""
    if not any(isinstance(module, LazyModuleMixin) for module in subject.model.modules()):
        return
    seed_all(0)
    args, kwargs, _ = subject.fresh_inputs()
    with torch.no_grad(), user_code("the first forward pass of the lazy modules"):
        subject.model(*args, **kwargs)
    subject.executions += 1


def _awaken(subject: Subject) -> None:
    """Fill weights that are zero throughout: behind a zero-initialised scale no effect of anything can be seen."""
    generator = torch.Generator().manual_seed(0)
    asleep = [
        parameter
        for name, parameter in subject.model.named_parameters()
        if not name.endswith("bias")
        and parameter.is_floating_point()
        and parameter.numel()
        and not parameter.detach().any()
    ]
    with torch.no_grad():
        for parameter in asleep:
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    if asleep:
        count = "1 weight that is" if len(asleep) == 1 else f"{len(asleep)} weights that are"
        filled = "was" if len(asleep) == 1 else "were"
        subject.notes.append(f"{count} zero throughout {filled} filled with small random values")
