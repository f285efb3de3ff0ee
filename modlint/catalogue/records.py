"""Frozen values without the import of `dataclasses`, which takes longer than Python takes to start.

Context: `modlint state` is asked in editors and should not wait. Decision: the modules that it runs import nothing slow
(`ast`, `dataclasses`, `typing`, `tomllib`, `pathlib`), so that there is one evaluator and not a quick one besides.
Consequence: they take `dataclass` from here; a type checker sees the real one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def dataclass(*, frozen: bool) -> Callable[[type], type]:
    """As `dataclasses.dataclass(frozen=True)`, for classes that inherit no fields."""
    assert frozen
    return _with_fields


def _with_fields(cls: type) -> type:
    fields = tuple(cls.__annotations__)
    defaults = {name: cls.__dict__[name] for name in fields if name in cls.__dict__}

    def __init__(self: Any, *args: object, **kwargs: object) -> None:
        values = {**defaults, **dict(zip(fields, args, strict=False)), **kwargs}
        if len(args) > len(fields) or values.keys() != set(fields):
            raise TypeError(f"{cls.__name__} has the fields {', '.join(fields)}")
        self.__dict__.update(values)

    def __eq__(self: Any, other: object) -> bool:
        return type(other) is cls and bool(self.__dict__ == other.__dict__)

    def __hash__(self: Any) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self: Any) -> str:
        return f"{cls.__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"

    def __setattr__(self: Any, name: str, value: object) -> None:
        raise AttributeError(f"{cls.__name__} is frozen")

    for method in (__init__, __eq__, __hash__, __repr__, __setattr__):
        setattr(cls, method.__name__, method)
    return cls
