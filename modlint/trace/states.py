"""The state class of live instances: the catalogue's entry of the class, overridden by what the instance really is.

A class without an entry of its own is judged by what its forward was measured to do (`Measured`).
"""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modlint.catalogue import NOT_NONE, UNKNOWN
from modlint.graph import State, Trait
from modlint.trace.calls import parametrizations
from modlint.trace.entries import nearest_entry
from modlint.trace.live import type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import torch

    from modlint.catalogue import Entry

_WRITES = frozenset({Trait.WRITES_TRAIN, Trait.WRITES_EVAL})


@dataclass(frozen=True, slots=True)
class Measured:
    """What the executions of one instance did: `writes` are the names that carry state, in train or eval mode.

    `doubt` is the reason why the measurement may be incomplete, or "".
    """

    writes: tuple[str, ...] = ()
    traits: frozenset[Trait] = frozenset()
    doubt: str = ""

    def joined(self, other: Measured) -> Measured:
        """Both measurements of one instance (in train and in eval mode)."""
        writes = tuple(dict.fromkeys((*self.writes, *other.writes)))
        return Measured(writes, self.traits | other.traits, self.doubt or other.doubt)


def own_states(modules: Iterable[torch.nn.Module], measured: Mapping[int, Measured]) -> dict[int, State]:
    """The state of each module without its children, by id."""
    return {id(module): _own(module, measured.get(id(module))) for module in modules}


def _own(module: torch.nn.Module, measured: Measured | None) -> State:
    entry, exact = nearest_entry(type(module))
    traits: frozenset[Trait] = frozenset()
    writes: tuple[str, ...] = ()
    doubt = ""
    if entry is not None and (exact or measured is None or _hides_writes(module)):
        bound = _arguments(module, entry)
        truths, written = entry.facts.definite(bound)
        writes = tuple(name for name in written if _is_there(module, name))
        gone = _WRITES if written and not writes else frozenset()
        traits = frozenset(trait for trait, truth in truths.items() if truth) - gone
        if not traits & _WRITES:
            writes = ()
        if any(truth is None and trait not in {Trait.LEARNABLE, *gone} for trait, truth in truths.items()):
            doubt = f"depends on {', '.join(entry.facts.undecided(bound))}, which the instance does not tell"
    if measured is not None and not exact:
        traits, writes, doubt = traits | measured.traits, (*writes, *measured.writes), measured.doubt
    elif entry is None:
        doubt = f"{type_name(module)} did not run in the trace"
    hooked = _hooked(module)
    traits = (traits - {Trait.LEARNABLE}) | hooked.traits | _learnable(module)
    names = tuple(dict.fromkeys((*writes, *hooked.writes)))
    return State.of(traits, names, certain=not doubt, reason=doubt)


def _hides_writes(module: torch.nn.Module) -> bool:
    """Whether a measurement cannot see what the library's base class writes: on the meta device, or frozen."""
    return not module.training or any(b is not None and b.is_meta for b in module._buffers.values())


def _arguments(module: torch.nn.Module, entry: Entry) -> dict[str, object]:
    """The constructor's arguments as the instance remembers them in attributes of the same name."""
    bound: dict[str, object] = {}
    for parameter in entry.params:
        value = getattr(module, parameter.name, UNKNOWN)
        bound[parameter.name] = _plain(value)
    return bound


def _plain(value: Any) -> object:
    if value is None or isinstance(value, (bool, int, float, str, tuple)) or value is UNKNOWN:
        return value
    return NOT_NONE


def _is_there(module: torch.nn.Module, name: str) -> bool:
    """Whether what the catalogue says is written exists on the instance; a pattern or inner path counts as there."""
    if not name.isidentifier():
        return True
    return getattr(module, name, None) is not None


def _learnable(module: torch.nn.Module) -> frozenset[Trait]:
    own = list(module._parameters.values())
    for part in parametrizations(module):
        own += part._parameters.values()
    trained = any(p is not None and p.requires_grad for p in own)
    return frozenset({Trait.LEARNABLE}) if trained else frozenset()


def _hooked(module: torch.nn.Module) -> Measured:
    """What hooks and parametrizations add: spectral normalisation, old and new, iterates on vectors that it keeps."""
    names: list[str] = []
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, _spectral_hook()):
            names += [f"{hook.name}_u", f"{hook.name}_v"]
    for held in parametrizations(module)[:1]:
        for path, part in held.named_modules():
            names += [f"parametrizations.{path}.{name}" for name in ("_u", "_v") if name in part._buffers]
    traits = frozenset({Trait.WRITES_TRAIN}) if names else frozenset()
    return Measured(tuple(names), traits)


@functools.cache
def _spectral_hook() -> Any:
    return importlib.import_module("torch.nn.utils.spectral_norm").SpectralNorm
