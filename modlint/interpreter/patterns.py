"""`case` patterns -> when they match and when they do not, and what they bind where they match."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from modlint.interpreter import classes
from modlint.interpreter.conditions import ALWAYS, NEVER
from modlint.interpreter.expressions import evaluate
from modlint.interpreter.operators import compare
from modlint.interpreter.values import MISSING, Choice, ClassV, DictObj, ExtV, FuncV, ListObj, Tensor, Value, is_const
from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from modlint.interpreter.conditions import Cond
    from modlint.interpreter.frames import Frame
    from modlint.interpreter.interpreter import Interpreter

_WHOLE = frozenset(  # classes whose only part by position is the object itself
    f"builtins.{name}"
    for name in ("bool", "bytearray", "bytes", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple")
)
_NO_SEQUENCES = (DictObj, frozenset, Tensor, ClassV, FuncV)
_NO_MAPPINGS = (tuple, ListObj, frozenset, Tensor, ClassV, FuncV)

Bound: TypeAlias = "dict[str, Value]"  # what a pattern that matches binds


def matches(m: Interpreter, pattern: ir.Pattern, subject: Value, frame: Frame, bound: Bound) -> tuple[Cond, Cond]:
    """The conditions under which `subject` matches and does not match. What a match binds is added to `bound`."""
    match pattern:
        case ir.MatchValue():
            return m.truth(compare(m, "==", subject, evaluate(m, pattern.value, frame)))
        case ir.MatchBind():
            both = (ALWAYS, NEVER) if pattern.pattern is None else matches(m, pattern.pattern, subject, frame, bound)
            if pattern.name is not None:
                bound[pattern.name] = subject
            return both
        case ir.MatchOr():
            return _any(m, pattern.patterns, subject, frame, bound)
        case ir.MatchItems():
            return _of_each(m, subject, bound, lambda one, names: _items(m, pattern, one, frame, names))
        case ir.MatchEntries():
            return _of_each(m, subject, bound, lambda one, names: _entries(m, pattern, one, frame, names))
        case ir.MatchType():
            return _type(m, pattern, subject, frame, bound)


def _any(
    m: Interpreter, patterns: tuple[ir.Pattern, ...], subject: Value, frame: Frame, bound: Bound
) -> tuple[Cond, Cond]:
    true: Cond = NEVER
    false: Cond = ALWAYS
    found: list[tuple[Cond, Bound]] = []
    for pattern in patterns:
        names: Bound = {}
        yes, no = matches(m, pattern, subject, frame, names)
        found.append((m.conjoin(false, yes), names))
        true, false = m.disjoin(true, yes), m.conjoin(false, no)
    _join(m, found, bound)
    return true, false


def _of_each(
    m: Interpreter, subject: Value, bound: Bound, match: Callable[[Value, Bound], tuple[Cond, Cond]]
) -> tuple[Cond, Cond]:
    """`match` on each alternative of a subject."""
    subject = m.live(subject)
    if type(subject) is not Choice:
        return match(subject, bound)
    true: Cond = NEVER
    false: Cond = NEVER
    found: list[tuple[Cond, Bound]] = []
    for cond, one in subject.alts:
        names: Bound = {}
        yes, no = match(one, names)
        yes = m.conjoin(cond, yes)
        found.append((yes, names))
        true, false = m.disjoin(true, yes), m.disjoin(false, m.conjoin(cond, no))
    _join(m, found, bound)
    return true, false


def _join(m: Interpreter, found: list[tuple[Cond, Bound]], bound: Bound) -> None:
    """What is bound by whichever of several patterns or subjects matches."""
    possible = [(inside, names) for cond, names in found if (inside := m.conjoin(m.pc, cond))]
    for name in dict.fromkeys(name for _, names in possible for name in names):
        bound[name] = m.join([(cond, names[name]) for cond, names in possible if name in names])


def _items(m: Interpreter, pattern: ir.MatchItems, subject: Value, frame: Frame, bound: Bound) -> tuple[Cond, Cond]:
    if _is_no(m, subject, _NO_SEQUENCES):
        return NEVER, ALWAYS
    items = m.live(subject.cells["items"]) if isinstance(subject, ListObj) else subject
    if type(items) is not tuple or MISSING in items or m.is_assumed(subject):
        return _unknown(m, pattern, subject, bound)
    if len(items) < len(pattern.patterns) - 1 or (pattern.star is None and len(items) != len(pattern.patterns)):
        return NEVER, ALWAYS
    if pattern.star is not None:
        end = len(items) - (len(pattern.patterns) - pattern.star - 1)
        items = (*items[: pattern.star], m.new_list(items[pattern.star : end]), *items[end:])
    return _all(m, zip(pattern.patterns, items, strict=True), frame, bound)


def _entries(m: Interpreter, pattern: ir.MatchEntries, subject: Value, frame: Frame, bound: Bound) -> tuple[Cond, Cond]:
    if _is_no(m, subject, _NO_MAPPINGS):
        return NEVER, ALWAYS
    if not isinstance(subject, DictObj) or subject.open:
        return _unknown(m, pattern, subject, bound)
    held = m.dict_items(subject)
    keys = [m.key_of(evaluate(m, key, frame)) for key, _ in pattern.entries]
    values = [m.live(held.get(key, MISSING)) for key in keys]
    if not all(is_const(key) for key in (*keys, *held)) or any(type(value) is Choice for value in values):
        return _unknown(m, pattern, subject, bound)
    if MISSING in values:
        return NEVER, ALWAYS
    if pattern.rest is not None:
        bound[pattern.rest] = m.new_dict({key: value for key, value in held.items() if key not in keys})
    return _all(m, zip((inner for _, inner in pattern.entries), values, strict=True), frame, bound)


def _all(m: Interpreter, parts: Iterable[tuple[ir.Pattern, Value]], frame: Frame, bound: Bound) -> tuple[Cond, Cond]:
    true: Cond = ALWAYS
    false: Cond = NEVER
    for pattern, part in parts:
        yes, no = matches(m, pattern, part, frame, bound)
        true, false = m.conjoin(true, yes), m.disjoin(false, no)
    return true, false


def _is_no(m: Interpreter, subject: Value, kinds: tuple[type, ...]) -> bool:
    """Whether a subject is surely none of what a pattern opens."""
    if isinstance(subject, ListObj) and subject.kind in {"set", "frozenset"}:
        return True
    return subject is MISSING or is_const(subject) or isinstance(subject, kinds)


def _type(m: Interpreter, pattern: ir.MatchType, subject: Value, frame: Frame, bound: Bound) -> tuple[Cond, Cond]:
    cls = m.live(evaluate(m, pattern.cls, frame))
    true, false = m.truth(m.is_instance(subject, cls))
    if not true:
        return true, false
    if isinstance(cls, ExtV) and cls.dotted in _WHOLE and len(pattern.positional) == 1:
        yes, no = matches(m, pattern.positional[0], subject, frame, bound)
        return m.conjoin(true, yes), m.disjoin(false, no)
    names = _match_args(m, subject)
    parts = list(pattern.named)
    for index, inner in enumerate(pattern.positional):
        parts.append((names[index] if index < len(names) else "", inner))
    for name, inner in parts:
        value = m.get_attr(subject, name, None) if name else m.unknown("a part of an object")
        yes, no = matches(m, inner, value, frame, bound)
        true, false = m.conjoin(true, yes), m.disjoin(false, no)
    return true, false


def _match_args(m: Interpreter, subject: Value) -> tuple[str, ...]:
    """The attributes that positional patterns stand for, as far as the class tells."""
    cls = getattr(subject, "cls", None)
    given = m.live(classes.find_any(cls, "__match_args__"))
    return given if type(given) is tuple else classes.fields(cls)


def _unknown(m: Interpreter, pattern: ir.Pattern, subject: Value, bound: Bound) -> tuple[Cond, Cond]:
    """A pattern whose outcome is not known: what it may bind is not known either."""
    for name in _captured(pattern):
        bound[name] = m.unknown("a pattern", m.taint_of(subject))
    literal = m.literal("matches", m.fresh())
    return m.makes(literal), m.makes(-literal)


def _captured(pattern: ir.Pattern) -> Iterator[str]:
    """The names that a pattern binds."""
    inner: tuple[ir.Pattern, ...]
    match pattern:
        case ir.MatchValue():
            return
        case ir.MatchBind():
            if pattern.name is not None:
                yield pattern.name
            inner = () if pattern.pattern is None else (pattern.pattern,)
        case ir.MatchOr() | ir.MatchItems():
            inner = pattern.patterns
        case ir.MatchEntries():
            if pattern.rest is not None:
                yield pattern.rest
            inner = tuple(one for _, one in pattern.entries)
        case ir.MatchType():
            inner = (*pattern.positional, *(one for _, one in pattern.named))
    for one in inner:
        yield from _captured(one)
