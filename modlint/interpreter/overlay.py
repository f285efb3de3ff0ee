"""Several versions of a dict that has grown large -> what they agree on, and where they differ.

Registries have a thousand entries, of which a branch adds one. So nothing here loops over entries in Python.
"""

from __future__ import annotations

from itertools import compress, filterfalse, islice, repeat
from operator import is_, is_not
from typing import TYPE_CHECKING, Any

from modlint.interpreter.values import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modlint.interpreter.values import Value

    Entries = dict[Any, Value]


def overlaid(versions: Sequence[Entries]) -> tuple[Entries, list[Any]]:
    """The entries of all versions, and in their order the keys of which not all have the same value, or have none."""
    first, *others = versions
    whole = dict(first)
    differing: set[Any] = set()
    for other in others:
        whole.update(other)
        differing.update(_differing(first, other))
    return whole, list(filter(differing.__contains__, whole)) if differing else []


def _differing(one: Entries, other: Entries) -> Iterable[Any]:
    common = min(len(one), len(other))
    if all(map(is_, one, other)):  # the one has begun like the other
        yield from compress(one, map(is_not, one.values(), other.values()))
        yield from islice(one, common, None)
        yield from islice(other, common, None)
    else:
        yield from compress(other, map(is_not, other.values(), map(one.get, other, repeat(MISSING))))
        yield from filterfalse(other.__contains__, one)
