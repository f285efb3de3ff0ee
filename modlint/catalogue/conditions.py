"""Conditions on constructor arguments: a closed subset of Python expressions with three truth values.

In: text such as `track_running_stats and momentum != 0` and the bound arguments. Out: True, False, or None where an
argument that decides is not known. Allowed are parameter names, literals, `and`, `or`, `not` and comparisons.
"""

from __future__ import annotations

import ast
import operator
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping


class Unknown(Enum):
    """An argument of which the source does not tell the value."""

    UNKNOWN = "unknown"
    NOT_NONE = "not None"  # an object: a module, a tensor, a function


UNKNOWN = Unknown.UNKNOWN
NOT_NONE = Unknown.NOT_NONE

Truth: TypeAlias = "bool | None"

ALLOWED = "parameter names, literals, `and`, `or`, `not`, and the comparisons == != < <= > >= in is"

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], object]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


class Condition:
    """One condition, parsed when it is first asked."""

    __slots__ = ("_tree", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._tree: ast.expr | None = None

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"

    def holds(self, arguments: Mapping[str, object]) -> Truth:
        """Whether it holds for these bound arguments; None where that is not known."""
        return _truth(self._parsed(), arguments)

    def names(self) -> frozenset[str]:
        """The parameters that it asks for."""
        return frozenset(node.id for node in ast.walk(self._parsed()) if isinstance(node, ast.Name))

    def fault(self, parameters: Collection[str]) -> str:
        """What is wrong with it, or ""."""
        try:
            tree = self._parsed()
        except SyntaxError:
            return f"{self.text!r} is not an expression; allowed are {ALLOWED}"
        for node in ast.walk(tree):
            if not isinstance(node, _NODES):
                return f"{type(node).__name__} is not allowed in {self.text!r}; allowed are {ALLOWED}"
        stranger = min(self.names() - set(parameters), default="")
        if stranger:
            return (
                f"{stranger!r} in {self.text!r} is not a parameter; the signature has {', '.join(parameters) or 'none'}"
            )
        return ""

    def _parsed(self) -> ast.expr:
        if self._tree is None:
            self._tree = ast.parse(self.text, mode="eval").body
        return self._tree


_NODES = (
    ast.BoolOp, ast.UnaryOp, ast.Compare, ast.Name, ast.Constant, ast.Tuple, ast.List,
    ast.And, ast.Or, ast.Not, ast.USub, ast.Load, ast.cmpop,
)  # fmt: skip


def _truth(node: ast.expr, arguments: Mapping[str, object]) -> Truth:
    match node:
        case ast.BoolOp(op=op, values=values):
            found = [_truth(value, arguments) for value in values]
            decides = isinstance(op, ast.Or)
            if decides in found:
                return decides
            return None if None in found else not decides
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _truth(operand, arguments)
            return None if inner is None else not inner
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            operands = [_value(operand, arguments) for operand in (left, *comparators)]
            found = [_compare(op, operands[i], operands[i + 1]) for i, op in enumerate(ops)]
            return False if False in found else None if None in found else True
        case _:
            value = _value(node, arguments)
            return None if isinstance(value, Unknown) else bool(value)


def _value(node: ast.expr, arguments: Mapping[str, object]) -> object:
    return arguments.get(node.id, UNKNOWN) if isinstance(node, ast.Name) else ast.literal_eval(node)


def _compare(op: ast.cmpop, left: object, right: object) -> Truth:
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        if (
            NOT_NONE in (left, right)
            and None in (left, right)
            and isinstance(op, (ast.Is, ast.IsNot, ast.Eq, ast.NotEq))
        ):
            return isinstance(op, (ast.IsNot, ast.NotEq))
        return None
    try:
        return bool(_COMPARISONS[type(op)](left, right))
    except TypeError:
        return None  # `momentum=None` in `momentum > 0`: the class would raise or means something of its own
