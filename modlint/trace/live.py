"""What a live model is made of: every instance by identity, all its slots, where it was created, who else has it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch

from modlint.graph import Manner, Origin, Slot
from modlint.trace.births import Births
from modlint.trace.placement import item_place, repeated_places
from modlint.trace.sources import is_users
from modlint.trace.walk import paths_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from modlint.graph import Location
    from modlint.trace.copies import Twin


@dataclass(slots=True)
class LiveModel:
    """The instances of a model. Built on the user's model; `follow` lets a copy of it be asked about instead.

    A module that a forward reaches and no path leads to is
    taken in by `include`.
    """

    root: torch.nn.Module
    births: Births = field(default_factory=Births)
    _paths: dict[int, list[str]] = field(default_factory=dict)
    _by_path: dict[str, torch.nn.Module] = field(default_factory=dict)
    _modules: dict[int, torch.nn.Module] = field(default_factory=dict)
    _originals: dict[int, torch.nn.Module] = field(default_factory=dict)
    _marks: dict[int, Origin] | None = None
    _strangers: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_path = paths_of(self.root)
        for path, module in self._by_path.items():
            if "parametrizations" in path.split("."):
                continue
            self._modules.setdefault(id(module), module)
            paths = self._paths.setdefault(id(module), [])
            if path:
                paths.append(path)

    def copied(self, twin: Twin) -> LiveModel:
        """The same facts for a deep copy of the root (same paths, same aliasing)."""
        return LiveModel(twin.root, self.births, _originals=twin.originals)

    def include(self, module: torch.nn.Module) -> None:
        """Take in an instance that the model reaches without having registered it, with all inside it."""
        for path, part in () if id(module) in self._modules else paths_of(module).items():
            if id(part) not in self._modules and "parametrizations" not in path.split("."):
                self._modules[id(part)] = part
                self._strangers[id(part)] = len(self._strangers) + 1

    def include_new(self) -> None:
        """Take in what has been registered since."""
        for path, part in paths_of(self.root).items():
            if id(part) not in self._modules and "parametrizations" not in path.split("."):
                self.include(part)

    def modules(self) -> Iterator[torch.nn.Module]:
        """Every instance once, the root first."""
        yield from self._modules.values()

    def module(self, key: str) -> torch.nn.Module | None:
        """The registered instance of that key, if there is one."""
        return self.root if key == "." else self._by_path.get(key)

    def paths(self, module: torch.nn.Module) -> tuple[str, ...]:
        """Every registered path of an instance, in order."""
        return tuple(self._paths.get(id(module), ()))

    def key(self, module: torch.nn.Module) -> str:
        """The instance's key in the graph."""
        if module is self.root:
            return "."
        paths = self._paths.get(id(module))
        return paths[0] if paths else f"<{self._strangers[id(module)]}>"

    def name(self, module: torch.nn.Module) -> str:
        """How the source calls an instance that is registered nowhere; the class of the root."""
        if module is self.root:
            return type(module).__name__
        if self._paths.get(id(module)):
            return ""
        return _name_in_source(module, self.root) or f"{type(module).__name__} {self.key(module)}"

    def slots(self, module: torch.nn.Module) -> tuple[Slot, ...]:
        """The slots with the expression that filled each, the repeated ones marked."""
        paths = self.paths(module)
        places = [self._exact(path, self._placement(path)) for path in paths]
        repeated = repeated_places(paths, places)
        return tuple(
            Slot(path, place, Manner.REPEATED if again else Manner.ASSIGNED)
            for path, place, again in zip(paths, places, repeated, strict=True)
        )

    def _placement(self, path: str) -> Location | None:
        parent, _, name = path.rpartition(".")
        return self.births.placement(self._original(self._by_path[parent]), name)

    def _exact(self, path: str, place: Location | None) -> Location | None:
        """The item itself, where the call that fills a container writes its items out."""
        parent, _, name = path.rpartition(".")
        holder = self._by_path[parent]
        if place is None or not isinstance(holder, _CONTAINERS):
            return place
        names = list(holder._modules)
        return item_place(place, names.index(name), len(names))

    def created(self, module: torch.nn.Module) -> Location | None:
        """The call that created the instance, if it was watched."""
        return self.births.creation(self._original(module))

    def _original(self, module: torch.nn.Module) -> torch.nn.Module:
        return self._originals.get(id(module), module)

    def origin(self, module: torch.nn.Module) -> Origin:
        """Where the instance was created: on a class, in a default argument, at module level or by a constructor."""
        if self._marks is None:
            self._marks = self._origins()
        return self._marks.get(id(self._original(module)), Origin.CONSTRUCTOR)

    def _origins(self) -> dict[int, Origin]:
        found: dict[int, Origin] = {}
        classes = _user_classes(self._modules.values())
        spaces = {id(space): space for space in map(globals_of, classes)}.values()
        model = self._original(self.root)  # where it is kept says nothing of its parts
        for function in _functions((*map(vars, classes), *spaces)):
            keywords = function.__kwdefaults__ or {}
            _mark(found, (*(function.__defaults__ or ()), *keywords.values()), Origin.DEFAULT_ARGUMENT, model)
        for cls in classes:
            _mark(found, vars(cls).values(), Origin.CLASS_ATTRIBUTE, model)
        for space in spaces:
            _mark(found, space.values(), Origin.MODULE_LEVEL, model)
        return found


def _functions(spaces: Iterable[Mapping[str, Any]]) -> list[FunctionType]:
    """The functions in namespaces, also those inside static and class methods."""
    values = [value for space in spaces for value in list(space.values())]
    plain = [value.__func__ if type(value) in {staticmethod, classmethod} else value for value in values]
    return [value for value in plain if type(value) is FunctionType]


_CONTAINERS = (torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ModuleDict)


def _user_classes(modules: Iterable[torch.nn.Module]) -> list[type]:
    classes = dict.fromkeys(cls for module in modules for cls in type(module).__mro__)
    return [cls for cls in classes if cls is not object and is_users(str(globals_of(cls).get("__file__", "<")))]


def globals_of(cls: type) -> Mapping[str, Any]:
    """The names of the module that defines a class."""
    for function in vars(cls).values():
        space = function.__globals__ if type(function) is FunctionType else {}
        if space.get("__name__") == cls.__module__:
            return space
    return vars(sys.modules.get(cls.__module__, object))


def _mark(found: dict[int, Origin], values: Iterable[Any], origin: Origin, model: torch.nn.Module) -> None:
    for held in (held for value in values for held in _held(value) if held is not model):
        for part in held.modules():
            found.setdefault(id(part), origin)


def _held(value: Any) -> list[torch.nn.Module]:
    """The modules in a value: itself, or what a plain list or dict holds."""
    if type(value) in {list, tuple}:
        items: Iterable[Any] = value
    else:
        items = value.values() if type(value) is dict else (value,)
    return [item for item in items if issubclass(type(item), torch.nn.Module)]


def _name_in_source(module: torch.nn.Module, root: torch.nn.Module) -> str:
    """The class attribute, global, attribute or list that holds an instance which is not registered."""
    for owner in root.modules():
        spaces: list[Mapping[str, Any]] = [vars(cls) for cls in type(owner).__mro__]
        for space in (*spaces, globals_of(type(owner)), vars(owner)):
            for name, value in space.items():
                if not name.startswith("__") and any(item is module for item in _held(value)):
                    return str(name)
    return ""


def type_name(module: torch.nn.Module) -> str:
    """The dotted name of a module's class; torch's own as it is written (`torch.nn.BatchNorm2d`)."""
    cls: type[Any] = type(module)
    if cls.__module__.startswith("torch.nn.modules.") and getattr(torch.nn, cls.__name__, None) is cls:
        return f"torch.nn.{cls.__name__}"
    qualified = cls.__qualname__.rsplit("<locals>.", 1)[-1]
    return f"{cls.__module__}.{qualified}"
