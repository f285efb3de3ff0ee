"""Calls of library names: builtins, the standard library, torch; then what the catalogue knows; then the unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import (
    builtin_models,
    calls,
    classes,
    iterator_models,
    itertools_models,
    pattern_models,
    setting_models,
    standard_models,
    torch_models,
)
from modlint.interpreter.values import (
    MISSING,
    CallArgs,
    ExtV,
    ModuleObj,
    Value,
)

if TYPE_CHECKING:
    from modlint.interpreter.interpreter import Interpreter

_MODELS = {
    **builtin_models.MODELS,
    **iterator_models.MODELS,
    **itertools_models.MODELS,
    **pattern_models.MODELS,
    **setting_models.MODELS,
    **standard_models.MODELS,
}


def call(m: Interpreter, dotted: str, args: CallArgs) -> Value:
    """Call a library name."""
    model = _MODELS.get(dotted) or torch_models.model_of(dotted)
    if model is not None:
        return model(m, args)
    entry = m.entry(dotted)
    if entry is not None:
        obj = m.new_module(ExtV(dotted), args.site)
        m.library_init(obj, ExtV(dotted), args)
        return obj
    wrapper = m.wrapper(dotted)
    if wrapper is not None:
        return torch_models.wrap(m, wrapper, args)
    method = _unbound(m, dotted, args)
    if method is not MISSING:
        return method
    return _unknown(m, dotted, args)


def _unbound(m: Interpreter, dotted: str, args: CallArgs) -> Value:
    """`Base.method(self, ...)` of a library class."""
    owner, _, name = dotted.rpartition(".")
    receiver = m.live(args.args[0]) if args.args else None
    if not isinstance(receiver, ModuleObj) or not classes.is_module_class(m, ExtV(owner)):
        return MISSING
    rest = args._replace(args=args.args[1:], places=args.places[1:])
    method = m.super_method(receiver, ExtV(owner), name)
    if name == "forward" and m.run is not None and m.run.of(receiver) is None:
        return m.run_module(receiver, method, rest)
    return m.call(method, rest)


def _unknown(m: Interpreter, dotted: str, args: CallArgs) -> Value:
    name = dotted.rpartition(".")[2]
    if name[:1].isupper() and not dotted.startswith("builtins."):
        return _unknown_class(m, dotted, args)
    return calls.unknown_call(m, ExtV(dotted), args)


def _unknown_class(m: Interpreter, dotted: str, args: CallArgs) -> Value:
    """A class that nobody described. Outside of forward it may be a module: its uses are counted, its state unknown."""
    if m.run is not None or m.taint_of(args.args):
        return calls.unknown_call(m, ExtV(dotted), args)
    if dotted.startswith(("torch.", "torchvision.", "timm.", "torchmetrics.")) or "nn" in dotted.split("."):
        m.without_entry[dotted] += 1
    obj = m.new_module(ExtV(dotted), args.site)
    m.set(obj.facts, "unknown-class", True)
    return obj


def is_library_name(dotted: str) -> bool:
    """Whether a model of this name exists."""
    return dotted in _MODELS or torch_models.model_of(dotted) is not None
