"""Which of an instance's slots repeat it: `[m] * n` and loops fill several slots at one place in the source."""

from __future__ import annotations

import ast
import functools
import linecache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modlint.graph import Location


def repeated_places(paths: Sequence[str], places: Sequence[Location | None]) -> list[bool]:
    """For each slot, whether it was filled where an earlier slot of the same parent was, and not named one by one.

    `Sequential(act, conv, act)` fills two slots at one place as well, but the source writes the instance twice.
    """
    seen: set[tuple[str, Location]] = set()
    result = []
    for path, place in zip(paths, places, strict=True):
        parent, _, _ = path.rpartition(".")
        again = place is not None and (parent, place) in seen and not _written_out(place)
        result.append(again)
        if place is not None:
            seen.add((parent, place))
    return result


def _written_out(place: Location) -> bool:
    """Whether the expression is a call or list that names every item itself."""
    node = _expression(place)
    if isinstance(node, ast.Call):
        items = node.args
        if len(items) == 1 and isinstance(items[0], (ast.List, ast.Tuple)):
            items = items[0].elts
        elif len(items) == 1:
            return False
        return not any(isinstance(item, ast.Starred) for item in items)
    return False


@functools.lru_cache(maxsize=4096)
def _expression(place: Location) -> ast.expr | None:
    tree = _tree(place.filename)
    if tree is None:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.lineno == place.row and node.end_lineno == place.end_row:
            line = linecache.getline(place.filename, place.row).encode()
            if len(line[: node.col_offset].decode(errors="ignore")) + 1 == place.column:
                return node
    return None


@functools.lru_cache(maxsize=64)
def _tree(filename: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(filename)))
    except SyntaxError:
        return None
