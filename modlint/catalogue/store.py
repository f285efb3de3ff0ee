"""Catalogue: dotted names -> entries, read from `rules/states/*.toml` and the user's own tables.

A file holds the names that its stem is a prefix of (`torch.ao.toml`), and is read when such a name is first asked for.
"""

from __future__ import annotations

import os
from functools import partial

from modlint.catalogue.entries import Entry, Wrapper
from modlint.catalogue.reading import ALIASES, Tables, aliases, made_of
from modlint.errors import ModlintError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_SUFFIX = ".toml"
_PACKAGE = os.path.dirname(os.path.dirname(__file__))


class Catalogue:
    """The state classes of library modules, by any dotted name that they go under."""

    def __init__(self, files: Mapping[str, Callable[[], str]]) -> None:
        self._files = dict(files)
        self._tables = Tables()
        self._aliases: dict[str, str] = {}
        self._read: set[str] = set()
        self._canonical: dict[str, str | None] = {}
        self._entries: dict[str, Entry | Wrapper] = {}

    @classmethod
    def load(cls, extra: Sequence[Path] = ()) -> Catalogue:
        """The catalogue of modlint with the user's tables before it. Raises ModlintError for a bad table."""
        catalogue = cls(_own_files())
        for path in extra:
            catalogue._take(path)
        return catalogue

    def canonical(self, dotted: str) -> str | None:
        """The name under which the catalogue has this class or function, or None."""
        if dotted not in self._canonical:
            self._canonical[dotted] = self._find(dotted)
        return self._canonical[dotted]

    def entry(self, dotted: str) -> Entry | None:
        """The entry of a class, by any of its names."""
        found = self._made(dotted)
        return found if isinstance(found, Entry) else None

    def wrapper(self, dotted: str) -> Wrapper | None:
        """The entry of a function that changes a module, by any of its names."""
        found = self._made(dotted)
        return found if isinstance(found, Wrapper) else None

    def names(self) -> tuple[str, ...]:
        """Every canonical name, in alphabetical order. Reads all files."""
        for stem in self._files:
            self._read_file(stem)
        return tuple(sorted(self._tables))

    def _made(self, dotted: str) -> Entry | Wrapper | None:
        name = self.canonical(dotted)
        if name is None:
            return None
        if name not in self._entries:
            listed = name if name in self._tables else self._family(name) or name
            self._entries[name] = made_of(name, self._tables.inherited(listed))
        return self._entries[name]

    def _find(self, dotted: str) -> str | None:
        for stem in self._stems(dotted):
            self._read_file(stem)
        seen = {dotted}
        while dotted not in self._tables:
            renamed = next((new for new in self._renamed(dotted) if new not in seen), None)
            if renamed is None:
                return dotted if self._family(dotted) else None
            for stem in self._stems(renamed):
                self._read_file(stem)
            seen.add(renamed)
            dotted = renamed
        return dotted

    def _renamed(self, dotted: str) -> Iterator[str]:
        """The names that an alias gives, the most specific first.

        `a.b` renames just that; `a.*` says that all that is defined anywhere below `a` has one name; `a.` renames a
        package with all that is in it.
        """
        if dotted in self._aliases:
            yield self._aliases[dotted]
        head, _, last = dotted.rpartition(".")
        if head.rpartition(".")[2][:1].isupper() and (owner := self.canonical(head)) is not None:
            yield f"{owner}.{last}"  # a method of a class, which may have another path
        while head:
            if f"{head}.*" in self._aliases:
                yield f"{self._aliases[head + '.*']}.{last}"
            if f"{head}." in self._aliases:
                yield self._aliases[f"{head}."] + dotted.removeprefix(f"{head}.")
            head = head.rpartition(".")[0]

    def _family(self, dotted: str) -> str | None:
        """The entry `a.*` that speaks for every class below `a` (what is called like one) that has no entry."""
        head, _, last = dotted.rpartition(".")
        while head and last[:1].isupper():
            if f"{head}.*" in self._tables:
                return f"{head}.*"
            head = head.rpartition(".")[0]
        return None

    def _stems(self, dotted: str) -> list[str]:
        return [stem for stem in self._files if dotted.startswith(f"{stem}.")]

    def _read_file(self, stem: str) -> None:
        """Take the tables of one of our own files; what a user's file says of the same name stays."""
        if stem in self._read:
            return
        self._read.add(stem)
        text = self._files[stem]()
        self._tables.add(text)
        for alias, target in aliases(text).items():
            self._aliases.setdefault(alias, target)

    def _take(self, path: Path) -> None:
        """Take a user's file, which may liken its entries to ours. Raises ModlintError."""
        from modlint.catalogue.checking import check, read

        tables = read(path)
        for table in tables.values():
            if isinstance(table, dict) and isinstance(table.get("like"), str):
                self.canonical(str(table["like"]))
        fault = check(tables, {name: self._tables[name] for name in self._tables})
        if fault:
            raise ModlintError(fault, file=str(path))
        self._aliases.update({alias: str(target) for alias, target in tables.pop(ALIASES, {}).items()})
        for name, table in tables.items():
            self._tables.replace(name, table)
        self._canonical.clear()
        self._entries.clear()


def _own_files() -> dict[str, Callable[[], str]]:
    """How to read each file of entries, by its stem."""
    for folder in (_PACKAGE, os.path.dirname(_PACKAGE)):
        states = os.path.join(folder, "rules", "states")
        if os.path.isdir(states) and (folder == _PACKAGE or os.path.isfile(os.path.join(folder, "pyproject.toml"))):
            names = sorted(name for name in os.listdir(states) if name.endswith(_SUFFIX))
            return {name.removesuffix(_SUFFIX): partial(_text, os.path.join(states, name)) for name in names}
    from modlint.resources import rules_folder  # in a zipped wheel

    files = [file for file in (rules_folder() / "states").iterdir() if file.name.endswith(_SUFFIX)]
    return {file.name.removesuffix(_SUFFIX): partial(file.read_text, encoding="utf-8") for file in files}


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
