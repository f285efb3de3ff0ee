"""A tree that keeps which files were looked up from where: what a file's models depend on, and who depends on it."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from modlint.syntax.tree import SourceTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from modlint.syntax.ir import FileIR

    Gap = tuple[str, str]  # a folder, and the name of a module that is not in it


class RecordingTree(SourceTree):
    """A tree that keeps which files were looked up from where.

    The interpreter runs a file once for all models, so what a model depends on is everything that can be reached from
    its file along look-ups made so far, by whichever model. That may be more than it used, never less.
    """

    def __init__(self, *arguments: Any, gap: Callable[[tuple[str, ...]], Gap | None] | None = None) -> None:
        """`gap` says where a module that is not there may yet come, if that is not known of the whole tree."""
        super().__init__(*arguments)
        self._gap = gap
        self._gaps: dict[tuple[str, int, str], tuple[Gap, ...]] = {}
        self._absent: dict[str, dict[Gap, None]] = {}
        self._reached: dict[str, dict[str, None]] = {}
        self._askers: Counter[str] = Counter()  # how many files have looked up each

    def resolve(self, importer: str, module: str, level: int) -> str | None:
        """See SourceTree."""
        found = super().resolve(importer, module, level)
        if found is None and self._gap is not None:
            key = (module, level, os.path.dirname(importer))
            if key not in self._gaps:
                self._gaps[key] = tuple(filter(None, map(self._gap, self._bases(importer, module, level))))
            self._absent.setdefault(importer, {}).update(dict.fromkeys(self._gaps[key]))
        return self._kept(importer, found)

    def submodule(self, package: str, name: str) -> str | None:
        """See SourceTree."""
        found = super().submodule(package, name)
        if found is None and self._gap is not None:
            gap = self._gap((os.path.dirname(package), name))
            if gap is not None:
                self._absent.setdefault(package, {})[gap] = None
        return self._kept(package, found)

    def _kept(self, importer: str, found: str | None) -> str | None:
        if found is not None:
            reached = self._reached.setdefault(importer, {})
            if found not in reached:
                reached[found] = None
                self._askers[found] += 1
        return found

    def forget(self, file: str) -> None:
        """Load a file anew when it is next asked for."""
        self.reset(file)
        self._files.pop(file, None)
        self._isfile.pop(file, None)

    def reset(self, file: str) -> list[str]:
        """Forget what a file has looked up, because it is run anew: it is given back."""
        reached = list(self._reached.pop(file, ()))
        self._absent.pop(file, None)
        self._askers.subtract(reached)
        return reached

    def exchange(self, file: str, now: FileIR) -> None:
        """Take another version of a file that looks up the same files."""
        if file in self._files:
            self._files[file] = now

    def release(self, file: str, done: set[str]) -> list[str]:
        """Let go of a file that no other has looked up, and of those in `done` that it alone looked up: their names."""
        released: list[str] = []
        front = [file]
        while front:
            name = front.pop()
            if not self._askers[name]:
                released.append(name)
                self._files.pop(name, None)
                front += [other for other in self.reset(name) if other in done]
        return released

    def start_anew(self) -> None:
        """Let go of every file. Where they are stays known."""
        self._files.clear()
        self._reached.clear()
        self._absent.clear()
        self._askers.clear()

    @property
    def held(self) -> int:
        """How many files are held."""
        return len(self._files)

    def behind(self, file: str) -> list[str]:
        """Every file that the models of `file` may depend on, itself among them."""
        return sorted(_reachable(file, self._reached))

    def absent(self, files: Iterable[str]) -> dict[str, set[str]]:
        """What those files have looked for in vain, by the folder in which it may come."""
        names: dict[str, set[str]] = {}
        for file in files:
            for folder, name in self._absent.get(file, ()):
                names.setdefault(folder, set()).add(name)
        return names

    def before(self, file: str) -> list[str]:
        """Every file that may depend on `file`, itself among them."""
        askers: dict[str, dict[str, None]] = {}
        for asker, found in self._reached.items():
            for name in found:
                askers.setdefault(name, {})[asker] = None
        return sorted(_reachable(file, askers))


def _reachable(file: str, steps: Mapping[str, Mapping[str, None]]) -> set[str]:
    seen = {file}
    front = [file]
    while front:
        new = steps.get(front.pop(), {}).keys() - seen
        seen |= new
        front.extend(new)
    return seen
