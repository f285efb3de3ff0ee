"""`case` patterns -> when they match and when they do not, binding their names on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import classes
from modlint.interpreter.conditions import ALWAYS, NEVER
from modlint.interpreter.expressions import evaluate
from modlint.interpreter.operators import compare
from modlint.interpreter.values import ExtV
from modlint.syntax import ir

if TYPE_CHECKING:
    from modlint.interpreter.conditions import Cond
    from modlint.interpreter.frames import Frame
    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.values import Value

_WHOLE = frozenset(  # classes whose only part by position is the object itself
    f"builtins.{name}"
    for name in ("bool", "bytearray", "bytes", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple")
)


def matches(m: Interpreter, pattern: ir.Pattern, subject: Value, frame: Frame) -> tuple[Cond, Cond]:
    """The conditions under which `subject` matches and does not match."""
    match pattern:
        case ir.MatchValue():
            return m.truth(compare(m, "==", subject, evaluate(m, pattern.value, frame)))
        case ir.MatchBind():
            both = (ALWAYS, NEVER) if pattern.pattern is None else matches(m, pattern.pattern, subject, frame)
            if pattern.name is not None:
                m.set(frame.cells, pattern.name, subject)
            return both
        case ir.MatchOr():
            return _any(m, pattern.patterns, subject, frame)
        case ir.MatchItems():
            return _items(m, pattern.patterns, subject, frame)
        case ir.MatchType():
            return _type(m, pattern, subject, frame)
        case _:
            return _bind_unknown(m, pattern.names, frame)


def _any(m: Interpreter, patterns: tuple[ir.Pattern, ...], subject: Value, frame: Frame) -> tuple[Cond, Cond]:
    true: Cond = NEVER
    false: Cond = ALWAYS
    for pattern in patterns:
        yes, no = matches(m, pattern, subject, frame)
        true, false = m.disjoin(true, yes), m.conjoin(false, no)
    return true, false


def _items(m: Interpreter, patterns: tuple[ir.Pattern, ...], subject: Value, frame: Frame) -> tuple[Cond, Cond]:
    if type(subject) is not tuple:
        return _bind_unknown(m, (), frame)
    if len(subject) != len(patterns):
        return NEVER, ALWAYS
    true: Cond = ALWAYS
    false: Cond = NEVER
    for pattern, item in zip(patterns, subject, strict=True):
        yes, no = matches(m, pattern, item, frame)
        true, false = m.conjoin(true, yes), m.disjoin(false, no)
    return true, false


def _type(m: Interpreter, pattern: ir.MatchType, subject: Value, frame: Frame) -> tuple[Cond, Cond]:
    cls = m.live(evaluate(m, pattern.cls, frame))
    true, false = m.truth(m.is_instance(subject, cls))
    if not true:
        return true, false
    if isinstance(cls, ExtV) and cls.dotted in _WHOLE and len(pattern.positional) == 1:
        yes, no = matches(m, pattern.positional[0], subject, frame)
        return m.conjoin(true, yes), m.disjoin(false, no)
    names = _match_args(m, subject)
    parts = list(pattern.named)
    for index, inner in enumerate(pattern.positional):
        parts.append((names[index] if index < len(names) else "", inner))
    for name, inner in parts:
        value = m.get_attr(subject, name, None) if name else m.unknown("a part of an object")
        yes, no = matches(m, inner, value, frame)
        true, false = m.conjoin(true, yes), m.disjoin(false, no)
    return true, false


def _match_args(m: Interpreter, subject: Value) -> tuple[str, ...]:
    """The attributes that positional patterns stand for, as far as the class tells."""
    cls = getattr(subject, "cls", None)
    given = m.live(classes.find_any(cls, "__match_args__"))
    return given if type(given) is tuple else classes.fields(cls)


def _bind_unknown(m: Interpreter, names: tuple[str, ...], frame: Frame) -> tuple[Cond, Cond]:
    for name in names:
        m.set(frame.cells, name, m.unknown("a pattern"))
    literal = m.literal("matches", m.fresh())
    return m.makes(literal), m.makes(-literal)
