"""What an edit of a file leaves as it was: the files that were run, and the models that ran and read nothing changed.

Decision: an edit that changes functions alone puts their bodies into those that the file's top level has made, puts in
what came and takes out what went (`members`), instead of running it again. That is right as long as no top level ran or
read one of them, or looked one up by its name (`PyModule.used`), for nothing else that it leaves depends on them. A
model's results stand as long as it ran and read no body that has changed since, and looked up no name under which
another function stands since (`Interpreter.used`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from modlint.interpreter import members, templates
from modlint.interpreter.interpreter import mentions_training
from modlint.interpreter.values import EVERY, MISSING, MODAL, FuncV
from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.members import Moved
    from modlint.interpreter.models import ModelResult
    from modlint.interpreter.values import Definitions, PyModule, Read, Value
    from modlint.syntax.tree import SourceTree
    from modlint.syntax.units import Change

    Nodes = tuple[ir.FuncDef | ir.Lambda, ...]
    Key = tuple[str, int, bool]  # what it is a model of: "class" or "function", its number, whether restricted
    Pairs = Sequence[tuple[ir.FuncDef, ir.FuncDef]]

_KEPT = 8  # results of one class or function, for edits that are taken back


class _Swap(NamedTuple):
    """What was read under a key, before and after an edit."""

    key: Read
    before: Nodes
    after: Nodes


@dataclass(slots=True)
class _Entry:
    """Results, the classes that ran, the definitions used, and which of those are not what the file has now."""

    results: list[ModelResult]
    ran: frozenset[int]
    used: Definitions
    outdated: dict[Read, Nodes] = field(default_factory=dict)  # and what it was when the model ran

    def outdate(self, swaps: Sequence[_Swap]) -> None:
        """Take notice of an edit. One that is taken back makes the results right again."""
        for key, before, after in swaps:
            if key in self.used and not _alike(self.outdated.get(key, before), after):
                self.outdated.setdefault(key, before)
            else:
                self.outdated.pop(key, None)


class Recall:
    """The results of models by file."""

    def __init__(self, m: Interpreter) -> None:
        self._m = m
        self._entries: dict[str, dict[Key, list[_Entry]]] = {}

    def of(self, path: str, key: Key, run: set[int], make: Callable[[], Iterator[ModelResult]]) -> list[ModelResult]:
        """The results of a model; the numbers of the classes that ran are added to `run`."""
        entries = self._entries.setdefault(path, {}).setdefault(key, [])
        entry = next((entry for entry in entries if not entry.outdated), None) or self._made(make, run)
        entries[:] = [*(other for other in entries if other is not entry), entry][-_KEPT:]
        run |= entry.ran
        return entry.results

    def _made(self, make: Callable[[], Iterator[ModelResult]], run: set[int]) -> _Entry:
        before = set(run)
        run.clear()
        self._m.used = {}
        entry = _Entry(list(make()), frozenset(run), self._m.used)
        run |= before
        self._m.used = {}
        return entry

    def forget(self, path: str) -> None:
        """Forget the models of a file."""
        self._entries.pop(path, None)

    def take_back(self, paths: Collection[str]) -> bool:
        """Undo what the top levels of files wrote to what stays; False where others have written there since.

        It is for all files that may hold something of one of them.
        """
        files = self._m.files
        gone = {id(module.cells) for path, module in files.items() if path in paths}
        for path in reversed([path for path in files if path in paths]):
            for cells, key, before, after in reversed(files[path].wrote):
                if id(cells) in gone:
                    continue
                if cells.get(key, MISSING) is not after:
                    return False
                if before is MISSING:
                    cells.pop(key, None)
                else:
                    cells[key] = before
        return True

    def exchange(self, path: str, file: ir.FileIR, change: Change) -> list[str]:
        """Take other functions for those of a file; nothing is done if files have to be run again for it: these."""
        m = self._m
        module = m.files.get(path)
        if module is None:
            return []
        moved = members.moved(m, module, file, change)
        if moved is None:
            return [path]
        swaps = list(_swaps(module, change.functions, moved))
        old = {swap.key for swap in swaps if not _alike(swap.before, swap.after)}
        users = [loaded.path for loaded in m.files.values() if not old.isdisjoint(loaded.used)]
        if users:
            return users
        module.ir = file
        for before, after in change.functions:
            _put(module, before, after)
        for one in moved:
            members.put(module, one)
        self._forget_facts(old)
        templates.outdate(m, old)
        for entry in (entry for keys in self._entries.values() for found in keys.values() for entry in found):
            entry.outdate(swaps)
        return []

    def _forget_facts(self, old: set[Read]) -> None:
        m = self._m
        for fact, number in [key for key, used in m.behind.items() if not old.isdisjoint(used)]:
            del m.behind[fact, number]
            m.plain.pop(number, None)
            for module in m.files.values():
                module.effects.pop(number, None)
        m.evaluated.clear()


def _swaps(module: PyModule, bodies: Pairs, moved: Sequence[Moved]) -> Iterator[_Swap]:
    """What another body changes: the function; what one that came or went: what its name gives, and all names of it."""
    for before, after in bodies:
        yield _Swap(id(before), (before,), (after,))
        yield _Swap(id(after), (after,), (after,))
    owners = {module.path if one.cls is None else one.cls.id: one.cls for one in moved}
    for owner, cls in owners.items():
        of_it = [one for one in moved if one.cls is cls]
        for one in of_it:
            yield _Swap((owner, one.name), _nodes([one.before]), _nodes([one.after]))
        now = module.cells if cls is None else cls.cells
        all_of_it = _nodes(now.values()), _nodes({**now, **{one.name: one.after for one in of_it}}.values())
        yield _Swap((owner, EVERY), *all_of_it)
        if any(mentions_training(f.node) for one in of_it for f in (one.before, one.after) if f is not None):
            yield _Swap((owner, MODAL), *all_of_it)


def _nodes(values: Iterable[Value]) -> Nodes:
    return tuple(value.node for value in values if isinstance(value, FuncV))


def _alike(one: Nodes, other: Nodes) -> bool:
    return {id(node) for node in one} == {id(node) for node in other}


def _put(module: PyModule, before: ir.FuncDef, after: ir.FuncDef) -> None:
    functions = module.functions.pop(id(before), [])
    for function in functions:
        function.node, function.body, function.generator = after, after.body, after.generator
    module.functions[id(after)] = functions


def imported(tree: SourceTree, path: str, file: ir.FileIR) -> list[tuple[ir.Stmt, list[bool]]]:
    """What a file imports of the tree, and which of these names it mentions: a file of none of them is run at once."""
    found: list[tuple[ir.Stmt, list[bool]]] = []
    for statement in file.body:
        if isinstance(statement, ir.Import | ir.ImportFrom) and _of_tree(tree, path, statement):
            names = [alias or name.split(".")[0] for name, alias in statement.names]
            found.append((statement, [name in file.mentions for name in names]))
    return found


def _of_tree(tree: SourceTree, path: str, statement: ir.Import | ir.ImportFrom) -> bool:
    """Whether an import may run files of the tree, which may do more than to bind names."""
    if isinstance(statement, ir.ImportFrom):
        return tree.resolve(path, statement.module, statement.level) is not None
    names = [name for dotted, _ in statement.names for name in (dotted, dotted.split(".")[0])]
    return any(tree.resolve(path, name, 0) is not None for name in names)
