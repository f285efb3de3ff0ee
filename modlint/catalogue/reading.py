"""The tables of the catalogue: their closed vocabulary, what is wrong with one, and the entry that one makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from modlint.catalogue.conditions import Condition
from modlint.catalogue.entries import Child, Entry, Facts, Forward, Holds, Wrapper, signature
from modlint.graph import Trait

if TYPE_CHECKING:
    from collections.abc import Mapping

Table: TypeAlias = "dict[str, object]"

_TRAITS = {trait.value: trait for trait in Trait}
_TEXT = {"signature", "like", "type", "becomes", "note", "wraps", "holds", "forward", "unknown"}
_LISTS = {"methods", "rewrites", "writes"}
_FLAGS = {"returns", "restores"}
_CLASS_ONLY = {"type", "becomes", "holds", "forward", "methods", "rewrites"}
_FUNCTION_ONLY = {"wraps", "copied", "returns", "restores", "unknown"}
_CONDITIONS = {*_TRAITS, "copied"}
KEYS = tuple(sorted({*_CONDITIONS, *_TEXT, *_LISTS, *_FLAGS, "children"}))


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
        children=tuple(Child(**child) for child in _tables(table, "children")),
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
        children=tuple(Child(**child) for child in _tables(table, "children")),
        copied=Condition(str(table.get("copied", False))),
        returns=bool(table.get("returns", True)),
        restores=bool(table.get("restores", False)),
        unknown=str(table.get("unknown", "")),
        note=str(table.get("note", "")),
    )


def inherited(name: str, tables: Mapping[str, Table]) -> Table:
    """The table with what it takes over from the one that it is `like`."""
    table = tables[name]
    if "like" not in table:
        return table
    return {**inherited(str(table["like"]), tables), **{key: value for key, value in table.items() if key != "like"}}


def check(tables: Mapping[str, object], others: Mapping[str, Table]) -> str:
    """What is wrong with the first bad table of a file, naming the keys and what is allowed, or "".

    `others` are the tables that its entries may be `like` besides each other.
    """
    known = {**others, **{name: table for name, table in tables.items() if isinstance(table, dict)}}
    for name, table in tables.items():
        if not isinstance(table, dict):
            return f"{name!r} is not a table; write [{name!r}] with keys of {', '.join(KEYS)}"
        fault = _aliases_fault(table) if name == "aliases" else _table_fault(name, table, known)
        if fault:
            return f"[{name!r}]: {fault}"
    return ""


def _aliases_fault(table: Table) -> str:
    bad = next((alias for alias, target in table.items() if not isinstance(target, str)), None)
    return f"{bad!r} must be a dotted name" if bad is not None else ""


def _table_fault(name: str, table: Table, known: Mapping[str, Table]) -> str:
    if "." not in name:
        return f"the name of an entry is dotted, as in [{'mypackage.' + name!r}]"
    for key, value in table.items():
        fault = _key_fault(key, value)
        if fault:
            return fault
    chain = [name]
    while "like" in known[chain[-1]]:
        following = str(known[chain[-1]]["like"])
        if following not in known or following in chain:
            return f"like = {following!r} is not another entry of this file or of modlint"
        chain.append(following)
    whole = inherited(name, known)
    return _whole_fault(whole)


def _key_fault(key: str, value: object) -> str:
    if key not in KEYS:
        return f"unknown key {key!r}; allowed are {', '.join(KEYS)}"
    if key in _CONDITIONS and not isinstance(value, (bool, str)):
        return f"{key} must be true, false or a condition on the arguments, not {value!r}"
    if key in _TEXT and not isinstance(value, str):
        return f"{key} must be a string, not {value!r}"
    if key in _FLAGS and not isinstance(value, bool):
        return f"{key} must be true or false, not {value!r}"
    if key in _LISTS and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        return f"{key} must be a list of strings, not {value!r}"
    if key == "holds" and value not in [item.value for item in Holds]:
        return f"holds = {value!r} is not one of {', '.join(item.value for item in Holds)}"
    if key == "forward" and value not in [item.value for item in Forward]:
        return f"forward = {value!r} is not one of {', '.join(item.value for item in Forward)}"
    return ""


def _whole_fault(table: Table) -> str:
    mixed = sorted(_CLASS_ONLY & set(table)) if "wraps" in table else sorted(_FUNCTION_ONLY & set(table))
    if mixed:
        kind = "a function that changes a module (it has wraps)" if "wraps" in table else "a class (it has no wraps)"
        return f"{mixed[0]} has no meaning for {kind}"
    try:
        names = [param.name for param in signature(str(table.get("signature", "")))]
    except (SyntaxError, ValueError):
        return f"signature = {table['signature']!r} is not a parameter list such as 'channels, eps=1e-5, *, bias=True'"
    for key, text in [*_conditions(table), *_written(table, "writes"), *_written(table, "rewrites")]:
        fault = Condition(text).fault(names)
        if fault:
            return f"{key}: {fault}"
    for child in table.get("children", ()):  # type: ignore[attr-defined]
        if not isinstance(child, dict) or not {"argument", "at"} <= set(child) <= {"argument", "at", "copies"}:
            return f"children: {child!r} must have argument and at, and may have copies"
    arguments = [child[key] for child in _tables(table, "children") for key in ("argument", "copies") if key in child]
    arguments += [str(table["wraps"])] if "wraps" in table else []
    stranger = next((name for name in arguments if name not in names), "")
    if stranger:
        return f"{stranger!r} is not a parameter; the signature has {', '.join(names) or 'none'}"
    if "writes" in table and not {"writes-train", "writes-eval"} & set(table):
        return "writes needs writes-train or writes-eval: in which mode it is written"
    return ""


def _facts(table: Table) -> Facts:
    traits = tuple((_TRAITS[key], Condition(text)) for key, text in _conditions(table))
    return Facts(traits, _guarded(table, "writes"), _guarded(table, "rewrites"))


def _guarded(table: Table, key: str) -> tuple[tuple[str, Condition], ...]:
    return tuple((name, Condition(text)) for name, text in _written(table, key))


def _conditions(table: Table) -> list[tuple[str, str]]:
    return [(key, str(table[key])) for key in _TRAITS if table.get(key, False) is not False]


def _written(table: Table, key: str) -> list[tuple[str, str]]:
    """The names of what is written, each with its condition: `running_mean if track_running_stats`."""
    found = []
    for item in _names(table, key):
        name, _, condition = item.partition(" if ")
        found.append((name, condition or "True"))
    return found


def _names(table: Table, key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    assert isinstance(value, list)
    return tuple(str(item) for item in value)


def _tables(table: Table, key: str) -> list[dict[str, str]]:
    value = table.get(key, [])
    assert isinstance(value, list)
    return value
