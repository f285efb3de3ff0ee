"""Assignments that make an attribute, or an entry of what stands there, from what was there before: updates."""

from __future__ import annotations

from modlint.syntax import ir
from modlint.syntax.kept import is_same_attribute

_MOVES = frozenset(
    {"to", "cuda", "cpu", "type", "type_as", "float", "half", "double", "bfloat16", "contiguous", "detach", "clone"}
)


def updated(s: ir.Assign) -> ir.Attr | None:
    """The attribute whose value an assignment makes from itself: no read that matters apart from it."""
    target = s.targets[0]
    if isinstance(target, ir.Sub) and isinstance(s.value, ir.Binary) and _same_item(target, s.value):
        target = target.value
    found = len(s.targets) == 1 and isinstance(target, ir.Attr) and _updates(target, s.value)
    return target if found and isinstance(target, ir.Attr) else None


def _same_item(target: ir.Sub, value: object) -> bool:
    """Whether an expression has the item that it is assigned to: `self.n[k]`, or `self.n.get(k, 0)`."""
    item = None
    if isinstance(value, ir.Sub):
        item = value.item
    elif isinstance(value, ir.Call) and isinstance(value.func, ir.Attr) and value.func.name == "get" and value.args:
        item = value.args[0].value
    if type(item) is type(target.item) and isinstance(item, ir.Const | ir.Name):
        return _named(item) == _named(target.item)
    return isinstance(value, tuple) and any(_same_item(target, part) for part in value if isinstance(part, tuple))


def _named(item: ir.Expr) -> object:
    return item.id if isinstance(item, ir.Name) else getattr(item, "value", None)


def _updates(target: ir.Attr, value: object) -> bool:
    """Whether `self.x = ...` is made from `self.x`: an update."""
    if is_same_attribute(target, value):
        return True
    if isinstance(value, ir.Lambda):
        return False
    return isinstance(value, tuple) and any(_updates(target, part) for part in value if isinstance(part, tuple))


def moves(target: ir.Expr, value: ir.Expr) -> bool:
    """Whether `self.x = self.x.to(...)` keeps what `self.x` is and changes its place or type at most."""
    while isinstance(value, ir.Call) and isinstance(value.func, ir.Attr) and value.func.name in _MOVES:
        value = value.func.value
    return isinstance(target, ir.Attr) and isinstance(value, ir.Attr) and _updates(target, value)
