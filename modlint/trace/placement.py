"""Which of an instance's slots repeat it: `[m] * n` and loops fill several slots at one place in the source."""

from __future__ import annotations

import ast
import functools
import linecache
from typing import TYPE_CHECKING

from modlint.graph import Location

if TYPE_CHECKING:
    from collections.abc import Sequence


def repeated_places(paths: Sequence[str], places: Sequence[Location | None]) -> list[bool]:
    """For each slot, whether it was filled by the very expression that filled an earlier slot of the same parent."""
    seen: set[tuple[str, Location]] = set()
    result = []
    for path, place in zip(paths, places, strict=True):
        parent, _, _ = path.rpartition(".")
        result.append(place is not None and (parent, place) in seen)
        if place is not None:
            seen.add((parent, place))
    return result


def _items(place: Location) -> list[ast.expr]:
    """The expressions of the items, where a call writes them all out; else nothing."""
    node = _expression(place)
    if not isinstance(node, ast.Call) or node.keywords:
        return []
    items: list[ast.expr] = node.args
    if len(items) == 1:
        match items[0]:
            case ast.List(elts=inner) | ast.Tuple(elts=inner):
                items = inner
            case ast.Dict(values=inner):
                items = inner
            case _:
                return []
    return [] if any(isinstance(item, ast.Starred) for item in items) else items


def item_place(place: Location, index: int, count: int) -> Location:
    """The expression of one item of a container of `count`; the whole call where it does not write them all out."""
    items = _items(place)
    if len(items) != count:
        return place
    node = items[index]
    return Location(
        place.filename,
        node.lineno,
        _column(place.filename, node.lineno, node.col_offset),
        node.end_lineno or node.lineno,
        _column(place.filename, node.end_lineno or node.lineno, node.end_col_offset or 0),
    )


def called_name(place: Location) -> str:
    """The last name or constant key by which a call reaches what it calls: `bn2` in `self.bn2(x)`, or ""."""
    node = _expression(place)
    if not isinstance(node, ast.Call):
        return ""
    match node.func:
        case ast.Attribute(value=ast.Attribute(attr=name) | ast.Name(id=name), attr="forward"):
            return name
        case ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=key)):
            return str(key)
        case _:
            return ""


def _column(filename: str, row: int, offset: int) -> int:
    return len(linecache.getline(filename, row).encode()[:offset].decode(errors="ignore")) + 1


@functools.lru_cache(maxsize=4096)
def _expression(place: Location) -> ast.expr | None:
    tree = _tree(place.filename)
    if tree is None:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.lineno == place.row and node.end_lineno == place.end_row:
            ends = _column(place.filename, place.end_row, node.end_col_offset or 0)
            if _column(place.filename, place.row, node.col_offset) == place.column and ends == place.end_column:
                return node
    return None


@functools.lru_cache(maxsize=64)
def _tree(filename: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(filename)))
    except SyntaxError:
        return None
