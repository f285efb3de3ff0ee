"""Path conditions: which uses can happen in the same forward pass, and how many of them at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.graph.model import ALWAYS, Condition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modlint.graph.model import Use

WIDEST = 12  # alternatives kept in one condition before it is given up
_STEPS = 4000  # nodes of the search; what is found until then is a count that some path reaches


def conflict(one: frozenset[int], other: frozenset[int]) -> bool:
    """Whether two sets of literals contradict each other."""
    small, large = (one, other) if len(one) < len(other) else (other, one)
    return not large.isdisjoint([-literal for literal in small])


def conjoin(one: Condition, other: Condition) -> Condition:
    """Both conditions hold. Empty where they exclude each other."""
    if one == ALWAYS:
        return other
    if other == ALWAYS:
        return one
    return simplified([a | b for a in one for b in other if not conflict(a, b)])


def disjoin(one: Condition, other: Condition) -> Condition:
    """Either condition holds."""
    return simplified([*one, *other])


def simplified(terms: Sequence[frozenset[int]]) -> Condition:
    """The same disjunction in fewer terms: absorption (a or ab = a) and resolution (ab or a~b = a)."""
    kept: list[frozenset[int]] = sorted(dict.fromkeys(terms), key=lambda term: (len(term), sorted(term)))
    changed = True
    while changed:
        changed = False
        kept = [t for i, t in enumerate(kept) if not any(o < t or (o == t and j < i) for j, o in enumerate(kept))]
        for i, term in enumerate(kept):
            for j in range(i + 1, len(kept)):
                resolved = _resolve(term, kept[j])
                if resolved is not None:
                    kept = [*kept[:i], resolved, *kept[i + 1 : j], *kept[j + 1 :]]
                    changed = True
                    break
            if changed:
                break
    return tuple(sorted(kept, key=lambda term: (len(term), sorted(term))))


def _resolve(one: frozenset[int], other: frozenset[int]) -> frozenset[int] | None:
    if len(one) != len(other):
        return None
    only = one - other
    if len(only) == 1:
        (literal,) = only
        if -literal in other:
            return one - only
    return None


def heaviest(uses: Sequence[Use]) -> list[Use]:
    """The uses that can happen together on one path and run most often in sum, in the order of execution.

    Branch and bound over the distinct conditions. When the search is cut short the answer is still a set of uses that
    can happen together, so a count is never too high.
    """
    if all(use.condition == ALWAYS for use in uses):
        return list(uses)
    groups: dict[Condition, list[Use]] = {}
    for use in uses:
        groups.setdefault(use.condition, []).append(use)
    ordered = sorted(groups.items(), key=lambda group: (len(group[0]), -sum(use.times for use in group[1])))
    weights = [sum(use.times for use in members) for _, members in ordered]
    remaining = [sum(weights[i:]) for i in range(len(weights) + 1)]
    best: tuple[int, tuple[int, ...]] = (0, ())
    stack: list[tuple[int, frozenset[int], int, tuple[int, ...]]] = [(0, frozenset(), 0, ())]
    steps = 0
    while stack and steps < _STEPS:
        steps += 1
        at, assumed, weight, chosen = stack.pop()
        if weight > best[0]:
            best = (weight, chosen)
        if at == len(ordered) or weight + remaining[at] <= best[0]:
            continue
        stack.append((at + 1, assumed, weight, chosen))
        for term in reversed(ordered[at][0]):
            if not conflict(assumed, term):
                stack.append((at + 1, assumed | term, weight + weights[at], (*chosen, at)))
    together = [use for index in best[1] for use in ordered[index][1]]
    return sorted(together, key=lambda use: use.order)
