"""`modlint state`: the text of constructor calls -> what each makes, by the catalogue alone.

Literals, names, calls, comprehensions and arithmetic are evaluated; everything else is an argument of unknown value.
Nothing slow is imported here (see `records`).
"""

from __future__ import annotations

import _ast

from modlint.catalogue import arithmetic
from modlint.catalogue.conditions import NOT_NONE, UNKNOWN, parsed
from modlint.catalogue.contents import Built, appended, built, wrapped
from modlint.catalogue.entries import Holds
from modlint.catalogue.names import Names
from modlint.catalogue.signatures import Reference, dotted
from modlint.catalogue.telling import TRAITS, of, unknown
from modlint.errors import ModlintError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from dataclasses import dataclass
    from typing import TypedDict

    from modlint.catalogue.store import Catalogue

    class _Told(TypedDict):
        expression: str
        type: str
        state: str
        traits: list[str]
        certain: bool
        writes: list[str]

    class Answer(_Told, total=False):
        """One line of the answer, as the JSON has it. `reason` is there only where something is not known."""

        reason: str
else:
    from modlint.catalogue.records import dataclass

_RETURN_SELF = {
    "eval", "train", "requires_grad_", "to", "to_empty", "cuda", "cpu", "xpu", "half", "float", "double", "bfloat16",
    "type", "apply", "share_memory",
}  # fmt: skip
_MAPPINGS = {"OrderedDict", "collections.OrderedDict", "dict"}
_SEQUENCES = {"list", "tuple", "iter", "reversed"}
_PARTIAL = {"partial", "functools.partial"}
_COPIES = {"copy.deepcopy", "copy.copy", "deepcopy"}
_SKIP_INIT = {"torch.nn.utils.skip_init", "torch.nn.utils.init.skip_init", "skip_init"}
_FROM_ANOTHER = {"from_float", "from_observed", "from_reference"}
_TENSORS = {"torch.nn.Parameter", "torch.nn.Buffer", "torch.nn.UninitializedParameter"}
_MODULES = ("torch.nn.", "torch.ao.", "torch.quantization.")
_MOST = 10_000  # items that are written out of a repetition
_HOW = "write a constructor call such as 'nn.BatchNorm2d(8, affine=False)'"


@dataclass(frozen=True)
class _Partial:
    """A class with some of its arguments: `functools.partial`, `Observer.with_args`."""

    name: str
    args: tuple[object, ...]
    kwargs: dict[str, object]
    complete: bool


class _Arguments:
    """The arguments of a call, evaluated. `complete` is False where some could not be told apart."""

    __slots__ = ("complete", "kwargs", "positional")

    def __init__(self) -> None:
        self.positional: list[object] = []
        self.kwargs: dict[str, object] = {}
        self.complete = True


def state_of_expressions(expressions: Sequence[str], catalogue: Catalogue) -> list[Answer]:
    """The state of what each constructor call makes. Raises ModlintError for text that is no such call."""
    names = Names(catalogue)
    return [_answer(text, names) for text in expressions]


def said(answer: Answer) -> str:
    """An answer as a line of text."""
    traits = f" ({', '.join(answer['traits'])})" if answer["traits"] else ""
    writes = f"; writes {', '.join(answer['writes'])}" if answer["writes"] else ""
    reason = f": {answer['reason']}" if "reason" in answer else ""
    sure = "" if answer["certain"] else f"; not certain{reason}"
    made = f"{answer['type']}: " if answer["type"] else ""
    return f"{answer['expression']}: {made}{answer['state']}{traits}{writes}{sure}"


def _answer(text: str, names: Names) -> Answer:
    if not text.strip():
        raise ModlintError(f"the expression is empty; {_HOW}")
    try:
        tree = parsed(text)
        made = _Evaluation(names, text, {}).value(tree)
    except SyntaxError as error:
        raise ModlintError(f"{text!r} is no Python expression ({error.msg}); {_HOW}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ModlintError(f"{text[:60]!r} cannot be read ({error or 'it is nested too deeply'}); {_HOW}") from None
    if not isinstance(made, Built):
        made = _no_module(text, tree, made)
    answer: Answer = {
        "expression": text,
        "type": made.type,
        "state": made.state.kind,
        "traits": [trait for trait in TRAITS if trait in made.state.traits],
        "certain": made.state.certain,
        "writes": list(made.state.writes),
    }
    if made.state.reason:
        answer["reason"] = names.explained(made.state.reason)
    return answer


def _no_module(text: str, tree: _ast.expr, value: object) -> Built:
    """What is told of an expression that makes no module that can be named. Raises ModlintError where it is none."""
    if isinstance(value, Reference):
        raise ModlintError(f"{text!r} is not a call but the class {value}; write '{text.strip()}(...)' with arguments")
    if isinstance(value, _Partial):
        raise ModlintError(f"{text!r} makes no {value.name} yet; call it: '{text.strip()}()'")
    if not isinstance(tree, (_ast.Call, _ast.Subscript)):
        raise ModlintError(f"{text!r} is not a call; {_HOW}")
    if value is NOT_NONE:
        return Built("", unknown("it makes a tensor or a setting, not a module"))
    return Built("", unknown("it is not the call of a class or function that can be named"))


@dataclass(frozen=True)
class _Evaluation:
    """The evaluation of one expression. `text` is for messages, `local` holds the variables of comprehensions."""

    names: Names
    text: str
    local: dict[str, object]

    def value(self, node: _ast.expr) -> object:
        """A constant, a list, tuple or dict of values, a `Built`, a `Reference`, a `_Partial`, or an `Unknown`."""
        match node:
            case _ast.Constant(value=value):
                return value
            case _ast.UnaryOp(op=op, operand=operand):
                return arithmetic.unary(op, self.value(operand))
            case _ast.BinOp(left=left, op=op, right=right):
                return arithmetic.binary(op, self.value(left), self.value(right), _MOST)
            case _ast.Tuple(elts=elements):
                items = self._items(elements)
                return tuple(items) if isinstance(items, list) else items
            case _ast.List(elts=elements):
                return self._items(elements)
            case _ast.Dict(keys=keys, values=values):
                return self._mapping(keys, values)
            case _ast.ListComp(elt=element, generators=generators):
                return self._repeated(element, generators)
            case _ast.GeneratorExp(elt=element, generators=generators):
                return self._repeated(element, generators)
            case _ast.DictComp(key=key, value=value, generators=generators):
                pairs = self._repeated(_ast.Tuple(elts=[key, value]), generators)
                return _dict_of(pairs)
            case _ast.Subscript(value=base, slice=index):
                return _item(self.value(base), self.value(index))
            case _ast.IfExp(test=test, body=body, orelse=orelse):
                chosen = self.value(test)
                return UNKNOWN if _open(chosen) else self.value(body if chosen else orelse)
            case _ast.Call():
                return self._call(node)
            case _ast.Name() | _ast.Attribute():
                return self._named(dotted(node))
            case _:
                return UNKNOWN

    def _named(self, name: str | None) -> object:
        """A variable, a class of the catalogue given by name, an object of torch, or nothing known."""
        if name is None:
            return UNKNOWN
        if name in self.local:
            return self.local[name]
        full = self.names.full(name)
        if self.names.known(full):
            return Reference(full)
        return NOT_NONE if full.startswith("torch.") else UNKNOWN

    def _items(self, elements: Sequence[_ast.expr]) -> object:
        items: list[object] = []
        for element in elements:
            if not isinstance(element, _ast.Starred):
                items.append(self.value(element))
                continue
            value = self.value(element.value)
            if not isinstance(value, (list, tuple)):
                return UNKNOWN
            items.extend(value)
        return items

    def _mapping(self, keys: Sequence[_ast.expr | None], values: Sequence[_ast.expr]) -> object:
        found: dict[object, object] = {}
        for key, value in zip(keys, values, strict=True):
            name, item = (None if key is None else self.value(key)), self.value(value)
            if key is None and isinstance(item, dict):
                found.update(item)
            elif isinstance(name, (str, int)):
                found[name] = item
            else:
                return UNKNOWN
        return found

    def _repeated(self, element: _ast.expr, generators: Sequence[_ast.comprehension]) -> object:
        """The items of a comprehension over what is known; over anything else one item stands for all."""
        first, *others = generators
        items = self.value(first.iter)
        if not isinstance(items, (list, tuple)) or first.ifs or others:
            return [self._with(first.target, UNKNOWN).value(element)]
        return [self._with(first.target, item).value(element) for item in items]

    def _with(self, target: _ast.expr, item: object) -> _Evaluation:
        """The same with the variables of a comprehension."""
        match target:
            case _ast.Name(id=name):
                return _Evaluation(self.names, self.text, {**self.local, name: item})
            case _ast.Tuple(elts=targets):
                parts = list(item) if isinstance(item, (list, tuple)) and len(item) == len(targets) else None
                inner = self
                for i, one in enumerate(targets):
                    inner = inner._with(one, UNKNOWN if parts is None else parts[i])
                return inner
            case _:
                return self

    def _call(self, node: _ast.Call) -> object:
        given = self._arguments(node)
        match node.func:
            case _ast.Attribute(value=owner, attr=method) if dotted(owner) is None:
                return self._after(self.value(owner), method, given)
            case func if (name := dotted(func)) is not None and name not in self.local:
                return self._made(name, given)
            case func:
                return self._called(self.value(func), given)

    def _arguments(self, node: _ast.Call) -> _Arguments:
        given = _Arguments()
        for argument in node.args:
            value = self.value(argument.value if isinstance(argument, _ast.Starred) else argument)
            if not isinstance(argument, _ast.Starred):
                given.positional.append(value)
            elif isinstance(value, (list, tuple)):
                given.positional.extend(value)
            else:
                given.complete = False
        for word in node.keywords:
            value = self.value(word.value)
            if word.arg is not None:
                given.kwargs[word.arg] = value
            elif isinstance(value, dict):
                given.kwargs.update((str(name), item) for name, item in value.items())
            else:
                given.complete = False
        return given

    def _made(self, name: str, given: _Arguments) -> object:
        """What the call of a name makes."""
        plain = _plain_call(name, given)
        if plain is not UNKNOWN:
            return plain
        full = self.names.full(name)
        if full in _SKIP_INIT or name in _PARTIAL:
            return self._class_first(given, make=full in _SKIP_INIT)
        owner, _, method = name.rpartition(".")
        if not self.names.known(full) and owner and self.names.known(self.names.full(owner)):
            return self._class_method(self.names.full(owner), method, given)
        return self._instance(full, given)

    def _instance(self, name: str, given: _Arguments) -> object:
        wrapper, entry = self.names.catalogue.wrapper(name), self.names.catalogue.entry(name)
        called = wrapper or entry
        if called is None:
            return NOT_NONE if _of_torch_itself(name) else Built(name, unknown(self.names.missing(name)))
        fault = called.misfit(given.positional, given.kwargs) if given.complete else ""
        if fault:
            raise ModlintError(f"{self.text!r}: {called.name} {fault}")
        if entry is not None and entry.holds is Holds.POSITIONAL and any(isinstance(i, list) for i in given.positional):
            raise ModlintError(f"{self.text!r}: {entry.name} takes modules, not a list; write {entry.name}(*[...])")
        bound = called.bind(given.positional, given.kwargs, complete=given.complete)
        return wrapped(wrapper, bound) if wrapper else built(entry, bound) if entry else UNKNOWN

    def _class_first(self, given: _Arguments, *, make: bool) -> object:
        """`partial(nn.Conv2d, 3)`, and `skip_init(nn.Linear, 3, 4)`, which makes it at once."""
        if not given.positional:
            return UNKNOWN
        cls, *given.positional = given.positional
        return self._called(cls, given) if make else _bound(cls, given)

    def _class_method(self, cls: str, method: str, given: _Arguments) -> object:
        """A class method of a class in the catalogue: what makes one of it, or is unknown."""
        if method == "with_args":
            return _bound(Reference(cls), given)
        entry = self.names.catalogue.entry(cls)
        if method in _FROM_ANOTHER and entry is not None:
            return built(entry, entry.bind((), {}, complete=False))
        return Built("", unknown(f"the catalogue does not know what {cls}.{method} makes"))

    def _called(self, func: object, given: _Arguments) -> object:
        """What the call of a value makes."""
        match func:
            case Reference():
                return self._instance(str(func), given)
            case _Partial():
                more = _Arguments()
                more.positional = [*func.args, *given.positional]
                more.kwargs = {**func.kwargs, **given.kwargs}
                more.complete = func.complete and given.complete
                return self._instance(func.name, more)
            case Built():
                return NOT_NONE  # the output of the module
            case _:
                return UNKNOWN

    def _after(self, owner: object, method: str, given: _Arguments) -> object:
        """What a method of a value returns."""
        if isinstance(owner, (Reference, _Partial)) and method == "with_args":
            return _bound(owner, given)
        if not isinstance(owner, Built):
            return UNKNOWN
        if method == "requires_grad_" and [*given.positional, *given.kwargs.values()] == [False]:
            return _frozen(owner)
        if method == "append" and len(given.positional) == 1:
            return appended(owner, given.positional)
        if method == "extend" and len(given.positional) == 1:
            items = given.positional[0]
            return appended(owner, items if isinstance(items, (list, tuple)) else [items])
        return owner if method in _RETURN_SELF else UNKNOWN


def _of_torch_itself(name: str) -> bool:
    """Whether a name is that of what makes a tensor or a setting, not a module: `torch.randn`."""
    if name in _TENSORS:
        return True
    return name.startswith("torch.") and not name.startswith(_MODULES) and name.rpartition(".")[2].islower()


def _plain_call(name: str, given: _Arguments) -> object:
    """What functions of Python make of what they are given: mappings, lists, ranges, copies; UNKNOWN for others."""
    if not given.complete:
        return UNKNOWN
    first = given.positional[0] if len(given.positional) == 1 else None
    if name in _MAPPINGS and len(given.positional) <= 1:
        pairs = _dict_of(first) if given.positional else {}
        return {**pairs, **given.kwargs} if isinstance(pairs, dict) else UNKNOWN
    if name in _SEQUENCES and isinstance(first, (list, tuple)):
        return list(first)
    if name in _COPIES and first is not None:
        return first
    if name == "range" and all(type(number) is int for number in given.positional):
        return arithmetic.numbers(given.positional, _MOST)
    return UNKNOWN


def _dict_of(pairs: object) -> object:
    """A mapping, or a list of pairs, as a mapping."""
    if isinstance(pairs, dict):
        return pairs
    if isinstance(pairs, (list, tuple)) and all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
        return {name if isinstance(name, (str, int)) else "*": item for name, item in pairs}
    return UNKNOWN


def _bound(func: object, given: _Arguments) -> object:
    match func:
        case Reference():
            return _Partial(str(func), tuple(given.positional), dict(given.kwargs), given.complete)
        case _Partial():
            args, kwargs = (*func.args, *given.positional), {**func.kwargs, **given.kwargs}
            return _Partial(func.name, args, kwargs, func.complete and given.complete)
        case _:
            return UNKNOWN


def _frozen(module: Built) -> Built:
    state = module.state
    if state.kind == "unknown":
        return module
    return Built(module.type, of(state.traits - {"learnable"}, state.writes, state.certain, state.reason), module.size)


def _item(items: object, index: object) -> object:
    match items:
        case list() | tuple() if isinstance(index, int) and -len(items) <= index < len(items):
            return items[index]
        case dict() if isinstance(index, (str, int)) and index in items:
            return items[index]
        case _:
            return UNKNOWN


def _open(value: object) -> bool:
    """Whether the truth of a value is not known."""
    return not isinstance(value, (bool, int, float, str, type(None)))
