"""Operators on values of which some are known: numbers and lists -> the result, or UNKNOWN."""

from __future__ import annotations

import _ast
import operator

from modlint.catalogue.conditions import NOT_NONE, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_UNARY: dict[type[_ast.unaryop], Callable[[Any], object]] = {
    _ast.USub: operator.neg,
    _ast.UAdd: operator.pos,
    _ast.Invert: operator.invert,
    _ast.Not: operator.not_,
}
_BINARY: dict[type[_ast.operator], Callable[[Any, Any], object]] = {
    _ast.Add: operator.add,
    _ast.Sub: operator.sub,
    _ast.Mult: operator.mul,
    _ast.Div: operator.truediv,
    _ast.FloorDiv: operator.floordiv,
    _ast.Mod: operator.mod,
    _ast.Pow: operator.pow,
}


def unary(op: _ast.unaryop, value: object) -> object:
    """`-x`, `not x` of a number or constant."""
    if not isinstance(value, (int, float, type(None), str)) or (isinstance(op, _ast.Invert) and type(value) is not int):
        return UNKNOWN
    try:
        return _UNARY[type(op)](value)
    except TypeError:
        return UNKNOWN


def binary(op: _ast.operator, left: object, right: object, most: int) -> object:
    """Arithmetic on numbers, `list * n` of at most `most` items, and `list + list`."""
    if isinstance(left, int) and isinstance(right, (list, tuple)):
        left, right = right, left
    if isinstance(left, (list, tuple)):
        return _of_lists(op, left, right, most)
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)) or type(op) not in _BINARY:
        return UNKNOWN
    if isinstance(op, _ast.Pow) and (abs(left) > 2**16 or abs(right) > 64):
        return NOT_NONE
    try:
        return _BINARY[type(op)](left, right)
    except (ArithmeticError, TypeError):
        return UNKNOWN


def _of_lists(op: _ast.operator, left: Sequence[object], right: object, most: int) -> object:
    if isinstance(op, _ast.Mult) and isinstance(right, int) and len(left) * right <= most:
        return list(left) * right
    if isinstance(op, _ast.Add) and isinstance(right, (list, tuple)):
        return [*left, *right]
    return UNKNOWN


def numbers(bounds: Sequence[Any], most: int) -> object:
    """`range(*bounds)` as a list of at most `most` numbers."""
    try:
        found = range(*bounds)
    except (TypeError, ValueError):
        return UNKNOWN
    return list(found) if found.stop - found.start <= most * abs(found.step) else UNKNOWN
