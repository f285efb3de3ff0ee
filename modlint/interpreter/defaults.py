"""The default of a parameter -> its value, where that is known without running the file's top level."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from modlint.interpreter import scope
from modlint.interpreter.values import MISSING, ClassV, ExtV, FuncV, LazyImport, PyModule, Value
from modlint.syntax import ir

if TYPE_CHECKING:
    from modlint.interpreter.interpreter import Interpreter


def known_default(
    m: Interpreter, file: ir.FileIR, module: PyModule, cls: ClassV | None, param: ir.Param, before: FuncV | None
) -> Value:
    """A constant, what the parameter had before under the same dotted name, or a name of a library; else MISSING."""
    constant = _constant(param.default)
    dotted = _dotted(param.default)
    if constant is not MISSING or not dotted:
        return constant
    if before is not None and any(dotted == _dotted(p.default) for p in before.params if p.name == param.name):
        return before.defaults[param.name]
    root, _, rest = dotted.partition(".")
    if cls is not None and root in cls.cells:
        return MISSING
    base = _of_library(m, file, module, root)
    return scope.external(f"{base.dotted}.{rest}") if rest and isinstance(base, ExtV) else base


def speaks(node: object, name: str) -> bool:
    """Whether code that is run with the top level has a name, be it in a string."""
    if isinstance(node, ir.FuncDef):
        return node.name == name or speaks((node.decorators, tuple(p.default for p in node.params)), name)
    return any(speaks(part, name) for part in node) if isinstance(node, tuple) else node == name


def _constant(node: ir.Expr | None) -> Value:
    if isinstance(node, ir.Const):
        return node.value
    if isinstance(node, ir.Sequence) and node.kind == "tuple":
        items = tuple(_constant(item) for item in node.items)
        return MISSING if MISSING in items else items
    return MISSING


def _dotted(node: ir.Expr | None) -> str:
    if isinstance(node, ir.Attr):
        base = _dotted(node.value)
        return base and f"{base}.{node.name}"
    return node.id if isinstance(node, ir.Name) else ""


def _of_library(m: Interpreter, file: ir.FileIR, module: PyModule, name: str) -> Value:
    """What a global name is that one import above all definitions binds, and nothing else at the margin."""
    head = takewhile(lambda s: not isinstance(s, ir.FuncDef | ir.ClassDef), file.body)
    lazy = next((found for found in (_imported(s, name) for s in head) if found is not None), None)
    if lazy is None or sum(_binds(s, name) for s in file.body) > 1:
        return MISSING
    if lazy.level or m.tree.resolve(module.path, lazy.module, 0) is not None:
        return MISSING
    value = scope.resolve(m, module, lazy)
    now = module.cells.get(name)
    return value if now == value or isinstance(now, LazyImport) else MISSING


def _imported(statement: ir.Stmt, name: str) -> LazyImport | None:
    """What an import binds a name to."""
    if isinstance(statement, ir.ImportFrom):
        found = next((one for one, alias in statement.names if (alias or one) == name), None)
        return None if found is None else LazyImport(statement.module, statement.level, found)
    for dotted, alias in statement.names if isinstance(statement, ir.Import) else ():
        first = dotted.split(".")[0]
        if (alias or first) == name:
            return LazyImport(dotted if alias else first, 0, None)
    return None


def _binds(statement: ir.Stmt, name: str) -> bool:
    if isinstance(statement, ir.FuncDef | ir.ClassDef):
        return statement.name == name
    if isinstance(statement, ir.Import | ir.ImportFrom):
        return _imported(statement, name) is not None or _imported(statement, "*") is not None
    return speaks(statement, name)
