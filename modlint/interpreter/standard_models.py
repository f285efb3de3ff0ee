"""Models of the standard library, by dotted name: `MODELS[name](machine, call)`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from modlint.interpreter import enums, scope
from modlint.interpreter.arguments import argument
from modlint.interpreter.builtin_models import constant, descriptor, from_keys, new_dict
from modlint.interpreter.iteration import iterate
from modlint.interpreter.iterator_models import folded
from modlint.interpreter.operators import binary, compare
from modlint.interpreter.values import (
    BoundV,
    CallArgs,
    ClassV,
    ContextV,
    Descriptor,
    ExtMethod,
    ExtV,
    FuncV,
    Kept,
    LazyImport,
    PartialV,
    Sym,
    Value,
)
from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.interpreter import Interpreter


def _attrgetter(m: Interpreter, args: CallArgs) -> Value:
    """`attrgetter("a.b")`: a function of one object."""
    names = [m.live(name) for name in args.args]

    def get(mm: Interpreter, receiver: Value, call_args: CallArgs, _: str) -> Value:
        found = []
        for name in names:
            value = argument(call_args, 0)
            for part in name.split(".") if isinstance(name, str) else ():
                value = mm.get_attr(value, part, call_args.site)
            found.append(value)
        return found[0] if len(found) == 1 else tuple(found)

    return ExtMethod(None, "attrgetter", get)


def _itemgetter(m: Interpreter, args: CallArgs) -> Value:
    keys = args.args

    def get(mm: Interpreter, receiver: Value, call_args: CallArgs, _: str) -> Value:
        found = tuple(mm.get_item(argument(call_args, 0), key, call_args.site) for key in keys)
        return found[0] if len(found) == 1 else found

    return ExtMethod(None, "itemgetter", get)


def _methodcaller(m: Interpreter, args: CallArgs) -> Value:
    """`methodcaller("forward", x)`: a function of one object."""
    name, given = m.live(argument(args, 0)), args._replace(args=args.args[1:], places=args.places[1:])

    def call(mm: Interpreter, receiver: Value, call_args: CallArgs, _: str) -> Value:
        if not isinstance(name, str):
            return mm.unknown("a method whose name is not known")
        method = mm.get_attr(argument(call_args, 0), name, call_args.site)
        return mm.call(method, given._replace(site=call_args.site, within=call_args.within))

    return ExtMethod(None, "methodcaller", call)


def _nullcontext(m: Interpreter, args: CallArgs) -> Value:
    return ContextV(argument(args, 0, "enter_result"))


def _contextmanager(m: Interpreter, args: CallArgs) -> Value:
    """A generator function as a context manager: `with` binds what it yields first."""
    function = m.live(argument(args, 0))
    if not isinstance(function, FuncV):
        return function
    function.context = True
    return function


def _single_dispatch(m: Interpreter, args: CallArgs) -> Value:
    """A function with a body for each type of its first argument: annotations, which say the types, are not read."""
    function = m.live(argument(args, 0))
    if isinstance(function, FuncV):
        function.dispatches = True
    return function


def _method_type(m: Interpreter, args: CallArgs) -> Value:
    return BoundV(m.live(argument(args, 0)), m.live(argument(args, 1)))


def _partialmethod(m: Interpreter, args: CallArgs) -> Value:
    return Descriptor("partialmethod", PartialV(args.args[0], args.args[1:], dict(args.kwargs)))


def _isfunction(m: Interpreter, args: CallArgs) -> Value:
    value = m.live(argument(args, 0))
    return m.symbol("isfunction", value) if type(value) is Sym else isinstance(value, FuncV | ExtV)


def _isclass(m: Interpreter, args: CallArgs) -> Value:
    value = m.live(argument(args, 0))
    if isinstance(value, ExtV):
        return value.dotted.rpartition(".")[2][:1].isupper()
    return m.symbol("isclass", value) if type(value) is Sym else isinstance(value, ClassV)


def _partial(m: Interpreter, args: CallArgs) -> Value:
    return PartialV(args.args[0], args.args[1:], dict(args.kwargs)) if args.args else m.unknown("partial()")


def _reduce(m: Interpreter, args: CallArgs) -> Value:
    totals = folded(m, args.args[0], m.live(argument(args, 1)), args.args[2:], args)
    return totals[-1] if totals else None


def _lru_cache(m: Interpreter, args: CallArgs) -> Value:
    func = m.live(argument(args, 0))
    if isinstance(func, FuncV):
        func.cached = Kept() if func.cached is None else func.cached
        m.bear(func.cached)
        return func
    return ExtV("functools.lru_cache")


def _field(m: Interpreter, args: CallArgs) -> Value:
    made = m.new_plain(ExtV("dataclasses.Field"))
    if "default_factory" in args.kwargs:
        made.cells["#factory"] = args.kwargs["default_factory"]
    elif "default" in args.kwargs:
        made.cells["#default"] = args.kwargs["default"]
    return made


def _dataclass(m: Interpreter, args: CallArgs) -> Value:
    cls = m.live(argument(args, 0))
    if isinstance(cls, ClassV):
        cls.dataclass = True
        return cls
    return ExtV("dataclasses.dataclass")


def _auto(m: Interpreter, args: CallArgs) -> Value:
    return Sym(m.fresh(), enums.AUTO, ())


def _deepcopy(m: Interpreter, args: CallArgs) -> Value:
    return m.deep_copy(m.live(argument(args, 0)), args.site)


def _copy(m: Interpreter, args: CallArgs) -> Value:
    return m.shallow_copy(m.live(argument(args, 0)), args.site)


def _deque(m: Interpreter, args: CallArgs) -> Value:
    return m.new_list(iterate(m, args.args[0]) if args.args else (), "deque")


def _signature(m: Interpreter, args: CallArgs) -> Value:
    """`inspect.signature(function)`: the names of its parameters, unless it takes any."""
    func = m.live(argument(args, 0))
    bound = isinstance(func, BoundV)
    func = func.func if isinstance(func, BoundV) else func
    if not isinstance(func, FuncV) or any(param.kind in ("*", "**") for param in func.params):
        return m.unknown("a signature")
    made = m.new_plain(ExtV("inspect.Signature"))
    names = [param.name for param in func.params][bound:]
    made.cells["parameters"] = m.new_dict({name: m.unknown("a parameter") for name in names})
    return made


def _import_module(m: Interpreter, args: CallArgs) -> Value:
    """`importlib.import_module(name)`; dots in front are taken to be relative to the file of the call."""
    name = m.concrete(argument(args, 0, "name"))
    module = m.files.get(args.site.filename) if args.site is not None else None
    if not isinstance(name, str) or module is None:
        return m.unknown("an import of a name that is not known")
    dotted = name.lstrip(".")
    return scope.resolve(m, module, LazyImport(dotted, len(name) - len(dotted), None))


def _namedtuple(m: Interpreter, args: CallArgs) -> Value:
    """`namedtuple("Name", fields)`: a class with these fields."""
    name, fields = m.live(argument(args, 0, "typename")), m.live(argument(args, 1, "field_names"))
    names = fields.replace(",", " ").split() if isinstance(fields, str) else list(iterate(m, fields))
    module = m.files.get(args.site.filename) if args.site is not None else None
    if not isinstance(name, str) or module is None or not all(isinstance(n, str) for n in names):
        return m.unknown("a namedtuple")
    base = ExtV("typing.NamedTuple")
    cls = ClassV(m.fresh(), ir.ClassDef(name, (), (), (), 0), module, name, (base,))
    cls.mro = (cls, base)
    cls.cells["#fields"] = tuple(names)
    defaults = args.kwargs.get("defaults")
    if defaults is not None:
        values = iterate(m, defaults)
        cls.cells.update(zip(names[len(names) - len(values) :], values, strict=False))
    return cls


def _dataclass_replace(m: Interpreter, args: CallArgs) -> Value:
    """`dataclasses.replace(obj, **changes)`."""
    made = m.shallow_copy(m.live(argument(args, 0)))
    for name, value in args.kwargs.items():
        if name not in {"*", "**"}:
            m.set_attr(made, name, value)
    return made


def _operator(op: str) -> Callable[[Interpreter, CallArgs], Value]:
    if op in {"==", "<", ">", "<=", ">=", "!=", "is", "is not"}:
        return lambda m, args: compare(m, op, argument(args, 0), argument(args, 1))
    return lambda m, args: binary(m, op, argument(args, 0), argument(args, 1), args.site)


def _draw(m: Interpreter, args: CallArgs) -> Value:
    return m.drawn()


def _defaultdict(m: Interpreter, args: CallArgs) -> Value:
    made = m.new_dict({})
    made.factory = argument(args, 0)
    return made


def _identity(m: Interpreter, args: CallArgs) -> Value:
    return argument(args, 0)


_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**"} | {
    "matmul": "@",
    "and_": "&",
    "or_": "|",
    "xor": "^",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "is_": "is",
    "is_not": "is not",
}
MODELS: dict[str, Callable[[Any, CallArgs], Value]] = {
    "abc.abstractmethod": _identity,
    "abc.abstractproperty": descriptor("property"),
    "functools.cached_property": descriptor("cached_property"),
    "functools.partial": _partial,
    "functools.reduce": _reduce,
    "functools.lru_cache": _lru_cache,
    "functools.cache": _lru_cache,
    "dataclasses.dataclass": _dataclass,
    "dataclasses.field": _field,
    "dataclasses.replace": _dataclass_replace,
    "enum.auto": _auto,
    "operator.attrgetter": _attrgetter,
    "operator.itemgetter": _itemgetter,
    "operator.methodcaller": _methodcaller,
    "contextlib.nullcontext": _nullcontext,
    "contextlib.contextmanager": _contextmanager,
    "functools.singledispatch": _single_dispatch,
    "functools.singledispatchmethod": _single_dispatch,
    "types.MethodType": _method_type,
    "functools.partialmethod": _partialmethod,
    "copy.deepcopy": _deepcopy,
    "copy.copy": _copy,
    "collections.OrderedDict": new_dict,
    "collections.defaultdict": _defaultdict,
    "collections.deque": _deque,
    "collections.namedtuple": _namedtuple,
    "collections.OrderedDict.fromkeys": from_keys,
    "importlib.import_module": _import_module,
    "inspect.signature": _signature,
    "inspect.isclass": _isclass,
    "inspect.isfunction": _isfunction,
    "builtins.pow": _operator("**"),
    **{f"operator.{name}": _operator(op) for name, op in _OPERATORS.items()},
    "typing.cast": lambda m, args: argument(args, 1),
    "random.random": _draw,
    "random.uniform": _draw,
    "random.randint": _draw,
    "random.choice": _draw,
    "random.sample": _draw,
    "math.prod": constant(math.prod),
    **{
        f"math.{name}": constant(getattr(math, name))
        for name in ("sqrt", "ceil", "floor", "log", "log2", "exp", "pow", "gcd", "log10")
    },
}
