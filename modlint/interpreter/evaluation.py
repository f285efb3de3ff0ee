"""`eval(text)`: an expression of names, attributes, constants and calls, as configurations spell layers. Text -> value.

Anything else that a text may hold is unknown. What such an expression builds is built where `eval` stands.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from modlint.interpreter.expressions import lookup
from modlint.interpreter.values import CallArgs, Value

if TYPE_CHECKING:
    from modlint.graph import Site
    from modlint.interpreter.frames import Frame
    from modlint.interpreter.interpreter import Interpreter

_LONGEST = 1000


class _Unfollowed(Exception):
    """The text has something that is not followed."""


def evaluated(m: Interpreter, text: Value, frame: Frame, site: Site) -> Value:
    """What `eval` of a text gives in a frame."""
    return m.split(text, lambda one: _evaluated(m, one, frame, site))


def _evaluated(m: Interpreter, text: Value, frame: Frame, site: Site) -> Value:
    if not isinstance(text, str) or len(text) > _LONGEST:
        return m.unknown("eval of a text that is not known", m.taint_of(text))
    try:
        return _value(m, ast.parse(text.strip(), mode="eval").body, frame, site)
    except (SyntaxError, ValueError, RecursionError, MemoryError, _Unfollowed):
        return m.unknown("eval of a text that is not followed")


def _value(m: Interpreter, node: ast.expr, frame: Frame, site: Site) -> Value:
    match node:
        case ast.Constant(value=constant):
            return constant
        case ast.Name(id=name):
            return m.live(lookup(m, name, frame))
        case ast.Attribute(value=base, attr=name):
            return m.live(m.get_attr(_value(m, base, frame, site), name, site))
        case ast.Tuple(elts=items):
            return tuple(_value(m, item, frame, site) for item in items)
        case ast.List(elts=items):
            return m.new_list(tuple(_value(m, item, frame, site) for item in items))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Call(func=callee, args=args, keywords=keywords):
            if any(isinstance(arg, ast.Starred) for arg in args) or any(word.arg is None for word in keywords):
                raise _Unfollowed
            func = _value(m, callee, frame, site)
            given = tuple(_value(m, arg, frame, site) for arg in args)
            named = {word.arg: _value(m, word.value, frame, site) for word in keywords if word.arg is not None}
            return m.call(func, CallArgs(given, named, site, within=frame.qualname))
        case _:
            raise _Unfollowed
