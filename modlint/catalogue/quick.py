"""`modlint state` for a plain call of one class with literal arguments: the answer of `expressions`, or None.

Context: dataclasses, typing and tomllib each take about as long to import as Python takes to start, and what is asked
in an editor should not wait for them. Decision: such a call is answered from the text of the one table that it needs,
with the same conditions; everything else (nested modules, unknown arguments, mistakes, a user's own tables) is left to
`expressions`. Consequence: a test holds the two to the same answer in every measured configuration.
"""

from __future__ import annotations

import _ast
import os

from modlint.catalogue.conditions import Condition, literal, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modlint.catalogue.expressions import Answer

_PREFIXES = {"torch.nn": "torch.nn.", "nn": "torch.nn.", "": "torch.nn."}
_TRAITS = ("learnable", "draws-train", "draws-eval", "writes-train", "writes-eval")  # in the order of `Trait`
_PLAIN = {*_TRAITS, "signature", "like", "writes", "rewrites", "becomes", "methods", "note", "children", "forward"}
_OF_MODULES = {"children", "forward"}  # what is done with modules given as arguments, which are no literals
_PACKAGE = os.path.dirname(os.path.dirname(__file__))


def output(arguments: Sequence[str]) -> str | None:
    """What `modlint state ARGUMENTS` prints, or None where the whole command has to run."""
    as_json = list(arguments[-2:]) == ["--output-format", "json"]
    expressions = arguments[:-2] if as_json else arguments
    if not expressions or any(text.startswith("-") for text in expressions) or _may_have_tables(os.getcwd()):
        return None
    found = answers(expressions)
    if found is None:
        return None
    if not as_json:
        return "".join(f"{said(answer)}\n" for answer in found)
    import json

    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _may_have_tables(folder: str) -> bool:
    """Whether a pyproject.toml here or further up speaks of `states`, as one with the user's own tables does."""
    while True:
        file = os.path.join(folder, "pyproject.toml")
        if os.path.isfile(file):
            with open(file, "rb") as content:
                if b"states" in content.read():
                    return True
        if os.path.dirname(folder) == folder:
            return False
        folder = os.path.dirname(folder)


def answers(expressions: Sequence[str]) -> list[Answer] | None:
    """The answers to all of them, or None where one is not that plain."""
    text = _own_file()
    found = [_answer(expression, text) for expression in expressions] if text else [None]
    return [answer for answer in found if answer is not None] if None not in found else None


def _own_file() -> str:
    """The entries of torch.nn, as `resources` finds them; "" in a zipped wheel."""
    places = [os.path.join(folder, "rules", "states", "torch.toml") for folder in (_PACKAGE, os.path.dirname(_PACKAGE))]
    place = next((place for place in places if os.path.isfile(place)), None)
    if place is None:
        return ""
    with open(place, encoding="utf-8") as file:
        return file.read()


def _answer(expression: str, text: str) -> Answer | None:
    try:
        call = parsed(expression)
        if not isinstance(call, _ast.Call):
            return None
        prefix, _, name = _dotted(call.func).rpartition(".")
        kind = _PREFIXES[prefix] + name
        table = _table(kind, text)
        arguments = _bound(str(table.get("signature", "")), call)
    except (SyntaxError, ValueError, KeyError):
        return None
    truths = {trait: Condition(str(table[trait])).holds(arguments) for trait in _TRAITS if trait in table}
    traits = [trait for trait, truth in truths.items() if truth]
    if None in truths.values():
        return None
    state = _state(traits)
    writes = _written(table, arguments) if state == "stateful" else []
    return {"expression": expression, "type": kind, "state": state, "traits": traits, "certain": True, "writes": writes}


def _dotted(node: _ast.expr) -> str:
    if isinstance(node, _ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    if isinstance(node, _ast.Name):
        return node.id
    raise ValueError


def _table(name: str, text: str) -> Mapping[str, object]:
    """The keys of one entry and of what it is like. Raises ValueError where there is none, or more to it."""
    header = f'\n["{name}"]\n'
    start = text.index(header) + len(header)
    lines = text[start:].partition("\n\n")[0].splitlines()
    texts = {key: value for key, _, value in (line.partition(" = ") for line in lines)}
    if not texts.keys() <= _PLAIN:
        raise ValueError
    table = {key: _read(value) for key, value in texts.items() if key not in _OF_MODULES}
    return {**_table(str(table["like"]), text), **table} if "like" in table else table


def _read(value: str) -> object:
    return value == "true" if value in {"true", "false"} else literal(parsed(value))


def _bound(signature: str, call: _ast.Call) -> Mapping[str, object]:
    """The arguments by parameter. Raises ValueError where one is no literal or the call does not fit."""
    function = parsed(f"lambda {signature}: 0")
    assert isinstance(function, _ast.Lambda)
    spec = function.args
    plain = [arg.arg for arg in spec.args]
    names = [*plain, *(arg.arg for arg in spec.kwonlyargs)]
    given = dict(zip(plain, map(literal, call.args), strict=False))
    words = {str(word.arg): literal(word.value) for word in call.keywords}
    defaults = dict(zip(reversed(plain), reversed(spec.defaults), strict=False))
    defaults.update({arg.arg: value for arg, value in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if value})
    if (
        spec.vararg
        or spec.kwarg
        or len(call.args) > len(plain)
        or given.keys() & words
        or not words.keys() <= set(names)
    ):
        raise ValueError
    bound = {**{name: literal(defaults[name]) for name in names if name in defaults}, **given, **words}
    if bound.keys() < set(names):
        raise ValueError
    return bound


def _state(traits: Sequence[str]) -> str:
    """As `State.of` has it."""
    first = min((("writes", "learnable", "draws").index(trait.partition("-")[0]) for trait in traits), default=3)
    return ("stateful", "parametric", "stochastic", "stateless")[first]


def _written(table: Mapping[str, object], arguments: Mapping[str, object]) -> list[str]:
    names = table.get("writes", [])
    assert isinstance(names, list)
    split = [name.partition(" if ") for name in names]
    return [name for name, _, condition in split if Condition(condition or "True").holds(arguments) is not False]


def said(answer: Answer) -> str:
    """An answer as a line of text."""
    traits = f" ({', '.join(answer['traits'])})" if answer["traits"] else ""
    writes = f"; writes {', '.join(answer['writes'])}" if answer["writes"] else ""
    sure = "" if answer["certain"] else "; not certain"
    return f"{answer['expression']}: {answer['type']}: {answer['state']}{traits}{writes}{sure}"
