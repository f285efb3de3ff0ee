"""A tree that keeps which files were looked up from where: what a file's models depend on, and who depends on it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from modlint.syntax.tree import SourceTree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modlint.syntax.ir import FileIR


class RecordingTree(SourceTree):
    """A tree that keeps which files were looked up from where.

    The interpreter runs a file once for all models, so what a model depends on is everything that can be reached from
    its file along look-ups made so far, by whichever model. That may be more than it used, never less.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._reached: dict[str, dict[str, None]] = {}
        self._askers: Counter[str] = Counter()  # how many files have looked up each

    def resolve(self, importer: str, module: str, level: int) -> str | None:
        """See SourceTree."""
        return self._kept(importer, super().resolve(importer, module, level))

    def submodule(self, package: str, name: str) -> str | None:
        """See SourceTree."""
        return self._kept(package, super().submodule(package, name))

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
        self._askers.clear()

    @property
    def held(self) -> int:
        """How many files are held."""
        return len(self._files)

    def behind(self, file: str) -> list[str]:
        """Every file that the models of `file` may depend on, itself among them."""
        return sorted(_reachable(file, self._reached))

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
