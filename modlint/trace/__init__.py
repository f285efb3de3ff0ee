"""The trace room: a live model -> the same UseGraph that the static pass builds.

`modlint.trace(model, *inputs, **keywords)` is the library's door, so the package itself is callable.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from modlint.trace.corridor import trace_model
from modlint.trace.inputs import Inputs
from modlint.trace.traced import TracedGraph

if TYPE_CHECKING:
    import torch

__all__ = ["Inputs", "TracedGraph", "trace", "trace_model"]


def trace(model: torch.nn.Module, *inputs: Any, **keywords: Any) -> TracedGraph:
    """The reuse graph of a model as it really is, in train mode; the model is left as it was.

    `inputs` and `keywords` are forward's; with none given they are the model's `example_input_array` or synthesised.
    Raises ModlintError when forward does not take them or raises. Where torch.fx follows the forward (`tracer` is "fx")
    it is not run, so that tensors of a wrong shape pass unnoticed; `modlint trace` tries them.
    """
    return trace_model(model, Inputs.of(inputs, keywords) if inputs or keywords else None)


class _Callable(ModuleType):
    def __call__(self, model: torch.nn.Module, *inputs: Any, **keywords: Any) -> TracedGraph:
        return trace(model, *inputs, **keywords)


sys.modules[__name__].__class__ = _Callable
