"""What the catalogue says of one class or function: parameters, traits by arguments, children, forward.

Frozen values; `Entry.bind` and `Entry.classify` turn a call into a `State`, `tell` into the same in plain words.
"""

from __future__ import annotations

from enum import Enum

from modlint.catalogue.conditions import Condition
from modlint.catalogue.signatures import bind, misfit
from modlint.catalogue.telling import WRITING, Facts, Told, joined, of, told, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from dataclasses import dataclass

    from modlint.catalogue.signatures import Param
    from modlint.graph import State
else:
    from modlint.catalogue.records import dataclass

NEVER = Condition("False")


class Forward(str, Enum):
    """What a container's own forward does with the modules it was given."""

    ITSELF = "itself"  # nothing that the catalogue tells: a leaf
    SEQUENTIAL = "sequential"  # runs each in order, each on the output of the one before
    EACH_ONCE = "each-once"  # runs each child once per call
    NONE = "none"  # has no forward: items are taken out and called


class Holds(str, Enum):
    """What kind of container it is."""

    NOTHING = "nothing"  # a leaf
    POSITIONAL = "positional"  # Sequential: its arguments, or one mapping of names
    LIST = "list"  # ModuleList: an iterable of modules
    DICT = "dict"  # ModuleDict: a mapping, or an iterable of pairs
    PARAMETERS = "parameters"  # ParameterList, ParameterDict
    ARGUMENTS = "arguments"  # the modules that `children` names


@dataclass(frozen=True)
class Child:
    """A module that the constructor keeps: `argument` is put at attribute `at`.

    With `copies` (a parameter's name) it is deep-copied that many times into `at.0`, `at.1`, ...; the argument itself
    is not kept. An argument that is no module (None, a function) is no child.
    """

    argument: str
    at: str
    copies: str = ""


@dataclass(frozen=True)
class Entry:
    """One module class (or a function that makes one), as the catalogue knows it."""

    name: str  # canonical dotted name of what is called
    type: str  # the class of the instance: the same, or what an alternative constructor makes
    params: tuple[Param, ...]
    facts: Facts
    holds: Holds = Holds.NOTHING
    forward: Forward = Forward.ITSELF
    children: tuple[Child, ...] = ()
    methods: tuple[str, ...] = ()  # calls of these count as uses, besides calling the instance
    becomes: str = ""  # a lazy class turns into this one when it first runs
    note: str = ""

    @property
    def container(self) -> bool:
        """Whether it runs or holds modules that it was given."""
        return self.holds is not Holds.NOTHING

    def bind(self, args: Sequence[object], kwargs: Mapping[str, object], *, complete: bool = True) -> dict[str, object]:
        """See `signatures.bind`."""
        return bind(self.params, args, kwargs, complete=complete)

    def misfit(self, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
        """See `signatures.misfit`."""
        return misfit(self.params, args, kwargs)

    def classify(self, bound: Mapping[str, object]) -> State:
        """The state of an instance built with these arguments, without the modules that it was given.

        See `Facts.tell` for what an unknown argument does.
        """
        return self.facts.tell(bound).state()


@dataclass(frozen=True)
class Wrapper:
    """A function that is given a module and changes what it is (spectral_norm), or only passes it on."""

    name: str
    params: tuple[Param, ...]
    facts: Facts
    argument: str = "module"  # the parameter that takes the module
    children: tuple[Child, ...] = ()  # further modules that the module keeps from now on
    copied: Condition = NEVER  # returns a changed copy; else the module itself, changed in place
    returns: bool = True  # False: returns nothing, the change is in place
    restores: bool = False  # takes away what such a function added: the module writes nothing any more
    unknown: str = ""  # why the state after it cannot be told
    note: str = ""

    def bind(self, args: Sequence[object], kwargs: Mapping[str, object], *, complete: bool = True) -> dict[str, object]:
        """As `Entry.bind`."""
        return bind(self.params, args, kwargs, complete=complete)

    def misfit(self, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
        """As `Entry.misfit`."""
        return misfit(self.params, args, kwargs)

    def apply(self, state: State, bound: Mapping[str, object]) -> State:
        """The state of the module after the call, from its state before."""
        return self.tell(told(state), bound).state()

    def tell(self, before: Told, bound: Mapping[str, object]) -> Told:
        """As `apply`."""
        if self.unknown:
            return unknown(self.unknown)
        if self.restores:
            return of(before.traits - WRITING, (), before.certain, before.reason)
        added = self.facts.tell(bound)
        if added.kind == "stateless":
            return before
        writes = tuple(filled(name, bound) for name in added.writes)
        return joined(before, [("", Told(added.kind, added.traits, writes, added.certain, added.reason))])


def filled(template: str, bound: Mapping[str, object]) -> str:
    """A path with every `{parameter}` replaced by its argument."""
    for name, value in bound.items():
        template = template.replace(f"{{{name}}}", str(value) if isinstance(value, (str, int)) else "*")
    return template


def join(own: State, children: Iterable[tuple[str, State]]) -> State:
    """See `joined`."""
    return joined(told(own), [(path, told(state)) for path, state in children]).state()
