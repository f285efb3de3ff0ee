"""Conditions on constructor arguments: a closed subset of Python expressions with three truth values.

In: text such as `track_running_stats and momentum != 0` and the bound arguments. Out: True, False, or None where an
argument that decides is not known. Allowed are parameter names, literals, `and`, `or`, `not` and comparisons.

Nothing slow is imported here (`ast` and `typing` would be), because `quick` answers with this module alone.
"""

from __future__ import annotations

import _ast
import operator
from enum import Enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import Any


class Unknown(Enum):
    """An argument of which the source does not tell the value."""

    UNKNOWN = "unknown"
    NOT_NONE = "not None"  # an object: a module, a tensor, a function


UNKNOWN = Unknown.UNKNOWN
NOT_NONE = Unknown.NOT_NONE

ALLOWED = "parameter names, literals, `and`, `or`, `not`, and the comparisons == != < <= > >= in is"

_COMPARISONS: dict[type[_ast.cmpop], Callable[[Any, Any], object]] = {
    _ast.Eq: operator.eq,
    _ast.NotEq: operator.ne,
    _ast.Lt: operator.lt,
    _ast.LtE: operator.le,
    _ast.Gt: operator.gt,
    _ast.GtE: operator.ge,
    _ast.In: lambda item, items: item in items,
    _ast.NotIn: lambda item, items: item not in items,
    _ast.Is: operator.is_,
    _ast.IsNot: operator.is_not,
}


class Condition:
    """One condition, parsed when it is first asked."""

    __slots__ = ("_tree", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._tree: _ast.expr | None = None

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"

    def holds(self, arguments: Mapping[str, object]) -> bool | None:
        """Whether it holds for these bound arguments; None where that is not known."""
        return _truth(self._parsed(), arguments)

    def names(self) -> frozenset[str]:
        """The parameters that it asks for."""
        return frozenset(node.id for node in _nodes(self._parsed()) if isinstance(node, _ast.Name))

    def fault(self, parameters: Collection[str]) -> str:
        """What is wrong with it, or ""."""
        try:
            tree = self._parsed()
        except SyntaxError:
            return f"{self.text!r} is not an expression; allowed are {ALLOWED}"
        for node in _nodes(tree):
            if not isinstance(node, _NODES):
                return f"{type(node).__name__} is not allowed in {self.text!r}; allowed are {ALLOWED}"
        stranger = min(self.names() - set(parameters), default="")
        if stranger:
            return (
                f"{stranger!r} in {self.text!r} is not a parameter; the signature has {', '.join(parameters) or 'none'}"
            )
        return ""

    def _parsed(self) -> _ast.expr:
        if self._tree is None:
            self._tree = parsed(self.text)
        return self._tree


_NODES = (
    _ast.BoolOp, _ast.UnaryOp, _ast.Compare, _ast.Name, _ast.Constant, _ast.Tuple, _ast.List,
    _ast.And, _ast.Or, _ast.Not, _ast.USub, _ast.Load, _ast.cmpop,
)  # fmt: skip


def parsed(text: str) -> _ast.expr:
    """The tree of an expression, as `ast.parse` makes it. Raises SyntaxError."""
    tree = compile(text.strip(), "<expression>", "eval", _ast.PyCF_ONLY_AST)
    assert isinstance(tree, _ast.Expression)
    return tree.body


def literal(node: _ast.expr) -> object:
    """The value of a literal, as `ast.literal_eval` gives it. Raises ValueError for anything else."""
    match node:
        case _ast.Constant(value=value):
            return value
        case _ast.UnaryOp(op=_ast.USub(), operand=_ast.Constant(value=int() | float() as value)):
            return -value
        case _ast.Tuple(elts=elements):
            return tuple(map(literal, elements))
        case _ast.List(elts=elements):
            return list(map(literal, elements))
        case _ast.Dict(keys=keys, values=values) if None not in keys:
            return {literal(key): literal(value) for key, value in zip(keys, values, strict=True) if key}
        case _:
            raise ValueError


def _nodes(tree: _ast.AST) -> Iterator[_ast.AST]:
    yield tree
    for field in tree._fields:
        value = getattr(tree, field)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, _ast.AST):
                yield from _nodes(part)


def _truth(node: _ast.expr, arguments: Mapping[str, object]) -> bool | None:
    match node:
        case _ast.BoolOp(op=op, values=values):
            found = [_truth(value, arguments) for value in values]
            decides = isinstance(op, _ast.Or)
            if decides in found:
                return decides
            return None if None in found else not decides
        case _ast.UnaryOp(op=_ast.Not(), operand=operand):
            inner = _truth(operand, arguments)
            return None if inner is None else not inner
        case _ast.Compare(left=left, ops=ops, comparators=comparators):
            operands = [_value(operand, arguments) for operand in (left, *comparators)]
            found = [_compare(op, operands[i], operands[i + 1]) for i, op in enumerate(ops)]
            return False if False in found else None if None in found else True
        case _:
            value = _value(node, arguments)
            return None if isinstance(value, Unknown) else bool(value)


def _value(node: _ast.expr, arguments: Mapping[str, object]) -> object:
    return arguments.get(node.id, UNKNOWN) if isinstance(node, _ast.Name) else literal(node)


def _compare(op: _ast.cmpop, left: object, right: object) -> bool | None:
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        if (
            NOT_NONE in (left, right)
            and None in (left, right)
            and isinstance(op, (_ast.Is, _ast.IsNot, _ast.Eq, _ast.NotEq))
        ):
            return isinstance(op, (_ast.IsNot, _ast.NotEq))
        return None
    try:
        return bool(_COMPARISONS[type(op)](left, right))
    except TypeError:
        return None  # `momentum=None` in `momentum > 0`: the class would raise or means something of its own
