"""Parameter lists: the text of one -> its parameters, and a call's arguments bound to them, or why they do not fit."""

from __future__ import annotations

import _ast
from enum import Enum
from functools import cache

from modlint.catalogue.conditions import UNKNOWN, literal, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from dataclasses import dataclass
else:
    from modlint.catalogue.records import dataclass


class Kind(str, Enum):
    """How a parameter takes its arguments."""

    PLAIN = "plain"  # positional or keyword
    KEYWORD = "keyword"  # keyword only
    POSITIONALS = "positionals"  # *args
    KEYWORDS = "keywords"  # **kwargs


class Required(Enum):
    """The default of a parameter that has none."""

    REQUIRED = "required"


REQUIRED = Required.REQUIRED


class Reference(str):
    """A default that is no literal, by its dotted name: `torch.nn.functional.relu`."""

    __slots__ = ()


@dataclass(frozen=True)
class Param:
    """One parameter of a constructor. `default` is a constant, a `Reference` or `REQUIRED`."""

    name: str
    default: object = REQUIRED
    kind: Kind = Kind.PLAIN


def bind(
    params: Sequence[Param], args: Sequence[object], kwargs: Mapping[str, object], *, complete: bool
) -> dict[str, object]:
    """Values by parameter, defaults filled in. What does not fit is dropped (see `misfit`).

    A parameter without a value is `UNKNOWN`; so is every parameter that got none where the call is not `complete`
    (it has a `*args` or `**kwargs` of unknown content).
    """
    rest, left = list(args), dict(kwargs)
    bound: dict[str, object] = {}
    for param in params:
        if param.kind is Kind.POSITIONALS:
            bound[param.name], rest = tuple(rest), []
        elif param.kind is Kind.KEYWORDS:
            bound[param.name], left = left, {}
        elif param.name in left:
            bound[param.name] = left.pop(param.name)
        elif rest and param.kind is Kind.PLAIN:
            bound[param.name] = rest.pop(0)
        else:
            bound[param.name] = param.default if complete and param.default is not REQUIRED else UNKNOWN
    return bound


def misfit(params: Sequence[Param], args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """Why the class would refuse this call, or ""."""
    kinds = {param.kind for param in params}
    plain = [param.name for param in params if param.kind is Kind.PLAIN]
    named = [*plain, *(param.name for param in params if param.kind is Kind.KEYWORD)]
    if Kind.POSITIONALS not in kinds and len(args) > len(plain):
        return f"takes {len(plain)} positional arguments, {len(args)} given"
    if Kind.KEYWORDS not in kinds:
        for name in kwargs:
            if name not in named:
                return f"has no parameter {name!r}; it has {', '.join(named) or 'none'}"
    for name in plain[: len(args)]:
        if name in kwargs:
            return f"gets {name!r} twice"
    needed = [p.name for p in params if p.default is REQUIRED and p.kind in (Kind.PLAIN, Kind.KEYWORD)]
    missing = [name for name in needed if name not in kwargs and name not in plain[: len(args)]]
    return f"lacks the argument {missing[0]!r}" if missing else ""


@cache
def signature(text: str) -> tuple[Param, ...]:
    """The parameters that `text` lists, written as in a def without annotations. Raises SyntaxError or ValueError."""
    function = parsed(f"lambda {text}: 0")
    assert isinstance(function, _ast.Lambda)
    spec = function.args
    plain = [*spec.posonlyargs, *spec.args]
    defaults: list[_ast.expr | None] = [None] * (len(plain) - len(spec.defaults))
    params = [_param(arg, default) for arg, default in zip(plain, [*defaults, *spec.defaults], strict=True)]
    if spec.vararg:
        params.append(Param(spec.vararg.arg, kind=Kind.POSITIONALS))
    for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        params.append(_param(arg, default, Kind.KEYWORD))
    if spec.kwarg:
        params.append(Param(spec.kwarg.arg, kind=Kind.KEYWORDS))
    return tuple(params)


def _param(arg: _ast.arg, default: _ast.expr | None, kind: Kind = Kind.PLAIN) -> Param:
    if default is None:
        return Param(arg.arg, REQUIRED, kind)
    name = dotted(default)
    return Param(arg.arg, literal(default) if name is None else Reference(name), kind)


def dotted(node: _ast.expr) -> str | None:
    """The name that `a` or `a.b.c` is, None for anything else."""
    if isinstance(node, _ast.Name):
        return node.id
    if isinstance(node, _ast.Attribute):
        head = dotted(node.value)
        return None if head is None else f"{head}.{node.attr}"
    return None
