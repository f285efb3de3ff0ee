"""Models of the functions of `re`: computed where pattern and text are known and matching cannot take long."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from modlint.interpreter.values import MISSING, CallArgs, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.interpreter import Interpreter

_LONGEST = 200  # of pattern and text together
_REPEATS = 4  # in a pattern: matching takes the length of the text to that power at most
_NESTED = re.compile(r"\)\s*[*+{]")  # a repeated group, which may take exponentially long


def is_quick(pattern: str, *texts: str) -> bool:
    """Whether matching is bounded by a small power of the length of the text."""
    repeats = sum(pattern.count(sign) for sign in "*+{")
    return len(pattern) + sum(map(len, texts)) <= _LONGEST and repeats <= _REPEATS and not _NESTED.search(pattern)


def _computed(function: Callable[..., Any]) -> Callable[[Interpreter, CallArgs], Value]:
    """A function of strings, and of numbers behind them, that gives a string or a list of strings."""

    def model(m: Interpreter, args: CallArgs) -> Value:
        values = [m.concrete(value) for value in args.args]
        if MISSING in values or args.kwargs:
            return m.data(m.taint_of(args.args), m.src_of(args.args))
        if not is_quick(*(value for value in values if isinstance(value, str))):
            return m.unknown("a pattern that may take long")
        try:
            found = function(*values)
        except (TypeError, ValueError, IndexError, re.error, RecursionError, OverflowError):
            return m.unknown("a pattern or text that re rejects")
        return m.new_list(tuple(found)) if isinstance(found, list) else found

    return model


MODELS: dict[str, Callable[[Any, CallArgs], Value]] = {
    f"re.{function.__name__}": _computed(function) for function in (re.split, re.findall, re.sub, re.escape)
}
