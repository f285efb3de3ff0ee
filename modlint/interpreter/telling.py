"""Statements that only tell what happens: logs, warnings, and what decides them. What they read is not state for it.

A counter that is there to be logged outlives the call, and nothing that the model computes depends on it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modlint.interpreter.known_names import CHANGERS, reads
from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS = re.compile(r"(^|_)(log|logs|logger|logging|print|pprint|warn|warning|warnings|writer|tqdm)(_|$)")
_PURE = frozenset({"len", "str", "int", "float", "bool", "round", "max", "min", "sum", "abs", "tuple", "list", "repr"})
_RUNS = ir.Lambda | ir.Walrus | ir.Yield | ir.Await | ir.Comp


def tells(s: ir.Stmt) -> bool:
    """Whether a statement has no effect on what is computed, but for attributes that nothing else may depend on."""
    return _tells(s, frozenset())


def _tells(s: ir.Stmt, asked: frozenset[str]) -> bool:
    """`asked`: the attributes that decide whether the statement is run."""
    match s:
        case ir.ExprStmt(ir.Call(func, args)):
            told = _is_log(func) or _changes(func, asked)
            return told and all(_is_plain(arg.value) for arg in args)
        case ir.If(test, body, orelse):
            asked = asked | frozenset(_attributes(test))
            return _is_plain(test) and all(_tells(one, asked) for one in (*body, *orelse))
        case ir.Assert(test):
            return _is_plain(test)
        case ir.Assign(targets, value):
            return all(_is_one(target, asked) for target in targets) and _is_plain(value)
        case ir.AugAssign(target=target, value=value):
            return _is_one(target, asked) and _is_plain(value)
        case _:
            return False


def _is_log(func: ir.Expr) -> bool:
    while isinstance(func, ir.Attr):
        if _WORDS.search(func.name.lower()):
            return True
        func = func.value
    return isinstance(func, ir.Name) and _WORDS.search(func.id.lower()) is not None


def _changes(func: ir.Expr, asked: frozenset[str]) -> bool:
    """Whether a method of a list, dict or set changes one that decides whether this is run."""
    return isinstance(func, ir.Attr) and func.name in CHANGERS and _is_one(func.value, asked)


def _is_one(target: ir.Expr, asked: frozenset[str]) -> bool:
    return isinstance(target, ir.Attr) and isinstance(target.value, ir.Name) and target.name in asked


def _attributes(node: object) -> Iterator[str]:
    if isinstance(node, ir.Attr):
        yield node.name
    for part in node if isinstance(node, tuple) else ():
        if isinstance(part, tuple):
            yield from _attributes(part)


def _is_plain(node: object) -> bool:
    """Whether evaluating an expression runs nothing of the tree, as far as names tell."""
    if isinstance(node, _RUNS):
        return False
    if isinstance(node, ir.Call):
        func = node.func
        known = func.id in _PURE if isinstance(func, ir.Name) else isinstance(func, ir.Attr) and reads(func.name)
        if not known:
            return False
    return all(_is_plain(part) for part in node if isinstance(part, tuple)) if isinstance(node, tuple) else True
