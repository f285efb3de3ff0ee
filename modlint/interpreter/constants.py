"""Operations on constants, where they stay small enough to follow."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

from modlint.interpreter.values import MISSING, Value, is_const

if TYPE_CHECKING:
    from collections.abc import Callable

ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": operator.lshift,
    ">>": operator.rshift,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
_LARGEST = {"*": 1 << 64, "<<": 128}


def arithmetic(op: str, left: Any, right: Any) -> Value:
    """The operation on two constants; MISSING when it fails or grows too large."""
    if op == "**" and isinstance(right, int | float) and abs(right) > 64:
        return MISSING
    if op == "%" and isinstance(left, str) and any(len(digits) > 3 for digits in re.findall(r"\d+", left)):
        return MISSING
    if op == "*" and (isinstance(left, str | bytes) or isinstance(right, str | bytes)):
        return MISSING
    if op in {"*", "<<"} and any(isinstance(v, int) and abs(v) > _LARGEST[op] for v in (left, right)):
        return MISSING
    try:
        result = ARITHMETIC[op](left, right)
    except (TypeError, ValueError, ArithmeticError, KeyError):
        return MISSING
    return result if is_const(result) and not _big(result) else MISSING


def _big(value: Any) -> bool:
    if isinstance(value, str | bytes):
        return len(value) > 10_000
    return isinstance(value, int) and abs(value) > 1 << 128
