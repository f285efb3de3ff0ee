"""Where the noise comes from: the operations that give other results for equal inputs in two identical runs (ML601).

A training step is followed operation by operation, forward and backward, with a checksum of what goes in and what comes
out. Backward operations are put down to the module whose forward made their autograd node, by sequence number.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from modlint.confirm.derivative import newest_node
from modlint.confirm.determinism import applied, seed_all
from modlint.confirm.outcome import Nondeterministic
from modlint.confirm.replica import replicate
from modlint.confirm.subject import loss_of
from modlint.trace.users import user_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import nn

    from modlint.confirm.determinism import Settings
    from modlint.confirm.subject import Subject

ATTEMPTS = 4  # runs that are compared with the first until a difference shows
_WARNING = re.compile(r"(\S+) does not have a deterministic implementation")


@dataclass(slots=True)
class _Step:
    """One operation as it ran."""

    operation: str
    path: str
    phase: str
    inputs: list[torch.Tensor]
    outputs: list[torch.Tensor]


@dataclass(slots=True)
class _Span:
    """The autograd nodes that one execution of a module made: newer than `first`, up to `last`."""

    path: str
    first: int
    last: int = 0


def locate(subject: Subject, settings: Settings) -> list[Nondeterministic]:
    """The operations that are a source of noise, in the order in which they ran: in a training step, else in eval."""
    for training in (True, False):
        first, _ = _followed(subject, settings, training)
        for _ in range(ATTEMPTS):
            found = _differences(first, _followed(subject, settings, training)[0])
            if found:
                return found if training else [replace(noise, phase="forward in eval mode") for noise in found]
    return []


def warned_operations(subject: Subject, settings: Settings) -> list[Nondeterministic]:
    """The operations that torch says have no deterministic implementation on this device, and who runs them."""
    return _followed(subject, settings)[1]


def operations_in(warned: Iterable[str]) -> list[str]:
    """The operations named by the warnings of `torch.use_deterministic_algorithms(True, warn_only=True)`."""
    matches = [_WARNING.search(text) for text in warned]
    return list(dict.fromkeys(match[1] for match in matches if match is not None))


class Trail(TorchDispatchMode):  # type: ignore[misc]
    """Follows every operation; a module's hooks say where it runs."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.steps: list[_Step] = []
        self.warned: list[Nondeterministic] = []
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._spans: list[_Span] = []
        self._stack: list[_Span] = []
        self._paused = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._paused:
            return func(*args, **kwargs)
        path, phase = self._place()
        inputs = self._checksums((args, kwargs))
        result = func(*args, **kwargs)
        self.steps.append(_Step(_named(func), path, phase, inputs, self._checksums(result)))
        return result

    @contextlib.contextmanager
    def modules(self) -> Iterator[None]:
        """Within this, the module that runs is known, and warnings are put down to it."""
        before = register_module_forward_pre_hook(self._begins)
        after = register_module_forward_hook(self._ends, always_call=True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                warnings.showwarning = self._warns
                yield
        finally:
            before.remove()
            after.remove()

    def _warns(self, message: Warning | str, *_: Any, **__: Any) -> None:
        for operation in operations_in([str(message)]):
            if self._stack or torch._C._current_autograd_node() is not None:
                places = [self._place()]
            else:  # what the threads of backward warn of is told when they are done
                places = [(s.path, s.phase) for s in self.steps if operation.startswith(s.operation.partition(".")[2])]
            for path, phase in places or [("", "backward")]:
                self.warned.append(Nondeterministic(path, operation, phase, "no deterministic implementation"))

    def _begins(self, module: nn.Module, _args: Any) -> None:
        path = self._paths.get(id(module), type(module).__name__)
        self._stack.append(_Span(path, self._newest()))

    def _ends(self, _module: nn.Module, _args: Any, _output: Any) -> None:
        if self._stack:
            span = self._stack.pop()
            span.last = self._newest()
            self._spans.append(span)

    def _newest(self) -> int:
        paused, self._paused = self._paused, True
        try:
            return newest_node()
        finally:
            self._paused = paused

    def _place(self) -> tuple[str, str]:
        node = torch._C._current_autograd_node()
        if node is None or self._stack:  # in forward, or in what backward recomputes
            return (self._stack[-1].path if self._stack else ""), "forward"
        number = node._sequence_nr()
        inside = [span for span in self._spans if span.first < number <= span.last]
        innermost = min(inside, key=lambda span: span.last - span.first, default=None)
        return ("" if innermost is None else innermost.path), "backward"

    def _checksums(self, values: Any) -> list[torch.Tensor]:
        self._paused = True
        try:
            return [checksum(value) for value in tree_leaves(values) if torch.is_tensor(value)]
        finally:
            self._paused = False


def checksum(tensor: torch.Tensor) -> torch.Tensor:
    """A 64-bit checksum of the bits, on the tensor's device. Integer sums do not depend on their order."""
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        tensor = tensor.int_repr()
    flat = tensor.resolve_conj().resolve_neg().reshape(-1).clone(memory_format=torch.contiguous_format)
    bits = flat.view(torch.uint8)
    pad = -bits.numel() % 8
    words = torch.nn.functional.pad(bits, (0, pad)).view(torch.int64)
    weights = torch.arange(1, 2 * words.numel() + 1, 2, device=words.device)
    return (words * weights + (words >> 17)).sum()


def _followed(
    subject: Subject, settings: Settings, training: bool = True
) -> tuple[list[_Step], list[Nondeterministic]]:
    """One training step of a replica, or one forward pass in eval mode, followed."""
    replica, _ = replicate(subject.model)
    subject.set_mode(replica, training)
    trail = Trail(replica)
    with applied(settings), torch.set_grad_enabled(training):
        seed_all(settings.seed)
        args, kwargs, _leaves = subject.fresh_inputs()
        with trail, trail.modules(), user_code("a training step"):
            loss = loss_of(replica(*args, **kwargs), settings.seed)
            if loss is not None:
                loss.backward()
    subject.executions += 1
    return trail.steps, list(dict.fromkeys(trail.warned))


def _differences(one: list[_Step], other: list[_Step]) -> list[Nondeterministic]:
    """Operations with equal inputs and different outputs; where the two runs part ways, the last one before that."""
    found: dict[Nondeterministic, None] = {}
    for a, b in zip(one, other, strict=False):
        if (a.operation, a.path) != (b.operation, b.path):
            found.setdefault(Nondeterministic(a.path, a.operation, a.phase, "the runs take different ways from here"))
            break
        if _equal(a.inputs, b.inputs) and not _equal(a.outputs, b.outputs):
            found.setdefault(Nondeterministic(a.path, a.operation, a.phase, "other results for equal inputs"))
    return list(found)


def _equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(bool((a == b).all()) for a, b in zip(one, other, strict=True))


def _named(func: Any) -> str:
    return str(getattr(func, "_schema", func)).partition("(")[0].replace("::", ".").partition(".out")[0]
