"""The user's own tables: a file -> tables in the closed vocabulary, or an error: file, key and what is allowed."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING, TypeAlias

from modlint.catalogue.conditions import Condition
from modlint.catalogue.entries import Forward, Holds
from modlint.catalogue.reading import ALIASES, conditions, written
from modlint.catalogue.signatures import signature
from modlint.catalogue.telling import TRAITS
from modlint.errors import ModlintError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Table: TypeAlias = "dict[str, object]"

_TEXT = {"signature", "like", "type", "becomes", "note", "wraps", "holds", "forward", "unknown"}
_LISTS = {"methods", "rewrites", "writes"}
_FLAGS = {"returns", "restores"}
_CLASS_ONLY = {"type", "becomes", "holds", "forward", "methods", "rewrites"}
_FUNCTION_ONLY = {"wraps", "copied", "returns", "restores", "unknown"}
_CONDITIONS = {*TRAITS, "copied"}
KEYS = tuple(sorted({*_CONDITIONS, *_TEXT, *_LISTS, *_FLAGS, "children"}))


def read(path: Path) -> dict[str, Table]:
    """The tables of a user's file as they stand there. Raises ModlintError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModlintError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModlintError(f"is not TOML: {error}", file=str(path)) from None


def check(tables: Mapping[str, object], others: Mapping[str, Table]) -> str:
    """What is wrong with the first bad table of a file, naming the keys and what is allowed, or "".

    `others` are the tables that its entries may be `like` besides each other.
    """
    if not tables:
        return f"has no entry; write one as ['mypackage.Block'] with keys of {', '.join(KEYS)}"
    known = {**others, **{name: table for name, table in tables.items() if isinstance(table, dict)}}
    for name, table in tables.items():
        if not isinstance(table, dict):
            keys = "other names = dotted names" if name == ALIASES else f"keys of {', '.join(KEYS)}"
            return f"{name!r} is not a table; write [{name!r}] with {keys}"
        fault = _aliases_fault(table) if name == ALIASES else _table_fault(name, table, known)
        if fault:
            return f"[{name!r}]: {fault}"
    return ""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _dotted(name: str) -> bool:
    first, *rest = name.split(".")
    return bool(rest) and all(part.isidentifier() for part in (first, *rest))


def _aliases_fault(table: Table) -> str:
    for alias, target in table.items():
        of_class = not alias.endswith((".*", "."))
        if not isinstance(target, str) or (of_class and "." not in target):
            return f"{alias!r} must be another name of a class or package, dotted, not {target!r}"
    return ""


def _table_fault(name: str, table: Table, known: Mapping[str, Table]) -> str:
    if table and all(isinstance(value, dict) for value in table.values()):
        return f"the name of an entry stands in quotes, as in [{f'{name}.{next(iter(table))}'!r}]"
    if not _dotted(name.removesuffix(".*") + ".a" if name.endswith(".*") else name):
        return "the name of an entry is the dotted name of a class or function, as in ['mypackage.Block']"
    for key, value in table.items():
        fault = _key_fault(key, value)
        if fault:
            return fault
    chain = [name]
    while "like" in known[chain[-1]]:
        following = str(known[chain[-1]]["like"])
        if following not in known or following in chain:
            return f"like = {following!r} is not another entry of this file or of modlint that is not like this one"
        chain.append(following)
    return _whole_fault({key: value for link in reversed(chain) for key, value in known[link].items()})


def _key_fault(key: str, value: object) -> str:
    if key not in KEYS:
        close = difflib.get_close_matches(key, KEYS, 1, 0.7)
        meant = f" (is {close[0]!r} meant?)" if close else ""
        return f"unknown key {key!r}{meant}; allowed are {', '.join(KEYS)}"
    if key in _CONDITIONS and not isinstance(value, (bool, str)):
        return f"{key} must be true, false or a condition on the arguments, not {value!r}"
    if key in _TEXT and not isinstance(value, str):
        return f"{key} must be a string, not {value!r}"
    if key in {"type", "becomes"} and not _dotted(str(value)):
        return f"{key} must be the dotted name of a class, not {value!r}"
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
    guards = [(key, text) for key in ("writes", "rewrites") for _, text in written(table, key)]
    for key, text in [*conditions(table), *guards]:
        fault = Condition(text).fault(names)
        if fault:
            return f"{key}: {fault}"
    children = table.get("children", [])
    if not isinstance(children, list):
        return f"children must be a list of tables with argument and at, not {children!r}"
    for child in children:
        keys = set(child) if isinstance(child, dict) else set()
        if not {"argument", "at"} <= keys <= {"argument", "at", "copies"} or not all(map(_is_text, child.values())):
            return f"children: {child!r} must have argument and at, and may have copies, all of them strings"
    arguments = [child[key] for child in children for key in ("argument", "copies") if key in child]
    arguments += [str(table["wraps"])] if "wraps" in table else []
    stranger = next((name for name in arguments if name not in names), "")
    if stranger:
        return f"{stranger!r} is not a parameter; the signature has {', '.join(names) or 'none'}"
    if table.get("holds") in {"positional", "list", "dict"} and len(names) != 1:
        return f"holds = {table['holds']!r} needs a signature of the one parameter that takes the modules"
    if "writes" in table and not {"writes-train", "writes-eval"} & set(table):
        return "writes needs writes-train or writes-eval: in which mode it is written"
    return ""
