"""Arguments of a call, by position or by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modlint.interpreter.values import CallArgs, Value


def argument(args: CallArgs, index: int, name: str = "", default: Value = None) -> Value:
    """The argument at a position or with a name, or the default."""
    if len(args.args) > index:
        return args.args[index]
    return args.kwargs.get(name, default)
