"""An instance inside a large model, tried in the smallest module that holds its uses, on what reaches it there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_map

from modlint.confirm.determinism import applied, seed_all
from modlint.confirm.outcome import Aim
from modlint.confirm.replica import replicate
from modlint.confirm.subject import Subject
from modlint.trace.users import user_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from modlint.confirm.determinism import Settings
    from modlint.confirm.outcome import Candidate

WORTH = 0.3  # two runs of the part must cost less than one of the whole


@dataclass(slots=True)
class _Seen:
    """The arguments of the executions of a module, and the modes of everything inside it at the first."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    training: dict[str, bool] = field(default_factory=dict)
    plain: bool = False  # gradients on and no autocast
    executions: int = 0


class Parts:
    """The parts of a subject in which single candidates can be tried. One forward pass in each mode finds all of them.

    Only for library instances: what a user's module keeps may be set up by the callers around it.
    """

    def __init__(self, subject: Subject, candidates: Sequence[Candidate], settings: Settings) -> None:
        self._subject = subject
        self._settings = settings
        self._homes = {
            c.home.name: c.home.module
            for c in candidates
            if c.aim in {Aim.STATE, Aim.PARAMETERS}
            and c.home is not None
            and c.home.share <= WORTH
            and _library(c.module)
        }
        self._seen: tuple[dict[str, _Seen], dict[str, _Seen]] | None = None

    def of(self, candidate: Candidate) -> Subject | None:
        """A subject of the smallest module with that candidate's uses; None where trying the whole model is better."""
        home = candidate.home
        if home is None or home.name not in self._homes or not _library(candidate.module):
            return None
        if self._seen is None:
            self._seen = self._observed(True), self._observed(False)
        train, evaluated = (seen[home.name] for seen in self._seen)
        if train.executions != 1 or evaluated.executions != 1 or not train.plain:
            return None
        part = Subject(home.module, train.args, train.kwargs, self._subject.input_gradients)
        part.modes = (train.training, evaluated.training)
        return part

    def _observed(self, mode: bool) -> dict[str, _Seen]:
        replica, memo = replicate(self._subject.model)
        found = {name: _Seen() for name in self._homes}
        for name, home in self._homes.items():
            memo[id(home)].register_forward_pre_hook(self._noting(found[name]), with_kwargs=True)
        self._subject.set_mode(replica, mode)
        with applied(self._settings), torch.enable_grad(), user_code("a forward pass"):
            seed_all(self._settings.seed)
            args, kwargs, _ = self._subject.fresh_inputs()
            replica(*args, **kwargs)
        self._subject.executions += 1
        return found

    def _noting(self, seen: _Seen) -> Callable[[nn.Module, Any, Any], None]:
        def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            seen.executions += 1
            seen.args, seen.kwargs = tree_map(_kept, (args, kwargs))
            seen.training = {name: part.training for name, part in module.named_modules()}
            seen.plain = torch.is_grad_enabled() and not torch.is_autocast_enabled(self._settings.device.type)

        return note


def _library(module: nn.Module) -> bool:
    return all(type(inner).__module__.startswith("torch.") for inner in module.modules())


def _kept(value: Any) -> Any:
    return value.detach().clone() if torch.is_tensor(value) else value
