"""TARGET (`file.py:NAME` or `package.module:NAME`) -> a live model, with the place where each instance was created."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from modlint.errors import ModlintError
from modlint.trace.births import Births, watched
from modlint.trace.room import weights_within
from modlint.trace.users import user_code

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType


@dataclass(frozen=True, slots=True)
class Target:
    """A built model. `spec` is what the user wrote, `name` the model's class, `births` where its parts were created."""

    spec: str
    name: str
    model: torch.nn.Module
    births: Births = field(default_factory=Births)


def load(
    spec: str, init: Mapping[str, Any] | None = None, device: str | None = None, room: int | None = None
) -> Target:
    """Import, build and return the target. The user's code runs here.

    `init` are keyword arguments of a class or factory; `device` a device to build it on ("meta" needs no memory);
    `room` what its weights may take, in bytes. Raises ModlintError for a target that is not there or cannot be built,
    Outgrown for one that takes more.
    """
    thing = named(spec)
    where = torch.device(device) if device else None
    with watched() as births, weights_within(room):
        model = _built(spec, thing, dict(init or {}), where)
    return Target(spec, type(model).__name__, model, births)


def named(spec: str) -> Any:
    """What NAME stands for in the module of a target; importing runs the user's code."""
    place, _, name = spec.rpartition(":")
    if not place or not name or place.endswith(os.sep):
        raise ModlintError(f"{spec!r} is no target; write file.py:NAME or package.module:NAME")
    module = _module_of_file(place) if place.endswith(".py") else _module_of_name(place)
    thing: Any = module
    for part in name.split("."):
        with user_code(f"looking up {part} in {place}"):  # a package may import it now
            there = hasattr(thing, part)
        if not there:
            raise ModlintError(f"{place} has no {part!r}{_instead(module, part)}", file=place)
        thing = getattr(thing, part)
    return thing


def _module_of_name(name: str) -> ModuleType:
    _on_path(Path.cwd())
    with user_code(f"importing {name}"):
        return importlib.import_module(name)


def _module_of_file(place: str) -> ModuleType:
    """Import a file under the dotted name that its packages give it, so that relative imports in it work."""
    path = Path(place).resolve()
    if not path.is_file():
        raise ModlintError(f"no such file: {place}")
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    _on_path(folder)
    name = ".".join(parts)
    if len(parts) > 1 or _is(name, path):
        with user_code(f"importing {place}"):
            module = importlib.import_module(name)
        if _same_file(module, path):
            return module
    return _executed(place, path)


def _is(name: str, path: Path) -> bool:
    """Whether importing `name` would find that very file, rather than another module of the same name."""
    if name in sys.modules:
        return _same_file(sys.modules[name], path)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == path


def _same_file(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve() == path


def _executed(place: str, path: Path) -> ModuleType:
    """Run a file whose plain name is taken by another module, under a name of its own."""
    name = f"_modlint_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ModlintError(f"{place} cannot be imported; a target is a Python source file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with user_code(f"importing {place}"):
        spec.loader.exec_module(module)
    return module


def _on_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _instead(module: ModuleType, name: str) -> str:
    """What the user may have meant: names that look alike, else the model classes that the module defines."""
    close = difflib.get_close_matches(name, vars(module), n=3)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    models = [
        key for key, value in vars(module).items() if is_model_class(value) and value.__module__ == module.__name__
    ]
    return f"; it defines {', '.join(models[:10])}" if models else "; it defines no nn.Module class"


def is_model_class(thing: object) -> bool:
    """Whether `thing` is a subclass of nn.Module."""
    return isinstance(thing, type) and issubclass(thing, torch.nn.Module)


def needs_arguments(thing: object) -> list[str]:
    """Names of the arguments without default that building a class or calling a factory requires."""
    if not callable(thing):
        return []
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return []
    variadic = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return [p.name for p in parameters if p.default is p.empty and p.kind not in variadic]


def _built(spec: str, thing: Any, init: dict[str, Any], device: torch.device | None) -> torch.nn.Module:
    if isinstance(thing, torch.nn.Module):
        if init:
            raise ModlintError(f"{spec} is an instance already, so --init has nothing to build; leave it out")
        return thing
    if not callable(thing):
        raise ModlintError(
            f"{spec} is {_article(type(thing).__name__)}; a target is an nn.Module class, factory or instance"
        )
    missing = [name for name in needs_arguments(thing) if name not in init]
    if missing:
        example = "{" + ", ".join(f'"{name}": ...' for name in missing) + "}"
        raise ModlintError(
            f"{spec} cannot be built without {', '.join(missing)}; give them with --init '{example}', "
            f"or name a function that builds it"
        )
    with user_code(f"building {spec}"):
        if device is None:
            model = thing(**init)
        else:
            with device:
                model = thing(**init)
    if not isinstance(model, torch.nn.Module):
        raise ModlintError(
            f"{spec} returned {_article(type(model).__name__)}, not an nn.Module; name a class, factory or instance"
        )
    return model


def _article(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
