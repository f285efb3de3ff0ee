"""Enumerations: the members that a class with an enum base makes of its names, and how they are found.

A member is an `Obj` of its class. What also is a string or a number (`class Mode(str, Enum)`, `IntEnum`) has that
under `PLAIN`, and compares, formats and indexes as it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.interpreter.machine import Dead
from modlint.interpreter.values import (
    MISSING,
    PLAIN,
    BoundV,
    CallArgs,
    ClassV,
    Descriptor,
    ExtV,
    FuncV,
    Obj,
    Sym,
    Value,
    is_const,
)

if TYPE_CHECKING:
    from modlint.interpreter.interpreter import Interpreter

AUTO = "auto"  # of the unknown value that `enum.auto()` gives until its class is complete
_MEMBERS = "#members"
_BASES = frozenset({"Enum", "IntEnum", "StrEnum", "ReprEnum", "Flag", "IntFlag"})
_PLAIN_TEXT = ("IntEnum", "StrEnum", "IntFlag")
_DATA_BASES = frozenset({"IntEnum", "StrEnum", "IntFlag", "str", "int", "float"})


def complete(m: Interpreter, cls: ClassV) -> None:
    """Make members of what the body of an enumeration assigned."""
    bases = {base.dotted.rpartition(".")[2] for base in cls.mro if isinstance(base, ExtV)}
    if not bases & _BASES:
        return
    found: dict[str, Value] = {}
    for name, value in list(cls.cells.items()):
        if not name.startswith(("_", "#")) and not isinstance(value, FuncV | BoundV | Descriptor):
            if type(value) is Sym and value.op == AUTO and "_generate_next_value_" not in cls.cells:
                value = _next(found, name, bases, value)
            found[name] = cls.cells[name] = _same(found, value) or _member(
                m, cls, name, value, bool(bases & _DATA_BASES)
            )
    cls.cells[_MEMBERS] = found


def _next(found: dict[str, Value], name: str, bases: set[str], unknown: Sym) -> Value:
    """What `auto()` stands for: the name in small letters, the next power of two, or the highest so far and one."""
    if "StrEnum" in bases:
        return name.lower()
    values = [one.cells["value"] for one in found.values() if isinstance(one, Obj)]
    if not all(type(value) is int for value in values):
        return unknown
    highest = max(values, default=0)
    return 1 << highest.bit_length() if bases & {"Flag", "IntFlag"} else highest + 1


def _same(found: dict[str, Value], value: Value) -> Obj | None:
    """The member that a further name for its value stands for."""
    if not is_const(value) and not isinstance(value, ExtV | ClassV):
        return None
    return next((one for one in found.values() if one.cells["value"] == value), None)


def _member(m: Interpreter, cls: ClassV, name: str, value: Value, data: bool) -> Obj:
    made = m.new_plain(cls)
    made.cells.update({"name": name, "value": value, "_name_": name, "_value_": value})
    if data and is_const(value):
        made.cells[PLAIN] = value
    return made


def members(cls: Value) -> dict[str, Obj] | None:
    """The members of an enumeration by name; None for everything else."""
    found = cls.cells.get(_MEMBERS) if isinstance(cls, ClassV) else None
    return found if isinstance(found, dict) else None


def is_member(value: Value) -> bool:
    """Whether a value is a member of an enumeration."""
    return isinstance(value, Obj) and isinstance(value.cls, ClassV) and _MEMBERS in value.cls.cells


def by_value(m: Interpreter, cls: ClassV, args: CallArgs) -> Value:
    """`Mode(value)`. Dead where the value is known and no member has it."""
    found = members(cls) or {}
    value = m.live(args.args[0]) if args.args else MISSING
    if isinstance(value, Obj) and value.cls is cls:
        return value
    known = m.concrete(value)
    if type(value) is Sym and known is MISSING:
        return _alternatives(
            m, value, {one.cells["value"]: one for one in found.values() if is_const(one.cells["value"])}
        )
    for one in found.values():
        if one.cells["value"] is value or (known is not MISSING and one.cells["value"] == known):
            return one
    return _missing(m, cls, args, known is not MISSING)


def _missing(m: Interpreter, cls: ClassV, args: CallArgs, known: bool) -> Value:
    for base in cls.mro:
        hook = base.own("_missing_") if isinstance(base, ClassV) else None
        if isinstance(hook, Descriptor):
            return m.call(BoundV(hook.func, cls), args)
    if known and all(is_const(one.cells["value"]) for one in (members(cls) or {}).values()):
        raise Dead  # ValueError
    return m.unknown("a member of an enumeration")


def by_name(m: Interpreter, found: dict[str, Obj], name: Value) -> Value:
    """`Mode[name]`."""
    name = m.concrete(name) if m.concrete(name) is not MISSING else name
    if type(name) is Sym:
        return _alternatives(m, name, dict(found))
    if name not in found:
        raise Dead  # KeyError
    return found[name]


def _alternatives(m: Interpreter, key: Sym, table: dict[Value, Obj]) -> Value:
    return m.alternatives(key, key, table) if 0 < len(table) <= 8 else m.unknown("a member of an enumeration")


def text(m: Interpreter, member: Obj) -> Value:
    """`str(member)`, where it does not depend on the version of Python."""
    names = [base.own("__str__") for base in member.cls.mro if isinstance(base, ClassV)]
    own = next((value for value in names if value is not MISSING), None)
    if isinstance(own, FuncV):
        return m.call(BoundV(own, member), CallArgs((), {}))
    plain = any(isinstance(base, ExtV) and base.dotted.endswith(_PLAIN_TEXT) for base in member.cls.mro)
    return str(member.cells[PLAIN]) if plain and PLAIN in member.cells else m.unknown("the text of a member")
