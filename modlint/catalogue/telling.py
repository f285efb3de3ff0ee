"""What the catalogue tells of one instance: a `State` in plain words, and how several make the state of a whole.

The words are the values of `StateClass` and `Trait`, so that a `State` can stand wherever a `Told` does.
"""

from __future__ import annotations

from itertools import islice

from modlint.catalogue.conditions import UNKNOWN, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from dataclasses import dataclass

    from modlint.catalogue.conditions import Condition
    from modlint.graph.model import State, Trait
else:
    from modlint.catalogue.records import dataclass

TRAITS = ("learnable", "draws-train", "draws-eval", "writes-train", "writes-eval")  # in the order of `Trait`
WRITING = frozenset({"writes-train", "writes-eval"})
_DRAWING = frozenset({"draws-train", "draws-eval"})
_MOST_WRITES = 10_000  # names of one whole: modules that are below each other have ever longer ones
_ORDER = ("stateless", "stochastic", "parametric", "unknown", "stateful")  # weakest first, as in `StateClass.rank`


@dataclass(frozen=True)
class Told:
    """A state; see `modlint.graph.State`."""

    kind: str
    traits: frozenset[str] = frozenset()
    writes: tuple[str, ...] = ()
    certain: bool = True
    reason: str = ""

    def state(self) -> State:
        """The same for the rest of modlint."""
        from modlint.graph.model import State, StateClass, Trait

        return State(StateClass(self.kind), frozenset(map(Trait, self.traits)), self.writes, self.certain, self.reason)


def of(traits: frozenset[str], writes: tuple[str, ...] = (), certain: bool = True, reason: str = "") -> Told:
    """The state whose class is the strongest of `traits`."""
    kind = (
        "stateful"
        if traits & WRITING
        else "parametric"
        if "learnable" in traits
        else "stochastic"
        if traits & _DRAWING
        else "stateless"
    )
    return Told(kind, traits, writes, certain, reason)


def unknown(reason: str) -> Told:
    """A state that cannot be told, and why."""
    return Told("unknown", certain=False, reason=reason)


def told(state: State) -> Told:
    """What a `State` says."""
    traits = frozenset(trait.value for trait in state.traits)
    return Told(state.kind.value, traits, state.writes, state.certain, state.reason)


def joined(own: Told, children: Iterable[tuple[str, Told]]) -> Told:
    """The state of a container from its own and its children's, by path. The strongest class wins.

    The result is certain when a certain part already is the strongest.
    """
    parts = [("", own), *children]
    strongest = max((part for _, part in parts), key=lambda part: (_ORDER.index(part.kind), part.certain))
    traits = frozenset(trait for _, part in parts for trait in part.traits)
    writes = dict.fromkeys(f"{path}.{name}" if path else name for path, part in parts for name in part.writes)
    return Told(strongest.kind, traits, tuple(islice(writes, _MOST_WRITES)), strongest.certain, strongest.reason)


@dataclass(frozen=True)
class Facts:
    """The conditions under which each trait holds, and the names of what is written under which condition."""

    traits: tuple[tuple[str, Condition], ...] = ()
    writes: tuple[tuple[str, Condition], ...] = ()
    rewrites: tuple[tuple[str, Condition], ...] = ()  # written too, but no later call sees what an earlier one wrote

    def tell(self, bound: Mapping[str, object]) -> Told:
        """The state for these arguments.

        Where an unknown argument decides the class, the strongest possible one is told, with `certain` false; where it
        decides a weaker trait alone, the state is certain and that trait is left out.
        """
        truths = self._truths(bound)
        definite = of(frozenset(trait for trait, truth in truths.items() if truth))
        possible = of(frozenset(trait for trait, truth in truths.items() if truth is not False))
        certain = definite.kind == possible.kind
        traits = definite.traits if certain else possible.traits
        reason = "" if certain else f"depends on {', '.join(self.undecided(bound))}, whose value is not known"
        return of(traits, self._written(bound) if possible.kind == "stateful" else (), certain, reason)

    def definite(self, bound: Mapping[str, object]) -> tuple[dict[Trait, bool | None], list[str]]:
        """The truth of every trait, and the names written where that is known or possible."""
        from modlint.graph.model import Trait

        return {Trait(trait): truth for trait, truth in self._truths(bound).items()}, list(self._written(bound))

    def undecided(self, bound: Mapping[str, object]) -> list[str]:
        """The parameters that leave a trait open, in alphabetical order."""
        open_ = [condition for _, condition in self.traits if condition.holds(bound) is None]
        names = {name for condition in open_ for name in condition.names()}
        return sorted(name for name in names if isinstance(bound.get(name, UNKNOWN), Unknown))

    def _truths(self, bound: Mapping[str, object]) -> dict[str, bool | None]:
        return {trait: condition.holds(bound) for trait, condition in self.traits}

    def _written(self, bound: Mapping[str, object]) -> tuple[str, ...]:
        return tuple(name for name, condition in self.writes if condition.holds(bound) is not False)
