"""Source that holds tables of data by the megabyte -> the same without them, for libcst to parse.

libcst takes some 600 bytes of memory for each byte of source, and seconds for each hundred kilobytes: a file of 10 MB
would take minutes and 8 GB. What is nearly all of such a file is a literal of constants. In its place stands a name
that nothing defines, so that its value is unknown; rows, and columns behind it, stay as they are.
"""

from __future__ import annotations

import ast
import warnings
from itertools import accumulate
from typing import TYPE_CHECKING

from modlint.syntax.text import encoding_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    _Display = ast.Dict | ast.List | ast.Set | ast.Tuple

_LARGE = 1_000_000  # bytes of a file from which on it is looked through
_BULKY = 100_000  # bytes of a literal
_NAME = b"__literal_left_out__"
_DISPLAYS = (ast.Dict, ast.List, ast.Set, ast.Tuple)
_PLAIN = (*_DISPLAYS, ast.Constant, ast.UnaryOp, ast.unaryop, ast.expr_context)
_BOM = b"\xef\xbb\xbf"


def without_bulk(data: bytes) -> bytes:
    """The source without its very long literals. It is given back as it is where Python cannot read it."""
    if len(data) < _LARGE or encoding_of(data) not in {"utf-8", "utf-8-sig"}:
        return data
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            spans = list(_spans(ast.parse(data), data))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return data
    parts, end = [], 0
    for start, stop in sorted(spans):
        parts += [data[end:start], _blank(data[start:stop])]
        end = stop
    return b"".join([*parts, data[end:]])


def _spans(tree: ast.Module, data: bytes) -> Iterator[tuple[int, int]]:
    """Where the long literals begin and end, in bytes."""
    starts = [0, *accumulate(len(line) + 1 for line in data.split(b"\n"))]
    starts[0] = len(_BOM) if data.startswith(_BOM) else 0
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, _DISPLAYS) and node.end_lineno is not None and node.end_col_offset is not None:
            start = starts[node.lineno - 1] + node.col_offset
            stop = starts[node.end_lineno - 1] + node.end_col_offset
            if stop - start >= _BULKY and data[start : start + 1] in (b"(", b"[", b"{") and _is_plain(node):
                yield start, stop
                continue
        pending.extend(ast.iter_child_nodes(node))


def _is_plain(node: _Display) -> bool:
    """Whether a literal holds constants alone: no name, call or comprehension."""
    return all(isinstance(inner, _PLAIN) for inner in ast.walk(node))


def _blank(literal: bytes) -> bytes:
    rows, last = literal.count(b"\n"), len(literal) - literal.rfind(b"\n") - 1
    if not rows:
        return b"(" + _NAME.ljust(len(literal) - 2) + b")"
    return b"(" + _NAME + b"\n" * rows + b" " * (last - 1) + b")"
