"""`modlint state`: the text of constructor calls -> what each makes, by the catalogue alone.

Only literals, names and calls are evaluated; everything else is an argument of unknown value.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from modlint.catalogue.conditions import NOT_NONE, UNKNOWN
from modlint.catalogue.contents import Built, built, wrapped
from modlint.catalogue.entries import Reference
from modlint.errors import ModlintError
from modlint.graph import State, StateClass, Trait

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modlint.catalogue.store import Catalogue

# What people import under a short name, and where a bare class name is looked for, in this order.
_SHORT = {
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "ops": "torchvision.ops",
    "utils": "torch.nn.utils",
    "parametrizations": "torch.nn.utils.parametrizations",
    "parametrize": "torch.nn.utils.parametrize",
    "prune": "torch.nn.utils.prune",
    "tq": "torch.ao.quantization",
    "nnq": "torch.ao.nn.quantized",
    "nniqat": "torch.ao.nn.intrinsic.qat",
}
_BARE = (
    "torch.nn",
    "torch.nn.utils",
    "torch.nn.utils.parametrizations",
    "torch.nn.utils.parametrize",
    "torch.ao.quantization",
    "torch.ao.nn.quantized",
    "torchvision.ops",
    "timm.layers",
    "torchmetrics",
    "einops.layers.torch",
)
_RETURN_SELF = {"eval", "train", "requires_grad_", "to", "cuda", "cpu", "half", "float", "double", "bfloat16", "apply"}
_PASSED_ON = {
    "OrderedDict",
    "collections.OrderedDict",
    "dict",
    "list",
    "tuple",
}  # what they are given is what they hold


class Answer(TypedDict, total=False):
    """One line of the answer, as the JSON has it. `reason` is there only where something is not known."""

    expression: str
    type: str
    state: str
    traits: list[str]
    certain: bool
    writes: list[str]
    reason: str


def state_of_expressions(expressions: Sequence[str], catalogue: Catalogue) -> list[Answer]:
    """The state of what each constructor call makes. Raises ModlintError for text that is no such call."""
    return [_answer(text, catalogue) for text in expressions]


def _answer(text: str, catalogue: Catalogue) -> Answer:
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ModlintError(f"{text!r} is no Python expression ({error.msg}); {_HOW}") from None
    if not isinstance(tree, ast.Call):
        raise ModlintError(f"{text!r} is not a call; {_HOW}")
    made = _Evaluation(catalogue, text).value(tree)
    if not isinstance(made, Built):
        made = Built("", State.unknown("it is not the call of a class or function that can be named"))
    answer: Answer = {
        "expression": text,
        "type": made.type,
        "state": made.state.kind.value,
        "traits": [trait.value for trait in Trait if trait in made.state.traits],
        "certain": made.state.certain,
        "writes": list(made.state.writes),
    }
    if made.state.reason:
        answer["reason"] = made.state.reason
    return answer


_HOW = "write a constructor call such as 'nn.BatchNorm2d(8, affine=False)'"


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """The evaluation of one expression. `text` is for messages."""

    catalogue: Catalogue
    text: str

    def value(self, node: ast.expr) -> object:
        """A constant, a list, tuple or dict of values, a `Built`, or an `Unknown`."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.UnaryOp() if isinstance(node.operand, ast.Constant):
                return _literal(node)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return self._items(elements)
            case ast.Dict(keys=keys, values=values) if None not in keys:
                names = [UNKNOWN if key is None else self.value(key) for key in keys]
                return dict(zip(map(str, names), map(self.value, values), strict=True))
            case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
                return [self.value(element)] * self._rounds(node.generators)
            case ast.BinOp(left=ast.List(), op=ast.Mult(), right=ast.Constant(value=int(times))):
                items = self.value(node.left)
                return items * times if isinstance(items, list) else UNKNOWN
            case ast.Call():
                return self._call(node)
            case ast.Name() | ast.Attribute():
                return self._named(self._dotted(node) or "")
            case _:
                return UNKNOWN

    def _named(self, dotted: str) -> object:
        """A class of the catalogue given by name, an object of torch, or nothing known."""
        name = self._canonical(dotted)
        if self.catalogue.canonical(name):
            return Reference(name)
        return NOT_NONE if name.startswith("torch.") else UNKNOWN

    def _items(self, elements: Sequence[ast.expr]) -> object:
        items: list[object] = []
        for element in elements:
            value = self.value(element.value if isinstance(element, ast.Starred) else element)
            if not isinstance(element, ast.Starred):
                items.append(value)
            elif isinstance(value, list):
                items.extend(value)
            else:
                return UNKNOWN
        return items

    def _rounds(self, generators: Sequence[ast.comprehension]) -> int:
        """How many items a comprehension has: the argument of a `range`, else one stands for all."""
        match [generator.iter for generator in generators]:
            case [ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(times))])]:
                return times
        return 1

    def _call(self, node: ast.Call) -> object:
        args: list[object] = []
        complete = True
        for argument in node.args:
            value = self.value(argument.value if isinstance(argument, ast.Starred) else argument)
            if not isinstance(argument, ast.Starred):
                args.append(value)
            elif isinstance(value, list):
                args.extend(value)
            else:
                complete = False
        kwargs = {word.arg: self.value(word.value) for word in node.keywords if word.arg is not None}
        complete = complete and all(word.arg is not None for word in node.keywords)
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call):
            return _after(self.value(node.func.value), node.func.attr, args)
        dotted = self._dotted(node.func)
        if dotted in _PASSED_ON and complete and len(args) == 1 and not kwargs:
            return args[0]
        return UNKNOWN if dotted is None else self._made(dotted, args, kwargs, complete)

    def _made(self, dotted: str, args: list[object], kwargs: dict[str, object], complete: bool) -> object:
        name = self._canonical(dotted)
        wrapper = self.catalogue.wrapper(name)
        entry = self.catalogue.entry(name)
        called = wrapper or entry
        if called is None:
            return Built(name, State.unknown(f"the catalogue has no entry for {name}"))
        fault = called.misfit(args, kwargs) if complete else ""
        if fault:
            raise ModlintError(f"{self.text!r}: {called.name} {fault}")
        bound = called.bind(args, kwargs, complete=complete)
        return wrapped(wrapper, bound) if wrapper else built(entry, bound) if entry else UNKNOWN

    def _canonical(self, dotted: str) -> str:
        head, dot, rest = dotted.partition(".")
        candidates = [dotted, f"{_SHORT[head]}{dot}{rest}" if head in _SHORT else dotted]
        if not dot:
            candidates += [f"{package}.{dotted}" for package in _BARE]
        found = (self.catalogue.canonical(candidate) for candidate in candidates)
        return next((name for name in found if name is not None), candidates[1])

    def _dotted(self, node: ast.expr) -> str | None:
        match node:
            case ast.Name(id=name):
                return name
            case ast.Attribute(value=value, attr=name):
                head = self._dotted(value)
                return None if head is None else f"{head}.{name}"
        return None


def _after(module: object, method: str, args: Sequence[object]) -> object:
    """What a method of a built module returns."""
    if not isinstance(module, Built):
        return UNKNOWN
    if method == "requires_grad_" and args == [False]:
        state = module.state
        kept = State.of(state.traits - {Trait.LEARNABLE}, state.writes, state.certain, state.reason)
        return module if state.kind is StateClass.UNKNOWN else Built(module.type, kept)
    return module if method in _RETURN_SELF else UNKNOWN


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return UNKNOWN
