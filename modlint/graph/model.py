"""The values of the use graph: what a module instance is, where it sits and each time it runs.

Both front ends (the interpreter and the trace) fill these; nothing in them tells which pass did.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias


class Location(NamedTuple):
    """A span of source text. Rows and columns count from 1, columns in Unicode code points; the end is exclusive."""

    filename: str
    row: int
    column: int
    end_row: int
    end_column: int


class Site(NamedTuple):
    """A span that has not been located yet: the `number`-th numbered node of a file's representation.

    The static pass computes line and column only for what it reports; `findings` turns sites into locations.
    """

    filename: str
    number: int


Place: TypeAlias = Location | Site


class StateClass(str, Enum):
    """What an instance carries from one call to the next, weakest first."""

    STATELESS = "stateless"
    STOCHASTIC = "stochastic"
    PARAMETRIC = "parametric"
    STATEFUL = "stateful"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        """Position in the order of strength. `unknown` is between parametric and stateful when states are joined."""
        return _RANK[self]


_RANK = {
    StateClass.STATELESS: 0,
    StateClass.STOCHASTIC: 1,
    StateClass.PARAMETRIC: 2,
    StateClass.UNKNOWN: 3,
    StateClass.STATEFUL: 4,
}


class Trait(str, Enum):
    """Independent facts of which the state class is the strongest."""

    LEARNABLE = "learnable"  # has parameters that training changes
    DRAWS_TRAIN = "draws-train"  # draws from the global RNG in train mode
    DRAWS_EVAL = "draws-eval"  # draws from the global RNG in eval mode
    WRITES_TRAIN = "writes-train"  # in train mode forward writes state that is read later or saved
    WRITES_EVAL = "writes-eval"  # the same in eval mode


@dataclass(frozen=True, slots=True)
class State:
    """The state class of one instance as configured, its traits and the names of what its forward writes."""

    kind: StateClass
    traits: frozenset[Trait] = frozenset()
    writes: tuple[str, ...] = ()
    certain: bool = True  # False: an argument that decides is not known
    reason: str = ""  # why it is unknown or uncertain

    @staticmethod
    def of(traits: frozenset[Trait], writes: tuple[str, ...] = (), certain: bool = True, reason: str = "") -> State:
        """The state whose class is the strongest of `traits`."""
        if Trait.WRITES_TRAIN in traits or Trait.WRITES_EVAL in traits:
            kind = StateClass.STATEFUL
        elif Trait.LEARNABLE in traits:
            kind = StateClass.PARAMETRIC
        elif Trait.DRAWS_TRAIN in traits or Trait.DRAWS_EVAL in traits:
            kind = StateClass.STOCHASTIC
        else:
            kind = StateClass.STATELESS
        return State(kind, traits, writes, certain, reason)

    @staticmethod
    def unknown(reason: str) -> State:
        """A state that the analysis cannot tell, and why."""
        return State(StateClass.UNKNOWN, certain=False, reason=reason)


STATELESS = State(StateClass.STATELESS)


class Origin(str, Enum):
    """Where the expression that creates an instance stands: decides whether several models share it."""

    CONSTRUCTOR = "constructor"  # anywhere that runs once per model
    DEFAULT_ARGUMENT = "default-argument"
    CLASS_ATTRIBUTE = "class-attribute"
    MODULE_LEVEL = "module-level"


class Manner(str, Enum):
    """How an instance came to sit in a slot."""

    ASSIGNED = "assigned"  # an attribute, an argument of a container, append, add_module, ...
    REPEATED = "repeated"  # `[m] * n`, dict.fromkeys, itertools.repeat, or placed by a loop that did not create it


@dataclass(frozen=True, slots=True)
class Slot:
    """One registered path of an instance, and the expression that put it there."""

    path: str  # "conv1.2"
    place: Place | None = None
    manner: Manner = Manner.ASSIGNED


@dataclass(frozen=True, slots=True)
class Instance:
    """One nn.Module object: statically an allocation site in a calling context, dynamically `id(module)`.

    `state` is the class with all children taken in; `own` that of the instance without its children (for a leaf the
    same). `shared` is a reason to believe that sharing is meant (an intent mark or a cue in the source), or "".
    """

    key: str
    type: str
    state: State
    own: State
    slots: tuple[Slot, ...] = ()
    created: Place | None = None
    origin: Origin = Origin.CONSTRUCTOR
    container: bool = False  # has child modules
    shared: str = ""
    name: str = ""  # how the source calls it, when it has no slot

    @property
    def path(self) -> str:
        """The first slot, or the name in the source when the instance is registered nowhere."""
        return self.slots[0].path if self.slots else self.name


# A path condition in disjunctive form: one of these sets of literals holds. A literal is a condition's number, negative
# where the condition is false. `ALWAYS` holds on every path, an empty tuple on none.
Condition: TypeAlias = tuple[frozenset[int], ...]
ALWAYS: Condition = (frozenset(),)


@dataclass(frozen=True, slots=True)
class Use:
    """One execution of an instance within the forward pass of the root model.

    `parent` is the order of the use that this one runs inside (None for the root's own execution). `times` is how often
    it happens in the whole forward pass where it stands for several runs of a loop, so what runs inside a use that
    happens three times happens three times or more; `at_least` says that this is a lower bound.
    """

    order: int
    instance: str
    parent: int | None
    place: Place | None = None
    within: str = ""  # "Net.forward": the function that the call stands in
    slot: str | None = None  # path of the slot through which the instance was reached, if known
    times: int = 1
    at_least: bool = False
    condition: Condition = ALWAYS
    frozen: bool = False  # the instance is in eval mode at this use, so nothing tracked is written
    recomputed: bool = False  # runs again in backward (activation checkpointing)
    recomputed_by: Place | None = None  # the checkpoint call
    loop: int | None = None  # number of the loop execution that repeats this call site, if any
    consumes: tuple[int, ...] = ()  # orders of the uses whose outputs reach the inputs
