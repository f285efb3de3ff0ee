"""Does a kept attribute matter? One call of a module is run again as it was and with the attribute put back.

In: a module as it was when a call began, with the call's arguments. Out: the names that carry state.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from modlint.trace.copies import COPY_FAILS, computed_copies, copy_of
from modlint.trace.marks import attributes, changed, same, seen_attributes
from modlint.trace.recorded import unshadowed
from modlint.trace.users import UserCodeError, user_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Kept:
    """An instance when a call began, the call's arguments, and its attributes as they were before any forward."""

    module: torch.nn.Module
    values: Any
    first: Mapping[str, Any]
    rng: torch.Tensor


def first_values(module: torch.nn.Module) -> dict[str, Any]:
    """Copies of what a module keeps, before it runs."""
    return {name: _copied(value) for name, value in attributes(module).items()}


def kept(module: torch.nn.Module, values: Any, first: Mapping[str, Any]) -> Kept | None:
    """None where module or arguments do not let themselves be copied."""
    twin = copy_of(module)
    arguments = _copied(values, None)
    return (
        None if twin is None or arguments is None else Kept(unshadowed(twin), arguments, first, torch.get_rng_state())
    )


def carried(one: Kept, names: Iterable[str]) -> set[str] | None:
    """Which of `names` reach the output of this call or of the next one. None when the call cannot be repeated.

    All together first; when that shows an effect, each alone, to tell which.
    """
    plain = _outputs(one, ())
    if plain is None:
        return None
    wanted = sorted(names)
    together = _outputs(one, wanted)
    if together is not None and same(plain, together):
        return set()
    if len(wanted) == 1:
        return set(wanted)
    alone = {name: _outputs(one, [name]) for name in wanted}
    found = {name for name, output in alone.items() if output is not None and not same(plain, output)}
    return found or set(wanted)


def writes_in_eval(one: Kept, names: set[str]) -> bool:
    """Whether the same call in eval mode writes any of the names."""
    twin = copy_of(one.module)
    if twin is None:
        return False
    twin.eval()
    before = seen_attributes(twin)
    return _called(twin, one.values) is not None and bool(changed(before, seen_attributes(twin)) & names)


def is_saved(module: torch.nn.Module, name: str) -> bool:
    """Whether the checkpoint has it: a persistent buffer or a parameter."""
    return name in module._parameters or (name in module._buffers and name not in module._non_persistent_buffers_set)


def _outputs(one: Kept, put_back: Iterable[str]) -> Any:
    """The outputs of two calls in a row; None when the first raises."""
    twin = copy_of(one.module)
    if twin is None:
        return None
    for name in put_back:
        _put_back(twin, name, one.first)
    torch.set_rng_state(one.rng)
    output = _called(twin, one.values)
    return None if output is None else (output, _called(twin, one.values))


def _called(module: torch.nn.Module, values: Any) -> tuple[Any] | None:
    args, kwargs = _copied(values)
    try:
        with user_code("the measurement"):
            return (_copied(module(*args, **kwargs)),)
    except UserCodeError:
        return None


def _put_back(module: torch.nn.Module, name: str, first: Mapping[str, Any]) -> None:
    held = (module._buffers, module._parameters, vars(module))
    space: dict[str, Any] = next((s for s in held if name in s), vars(module))
    if name in first:
        space[name] = _copied(first[name])
    else:
        space.pop(name, None)


_SAME = object()


def _copied(value: Any, otherwise: Any = _SAME) -> Any:
    """A deep copy, computed tensors by value; where something does not let itself be copied, `otherwise` or itself."""
    memo = computed_copies(value)
    try:
        return copy.deepcopy(value, memo)
    except COPY_FAILS:
        return value if otherwise is _SAME else otherwise
