"""Models of what reads settings: the command line and the environment, as of a program that is started without any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modlint.interpreter.arguments import argument
from modlint.interpreter.iteration import iterate
from modlint.interpreter.values import CallArgs, ExtMethod, ExtV, Obj, Sym, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.interpreter import Interpreter

_FLAGS = {"store_true": False, "store_false": True}
_PARTS = ("add_argument_group", "add_mutually_exclusive_group", "add_subparsers", "add_parser")


def _parser(m: Interpreter, args: CallArgs) -> Value:
    """`argparse.ArgumentParser()`. The defaults of its arguments are cells: `#default of NAME`."""
    made = m.new_plain(ExtV("argparse.ArgumentParser"))
    for name, method in _METHODS.items():
        made.cells[name] = ExtMethod(made, name, method)
    return made


def _add_argument(m: Interpreter, receiver: Value, args: CallArgs, name: str) -> Value:
    names = [m.live(one) for one in args.args]
    dest = m.live(argument(args, len(names), "dest"))
    if not isinstance(dest, str):
        texts = [one for one in names if isinstance(one, str)]
        long = next((text for text in texts if text.startswith("--")), texts[0] if texts else "")
        dest = long.lstrip("-").replace("-", "_")
    positional = bool(names) and isinstance(names[0], str) and not names[0].startswith("-")
    given = positional or args.kwargs.get("required") is True
    action = m.live(args.kwargs.get("action"))
    value = args.kwargs.get("default", _FLAGS.get(action) if isinstance(action, str) else None)
    m.set(receiver.cells, f"#default of {dest}", m.symbol("param", receiver.id, dest) if given else value)
    return m.unknown("an argument of a parser")


def _set_defaults(m: Interpreter, receiver: Value, args: CallArgs, name: str) -> Value:
    for dest, value in args.kwargs.items():
        m.set(receiver.cells, f"#default of {dest}", value)
    return None


def _parse(m: Interpreter, receiver: Value, args: CallArgs, name: str) -> Value:
    """What `parse_args` gives where nothing stands on the command line; of given words nothing is read."""
    words = m.live(argument(args, 0, "args"))
    given = words is not None and not (type(words) is Sym or not iterate(m, words))
    made = m.new_plain(ExtV("argparse.Namespace"))
    for key, value in receiver.cells.items():
        _, mark, dest = key.partition("#default of ")
        if mark:
            made.cells[dest] = m.symbol("param", receiver.id, dest) if given else value
    return (made, m.new_list(())) if name == "parse_known_args" else made


def _itself(m: Interpreter, receiver: Value, args: CallArgs, name: str) -> Value:
    return receiver


_METHODS: dict[str, Callable[[Any, Value, CallArgs, str], Value]] = {
    "add_argument": _add_argument,
    "set_defaults": _set_defaults,
    "parse_args": _parse,
    "parse_known_args": _parse,
    **dict.fromkeys(_PARTS, _itself),
}


def namespace(m: Interpreter, args: CallArgs) -> Value:
    """An object with the given attributes."""
    made: Obj = m.new_plain(ExtV("types.SimpleNamespace"))
    made.cells.update({k: v for k, v in args.kwargs.items() if k not in {"*", "**"}})
    return made


def _environment(m: Interpreter, args: CallArgs) -> Value:
    """`os.environ.get(name, default)` where the variable is not set."""
    return argument(args, 1, "default")


MODELS: dict[str, Callable[[Any, CallArgs], Value]] = {
    "argparse.ArgumentParser": _parser,
    "argparse.Namespace": namespace,
    "types.SimpleNamespace": namespace,
    "os.environ.get": _environment,
    "os.getenv": _environment,
}
