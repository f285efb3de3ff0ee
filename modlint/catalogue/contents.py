"""Modules given to modules: a catalogue entry and arguments that are themselves built modules -> the whole's state."""

from __future__ import annotations

from modlint.catalogue.conditions import NOT_NONE, UNKNOWN, Unknown
from modlint.catalogue.entries import Child, Entry, Holds, Wrapper, filled
from modlint.catalogue.signatures import Required
from modlint.catalogue.telling import Told, joined, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from dataclasses import dataclass
    from typing import TypeAlias

    Children: TypeAlias = "list[tuple[str, Told]]"
else:
    from modlint.catalogue.records import dataclass

_CONSTANTS = (Unknown, type(None), bool, int, float, complex, str, bytes, Required)
_NUMBERED = (Holds.POSITIONAL, Holds.LIST)


@dataclass(frozen=True)
class Built:
    """A module that a call makes: its class, its state with all that it holds, and how many that is in a list."""

    type: str
    state: Told
    size: int = 0


def built(entry: Entry, bound: Mapping[str, object]) -> Built:
    """What a class makes of its arguments."""
    held = _held(entry, bound)
    size = len(held) if entry.holds in _NUMBERED else 0
    return Built(entry.type, joined(entry.facts.tell(_plain(bound)), held), size)


def wrapped(wrapper: Wrapper, bound: Mapping[str, object]) -> Built:
    """What a function makes of the module that it is given."""
    module = bound[wrapper.argument]
    if not isinstance(module, Built):
        module = Built("", unknown(f"the module that {wrapper.name} is given is not known"))
    kept = [state for child in wrapper.children for state in _kept(child, bound)]
    return Built(module.type, joined(wrapper.tell(module.state, _plain(bound)), kept), module.size)


def appended(container: Built, items: Sequence[object]) -> Built:
    """A list of modules with more at its end."""
    more = [_at(str(number), item) for number, item in enumerate(items, container.size)]
    return Built(container.type, joined(container.state, more), container.size + len(more))


def _plain(bound: Mapping[str, object]) -> dict[str, object]:
    """The arguments as conditions take them: of a module, or a list of such, it is known that it is not None."""
    return {name: _for_conditions(value) for name, value in bound.items()}


def _for_conditions(value: object) -> object:
    if isinstance(value, _CONSTANTS):
        return value
    if isinstance(value, (list, tuple, dict)):
        parts = value.values() if isinstance(value, dict) else value
        return value if all(isinstance(part, _CONSTANTS[1:]) for part in parts) else NOT_NONE
    return NOT_NONE if isinstance(value, Built) else UNKNOWN  # a class with some arguments is not just that class


def _held(entry: Entry, bound: Mapping[str, object]) -> Children:
    match entry.holds:
        case Holds.NOTHING | Holds.PARAMETERS:
            return []
        case Holds.ARGUMENTS:
            return [state for child in entry.children for state in _kept(child, bound)]
        case Holds.POSITIONAL | Holds.LIST | Holds.DICT:
            (items,) = bound.values()
            if entry.holds is Holds.POSITIONAL and isinstance(items, tuple) and len(items) == 1:
                items = items[0] if isinstance(items[0], dict) else items
            return _listed(items)


def _listed(items: object) -> Children:
    """The modules of a list, of a mapping by name, or of a list of pairs."""
    match items:
        case None:
            return []
        case dict():
            return [_at(str(name), item) for name, item in items.items()]
        case list() | tuple():
            return [_at(str(number), item) for number, item in enumerate(items)]
        case _:
            return [_at("*", items)]


def _at(path: str, item: object) -> tuple[str, Told]:
    match item:
        case Built():
            return path, item.state
        case [str(name), Built() as module]:
            return name, module.state
        case _:
            return path, unknown("it holds something of which the class is not known")


def _kept(child: Child, bound: Mapping[str, object]) -> Iterable[tuple[str, Told]]:
    """The modules that stand in one place; none where the argument is no module."""
    value = bound[child.argument]
    if value is UNKNOWN:
        value = Built("", unknown(f"the module given as {child.argument} is not known"))
    if not isinstance(value, Built):
        return []
    at = filled(child.at, {name: given for name, given in bound.items() if not isinstance(given, (Built, Unknown))})
    if not child.copies:
        return [(at, value.state)]
    times = bound[child.copies]
    return [(f"{at}.{i}", value.state) for i in (range(times) if isinstance(times, int) else "*")]
