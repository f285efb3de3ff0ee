"""The tensors that a model is run on: `--input` specifications, `--inputs module:function`, `example_input_array`.

What nobody gives is synthesised by `modlint.trace.synthesis`. In: strings and a model. Out: `Inputs`.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from modlint.errors import ModlintError
from modlint.trace.target import named
from modlint.trace.users import user_code

if TYPE_CHECKING:
    from collections.abc import Sequence

_SPEC = re.compile(
    r"(?:(?P<dtype>[a-z]+[0-9]*)(?:\[(?P<low>-?[0-9.]+),(?P<high>-?[0-9.]+)\])?:)?(?P<shape>[0-9]+(?:x[0-9]+)*)"
)
_FORM = "write 2x3x32x32, or int64[0,99]:2x16 with a type and a range (both ends included)"
_DTYPES = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
    "complex64": torch.complex64,
    "uint8": torch.uint8,
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "bool": torch.bool,
}


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input tensor: its shape, its type and, where a range is given, its least and greatest value."""

    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    low: float | None = None
    high: float | None = None

    @staticmethod
    def parse(text: str) -> InputSpec:
        """Read `2x3x32x32` or `int64[0,99]:2x16`. Raises ModlintError."""
        match = _SPEC.fullmatch(text.replace(" ", ""))
        if match is None:
            raise ModlintError(f"{text!r} is no input; {_FORM}")
        name = match["dtype"] or "float32"
        if name not in _DTYPES:
            raise ModlintError(f"{text!r}: {name!r} is no type; one of {', '.join(_DTYPES)}")
        low, high = (None, None) if match["low"] is None else (float(match["low"]), float(match["high"]))
        if low is not None and high is not None and low > high:
            raise ModlintError(f"{text!r}: the range is empty; {_FORM}")
        return InputSpec(tuple(int(size) for size in match["shape"].split("x")), _DTYPES[name], low, high)

    def tensor(self, generator: torch.Generator | None = None, device: str | None = None) -> torch.Tensor:
        """A tensor to the specification: normal, or uniform in the range. Integers without a range are 0 or 1."""
        return self._drawn(generator).to(device) if device else self._drawn(generator)

    def _drawn(self, generator: torch.Generator | None) -> torch.Tensor:
        low, high = self.low, self.high
        if self.dtype is torch.bool:
            return torch.ones(self.shape, dtype=torch.bool)
        if not (self.dtype.is_floating_point or self.dtype.is_complex):
            first, last = int(low or 0), int(1 if high is None else high)
            return torch.randint(first, last + 1, self.shape, generator=generator).to(self.dtype)
        if low is None or high is None:
            wide = torch.complex64 if self.dtype.is_complex else torch.float32
            return torch.randn(self.shape, generator=generator, dtype=wide).to(self.dtype)
        return (torch.rand(self.shape, generator=generator) * (high - low) + low).to(self.dtype)

    def __str__(self) -> str:
        shape = "x".join(str(size) for size in self.shape)
        name = str(self.dtype).removeprefix("torch.")
        if self.low is not None and self.high is not None:
            return f"{name}[{self.low:g},{self.high:g}]:{shape}"
        return shape if name == "float32" else f"{name}:{shape}"


@dataclass(frozen=True, slots=True)
class Inputs:
    """Arguments of one forward pass. `described` is one text for each; `origin` says who gave them."""

    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()
    described: tuple[str, ...] = ()
    origin: str = "given"  # "given", "example_input_array" or "synthesised"

    @staticmethod
    def of(args: Sequence[Any], kwargs: dict[str, Any] | None = None, origin: str = "given") -> Inputs:
        """Inputs from the values themselves."""
        named_values = tuple((kwargs or {}).items())
        texts = [described(value) for value in args] + [f"{name}={described(value)}" for name, value in named_values]
        return Inputs(tuple(args), named_values, tuple(texts), origin)

    @property
    def named(self) -> dict[str, Any]:
        """The keyword arguments."""
        return dict(self.kwargs)

    def to(self, device: str | torch.device) -> Inputs:
        """The same inputs with every tensor on `device`."""
        args, kwargs = torch.utils._pytree.tree_map(
            lambda v: v.to(device) if isinstance(v, torch.Tensor) else v, (self.args, self.named)
        )
        return Inputs(args, tuple(kwargs.items()), self.described, self.origin)


def running(model: torch.nn.Module, inputs: Inputs) -> str:
    """What is done when the model runs on the inputs, for messages."""
    return f"the forward pass of {type(model).__name__} on {', '.join(inputs.described) or 'no arguments'}"


def bound(model: torch.nn.Module, inputs: Inputs) -> None:
    """Raises ModlintError where `forward` does not take as many arguments, or none of these names.

    What comes between the call and `forward` (a pre-hook, an own `__call__`, a decorator) may change the arguments:
    nothing is said of those.
    """
    if model._forward_pre_hooks or type(model).__call__ is not torch.nn.Module.__call__:
        return
    try:
        signature = inspect.signature(model.forward, follow_wrapped=False)
    except (TypeError, ValueError):  # not written in Python
        return
    try:
        signature.bind(*inputs.args, **inputs.named)
    except TypeError as error:
        given = ", ".join(inputs.described) or "no arguments"
        name = f"{type(model).__name__}.forward"
        raise ModlintError(f"{name}{signature} does not take {given}: {error}") from error


def floating(model: torch.nn.Module) -> torch.dtype | None:
    """The one floating type of all parameters and buffers."""
    found = {t.dtype for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()}
    return found.pop() if len(found) == 1 else None


def matched(model: torch.nn.Module, inputs: Inputs) -> Inputs:
    """The inputs in the model's own floating type, if it has one: half precision is not asked for in every input."""
    dtype = floating(model)

    def other(value: Any) -> bool:
        return isinstance(value, torch.Tensor) and value.is_floating_point() and value.dtype is not dtype

    values = (inputs.args, inputs.named)
    if dtype is None or not any(map(other, torch.utils._pytree.tree_leaves(values))):
        return inputs
    args, named_values = torch.utils._pytree.tree_map(lambda v: v.to(dtype) if other(v) else v, values)
    return Inputs.of(args, named_values, inputs.origin)


def varied(inputs: Inputs, seed: int = 1) -> Inputs:
    """Other values of the same shapes, types and scale; integers, which may be indices, are turned round instead."""
    generator = seeded(seed)

    def other(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or value.is_meta or value.numel() == 0:
            return value
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=generator).to(value.device, value.dtype)
            return value.detach() + noise * value.detach().float().std(correction=0).to(value.dtype)
        return value.flip(tuple(range(value.dim())))

    args, kwargs = torch.utils._pytree.tree_map(other, (inputs.args, inputs.named))
    return Inputs(args, tuple(kwargs.items()), inputs.described, inputs.origin)


def described(value: Any) -> str:
    """A value as an input specification, or what it is."""
    if isinstance(value, torch.Tensor):
        if value.is_floating_point() or value.dtype in {torch.bool} or value.numel() == 0 or value.is_meta:
            return str(InputSpec(tuple(value.shape), value.dtype))
        if value.is_complex():
            return str(InputSpec(tuple(value.shape), value.dtype))
        return str(InputSpec(tuple(value.shape), value.dtype, float(value.min()), float(value.max())))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(described(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {described(item)}" for key, item in value.items()) + "}"
    return repr(value) if isinstance(value, (bool, int, float, str, type(None))) else type(value).__name__


def seeded(seed: int = 0) -> torch.Generator:
    """A generator of its own, so that drawing inputs leaves the global RNG alone."""
    generator = torch.Generator()
    generator.manual_seed(seed)
    return generator


def from_specs(specs: Sequence[str], seed: int = 0) -> Inputs:
    """Inputs from `--input` texts, drawn from `seed`."""
    generator = seeded(seed)
    parsed = [InputSpec.parse(text) for text in specs]
    return Inputs(tuple(spec.tensor(generator) for spec in parsed), (), tuple(map(str, parsed)))


def from_function(spec: str) -> Inputs:
    """Inputs from `--inputs module:function`: a tensor, a tuple (arguments), a dict (keywords) or (tuple, dict)."""
    function = named(spec)
    if not callable(function):
        raise ModlintError(f"{spec} is a {type(function).__name__}; --inputs names a function that returns the inputs")
    with user_code(f"calling {spec}"):
        value = function()
    return unpacked(value, "given")


def unpacked(value: Any, origin: str) -> Inputs:
    """A tensor, a tuple of arguments, a dict of keywords or (tuple, dict) as Inputs."""
    match value:
        case dict():
            return Inputs.of((), value, origin)
        case (tuple() | list() as args, dict() as kwargs) if all(isinstance(name, str) for name in kwargs):
            return Inputs.of(tuple(args), kwargs, origin)
        case tuple() | list():
            return Inputs.of(tuple(value), None, origin)
        case _:
            return Inputs.of((value,), None, origin)


def example_of(model: torch.nn.Module) -> Inputs | None:
    """The model's own `example_input_array` (Lightning's convention), if it has one."""
    example = getattr(model, "example_input_array", None)
    return None if example is None else unpacked(example, "example_input_array")


def find(model: torch.nn.Module, specs: Sequence[str] = (), function: str | None = None, seed: int = 0) -> Inputs:
    """The inputs of a model: given, its own example, or synthesised.

    Raises ModlintError naming what was tried when nothing fits.
    """
    if specs and function:
        raise ModlintError("--input and --inputs both given; use one of them")
    if specs:
        return from_specs(specs, seed)
    if function:
        return from_function(function)
    example = example_of(model)
    if example is not None:
        return example
    from modlint.trace.synthesis import synthesised

    return synthesised(model, seed)
