"""Functions that an edit puts into a file that was run, or takes out: at its margin, or of a class there.

Decision: it is done to what the top level has made, instead of running it again, only where that leaves what a run
would leave: no decorator and no other statement that is run then has to do with the name, and what the defaults are is
known. Everything else makes the file run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modlint.interpreter import classes, enums, roots
from modlint.interpreter.defaults import known_default, speaks
from modlint.interpreter.frames import Frame
from modlint.interpreter.values import MISSING, ClassV, FuncV, PyModule, Value
from modlint.syntax import ir

if TYPE_CHECKING:
    from modlint.interpreter.interpreter import Interpreter
    from modlint.syntax.units import Change


@dataclass(frozen=True, slots=True)
class Moved:
    """A name of a class, or of a file (`cls` is None), and the function under it before and after the edit."""

    cls: ClassV | None
    name: str
    before: FuncV | None
    after: FuncV | None


def moved(m: Interpreter, module: PyModule, file: ir.FileIR, change: Change) -> list[Moved] | None:
    """What is to be put and taken out; None where the top level has to be run again for it."""
    gone, came = ({(owner, node.name): node for owner, node in some} for some in (change.gone, change.came))
    if len(gone) < len(change.gone) or len(came) < len(change.came):
        return None
    owners = {cls.node.n: cls for cls in roots.classes_of(module)} if gone or came else {}
    found = []
    for owner, name in dict.fromkeys((*gone, *came)):
        cls = None if owner is None else owners.get(owner)
        if (cls is None) is not (owner is None) or _matters(m, file, cls, name, (owner, name) in came):
            return None
        one = _moved(m, file, module, cls, gone.get((owner, name)), came.get((owner, name)))
        if one is None:
            return None
        found.append(one)
    return found


def put(module: PyModule, one: Moved) -> None:
    """Put a function into its class or file in the place of the one before."""
    cells = module.cells if one.cls is None else one.cls.cells
    if one.before is not None:
        module.functions.pop(id(one.before.node), None)
        module.wrote = [wrote for wrote in module.wrote if wrote[0] is not cells or wrote[1] != one.name]
        del cells[one.name]
    if one.after is not None:
        module.functions[id(one.after.node)] = [one.after]
        cells[one.name] = one.after


def _matters(m: Interpreter, file: ir.FileIR, cls: ClassV | None, name: str, there: bool) -> bool:
    """Whether the function, or that there is none, may decide what else a run of the top level leaves."""
    if cls is None:
        return _speaks_more(file.body, name, there) or speaks(file.body, "*")  # from a import *
    if cls.dataclass or enums.members(cls) is not None:
        return True
    if name == "forward" and not any(classes.is_module_class(m, base) for base in cls.bases):
        return True  # it may be what makes a module of the class
    body = next(s.body for s in file.body if isinstance(s, ir.ClassDef) and s.n == cls.node.n)
    return _speaks_more(body, name, there)


def _speaks_more(body: ir.Block, name: str, there: bool) -> bool:
    """Whether other statements than that of the function itself bind the name or speak of it while they are run."""
    functions = [s for s in body if isinstance(s, ir.FuncDef) and s.name == name]
    others = [s._replace(name="") if isinstance(s, ir.FuncDef) else s for s in body]
    return len(functions) != there or speaks(tuple(others), name)


def _moved(
    m: Interpreter,
    file: ir.FileIR,
    module: PyModule,
    cls: ClassV | None,
    gone: ir.FuncDef | None,
    came: ir.FuncDef | None,
) -> Moved | None:
    """What becomes of a name; None where not the function that went stands under it, or the new one cannot be made."""
    name = next(node.name for node in (gone, came) if node is not None)
    there = (module.cells if cls is None else cls.cells).get(name, MISSING)
    if there is not MISSING if gone is None else not isinstance(there, FuncV) or there.node is not gone:
        return None
    before = None if gone is None else there
    if came is None:
        return Moved(cls, name, before, None)
    defaults = {p.name: known_default(m, file, module, cls, p, before) for p in came.params if p.default is not None}
    made = _function(m, module, cls, came, defaults)
    return None if MISSING in defaults.values() else Moved(cls, name, before, made)


def _function(
    m: Interpreter, module: PyModule, cls: ClassV | None, node: ir.FuncDef, defaults: dict[str, Value]
) -> FuncV:
    """The function as its statement makes it."""
    if cls is None:
        return FuncV(m.fresh(), node, module, node.name, defaults, None, None)
    top = Frame(m.fresh(), "module", module, "<module>", None, module.cells)
    body = Frame(m.fresh(), "class", module, cls.qualname, top, cls.cells, cls)
    return FuncV(m.fresh(), node, module, f"{cls.qualname}.{node.name}", defaults, body, cls)
