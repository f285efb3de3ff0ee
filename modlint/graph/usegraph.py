"""UseGraph: instances as nodes, uses as numbered edges from the module that calls to the module that runs.

Callers ask in the words of the field (`uses_of`, `executions`, `reused`); networkx stays behind this facade.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modlint.errors import LogicError
from modlint.graph.paths import heaviest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import networkx

    from modlint.graph.model import Instance, Slot, Use


@dataclass(frozen=True, slots=True)
class Executions:
    """How often an instance runs in one forward pass, on the path where it runs most, and the uses on that path."""

    count: int
    at_least: bool
    uses: tuple[Use, ...]


def together(uses: Sequence[Use]) -> Executions:
    """The uses that can happen in one forward pass and make the largest count."""
    chosen = heaviest(uses)
    return Executions(sum(use.times for use in chosen), any(use.at_least for use in chosen), tuple(chosen))


class UseGraph:
    """Every module instance of one model and every use of it in one forward pass."""

    def __init__(self, model: str, instances: Iterable[Instance] = (), uses: Iterable[Use] = ()) -> None:
        self.model = model
        self._instances: dict[str, Instance] = {}
        self._uses: dict[int, Use] = {}
        self._by_instance: dict[str, list[Use]] = {}
        self._callees: dict[int, list[Use]] = {}
        self._holders: dict[str, str] | None = None  # path -> key, built when it is first asked for
        for instance in instances:
            self.add_instance(instance)
        for use in uses:
            self.add_use(use)

    def add_instance(self, instance: Instance) -> None:
        """Add a node; a second instance with the same key is a fault of the caller's."""
        if instance.key in self._instances:
            raise LogicError(f"instance {instance.key!r} is in the graph already")
        self._instances[instance.key] = instance
        self._by_instance[instance.key] = []
        self._holders = None

    def amend(self, instance: Instance) -> None:
        """Put `instance` in the place of that of the same key and slots."""
        self._instances[instance.key] = instance

    def add_use(self, use: Use) -> None:
        """Add an edge; its instance, and the use that it runs inside, must be in the graph."""
        if use.instance not in self._instances or (use.parent is not None and use.parent not in self._uses):
            raise LogicError(f"use {use.order} of {use.instance!r} has no instance or no parent in the graph")
        self._uses[use.order] = use
        self._by_instance[use.instance].append(use)
        if use.parent is not None:
            self._callees.setdefault(use.parent, []).append(use)

    def instances(self) -> tuple[Instance, ...]:
        """All instances, in the order in which they were added."""
        return tuple(self._instances.values())

    def instance(self, key: str) -> Instance:
        """The instance of that key. Raises KeyError."""
        return self._instances[key]

    def uses(self) -> tuple[Use, ...]:
        """All uses, in the order of execution."""
        return tuple(self._uses.values())

    def use(self, order: int) -> Use:
        """The use of that order. Raises KeyError."""
        return self._uses[order]

    def uses_of(self, key: str) -> tuple[Use, ...]:
        """The uses of one instance, exclusive ones included, in the order of execution."""
        return tuple(self._by_instance[key])

    def executions(self, key: str) -> Executions:
        """Executions of one instance: exclusive branches count by their maximum, loops by their trip count."""
        return together(self._by_instance[key])

    def reused(self) -> tuple[Instance, ...]:
        """The instances with two or more uses on some path."""
        return tuple(i for key, i in self._instances.items() if self.may_repeat(key) and self.executions(key).count > 1)

    def may_repeat(self, key: str) -> bool:
        """Whether an instance has two uses, on one path or on several."""
        uses = self._by_instance[key]
        return len(uses) > 1 or (len(uses) == 1 and uses[0].times > 1)

    def caller_of(self, use: Use) -> Use | None:
        """The use that `use` runs inside."""
        return None if use.parent is None else self._uses[use.parent]

    def ancestors_of(self, use: Use) -> tuple[Use, ...]:
        """The uses that `use` runs inside, innermost first."""
        found = []
        caller = self.caller_of(use)
        while caller is not None:
            found.append(caller)
            caller = self.caller_of(caller)
        return tuple(found)

    def uses_inside(self, use: Use) -> tuple[Use, ...]:
        """The uses that run inside `use`, at any depth, in the order of execution."""
        found = []
        front = list(reversed(self._callees.get(use.order, ())))
        while front:
            found.append(front.pop())
            front.extend(reversed(self._callees.get(found[-1].order, ())))
        return tuple(found)

    def run_inside(self, key: str) -> tuple[Instance, ...]:
        """The other instances that run inside some use of this one, at any depth."""
        found = dict.fromkeys(inner.instance for use in self._by_instance[key] for inner in self.uses_inside(use))
        found.pop(key, None)
        return tuple(self._instances[other] for other in found)

    def attachment(self, path: str) -> tuple[str, str]:
        """Where a path hangs: the key of the instance that holds it ("" for the root) and the name it has there.

        The paths `layers.0.fc` and `layers.1.fc` are one attachment when both layers are one instance.
        """
        if self._holders is None:
            self._holders = {slot.path: i.key for i in self._instances.values() for slot in i.slots}
        prefix, _, name = path.rpartition(".")
        while prefix and prefix not in self._holders:
            prefix, _, middle = prefix.rpartition(".")
            name = f"{middle}.{name}"
        return self._holders.get(prefix, ""), name

    def slots_of(self, instance: Instance) -> tuple[Slot, ...]:
        """The slots that an instance has of its own, not for its holder's being in several: one for each attachment."""
        first: dict[tuple[str, str], Slot] = {}
        for slot in instance.slots:
            first.setdefault(self.attachment(slot.path), slot)
        return tuple(first.values())

    def counts(self) -> Counter[str]:
        """Executions of every instance that runs at all, by key."""
        return Counter({key: self.executions(key).count for key, uses in self._by_instance.items() if uses})

    def networkx(self) -> networkx.MultiDiGraph[str]:
        """The graph itself: a node for each instance, an edge for each use, keyed by its order."""
        import networkx

        graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(model=self.model)
        for instance in self._instances.values():
            graph.add_node(
                instance.key,
                type=instance.type,
                state=instance.state.kind.value,
                paths=[slot.path for slot in instance.slots],
            )
        for use in self._uses.values():
            caller = self.caller_of(use)
            if caller is not None:
                graph.add_edge(
                    caller.instance,
                    use.instance,
                    key=use.order,
                    times=use.times,
                    within=use.within,
                    consumes=list(use.consumes),
                )
        return graph

    def node_link(self) -> dict[str, Any]:
        """The graph as networkx node-link data, ready for `json.dumps`."""
        import networkx

        data: dict[str, Any] = networkx.node_link_data(self.networkx(), edges="edges")
        return data
