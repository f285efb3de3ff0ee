"""Files as namespaces: running a module's top level once, imports, globals, builtins."""

from __future__ import annotations

import builtins
import math
from typing import TYPE_CHECKING, Any

from modlint.interpreter.conditions import ALWAYS
from modlint.interpreter.frames import Frame
from modlint.interpreter.machine import Dead, GiveUp
from modlint.interpreter.values import EVERY, MISSING, CallArgs, ExtV, FuncV, LazyImport, ListObj, PyModule, Value
from modlint.syntax import ir

if TYPE_CHECKING:
    from modlint.interpreter.interpreter import Interpreter

_CHAIN = 64  # files that one name may be imported through
BUILTINS = frozenset(dir(builtins))

_CONSTANTS: dict[str, bool | float] = {
    **{f"{module}.TYPE_CHECKING": False for module in ("typing", "typing_extensions")},
    **{f"{module}.{name}": getattr(math, name) for module in ("math", "torch", "numpy") for name in ("inf", "pi", "e")},
}


def load(m: Interpreter, path: str) -> PyModule | None:
    """The namespace of a file, run on first use; None when it cannot be read.

    The run is not part of any model: it has a journal, a path condition and a budget of its own, so that what a model
    finds does not depend on which model needed the file first.
    """
    known = m.files.get(path)
    if known is not None:
        return known
    file = m.tree.file(path)
    if file is None:
        return None
    module = m.files[path] = PyModule(path, file)
    _run(m, module)
    return module


def _run(m: Interpreter, module: PyModule) -> None:
    from modlint.interpreter.statements import execute

    saved, around = m.suspend(), m.used
    m.used = module.used
    module.state = "running"
    m.bear(module.cells)
    module.cells["__name__"] = "__module__"
    module.cells["__file__"] = module.path
    frame = Frame(m.fresh(), "module", module, "<module>", None, module.cells)
    try:
        for statement in module.ir.body:
            try:
                if not execute(m, (statement,), frame):
                    m.pc = ALWAYS
            except (Dead, RecursionError):
                m.pc = ALWAYS
            m.pending.clear()
            _run_for_effect(m, statement, module)
    except GiveUp as reason:
        m.note(str(reason))
    finally:
        module.made = list(m.modules)
        if m.recalls:
            module.wrote = written(m.journal)
        m.resume(saved)
        m.used = around
    module.state = "ready"
    if m.recalls:
        m.files[module.path] = m.files.pop(module.path)  # in the order in which they became ready


def written(journal: list[tuple[dict[Any, Any], Any, Value]]) -> list[tuple[dict[Any, Any], Any, Value, Value]]:
    """What a journal says was written: each cell once, with the value before the first write and after the last."""
    first: dict[tuple[int, Any], tuple[dict[Any, Any], Any, Value]] = {}
    for cells, key, old in journal:
        first.setdefault((id(cells), key), (cells, key, old))
    return [(cells, key, old, cells.get(key, MISSING)) for cells, key, old in first.values()]


def _run_for_effect(m: Interpreter, statement: ir.Stmt, module: PyModule) -> None:
    """An import whose names are never mentioned is there for what it does (registrations): run that file now."""
    if isinstance(statement, ir.ImportFrom):
        for name, alias in statement.names:
            if name != "*" and (alias or name) not in module.ir.mentions:
                resolve(m, module, LazyImport(statement.module, statement.level, name))
    elif isinstance(statement, ir.Import):
        for dotted, alias in statement.names:
            if (alias or dotted.split(".")[0]) not in module.ir.mentions:
                resolve(m, module, LazyImport(dotted, 0, None))


def resolve(m: Interpreter, module: PyModule, lazy: LazyImport) -> Value:
    """What an import binds: a namespace of the tree, a name in one, or a library name."""
    path = m.tree.resolve(module.path, lazy.module, lazy.level)
    if path is None:
        if lazy.level:
            return m.unknown(f"import of {'.' * lazy.level}{lazy.module} that is not in the tree")
        return external(lazy.module if lazy.name is None else f"{lazy.module}.{lazy.name}")
    if path == module.path and lazy.name is not None:
        return _submodule(m, path, lazy.name)
    target = load(m, path)
    if m.recalls and lazy.name is not None:  # what is found stays in the cells of this file, for whoever needs it
        module.used[path, lazy.name] = None
        getter = None if target is None else target.cells.get("__getattr__")
        if isinstance(getter, FuncV):
            module.used[id(getter.node)] = getter.node
    if target is None:
        return m.unknown(f"{path} cannot be read")
    return target if lazy.name is None else attribute(m, target, lazy.name)


def external(dotted: str) -> Value:
    """A library name; the few that are constants as such."""
    return _CONSTANTS[dotted] if dotted in _CONSTANTS else ExtV(dotted)


def import_star(m: Interpreter, module: PyModule, lazy: LazyImport) -> None:
    """`from x import *`: a file's public names are bound now, a library's are looked up when they are asked for."""
    source = resolve(m, module, lazy)
    if not isinstance(source, PyModule):
        module.stars.append(source)
        return
    if m.recalls:
        module.used[source.path, EVERY] = None
    module.stars.extend(star for star in source.stars if isinstance(star, ExtV))
    for name in _public(m, source):
        module.cells[name] = source.cells[name]


def _public(m: Interpreter, source: PyModule) -> list[str]:
    listed = source.cells.get("__all__")
    items = listed.cells["items"] if isinstance(listed, ListObj) else listed
    names = items if type(items) is tuple else [name for name in source.cells if not name.startswith("_")]
    found = [name for name in names if isinstance(name, str) and name in source.cells]
    for name in found:
        _cell(m, source, name)  # a relative import means another file where it is copied to
    return found


def _submodule(m: Interpreter, path: str, name: str) -> Value:
    found = m.tree.submodule(path, name)
    module = None if found is None else load(m, found)
    return m.unknown(f"no {name} in {path}") if module is None else module


def attribute(m: Interpreter, module: PyModule, name: str) -> Value:
    """A name in a file's namespace: its own, a star import's, or a submodule."""
    m.ask(module.path, name)
    if name in module.cells:
        return _cell(m, module, name)
    found = starred(m, module, name)
    if found is not None:
        return found
    getter = module.cells.get("__getattr__")
    if isinstance(getter, FuncV) and not name.startswith("__") and m.tree.submodule(module.path, name) is None:
        return _given_by(m, module, getter, name)
    return _submodule(m, module.path, name)


def _given_by(m: Interpreter, module: PyModule, getter: FuncV, name: str) -> Value:
    """What a file's `__getattr__` gives for a name. As the run of the file, the call is part of no model."""
    key = (module.path, name)
    if key in m.resolving:
        return m.unknown("a name that leads in a circle")
    saved = m.suspend()
    m.resolving.add(key)
    try:
        return m.call(getter, CallArgs((name,), {}))
    except (Dead, GiveUp, RecursionError):
        return m.unknown("a name that a file's __getattr__ does not give")
    finally:
        m.resolving.discard(key)
        m.resume(saved)


def _cell(m: Interpreter, module: PyModule, name: str) -> Value:
    value = module.cells[name]
    if type(value) is LazyImport:
        key = (module.path, name)
        if key in m.resolving or len(m.resolving) > _CHAIN:
            return m.unknown("an import that leads in a circle")
        m.resolving.add(key)
        try:
            value = module.cells[name] = resolve(m, module, value)
        finally:
            m.resolving.discard(key)
    return value


def starred(m: Interpreter, module: PyModule, name: str) -> Value:
    for star in reversed(module.stars):
        if isinstance(star, ExtV):
            dotted = f"{star.dotted}.{name}"
            if m.entry(dotted) is not None or m.is_library_name(dotted):
                return ExtV(dotted)
    return None


def global_name(m: Interpreter, module: PyModule, name: str, frame: Frame) -> Value:
    """A name that no enclosing function binds."""
    if m.recalls:
        m.used[module.path, name] = None
    if name in module.cells:
        value = m.live(_cell(m, module, name))
        if frame.kind != "module" and m.inside_model(frame):
            m.mark(value, "module-level", name)
        return value
    found = starred(m, module, name)
    if found is not None:
        return found
    if name in BUILTINS:
        return ExtV(f"builtins.{name}")
    return m.unknown("an undefined name")
