"""SourceTree: dotted module names -> files, as Python would find them, without importing anything.

Imports are resolved in the linted tree, then along the search path; what is found nowhere is an external name.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from modlint.syntax.ir import FileIR

_NEVER_LOCAL = frozenset(sys.stdlib_module_names) | {"torch", "numpy"}
_CLIMB = 6  # folders above a file that are tried as an import root


class Roots(NamedTuple):
    """The folder that paths are relative to, and where else imports are looked for.

    The folders `above` it are tried after those in it. Where a `package` is named, it is the only one in the root that
    is followed: beside it may lie all that is installed.
    """

    folder: str = ""
    above: tuple[str, ...] = ()
    package: str = ""


NO_ROOTS = Roots()


class SourceTree:
    """Files by path, loaded when first asked for. `load` returns None for a file that is not there or not readable."""

    def __init__(
        self,
        load: Callable[[str], FileIR | None],
        search_path: Sequence[str] = (),
        callers: Callable[[str], Iterable[str]] | None = None,
        is_file: Callable[[str], bool] = os.path.isfile,
        roots: Roots = NO_ROOTS,
    ) -> None:
        """Paths are relative to the folder of `roots`, if that is given, and absolute outside of it."""
        self._load = load
        self._package = roots.package
        self._root = roots.folder
        self._search_path = (*roots.above, *search_path)
        self._callers = callers
        self._exists = is_file
        self._files: dict[str, FileIR | None] = {}
        self._found: dict[tuple[str, str], str | None] = {}
        self._isfile: dict[str, bool] = {}
        self.loaded: dict[str, None] = {}  # every path asked for, found or not, in order: what a cache entry depends on

    def file(self, path: str) -> FileIR | None:
        """The representation of a file, or None."""
        self.loaded[path] = None
        if path not in self._files:
            self._files[path] = self._load(path)
        return self._files[path]

    def called_elsewhere(self, name: str, path: str) -> bool:
        """Whether another file of the linted tree calls `name`, which builds the class of that name."""
        return self._callers is not None and any(other != path for other in self._callers(name))

    def resolve(self, importer: str, module: str, level: int) -> str | None:
        """The file that `from <level dots><module>` means in `importer`; None when it is external."""
        key = (f"{level}:{module}", os.path.dirname(importer))
        if key not in self._found:
            bases = self._bases(importer, module, level)
            self._found[key] = next((found for base in bases if (found := self._module_at(os.path.join(*base)))), None)
        return self._found[key]

    def submodule(self, package: str, name: str) -> str | None:
        """The file of `name` inside the package whose `__init__.py` is `package`."""
        if os.path.basename(package) not in {"__init__.py", ""}:
            return None
        return self._module_at(os.path.join(os.path.dirname(package), name))

    def _bases(self, importer: str, module: str, level: int) -> list[tuple[str, ...]]:
        """Where a module may be, the first place first: a folder, then the names that lead from there."""
        names = module.split(".") if module else []
        if not level:
            return (
                [] if names[:1] and names[0] in _NEVER_LOCAL else [(r, *names) for r in self._roots_of(importer, names)]
            )
        folder = os.path.dirname(importer)
        for _ in range(level - 1):
            folder = os.path.join(folder, "..") if folder in {"", ".", ".."} else os.path.dirname(folder)
        return [(folder, *names)]

    def _roots_of(self, importer: str, names: list[str]) -> list[str]:
        roots = self._roots(importer)
        closed = self._package and names[:1] != [self._package]
        return [root for root in roots if root not in {"", "."}] if closed else roots

    def _roots(self, importer: str) -> list[str]:
        """Folders that may stand on `sys.path`: those above the importer's package, innermost first, then others."""
        folder = os.path.dirname(importer)
        while self._is_file(os.path.join(folder, "__init__.py")) and folder not in {"", ".", "/"}:
            folder = os.path.dirname(folder)
        roots = []
        for _ in range(_CLIMB):
            roots.append(folder)
            parent = os.path.dirname(folder)
            if folder in {"", ".", "/"} or parent == folder:
                break
            folder = parent
        return [*roots, *self._search_path]

    def _module_at(self, base: str) -> str | None:
        base = self._named(os.path.normpath(base))
        for candidate in (os.path.join(base, "__init__.py"), base + ".py"):
            if self._is_file(candidate):
                return candidate
        return None

    def _named(self, path: str) -> str:
        """The one name of a path: relative to the root inside of it, absolute outside."""
        if not self._root or not (os.path.isabs(path) or path.startswith("..")):
            return path
        full = os.path.normpath(os.path.join(self._root, path))
        inside = full.startswith(self._root.rstrip(os.sep) + os.sep)
        return os.path.relpath(full, self._root).replace(os.sep, "/") if inside else full

    def _is_file(self, path: str) -> bool:
        if path not in self._isfile:
            self._isfile[path] = self._exists(path)
        return self._isfile[path]
