"""Functions that keep their results (`functools.lru_cache`): the same arguments give the same object again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modlint.interpreter.conditions import ALWAYS, NEVER, Cond
from modlint.interpreter.values import MISSING, Choice, ExtV, Kept, Sym, Value, is_const

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.values import CallArgs


def remembered(m: Interpreter, kept: Kept, args: CallArgs, call: Callable[[], Value]) -> Value:
    """The result of a call: on the paths on which it was made before, what that gave."""
    key = _key(args)

    def run() -> Value:
        result = _one_answer(m, call(), args)
        m.set(kept, key, result)
        return result

    known = m.live(kept.get(key, MISSING))
    alternatives = known.alts if type(known) is Choice else ((ALWAYS, known),)
    before = [(m.conjoin(m.pc, cond), value) for cond, value in alternatives if value is not MISSING]
    if len(before) == len(alternatives):
        return known
    if not before:
        return run()
    called: Cond = NEVER
    for cond, _ in before:
        called = m.disjoin(called, cond)
    return m.fork([(called, lambda: m.join(before)), (m.conjoin(m.pc, m.negated(called)), run)])


def _key(args: CallArgs) -> Any:
    def of(value: Value) -> Any:
        return (type(value), value) if is_const(value) or isinstance(value, ExtV) else id(value)

    return (tuple(of(v) for v in args.args), tuple(sorted((k, str(of(v))) for k, v in args.kwargs.items())))


def _one_answer(m: Interpreter, result: Value, args: CallArgs) -> Value:
    """Yes on some paths and no on others, as one unknown answer: where it is asked again, it is the same.

    Such functions tell what a platform has. The conditions of one would be part of those of all that is asked after it.
    """
    if type(result) is tuple:
        return tuple(_one_answer(m, item, args) for item in result)
    if type(result) is not Choice or not _is_open([value for _, value in result.alts]):
        return result
    answer = m.unknown("an answer that is kept", m.taint_of(result))
    answer.src = m.src_of(result)
    answer.configured = any(type(v) is Sym and v.configured for v in (*args.args, *args.kwargs.values()))
    return answer


def _is_open(values: list[Value]) -> bool:
    """Whether alternatives tell no more than that a value is not known: yes or no, or constants beside unknown ones."""
    if any(type(value) is Sym for value in values):
        return all(type(value) is Sym or is_const(value) for value in values)
    return all(value is True or value is False for value in values)
