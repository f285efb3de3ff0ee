"""What in a file is a model: classes and their entries, functions that build one, instances that nobody holds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from modlint.interpreter import classes
from modlint.interpreter.scope import attribute
from modlint.interpreter.values import BoundV, Choice, ClassV, Descriptor, ExtV, FuncV, ModuleObj, PyModule, Value
from modlint.syntax import ir

if TYPE_CHECKING:
    from modlint.interpreter.interpreter import Interpreter

_OF_A_FAMILY = 2  # functions that are run, of all that call the same


def classes_of(module: PyModule) -> list[ClassV]:
    """The classes that a file defines at its top level and inside of those, as they stand."""
    found: list[ClassV] = []

    def visit(cells: dict[str, Value]) -> None:
        for value in list(cells.values()):
            for one in (v for _, v in value.alts) if type(value) is Choice else (value,):
                if isinstance(one, ClassV) and one.module is module and one not in found:
                    found.append(one)
                    visit(one.cells)

    visit(module.cells)
    return sorted(found, key=lambda cls: cls.node.n)


def entries(m: Interpreter, cls: ClassV) -> list[str]:
    """The methods that are run of a class: `forward`, and what Lightning calls."""
    found = ["forward"] if _callable(m, cls) else []
    lightning = any(isinstance(base, ExtV) and base.dotted.endswith("LightningModule") for base in cls.mro)
    if lightning and isinstance(classes.find_any(cls, "training_step"), FuncV):
        found.append("training_step")
    return found


def _callable(m: Interpreter, cls: ClassV) -> bool:
    if classes.defines_forward(m, cls) or isinstance(classes.find_any(cls, "__call__"), FuncV):
        return True
    init = classes.find_any(cls, "__init__")
    if not isinstance(init, FuncV):
        return False
    m.use(init.node)
    return _sets_forward(init.node)


def _sets_forward(node: object) -> bool:
    """Whether a constructor assigns `self.forward`."""
    if isinstance(node, ir.Assign) and any(isinstance(t, ir.Attr) and t.name == "forward" for t in node.targets):
        return True
    return isinstance(node, tuple) and any(_sets_forward(part) for part in node if isinstance(part, tuple))


def builders(m: Interpreter, module: PyModule) -> list[FuncV]:
    """The functions of the top level that call something named like a class, or a function of the file that does.

    Callers come first: what they run need not be run on its own. Of those that call the same functions a few stand
    for all: a family of models, each with numbers of its own.
    """
    found = [f for f in module.cells.values() if isinstance(f, FuncV) and f.module is module and f.owner is None]
    functions = sorted({f.id: f for f in found}.values(), key=lambda f: f.node.n)
    calls = {f.id: _calls(m, module, f) for f in functions}
    rounds = [{number for number, names in calls.items() if names is None}]
    building = set(rounds[0])
    families: dict[int, frozenset[int]] = {}
    while rounds[-1]:
        rounds.append(set())
        for function in functions:
            called = map(module.cells.get, calls[function.id] or ())
            family = frozenset(one.id for one in called if isinstance(one, FuncV))
            if function.id not in building and family & building:
                rounds[-1].add(function.id)
                families[function.id] = family
        building |= rounds[-1]
    size = Counter[frozenset[int]]()
    chosen = []
    for function in (f for one in reversed(rounds) for f in functions if f.id in one):
        family = families.get(function.id, frozenset((function.id,)))
        size[family] += 1
        if size[family] <= _OF_A_FAMILY:
            chosen.append(function)
    return chosen


def alternatives(m: Interpreter, module: PyModule) -> list[BoundV]:
    """The class methods of module classes that build a module: constructors under other names."""
    found: dict[int, BoundV] = {}
    for cls in classes_of(module):
        for value in cls.cells.values() if cls.is_module else ():
            function = value.func if isinstance(value, Descriptor) and value.kind == "classmethod" else None
            if isinstance(function, FuncV) and function.module is module and function.params:
                called = _calls(m, module, function)
                if called is None or function.params[0].name in called:
                    found.setdefault(function.id, BoundV(function, cls))
    return list(found.values())


def _calls(m: Interpreter, module: PyModule, func: FuncV) -> frozenset[str] | None:
    """The functions that are called by their names, or None where a module class is.

    Found out once for each definition: an editor asks after every edit.
    """
    known = m.building.get(id(func.node))
    if known is None or known[0] is not func.node:
        names: set[str] = set()
        direct = _builds(m, module, func.node, names)
        known = m.building[id(func.node)] = (func.node, None if direct else frozenset(names))
    return known[1]


def _builds(m: Interpreter, module: PyModule, node: object, names: set[str]) -> bool:
    """Whether the code calls a module class, or its method, by its name. What else it calls is added to `names`."""
    if isinstance(node, ir.Call):
        if _is_module_name(m, module, node.func):
            return True
        if isinstance(node.func, ir.Attr) and _is_module_name(m, module, node.func.value, ClassV):
            return True
        if isinstance(node.func, ir.Name):
            names.add(node.func.id)
    return isinstance(node, tuple) and any(_builds(m, module, part, names) for part in node if isinstance(part, tuple))


def _is_module_name(m: Interpreter, module: PyModule, node: ir.Expr, kind: type = object) -> bool:
    parts: list[str] = []
    while isinstance(node, ir.Attr):
        parts.insert(0, node.name)
        node = node.value
    if not isinstance(node, ir.Name) or not (parts[-1] if parts else node.id)[:1].isupper():
        return False
    if node.id not in module.cells and not module.stars:
        return False
    value = attribute(m, module, node.id)
    for part in parts:
        if isinstance(value, PyModule):
            value = attribute(m, value, part)
        elif isinstance(value, ExtV):
            value = ExtV(f"{value.dotted}.{part}")
        else:
            return False
    return isinstance(value, kind) and classes.is_module_class(m, value)


def unheld(m: Interpreter, made: list[ModuleObj]) -> list[ModuleObj]:
    """The instances that no other of them holds, and that can be called and hold something."""
    held = {
        one.id for obj in made for child in obj.mods.values() for one in m.possible(child) if isinstance(one, ModuleObj)
    }
    return [obj for obj in made if obj.id not in held and obj.mods and "view" not in obj.facts]
