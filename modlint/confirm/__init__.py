"""The confirm room: a traced model -> evidence, by running it against a copy in which every use has its own instance.

`modlint.confirm(model, *inputs, device=...)` is the library's door, so the package itself is callable.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from modlint.confirm.library import confirm_model, settings_of
from modlint.confirm.outcome import ConfirmResult, Outcome
from modlint.trace.inputs import Inputs

if TYPE_CHECKING:
    import torch

__all__ = ["ConfirmResult", "Outcome", "confirm", "confirm_model"]


def confirm(
    model: torch.nn.Module,
    *inputs: Any,
    device: str = "auto",
    dtype: str | None = None,
    deterministic: bool = True,
    steps: int = 3,
    seed: int = 0,
    **keywords: Any,
) -> ConfirmResult:
    """Run the numeric experiment on a live model, which is left as it was.

    `inputs` and the remaining `keywords` are forward's; with none given they are the model's `example_input_array` or
    synthesised. Raises ModlintError when no inputs fit, the model raises or cannot be copied.
    """
    given = Inputs.of(inputs, keywords) if inputs or keywords else None
    return confirm_model(model, given, settings_of(device, dtype, deterministic, steps, seed))


class _Callable(ModuleType):
    def __call__(self, model: torch.nn.Module, *inputs: Any, **options: Any) -> ConfirmResult:
        return confirm(model, *inputs, **options)


sys.modules[__name__].__class__ = _Callable
