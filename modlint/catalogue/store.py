"""Catalogue: dotted names -> entries, read from `rules/states/*.toml` and the user's own tables.

A file holds the names that its stem is a prefix of (`torch.ao.toml`), and is read when such a name is first asked for.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeAlias

from modlint.catalogue.entries import Entry, Wrapper
from modlint.catalogue.reading import Table, check, inherited, made_of
from modlint.errors import ModlintError
from modlint.resources import rules_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from importlib.abc import Traversable
    from pathlib import Path


Tables: TypeAlias = "dict[str, Table]"

_ALIASES = "aliases"


class Catalogue:
    """The state classes of library modules, by any dotted name that they go under."""

    def __init__(self, files: Mapping[str, Traversable]) -> None:
        self._files = dict(files)
        self._tables: Tables = {}
        self._aliases: dict[str, str] = {}
        self._read: set[str] = set()
        self._canonical: dict[str, str | None] = {}
        self._entries: dict[str, Entry | Wrapper] = {}

    @classmethod
    def load(cls, extra: Sequence[Path] = ()) -> Catalogue:
        """The catalogue of modlint with the user's tables before it. Raises ModlintError for a bad table."""
        folder = rules_folder() / "states"
        catalogue = cls({i.name.removesuffix(".toml"): i for i in folder.iterdir() if i.name.endswith(".toml")})
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
            self._entries[name] = made_of(name, inherited(listed, self._tables))
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
        if stem not in self._read:
            self._read.add(stem)
            self._add(tomllib.loads(self._files[stem].read_text(encoding="utf-8")))

    def _add(self, tables: Tables) -> None:
        """Take the tables of one of our own files; what a user's file says of the same name stays."""
        for name, table in tables.items():
            if name == _ALIASES:
                self._aliases.update({alias: str(target) for alias, target in table.items()})
            else:
                self._tables.setdefault(name, table)

    def _take(self, path: Path) -> None:
        """Take a user's file, which may liken its entries to ours. Raises ModlintError."""
        tables = _parsed(path)
        for table in tables.values():
            if isinstance(table, dict) and isinstance(table.get("like"), str):
                self.canonical(str(table["like"]))
        fault = check(tables, self._tables)
        if fault:
            raise ModlintError(fault, file=str(path))
        self._aliases.update({alias: str(target) for alias, target in tables.pop(_ALIASES, {}).items()})
        self._tables.update(tables)
        self._canonical.clear()
        self._entries.clear()


def _parsed(path: Path) -> Tables:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModlintError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModlintError(f"is not TOML: {error}", file=str(path)) from None
