"""Words in the source of a traced model that say an instance is shared on purpose, as the static pass reads them.

In: an instance of a traced graph, whose places are lines and columns of files. Out: what speaks of sharing, or "".
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from modlint.graph import Location
from modlint.interpreter.cues import speaks
from modlint.syntax.source import room_for_recursion
from modlint.syntax.text import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modlint.graph import Instance

_Statement = ast.Assign | ast.AnnAssign | ast.NamedExpr


class Cues:
    """The cues of the files of one model; each file is parsed once."""

    def __init__(self) -> None:
        self._trees: dict[str, tuple[ast.Module, list[str]] | None] = {}

    def of(self, instance: Instance) -> str:
        """What says that the instance is shared: a slot, a variable that it is created for, a condition around it."""
        for slot in instance.slots:
            if speaks(slot.path):
                return f"the name {slot.path!r}"
        places = [instance.created, *(slot.place for slot in instance.slots)]
        found = (cue for place in places if isinstance(place, Location) for cue in self._at(place))
        return next(found, "")

    def _at(self, place: Location) -> Iterator[str]:
        if place.filename not in self._trees:
            self._trees[place.filename] = _parsed(place.filename)
        parsed = self._trees[place.filename]
        if parsed is not None:
            tree, lines = parsed
            node: ast.AST = tree
            for node, parent in _around(tree, place, lines):
                yield from _names(node) if isinstance(node, _Statement) else ()
                yield from _condition(parent, node)
            for part in ast.walk(node) if isinstance(node, ast.expr) else ():  # `[one if share else new() for ...]`
                yield from _condition(part, part.body) if isinstance(part, ast.IfExp) else ()


def _parsed(file: str) -> tuple[ast.Module, list[str]] | None:
    try:
        with open(file, "rb") as stream:
            data = stream.read()
        with room_for_recursion():
            return ast.parse(data), lines_of(data)
    except (OSError, SyntaxError, ValueError, RecursionError):  # it is gone, or is no source (a prompt, a notebook)
        return None


def _around(tree: ast.Module, place: Location, lines: list[str]) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Every node that holds the place, outermost first, with the node that it is a part of."""
    node: ast.AST = tree
    while True:
        inner = next((child for child in ast.iter_child_nodes(node) if _holds(child, place, lines)), None)
        if inner is None:
            return
        yield inner, node
        node = inner


def _holds(node: ast.AST, place: Location, lines: list[str]) -> bool:
    if not isinstance(node, (ast.expr, ast.stmt, ast.comprehension, ast.keyword)):
        return False
    if isinstance(node, ast.comprehension):
        return _holds(node.iter, place, lines)
    end_row, end_offset = node.end_lineno or 0, node.end_col_offset or 0
    begin = (node.lineno, _column(lines, node.lineno, node.col_offset))
    end = (end_row, _column(lines, end_row, end_offset))
    return begin <= (place.row, place.column) and (place.end_row, place.end_column) <= end


def _column(lines: list[str], row: int, offset: int) -> int:
    return len(lines[row - 1].encode()[:offset].decode(errors="ignore")) + 1


def _names(node: _Statement) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
    return (f"the name {name!r}" for name in names if speaks(name))


def _condition(parent: ast.AST, node: ast.AST) -> Iterator[str]:
    """What speaks in the test of a condition of which `node` is a branch."""
    if isinstance(parent, (ast.If, ast.IfExp)) and node is not parent.test:
        for part in ast.walk(parent.test):
            text = part.id if isinstance(part, ast.Name) else part.attr if isinstance(part, ast.Attribute) else None
            text = part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else text
            if text is not None and speaks(text):
                yield f"the condition on {text!r}"
