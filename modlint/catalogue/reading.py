"""The tables of the catalogue: our own files as text -> tables, and the entry that a table makes.

Our files keep to the part of TOML that is read here line by line (a test compares with a real reader); the user's files
are read by `checking`.
"""

from __future__ import annotations

from modlint.catalogue.conditions import Condition, literal, parsed
from modlint.catalogue.entries import Child, Entry, Forward, Holds, Wrapper
from modlint.catalogue.signatures import signature
from modlint.catalogue.telling import TRAITS, Facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Table: TypeAlias = "dict[str, object]"

ALIASES = "aliases"
_CHILD_KEYS = ("argument", "at", "copies")


class Tables:
    """Tables by name, each read when it is first asked for."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._tables: dict[str, Table] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._tables or name in self._texts

    def __getitem__(self, name: str) -> Table:
        if name not in self._tables:
            self._tables[name] = _table(self._texts[name])
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._tables, *self._texts]))

    def add(self, text: str) -> None:
        """Take a file of ours; what is there under the same name stays."""
        for section in f"\n{text}".split("\n[")[1:]:
            header, _, body = section.partition("]\n")
            if header != ALIASES:
                self._texts.setdefault(header.strip('"'), body)

    def replace(self, name: str, table: Table) -> None:
        """Take a table of the user's instead of what is there."""
        self._tables[name] = table

    def inherited(self, name: str) -> Table:
        """A table with what it takes over from the one that it is `like`."""
        table = self[name]
        if "like" not in table:
            return table
        own = {key: value for key, value in table.items() if key != "like"}
        return {**self.inherited(str(table["like"])), **own}


def aliases(text: str) -> dict[str, str]:
    """The other names that a file of ours gives."""
    _, found, rest = text.partition(f"\n[{ALIASES}]\n")
    return {alias: str(name) for alias, name in _table(rest.partition("\n[")[0]).items()} if found else {}


def _table(body: str) -> Table:
    lines = (line.partition(" = ") for line in body.splitlines() if line and not line.startswith("#"))
    return {key.strip('"'): _value(text) for key, _, text in lines}


def _value(text: str) -> object:
    if text in {"true", "false"}:
        return text == "true"
    for key in _CHILD_KEYS if text.startswith("[{") else ():
        text = text.replace(f" {key} = ", f' "{key}": ')
    return literal(parsed(text))


def made_of(name: str, table: Table) -> Entry | Wrapper:
    """The entry that a table makes: of a class, or of a function that changes a module."""
    return _wrapper(name, table) if "wraps" in table else _entry(name, table)


def _entry(name: str, table: Table) -> Entry:
    return Entry(
        name=name,
        type=str(table.get("type", name)),
        params=signature(str(table.get("signature", ""))),
        facts=_facts(table),
        holds=Holds(table.get("holds", "arguments" if "children" in table else "nothing")),
        forward=Forward(table.get("forward", "itself")),
        children=_children(table),
        methods=_names(table, "methods"),
        becomes=str(table.get("becomes", "")),
        note=str(table.get("note", "")),
    )


def _wrapper(name: str, table: Table) -> Wrapper:
    return Wrapper(
        name=name,
        params=signature(str(table.get("signature", ""))),
        facts=_facts(table),
        argument=str(table["wraps"]),
        children=_children(table),
        copied=Condition(str(table.get("copied", False))),
        returns=bool(table.get("returns", True)),
        restores=bool(table.get("restores", False)),
        unknown=str(table.get("unknown", "")),
        note=str(table.get("note", "")),
    )


def conditions(table: Table) -> list[tuple[str, str]]:
    """The traits with their conditions as text."""
    return [(key, str(table[key])) for key in TRAITS if table.get(key, False) is not False]


def written(table: Table, key: str) -> list[tuple[str, str]]:
    """The names of what is written, each with its condition: `running_mean if track_running_stats`."""
    found = []
    for item in _names(table, key):
        name, _, condition = item.partition(" if ")
        found.append((name, condition or "True"))
    return found


def _facts(table: Table) -> Facts:
    traits = tuple((key, Condition(text)) for key, text in conditions(table))
    return Facts(traits, _guarded(table, "writes"), _guarded(table, "rewrites"))


def _guarded(table: Table, key: str) -> tuple[tuple[str, Condition], ...]:
    return tuple((name, Condition(text)) for name, text in written(table, key))


def _names(table: Table, key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    assert isinstance(value, list)
    return tuple(str(item) for item in value)


def _children(table: Table) -> tuple[Child, ...]:
    value = table.get("children", [])
    assert isinstance(value, list)
    return tuple(Child(**child) for child in value)
