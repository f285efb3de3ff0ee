"""Words in the source that say an instance is shared on purpose."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from modlint.syntax import ir
from modlint.syntax.suppressions import denies_sharing

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS = re.compile(
    r"(^|[^a-z])(shared?|sharing|tied?|ties|tying|reused?|siamese|common|recurrent|universal)([^a-z]|$)"
)
_HANDS_ON = frozenset({"enumerate", "iter", "list", "next", "reversed", "tuple"})  # the same items again


@cache
def speaks(text: str) -> bool:
    """Whether a name speaks of sharing: `shared_head`, `tie_weights`, `shareConv`."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()
    return _WORDS.search(snake) is not None and not denies_sharing(snake)


def in_expression(node: object) -> str:
    """What in an expression speaks of sharing, or ""."""
    if isinstance(node, ir.Name) and speaks(node.id):
        return f"the condition on {node.id!r}"
    if isinstance(node, ir.Attr) and speaks(node.name):
        return f"the condition on {node.name!r}"
    if isinstance(node, ir.Const):
        return f"the condition on {node.value!r}" if isinstance(node.value, str) and speaks(node.value) else ""
    if isinstance(node, tuple):
        for part in node:
            found = in_expression(part) if isinstance(part, tuple) else ""
            if found:
                return found
    return ""


def of_holder(source: object) -> str:
    """What speaks of sharing in the name of the container that `shared`, `shared[i]` or `enumerate(shared)` reads."""
    while True:
        if isinstance(source, ir.Name):
            return f"the name {source.id!r}" if speaks(source.id) else ""
        if isinstance(source, ir.Sub | ir.Starred):
            source = source.value
        elif isinstance(source, ir.Call) and len(source.args) == 1 and _hands_on(source.func):
            source = source.args[0].value
        else:
            return ""


def _hands_on(func: ir.Expr) -> bool:
    return isinstance(func, ir.Name) and func.id in _HANDS_ON


def names(node: object) -> Iterator[str]:
    """The names in an expression."""
    if isinstance(node, ir.Name):
        yield node.id
    elif isinstance(node, tuple):
        for part in node:
            if isinstance(part, tuple):
                yield from names(part)
