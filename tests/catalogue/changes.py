"""What another release of torch changes against the catalogue. Run there: `python -m catalogue.changes`.

In: the installed torch and the entries. Out: a file of that release in `releases/`, to which the tests hold it and from
which the table is made. The release that the catalogue was measured on has no file: nothing differs there.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from catalogue import installed
from catalogue.exempt import WITHOUT_ENTRY
from catalogue.proof import all_cases, catalogue, disagreements
from modlint.catalogue import REQUIRED, Kind, Reference

if TYPE_CHECKING:
    from modlint.catalogue import Param

RELEASES = Path(__file__).with_name("releases")


@dataclass(frozen=True)
class Changes:
    """What differs on one release."""

    absent: list[str] = field(default_factory=list)  # names that it does not have
    uncatalogued: list[str] = field(default_factory=list)  # public module classes without entry or excuse
    signatures: dict[str, str] = field(default_factory=dict)  # by name, what is different
    behaviour: dict[str, list[str]] = field(default_factory=dict)  # by configuration, what contradicts the entry


@cache
def recorded(release: str = installed.version()) -> Changes:
    """What is written down for a release."""
    file = RELEASES / f"torch-{release}.json"
    return Changes(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else Changes()


def releases() -> list[str]:
    """The releases with a file, oldest first."""
    names = [file.stem.removeprefix("torch-") for file in RELEASES.glob("torch-*.json")]
    return sorted(names, key=lambda name: [int(part) for part in name.split(".")])


def measured() -> Changes:
    """What differs on the release that is installed."""
    gone = absent()
    names = [name for name in catalogue().names() if name.startswith("torch.") and name not in gone]
    cases = [case for case in all_cases() if not any(f"{name}(" in case.expression for name in gone)]
    return Changes(
        gone,
        uncatalogued(),
        {name: text for name in names if (text := of_signature(name))},
        {case.name: found for case in cases if (found := disagreements(case))},
    )


@cache
def absent() -> list[str]:
    """What has an entry or an excuse and is not there."""
    names = [name for name in catalogue().names() if name.startswith("torch.")]
    return [name for name in (*names, *WITHOUT_ENTRY) if not _exists(name)]


def _exists(name: str) -> bool:
    try:
        return callable(installed.resolve(name))
    except (ImportError, AttributeError):
        return False


def uncatalogued() -> list[str]:
    """The public module classes with neither an entry nor an excuse."""
    missing = []
    for cls, names in installed.classes().items():
        own = f"{cls.__module__}.{cls.__qualname__}"
        public = not any(part.startswith("_") for part in own.split("."))
        known = any(catalogue().canonical(name) or name in WITHOUT_ENTRY for name in (*names, own))
        if public and not known:
            missing.append(own)
    return missing


def of_signature(name: str) -> str:
    """How the signature differs from the entry's, or ""."""
    called = installed.resolve(name)
    entry = catalogue().entry(name) or catalogue().wrapper(name)
    assert entry is not None and callable(called)
    if called in _OVERLOADED or getattr(called, "__init__", None) is nn.Module.__init__:
        return ""
    ours = [_described(param) for param in entry.params]
    theirs = [_of_torch(parameter) for parameter in inspect.signature(called).parameters.values()]
    if ours == theirs:
        return ""
    here, there = {param[0]: param for param in ours}, {param[0]: param for param in theirs}
    kinds = {
        "without": [name for name in here if name not in there],
        "with": [name for name in there if name not in here],
        "another default or kind of": [name for name in here if name in there and here[name] != there[name]],
    }
    parts = [f"{kind} {', '.join(names)}" for kind, names in kinds.items() if names]
    return "; ".join(parts) or "the parameters are in another order"


# Their __init__ is written as (*args, **kwargs) with the parameters in overloads or in a base class.
_OVERLOADED = {
    nn.RNN,
    nn.LSTM,
    nn.GRU,
    nn.NLLLoss2d,
    torch.ao.nn.quantized.dynamic.LSTM,
    torch.ao.nn.quantized.dynamic.GRU,
    torch.ao.nn.quantized.dynamic.LSTMCell,
    torch.ao.nn.quantized.reference.LSTM,
    torch.ao.nn.quantized.reference.GRU,
}


def _described(param: Param) -> tuple[str, str, object]:
    default = param.default
    if isinstance(default, Reference):
        default = installed.resolve(default)
    return param.name, param.kind.value, "required" if default is REQUIRED else default


_KINDS = {
    inspect.Parameter.VAR_POSITIONAL: Kind.POSITIONALS,
    inspect.Parameter.VAR_KEYWORD: Kind.KEYWORDS,
    inspect.Parameter.KEYWORD_ONLY: Kind.KEYWORD,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: Kind.PLAIN,
}


def _of_torch(parameter: inspect.Parameter) -> tuple[str, str, object]:
    kind = _KINDS[parameter.kind]
    needed = parameter.default is inspect.Parameter.empty
    return parameter.name, kind.value, "required" if needed else parameter.default


if __name__ == "__main__":
    RELEASES.mkdir(exist_ok=True)
    path = RELEASES / f"torch-{installed.version()}.json"
    path.write_text(json.dumps(asdict(measured()), indent=2, sort_keys=True) + "\n", encoding="utf-8")
