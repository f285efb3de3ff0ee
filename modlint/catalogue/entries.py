"""What the catalogue says of one class or function: parameters, traits by arguments, children, forward.

In: the table of one entry. Out: frozen values; `Entry.bind` and `Entry.classify` turn a call into a `State`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from modlint.catalogue.conditions import UNKNOWN, Condition, Unknown
from modlint.graph import State, StateClass, Trait

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NEVER = Condition("False")
WRITING = frozenset({Trait.WRITES_TRAIN, Trait.WRITES_EVAL})


class Kind(str, Enum):
    """How a parameter takes its arguments."""

    PLAIN = "plain"  # positional or keyword
    KEYWORD = "keyword"  # keyword only
    POSITIONALS = "positionals"  # *args
    KEYWORDS = "keywords"  # **kwargs


class Required(Enum):
    """The default of a parameter that has none."""

    REQUIRED = "required"


REQUIRED = Required.REQUIRED


class Reference(str):
    """A default that is no literal, by its dotted name: `torch.nn.functional.relu`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a constructor. `default` is a constant, a `Reference` or `REQUIRED`."""

    name: str
    default: object = REQUIRED
    kind: Kind = Kind.PLAIN


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


@dataclass(frozen=True, slots=True)
class Child:
    """A module that the constructor keeps: `argument` is put at attribute `at`.

    With `copies` (a parameter's name) it is deep-copied that many times into `at.0`, `at.1`, ...; the argument itself
    is not kept. An argument that is no module (None, a function) is no child.
    """

    argument: str
    at: str
    copies: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """The conditions under which each trait holds, and the names of what is written under which condition."""

    traits: tuple[tuple[Trait, Condition], ...] = ()
    writes: tuple[tuple[str, Condition], ...] = ()
    rewrites: tuple[tuple[str, Condition], ...] = ()  # written too, but no later call sees what an earlier one wrote

    def definite(self, bound: Mapping[str, object]) -> tuple[dict[Trait, bool | None], list[str]]:
        """The truth of every trait, and the names written where that is known or possible."""
        truths = {trait: condition.holds(bound) for trait, condition in self.traits}
        return truths, [name for name, condition in self.writes if condition.holds(bound) is not False]

    def undecided(self, bound: Mapping[str, object]) -> list[str]:
        """The parameters that leave a trait open, in alphabetical order."""
        open_ = [condition for _, condition in self.traits if condition.holds(bound) is None]
        names = {name for condition in open_ for name in condition.names()}
        return sorted(name for name in names if isinstance(bound.get(name, UNKNOWN), Unknown))


@dataclass(frozen=True, slots=True)
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
        """Values by parameter, defaults filled in. What does not fit is dropped (see `misfit`).

        A parameter without a value is `UNKNOWN`; so is every parameter that got none where the call is not `complete`
        (it has a `*args` or `**kwargs` of unknown content).
        """
        return bind(self.params, args, kwargs, complete=complete)

    def misfit(self, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
        """Why the class would refuse this call, or ""."""
        return misfit(self.params, args, kwargs)

    def classify(self, bound: Mapping[str, object]) -> State:
        """The state of an instance built with these arguments, without the modules that it was given.

        Where an unknown argument decides the class, the strongest possible one is told, with `certain` false; where it
        decides a weaker trait alone, the state is certain and that trait is left out.
        """
        return classified(self.facts, bound)


def classified(facts: Facts, bound: Mapping[str, object]) -> State:
    """See `Entry.classify`."""
    truths, writes = facts.definite(bound)
    definite = State.of(frozenset(trait for trait, truth in truths.items() if truth))
    possible = State.of(frozenset(trait for trait, truth in truths.items() if truth is not False))
    if definite.kind is possible.kind:
        written = tuple(writes) if definite.kind is StateClass.STATEFUL else ()
        return State.of(definite.traits, written)
    reason = f"depends on {', '.join(facts.undecided(bound))}, whose value is not known"
    written = tuple(writes) if possible.kind is StateClass.STATEFUL else ()
    return State.of(possible.traits, written, certain=False, reason=reason)


@dataclass(frozen=True, slots=True)
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
        if self.unknown:
            return State.unknown(self.unknown)
        if self.restores:
            return State.of(state.traits - WRITING, (), state.certain, state.reason)
        added = classified(self.facts, bound)
        if added.kind is StateClass.STATELESS:
            return state
        return join(state, [("", replace(added, writes=tuple(filled(name, bound) for name in added.writes)))])


def filled(template: str, bound: Mapping[str, object]) -> str:
    """A path with every `{parameter}` replaced by its argument."""
    for name, value in bound.items():
        template = template.replace(f"{{{name}}}", str(value) if isinstance(value, (str, int)) else "*")
    return template


def join(own: State, children: Iterable[tuple[str, State]]) -> State:
    """The state of a container from its own and its children's, by path. The strongest class wins.

    The result is certain when a certain part already is the strongest.
    """
    parts = [("", own), *children]
    strongest = max((state for _, state in parts), key=lambda state: (state.kind.rank, state.certain))
    traits = frozenset(trait for _, state in parts for trait in state.traits)
    writes = tuple(f"{path}.{name}" if path else name for path, state in parts for name in state.writes)
    return State(strongest.kind, traits, writes, strongest.certain, strongest.reason)


def bind(
    params: Sequence[Param], args: Sequence[object], kwargs: Mapping[str, object], *, complete: bool
) -> dict[str, object]:
    """See `Entry.bind`."""
    rest, left = list(args), dict(kwargs)
    bound: dict[str, object] = {}
    for param in params:
        if param.kind is Kind.POSITIONALS:
            bound[param.name], rest = tuple(rest), []
        elif param.kind is Kind.KEYWORDS:
            bound[param.name], left = left, {}
        elif param.name in left:
            bound[param.name] = left.pop(param.name)
        elif rest and param.kind is Kind.PLAIN:
            bound[param.name] = rest.pop(0)
        else:
            bound[param.name] = param.default if complete and param.default is not REQUIRED else UNKNOWN
    return bound


def misfit(params: Sequence[Param], args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """See `Entry.misfit`."""
    kinds = {param.kind for param in params}
    plain = [param.name for param in params if param.kind is Kind.PLAIN]
    named = [*plain, *(param.name for param in params if param.kind is Kind.KEYWORD)]
    if Kind.POSITIONALS not in kinds and len(args) > len(plain):
        return f"takes {len(plain)} positional arguments, {len(args)} given"
    if Kind.KEYWORDS not in kinds:
        for name in kwargs:
            if name not in named:
                return f"has no parameter {name!r}; it has {', '.join(named) or 'none'}"
    for name in plain[: len(args)]:
        if name in kwargs:
            return f"gets {name!r} twice"
    needed = [p.name for p in params if p.default is REQUIRED and p.kind in (Kind.PLAIN, Kind.KEYWORD)]
    missing = [name for name in needed if name not in kwargs and name not in plain[: len(args)]]
    return f"lacks the argument {missing[0]!r}" if missing else ""


@cache
def signature(text: str) -> tuple[Param, ...]:
    """The parameters that `text` lists, written as in a def without annotations. Raises SyntaxError or ValueError."""
    arguments = ast.parse(f"lambda {text}: 0", mode="eval").body
    assert isinstance(arguments, ast.Lambda)
    spec = arguments.args
    plain = [*spec.posonlyargs, *spec.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(spec.defaults))
    params = [_param(arg, default) for arg, default in zip(plain, [*defaults, *spec.defaults], strict=True)]
    if spec.vararg:
        params.append(Param(spec.vararg.arg, kind=Kind.POSITIONALS))
    for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        params.append(_param(arg, default, Kind.KEYWORD))
    if spec.kwarg:
        params.append(Param(spec.kwarg.arg, kind=Kind.KEYWORDS))
    return tuple(params)


def _param(arg: ast.arg, default: ast.expr | None, kind: Kind = Kind.PLAIN) -> Param:
    if default is None:
        return Param(arg.arg, REQUIRED, kind)
    if isinstance(default, (ast.Name, ast.Attribute)):
        return Param(arg.arg, Reference(ast.unparse(default)), kind)
    return Param(arg.arg, ast.literal_eval(default), kind)
