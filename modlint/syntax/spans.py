"""Numbers of nodes -> lines and columns, parsing again only the definitions that hold them.

Decision: what stands in a definition at the margin is located in its own text, which is found by its name. That it is
the right one is not taken for granted: it is lowered once more, and has to give the same statement with the same
numbers. Where it does not, or nothing of the kind is found, the whole file is parsed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from modlint.syntax import ir
from modlint.syntax.lower import Lowerer
from modlint.syntax.pieces import pieces_of
from modlint.syntax.source import SourceError, Span, deep_recursion, locate, positioned, span_of
from modlint.syntax.text import encoding_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    _Definition = ir.FuncDef | ir.ClassDef

_NAMED = re.compile(rb"^(?:async[ \t]+)?(?:def|class)[ \t]+([^\s(:\[]+)", re.MULTILINE)


def located(data: bytes, body: ir.Block, numbers: Sequence[int]) -> dict[int, Span]:
    """The spans of numbered nodes of a file that `parse_source` has lowered to `body`. Raises SourceError."""
    definitions = [statement for statement in body if isinstance(statement, ir.FuncDef | ir.ClassDef)]
    starts = [definition.n for definition in definitions]
    wanted: dict[int, list[int]] = {}
    for number in numbers:
        wanted.setdefault(bisect_right(starts, number) - 1, []).append(number)
    texts = _texts(data, definitions)
    spans: dict[int, Span] = {}
    for index, inside in wanted.items():
        if index in texts:
            spans.update(_within(*texts[index], definitions[index], inside))
    missing = [number for number in numbers if number not in spans]
    return {**spans, **locate(data, missing)} if missing else spans


def _texts(data: bytes, definitions: list[_Definition]) -> dict[int, tuple[bytes, int]]:
    """The text of each definition, by its index, and how many rows stand before it.

    Of several that share a name the first is the first; a name with other texts than definitions is left out.
    """
    if encoding_of(data) not in {"utf-8", "utf-8-sig"}:
        return {}
    found: dict[bytes, list[tuple[bytes, int]]] = {}
    row = 0
    for text in pieces_of(data):
        named = _NAMED.search(text)
        if named is not None:
            found.setdefault(named[1], []).append((text, row))
        row += text.count(b"\n")
    indices: dict[bytes, list[int]] = {}
    for index, definition in enumerate(definitions):
        indices.setdefault(definition.name.encode(), []).append(index)
    texts: dict[int, tuple[bytes, int]] = {}
    for name, there in indices.items():
        if len(there) == len(found.get(name, ())):
            texts.update(zip(there, found[name], strict=True))
    return texts


def _within(text: bytes, row: int, definition: _Definition, numbers: list[int]) -> dict[int, Span]:
    """Where numbered nodes stand in the text of a definition; nothing where it is another's, of what is outside."""
    try:
        with deep_recursion(""):
            module, positions = positioned(text)
            lowerer = Lowerer(record=True)
            lowerer.count = definition.n
            same = lowerer.statements(module.body[:1]) == (definition,)
    except SourceError:
        return {}
    nodes = (lowerer.nodes or []) if same else []
    inside = [number for number in numbers if number < definition.n + len(nodes)]
    return {number: span_of(positions[nodes[number - definition.n]], row) for number in inside}
