"""What an edit of a file leaves as it was: the files that were run, and the models that ran and read nothing changed.

Decision: an edit that changes the bodies of functions alone puts them into the functions that the file's top level has
made, instead of running it again. That is right as long as no top level ran or read one of them (`PyModule.used`), for
nothing else that it leaves depends on a body. A model's results stand as long as it ran and read no body that has
changed since (`Interpreter.used`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modlint.interpreter.values import MISSING
from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.models import ModelResult
    from modlint.interpreter.values import Definitions, PyModule

    Key = tuple[str, int, bool]  # what it is a model of: "class" or "function", its number, whether restricted
    Pairs = Sequence[tuple[ir.FuncDef, ir.FuncDef]]

_KEPT = 8  # results of one class or function, for edits that are taken back


@dataclass(slots=True)
class _Entry:
    """Results, the classes that ran, the definitions used, and which of those are not what the file has now."""

    results: list[ModelResult]
    ran: frozenset[int]
    used: Definitions
    outdated: set[int] = field(default_factory=set)


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

    def exchange(self, path: str, file: ir.FileIR, pairs: Pairs) -> bool:
        """Take other bodies for functions of a file; False, nothing being done, where some top level has used one."""
        m = self._m
        module = m.files.get(path)
        if module is None:
            return True
        old = {id(before) for before, _ in pairs}
        if any(not old.isdisjoint(loaded.used) for loaded in m.files.values()):
            return False
        module.ir = file
        for before, after in pairs:
            _put(module, before, after)
        self._outdate(pairs, old)
        return True

    def _outdate(self, pairs: Pairs, old: set[int]) -> None:
        m = self._m
        for fact, number in [key for key, used in m.behind.items() if not old.isdisjoint(used)]:
            del m.behind[fact, number]
            m.plain.pop(number, None)
            for module in m.files.values():
                module.effects.pop(number, None)
        m.evaluated.clear()
        for entry in (entry for keys in self._entries.values() for found in keys.values() for entry in found):
            entry.outdated |= old & entry.used.keys()
            entry.outdated -= {id(after) for _, after in pairs}


def _put(module: PyModule, before: ir.FuncDef, after: ir.FuncDef) -> None:
    functions = module.functions.pop(id(before), [])
    for function in functions:
        function.node, function.body, function.generator = after, after.body, after.generator
    module.functions[id(after)] = functions


def imported(file: ir.FileIR) -> list[tuple[ir.Stmt, list[bool]]]:
    """What a file imports, and which of the names it mentions: an import whose names it does not is run at once."""
    found: list[tuple[ir.Stmt, list[bool]]] = []
    for statement in file.body:
        if isinstance(statement, ir.Import | ir.ImportFrom):
            names = [alias or name.split(".")[0] for name, alias in statement.names]
            found.append((statement, [name in file.mentions for name in names]))
    return found
