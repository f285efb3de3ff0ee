"""Functions that cannot matter: given tensors and constants alone they build, hold and call no module and draw nothing.

Running them would cost most of the time spent on functional code, and their result is data either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter import torch_models
from modlint.interpreter.machine import GiveUp
from modlint.interpreter.methods import DRAWING_METHODS
from modlint.interpreter.values import (
    INPUT,
    Choice,
    ClassV,
    DictObj,
    ExtV,
    FuncV,
    ListObj,
    ModuleObj,
    Obj,
    Sym,
    Value,
    is_const,
)
from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.values import CallArgs, PyModule


_MOST_CONDITIONS = 1_000  # that one call of a function of data alone may make


def skippable(m: Interpreter, func: FuncV, args: CallArgs) -> bool:
    """Whether a call in forward gives data and does nothing else that counts."""
    if m.run is None or not _stands_alone(func):
        return False
    values = (*args.args, *args.kwargs.values())
    if not only_data(values) or not any(m.taint_of(v) & INPUT for v in values):
        return False
    return is_plain(m, func)


def boundable(m: Interpreter, func: FuncV, args: CallArgs) -> bool:
    """Whether a call does nothing that counts, so that it may be left undone."""
    return _stands_alone(func) and only_data((*args.args, *args.kwargs.values())) and is_plain(m, func)


def within_bounds(m: Interpreter, run: Callable[[], Value]) -> tuple[Value] | None:
    """What a function of data alone gives, in a tuple; None, and nothing is done, where it branches too much for that.

    What reads and sorts names and settings may have more paths than the model that it is asked for.
    """
    conds, outer, made = m.conds, m.conds.most, m.conds.made
    mark, waiting, before, updated = len(m.journal), len(m.pending), m.pc, m.updated
    conds.most = min(outer, made + _MOST_CONDITIONS)
    try:
        return (run(),)
    except GiveUp:
        if conds.made <= conds.most or conds.most == outer:
            raise
        del m.pending[waiting:]
        m.undo(mark)
        m.pc, m.updated = before, updated
        conds.spared += conds.made - made
        return None
    finally:
        conds.most = outer


def _stands_alone(func: FuncV) -> bool:
    return func.closure is None and func.owner is None and not func.generator


def only_data(values: Iterable[Value]) -> bool:
    """Whether values are constants and unknown data, or tuples of them."""
    return all(_plain_value(value) for value in values)


def open_value(value: Value) -> bool:
    """Whether a value, or a part or an alternative of it, is not known."""
    if type(value) is tuple:
        return any(map(open_value, value))
    if type(value) is Choice:
        return any(open_value(v) for _, v in value.alts)
    return type(value) is Sym


def _plain_value(value: Value) -> bool:
    if type(value) is tuple:
        return all(_plain_value(item) for item in value)
    if type(value) is Choice:
        return all(_plain_value(v) for _, v in value.alts)
    return type(value) is Sym or is_const(value)


def is_plain(m: Interpreter, func: FuncV) -> bool:
    """Whether nothing that the function mentions can build or reach a module, or draw."""
    known = m.plain.get(func.id)
    if known is None:
        with m.learning("plain", func.id, func.node):
            m.plain[func.id] = True  # a recursive call adds nothing
            known = m.plain[func.id] = all(_plain_node(m, func.module, part) for part in (func.node.body, func.params))
    else:
        m.remembered("plain", func.id)
    return known


def _plain_node(m: Interpreter, module: PyModule, node: object) -> bool:
    if isinstance(node, ir.Name):
        return node.n < 0 or _plain_global(m, module, node.id)
    if isinstance(node, ir.Scope | ir.ImportFrom | ir.Import | ir.ClassDef):
        return False
    if isinstance(node, ir.Attr):
        if node.name in DRAWING_METHODS or torch_models.draws(node.name):
            return False
        return _plain_node(m, module, node.value)
    return not isinstance(node, tuple) or all(_plain_node(m, module, p) for p in node if isinstance(p, tuple))


def _plain_global(m: Interpreter, module: PyModule, name: str) -> bool:
    from modlint.interpreter import scope

    m.ask(module.path, name)
    if name not in module.cells:
        return not torch_models.draws(name)
    value = scope.attribute(m, module, name)
    if isinstance(value, FuncV):
        return is_plain(m, value)
    if isinstance(value, ClassV):
        return not value.is_module
    if isinstance(value, ExtV):
        return m.entry(value.dotted) is None and not torch_models.draws(name)
    return not isinstance(value, ModuleObj | ListObj | DictObj | Obj)
