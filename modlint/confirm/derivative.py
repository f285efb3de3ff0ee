"""The gradient that reaches each use of an instance and the one that leaves it: local derivatives, from the backward.

The gradient of a use's input tensor would be the sum over everything that reads it. What this use alone passes back is
read at the edges of the autograd graph between its outputs and its inputs, so nothing is inserted into the graph and
in-place modules work.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.graph import get_gradient_edge
from torch.utils._pytree import tree_leaves

from modlint.confirm.observables import Quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.autograd.graph import Node

    from modlint.confirm.elementwise import Elementwise
    from modlint.confirm.observables import Record

Edge = tuple["Node", int]


@dataclass(slots=True)
class Passage:
    """What backward brought to one use and what the use passed on, for each of its outputs and inputs."""

    elementwise: bool
    arriving: dict[int, torch.Tensor] = field(default_factory=dict)
    leaving: dict[int, torch.Tensor] = field(default_factory=dict)

    def quotient(self) -> torch.Tensor | None:
        """leaving / arriving of an elementwise module; 0/0 is NaN."""
        if not self.elementwise or len(self.arriving) != 1 or len(self.leaving) != 1:
            return None
        ((arriving,), (leaving,)) = self.arriving.values(), self.leaving.values()
        return leaving / arriving if arriving.shape == leaving.shape else None


@dataclass(slots=True)
class _Entry:
    number: int
    edges: list[tuple[int, Edge]]
    newest: int  # the highest sequence number of a node made before the use
    elementwise: bool


class LocalDerivatives:
    """An observer of executions that collects the passage through every use of one forward and backward.

    `elementwise` tells the instances whose derivative is the quotient of the two gradients, as it is for an activation;
    of the others the gradient that leaves is kept.
    """

    def __init__(self, elementwise: Elementwise) -> None:
        self._elementwise = elementwise
        self._watching = True
        self.passages: dict[tuple[str, int], Passage] = {}
        self._count: Counter[str] = Counter()

    def restart(self, watching: bool = True) -> None:
        """A new step begins; one that is not watched costs nothing.

        The gradients of every use take as much memory as the activations do.
        """
        self.passages = {}
        self._count.clear()
        self._watching = watching

    def before(self, name: str, inputs: Any) -> Any:
        """Note where the inputs of this use come from."""
        number = self._count[name]
        self._count[name] += 1
        if not self._watching or not torch.is_grad_enabled():
            return None
        elementwise = self._elementwise(name, inputs)
        edges = [(i, edge) for i, tensor in enumerate(tree_leaves(inputs)) if (edge := _edge(tensor)) is not None]
        return _Entry(number, edges, newest_node(), elementwise)

    def after(self, name: str, token: _Entry | None, output: Any) -> None:
        """Watch the edges of the graph where gradient enters and leaves this use."""
        ends = [(i, edge) for i, tensor in enumerate(tree_leaves(output)) if (edge := _edge(tensor)) is not None]
        if token is None or not ends:
            return
        passage = self.passages[(name, token.number)] = Passage(token.elementwise)
        for number, (node, output_number) in ends:
            node.register_prehook(_keep(passage.arriving, number, output_number))
        wanted = {edge: number for number, edge in token.edges}
        for node in _made_since(token.newest, [node for _, (node, _) in ends]):
            slots = [
                (slot, wanted[edge]) for slot, edge in enumerate(node.next_functions) if edge[0] and edge in wanted
            ]
            if slots:
                node.register_hook(_add(passage.leaving, slots))

    def derivatives(self) -> dict[str, tuple[torch.Tensor, ...]]:
        """By `name[use]` and input: the derivatives of every use that backward has passed through."""
        found: dict[str, tuple[torch.Tensor, ...]] = {}
        for (name, use), passage in sorted(self.passages.items()):
            quotient = passage.quotient()
            if quotient is not None:
                found[f"{name}[{use}]"] = (quotient,)
            else:
                found.update((f"{name}[{use}].{i}", (leaving,)) for i, leaving in sorted(passage.leaving.items()))
        return found


def described(name: str, record: Record) -> tuple[str, ...]:
    """The local derivatives of an elementwise instance in the first step, one text for each use: `use 1: 0.01 to 1`."""
    found = []
    for key, (quotient, *_) in record.tensors.items():
        if key.quantity is Quantity.LOCAL_DERIVATIVES and key.step == 0 and key.name.startswith(f"{name}["):
            number, _, rest = key.name[len(name) + 1 :].partition("]")
            values = quotient[quotient.isfinite()]
            if not rest and values.numel():
                least, most = float(values.min()) + 0.0, float(values.max()) + 0.0  # 0 in the place of -0
                span = f"{least:.3g}" if math.isclose(least, most, rel_tol=1e-5) else f"{least:.3g} to {most:.3g}"
                found.append(f"use {int(number) + 1}: {span}")
    return tuple(found)


def _edge(tensor: Any) -> Edge | None:
    if not isinstance(tensor, torch.Tensor) or not tensor.requires_grad:
        return None
    edge = get_gradient_edge(tensor)
    return edge.node, edge.output_nr


def newest_node() -> int:
    """The number of the last autograd node made on this thread."""
    with torch.enable_grad():
        node = torch.zeros((), requires_grad=True).clone().grad_fn
    return node._sequence_nr() if node is not None else 0


def _made_since(newest: int, ends: list[Node]) -> list[Node]:
    """The nodes that lead to `ends` and are newer than that number. Leaf accumulators end the walk by themselves."""
    seen: set[Node] = set()
    front = list(ends)
    while front:
        node = front.pop()
        if node in seen or node._sequence_nr() <= newest:
            continue
        seen.add(node)
        front.extend(following for following, _ in node.next_functions if following is not None)
    return list(seen)


def _keep(into: dict[int, torch.Tensor], number: int, output_number: int) -> Callable[[Any], None]:
    def prehook(gradients: tuple[torch.Tensor | None, ...]) -> None:
        gradient = gradients[output_number]
        if gradient is not None:
            into[number] = gradient.detach().clone()

    return prehook


def _add(into: dict[int, torch.Tensor], slots: list[tuple[int, int]]) -> Callable[[Any, Any], None]:
    def hook(leaving: tuple[torch.Tensor | None, ...], _arriving: Any) -> None:
        for slot, number in slots:
            gradient = leaving[slot]
            if gradient is not None:
                into[number] = into[number] + gradient if number in into else gradient.detach().clone()

    return hook
