"""Models of the standard library, by dotted name: `MODELS[name](machine, call)`."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from modlint.interpreter import enums, scope
from modlint.interpreter.builtin_models import argument, constant, descriptor, from_keys, new_dict
from modlint.interpreter.iteration import ENDLESS, drain, iterate
from modlint.interpreter.iterator_models import called
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
    IterObj,
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


def _zip_longest(m: Interpreter, args: CallArgs) -> Value:
    columns = [iterate(m, source) for source in args.args]
    fill = args.kwargs.get("fillvalue")
    count = max((len(c) for c in columns), default=0)
    return m.new_iter(tuple(tuple(c[i] if i < len(c) else fill for c in columns) for i in range(count)))


def _starmap(m: Interpreter, args: CallArgs) -> Value:
    items, known = m.items(argument(args, 1))
    rows = [row if type(row) is tuple else iterate(m, row) for row in items]
    return m.new_iter(called(m, args.args[0], rows, args, known))


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
    items = list(iterate(m, argument(args, 1)))
    total = argument(args, 2) if len(args.args) > 2 else items.pop(0) if items else None
    for item in items:
        total = m.call(args.args[0], args._replace(args=(total, item), kwargs={}, places=()))
    return total


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


def _chain(m: Interpreter, args: CallArgs) -> Value:
    return m.new_iter(tuple(item for source in args.args for item in iterate(m, source)))


def _chain_from(m: Interpreter, args: CallArgs) -> Value:
    return m.new_iter(tuple(item for source in iterate(m, argument(args, 0)) for item in iterate(m, source)))


def _cycle(m: Interpreter, args: CallArgs) -> Value:
    items = iterate(m, argument(args, 0))
    for item in items:
        m.repeat(item, args.site)
    return m.new_iter(items, True)


def _repeat(m: Interpreter, args: CallArgs) -> Value:
    value = argument(args, 0)
    m.repeat(value, args.site)
    if len(args.args) > 1 or "times" in args.kwargs:
        count, _ = m.trips(m.live(argument(args, 1, "times")))
        return m.new_iter((value,) * min(count, ENDLESS))
    return m.new_iter((value,), True)


def _islice(m: Interpreter, args: CallArgs) -> Value:
    bounds = [None if v is None else m.trips(m.live(v))[0] for v in args.args[1:]]
    source = m.live(argument(args, 0))
    stop = bounds[0] if len(bounds) == 1 else bounds[1] if len(bounds) > 1 else None
    items = drain(m, source, stop) if isinstance(source, IterObj) and stop is not None else iterate(m, source)
    return m.new_iter(items[slice(*bounds)] if bounds else items)


def _tee(m: Interpreter, args: CallArgs) -> Value:
    source, count = m.live(argument(args, 0)), m.concrete(argument(args, 1, "n", 2))
    by = m.configures(source)
    endless = isinstance(source, IterObj) and source.endless
    items, known = (drain(m, source, len(source.items)), True) if endless else m.items(source)
    made = (m.new_iter(items, endless) if known else m.assumed_range(items, by) for _ in range(ENDLESS))
    return tuple(itertools.islice(made, count if isinstance(count, int) else 2))


def _auto(m: Interpreter, args: CallArgs) -> Value:
    return Sym(m.fresh(), enums.AUTO, ())


def _count(m: Interpreter, args: CallArgs) -> Value:
    start = m.concrete(argument(args, 0, "start", 0))
    first = start if isinstance(start, int) else 0
    return m.new_iter(tuple(range(first, first + ENDLESS)))


def _accumulate(m: Interpreter, args: CallArgs) -> Value:
    return m.new_list(m.unknown("accumulate"))


def _product(m: Interpreter, args: CallArgs) -> Value:
    times = m.concrete(args.kwargs.get("repeat", 1))
    columns = [iterate(m, source)[:32] for source in args.args] * (times if isinstance(times, int) else 1)
    return m.new_iter(tuple(itertools.islice(itertools.product(*columns), ENDLESS)))


def _pairwise(m: Interpreter, args: CallArgs) -> Value:
    items = iterate(m, argument(args, 0))
    return m.new_iter(tuple(itertools.pairwise(items)))


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
    if op in {"==", "<", ">", "<=", ">=", "!="}:
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
    "itertools.chain": _chain,
    "itertools.chain.from_iterable": _chain_from,
    "itertools.cycle": _cycle,
    "itertools.repeat": _repeat,
    "itertools.islice": _islice,
    "enum.auto": _auto,
    "itertools.count": _count,
    "itertools.accumulate": _accumulate,
    "itertools.product": _product,
    "itertools.pairwise": _pairwise,
    "itertools.zip_longest": _zip_longest,
    "itertools.starmap": _starmap,
    "itertools.tee": _tee,
    "operator.attrgetter": _attrgetter,
    "operator.itemgetter": _itemgetter,
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
    "operator.add": _operator("+"),
    "operator.mul": _operator("*"),
    "operator.sub": _operator("-"),
    "operator.eq": _operator("=="),
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
