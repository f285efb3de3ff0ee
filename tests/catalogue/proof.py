"""Entry against measurement: what the catalogue says of a case, and every way in which the live module disagrees."""

from __future__ import annotations

import ast
import contextlib
import fnmatch
import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import torch

from catalogue.cases import every
from catalogue.measure import Case, Measured, build, measure
from catalogue.sharing import differing, separate, shared
from modlint.catalogue import NOT_NONE, Catalogue, state_of_expressions
from modlint.graph import StateClass, Trait

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modlint.catalogue import Entry


@cache
def catalogue() -> Catalogue:
    """The catalogue without a user's tables."""
    return Catalogue.load()


@dataclass(frozen=True)
class Claim:
    """What the catalogue says of one case."""

    kind: StateClass
    traits: frozenset[Trait]
    writes: frozenset[str]
    rewrites: frozenset[str]
    certain: bool


def claim(case: Case) -> Claim:
    """The answer of `modlint state` for the expression that builds the module."""
    (answer,) = state_of_expressions([case.expression], catalogue())
    return Claim(
        StateClass(answer["state"]),
        frozenset(map(Trait, answer["traits"])),
        frozenset(answer["writes"]),
        _rewrites(case),
        answer["certain"],
    )


def disagreements(case: Case) -> list[str]:
    """Every observation that contradicts the claim, in words."""
    said = claim(case)
    with warnings.catch_warnings(), _engine(case):
        warnings.simplefilter("ignore")  # deprecations and settings without effect are part of what is measured
        module = build(case)
        seen = measure(case, module)
        found = _of_state(said, seen)
        if not case.unshared:
            found += _of_sharing(said, case, module)
    return found


@contextlib.contextmanager
def _engine(case: Case) -> Iterator[None]:
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = case.engine or before
    try:
        yield
    finally:
        torch.backends.quantized.engine = before


def _of_state(said: Claim, seen: Measured) -> list[str]:
    found = [] if said.certain else ["the claim is not certain although every argument is known"]
    for name in ("traits", "rewrites"):
        claimed, measured = getattr(said, name), getattr(seen, name)
        if claimed != measured:
            found.append(f"{name}: claimed {sorted(claimed)}, measured {sorted(measured)}")
    if not _same_names(said.writes, seen.state):
        found.append(f"writes: claimed {sorted(said.writes)}, measured {sorted(seen.state)}")
    return found


def _same_names(claimed: frozenset[str], measured: frozenset[str]) -> bool:
    """Whether each name fits a claim and each claim a name; `*` in a claim stands for any part of a path."""
    unused = [pattern for pattern in claimed if not fnmatch.filter(measured, pattern)]
    unforeseen = [name for name in measured if not any(fnmatch.fnmatch(name, pattern) for pattern in claimed)]
    return not unused and not unforeseen


def _of_sharing(said: Claim, case: Case, module: object) -> list[str]:
    """One module used twice against copies: equal without parameters and state, set apart by what there is of them."""
    exact = said.kind in {StateClass.STATELESS, StateClass.STOCHASTIC}
    one = shared(case, module)
    free = differing(one, separate(case, module, tied=False), exact=exact, ignored=said.rewrites)
    if exact:
        return [f"sharing shows in {sorted(free)}"] if free else []
    tied = differing(one, separate(case, module, tied=True), exact=False, ignored=said.rewrites)
    if said.kind is StateClass.STATEFUL:
        return [] if tied else ["sharing shows in nothing but the parameters, although it is said to keep state"]
    found = [f"with tied parameters sharing still shows in {sorted(tied)}"] if tied else []
    if one.learned and not free and not said.rewrites:
        found.append("sharing its parameters shows in nothing")
    return found


def _rewrites(case: Case) -> frozenset[str]:
    entry = catalogue().entry(case.entry)
    if entry is None or not entry.facts.rewrites:
        return frozenset()
    bound = arguments(entry, case)
    return frozenset(name for name, condition in entry.facts.rewrites if condition.holds(bound))


def arguments(entry: Entry, case: Case) -> Mapping[str, object]:
    """The literal arguments of a case, bound; of those that are no literals it is known that they are not None."""
    call = ast.parse(case.expression, mode="eval").body
    assert isinstance(call, ast.Call)
    words = {word.arg: _literal(word.value) for word in call.keywords if word.arg is not None}
    return entry.bind([_literal(argument) for argument in call.args], words)


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return NOT_NONE  # a call, or a function by name


@cache
def all_cases() -> tuple[Case, ...]:
    """Every configuration that is measured."""
    return tuple(every())
