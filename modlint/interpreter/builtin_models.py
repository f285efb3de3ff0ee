"""Models of builtins, by dotted name: `MODELS[name](machine, call)`. The helpers serve the other models too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modlint.interpreter import classes, enums, kinds, ordering, parameter_lists, series, subclassed
from modlint.interpreter.arguments import argument
from modlint.interpreter.iteration import items_of, iterate
from modlint.interpreter.operators import binary, negate
from modlint.interpreter.values import (
    MISSING,
    BoundV,
    CallArgs,
    Choice,
    ClassV,
    Descriptor,
    DictObj,
    ExtMethod,
    ExtV,
    FuncV,
    ListObj,
    ModuleObj,
    Obj,
    PartialV,
    SuperV,
    Sym,
    Tensor,
    Value,
    is_const,
)
from modlint.syntax import ir

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.interpreter.interpreter import Interpreter

_ADDRESSES = 1 << 40  # what `id` gives is above it: no number that a program would write


def _len(m: Interpreter, args: CallArgs) -> Value:
    def one(value: Value) -> Value:
        if isinstance(value, str | tuple | frozenset):
            return len(value)
        user = classes.find_any(getattr(value, "cls", None), "__len__")
        if isinstance(user, FuncV):
            return m.call(BoundV(user, value), CallArgs((), {}, args.site))
        if (held := subclassed.behind(m, value, "__len__")) is not MISSING:
            return m.size(held)
        if isinstance(value, ModuleObj):
            tensors = parameter_lists.held(m, value)
            return len(value.mods) if tensors is MISSING else m.size(tensors)
        if isinstance(value, Sym):
            known = series.entries(m, value)
            if known is not None:
                return len(known)
            found = m.symbol("len", value)
            if value.op in {"data", "join"}:
                found.taint, found.src = 0, frozenset()
            return found
        size = m.size(value)
        return m.unknown("a length") if size is None else size

    return m.split(argument(args, 0), one)


def _isinstance(m: Interpreter, args: CallArgs) -> Value:
    return m.is_instance(argument(args, 0), argument(args, 1))


def _issubclass(m: Interpreter, args: CallArgs) -> Value:
    return m.lift(argument(args, 0), lambda cls: kinds.is_subclass(m, cls, m.live(argument(args, 1))))


def _getattr(m: Interpreter, args: CallArgs) -> Value:
    return m.split(argument(args, 1), lambda name: _getattr_named(m, args, name))


def _getattr_named(m: Interpreter, args: CallArgs, name: Value) -> Value:
    base = m.live(argument(args, 0))
    if not isinstance(name, str):
        return m.unknown("gave up: getattr with an unknown name")
    if len(args.args) > 2 and isinstance(base, ModuleObj | Obj | ClassV) and m.has_attr(base, name) is False:
        return args.args[2]
    if len(args.args) > 2 and is_const(base):
        return args.args[2]
    return m.get_attr(base, name, args.site)


def _setattr(m: Interpreter, args: CallArgs) -> Value:
    name = m.live(argument(args, 1))
    place = args.places[2] if len(args.places) > 2 else None
    if isinstance(name, str):
        m.set_attr(argument(args, 0), name, argument(args, 2), place)
    elif type(name) is Choice:
        m.split(
            name, lambda n: m.set_attr(argument(args, 0), n, argument(args, 2), place) if isinstance(n, str) else None
        )
    elif isinstance(base := m.live(argument(args, 0)), ModuleObj):
        m.set_attr(base, f"<{len(base.mods)}>", argument(args, 2), place)
    return None


def _delattr(m: Interpreter, args: CallArgs) -> Value:
    name = m.live(argument(args, 1))
    if isinstance(name, str):
        m.delete_attr(argument(args, 0), name)
    return None


def _hasattr(m: Interpreter, args: CallArgs) -> Value:
    base, name = m.live(argument(args, 0)), m.live(argument(args, 1))
    if not isinstance(name, str):
        return m.unknown("hasattr with an unknown name")
    return m.lift(base, lambda b: m.has_attr(b, name))


def _list(m: Interpreter, args: CallArgs) -> Value:
    if not args.args:
        return m.new_list(())
    source = m.live(args.args[0])
    assumed, by = m.is_assumed(source), m.configures(source)
    made = m.new_list(source.cells["items"] if isinstance(source, ListObj) else _known_items(m, source))
    return m.assume_length(made, by) if assumed else made


def _known_items(m: Interpreter, source: Value) -> Value:
    """The items as a tuple; an unknown iterable stays one, so that the same item is the same value later."""
    if type(source) is Sym:
        return source
    return items_of(m, source)[0]


def _tuple(m: Interpreter, args: CallArgs) -> Value:
    if not args.args:
        return ()
    items = _known_items(m, m.live(args.args[0]))
    return items if type(items) is tuple else m.new_list(items)


def _set(m: Interpreter, args: CallArgs) -> Value:
    return m.new_list(iterate(m, args.args[0]) if args.args else (), "set")


def new_dict(m: Interpreter, args: CallArgs) -> Value:
    made = m.new_dict({}, "**" in args.kwargs)
    if args.args:
        source = m.live(args.args[0])
        if isinstance(source, DictObj):
            m.set(made.cells, "items", dict(m.dict_items(source)))
            made.open = made.open or source.open
        elif type(source) is Sym:
            made.open = True
        else:
            pairs = [p for p in iterate(m, source) if type(p) is tuple and len(p) == 2]
            m.set(made.cells, "items", {m.key_of(k): v for k, v in pairs})
    extra = {k: v for k, v in args.kwargs.items() if k not in {"*", "**"}}
    m.set(made.cells, "items", {**m.dict_items(made), **extra})
    return made


def _new_class(m: Interpreter, args: CallArgs) -> Value:
    """`type(name, bases, namespace)`."""
    name, bases, namespace = (m.live(a) for a in args.args)
    module = m.files.get(args.site.filename) if args.site is not None else None
    if not isinstance(name, str) or type(bases) is not tuple or not isinstance(namespace, DictObj) or module is None:
        return m.unknown("a class built by type()")
    cls = ClassV(m.fresh(), ir.ClassDef(name, (), (), (), 0), module, name, bases)
    cls.mro = classes.linearise(cls, bases)
    cls.is_module = any(classes.is_module_class(m, base) for base in bases)
    cls.cells.update({k: v for k, v in m.dict_items(namespace).items() if isinstance(k, str)})
    return cls


def _type(m: Interpreter, args: CallArgs) -> Value:
    if len(args.args) == 3:
        return _new_class(m, args)
    value = m.live(argument(args, 0))
    cls = getattr(value, "cls", None)
    return m.unknown("a type") if cls is None else cls


def _callable(m: Interpreter, args: CallArgs) -> Value:
    value = m.live(argument(args, 0))
    if isinstance(value, FuncV | BoundV | ClassV | ModuleObj | PartialV | ExtMethod | ExtV):
        return True
    return False if is_const(value) or type(value) is tuple else m.symbol("callable", value)


def _bool(m: Interpreter, args: CallArgs) -> Value:
    return negate(m, negate(m, argument(args, 0, "", False)))


_OF_NUMBERS = (float, int, bool)


def constant(function: Callable[..., Any]) -> Callable[[Interpreter, CallArgs], Value]:
    """A pure function: computed on constants, unknown otherwise."""

    def model(m: Interpreter, args: CallArgs) -> Value:
        if function in _OF_NUMBERS:
            args = args._replace(args=tuple(map(series.number, args.args)))
        values = [m.concrete(a) if not isinstance(a, tuple | ListObj) else _plain(m, a) for a in args.args]
        if any(v is MISSING for v in values) or any(not is_const(v) for v in args.kwargs.values()):
            taint = m.taint_of(args.args)
            symbols = [a for a in args.args if is_const(a) or type(a) is Sym]
            if taint or len(symbols) != len(args.args):
                return m.data(taint, m.src_of(args.args))
            return m.symbol(function.__name__, *symbols)
        if any(isinstance(v, int) and abs(v) > 1 << 64 for v in values):
            return m.unknown("a large number")
        try:
            result = function(*values, **args.kwargs)
        except (TypeError, ValueError, ArithmeticError, AttributeError, RecursionError):
            return m.unknown(f"{function.__name__} of a value that it rejects")
        return result if is_const(result) or type(result) is tuple else m.unknown("a result that is not modelled")

    return model


def _plain(m: Interpreter, value: Value) -> Any:
    items = value if type(value) is tuple else m.live(value.cells["items"])
    if type(items) is not tuple:
        return MISSING
    found = tuple(m.concrete(item) for item in items)
    return MISSING if any(item is MISSING for item in found) else found


def _str(m: Interpreter, args: CallArgs) -> Value:
    value = m.live(argument(args, 0))
    return enums.text(m, value) if enums.is_member(value) else constant(str)(m, args)


def _any_all(word: str) -> Callable[[Interpreter, CallArgs], Value]:
    def model(m: Interpreter, args: CallArgs) -> Value:
        verdicts = [m.truth(item) for item in iterate(m, argument(args, 0))]
        stop = 0 if word == "any" else 1
        if any(not verdict[1 - stop] for verdict in verdicts):
            return word == "any"
        if all(not verdict[stop] for verdict in verdicts):
            return word == "all"
        return m.unknown(f"{word} of unknown values")

    return model


def _sum(m: Interpreter, args: CallArgs) -> Value:
    total = argument(args, 1, "start", 0)
    for item in iterate(m, argument(args, 0)):
        total = binary(m, "+", total, item, args.site)
    return total


def _max_min(op: str) -> Callable[[Interpreter, CallArgs], Value]:
    def model(m: Interpreter, args: CallArgs) -> Value:
        items = args.args if len(args.args) > 1 else iterate(m, argument(args, 0, "", ()))
        if args.kwargs.keys() & {"key", "default"}:
            found = ordering.outermost(m, tuple(items), args, max if op == ">" else min)
            return m.unknown("a maximum or minimum") if found is MISSING else found
        known = [m.concrete(item) for item in items]
        if known and all(isinstance(k, int | float) for k in known):
            return max(known) if op == ">" else min(known)
        if any(m.taint_of(item) for item in items):
            return m.data(m.taint_of(tuple(items)), m.src_of(tuple(items)))
        return m.unknown("a maximum or minimum")

    return model


def _id(m: Interpreter, args: CallArgs) -> Value:
    """A number for each object; a symbol in constructors: what one builds is made again for others built alike."""
    value = m.live(argument(args, 0))
    if not isinstance(value, ModuleObj | Obj | Tensor):
        return m.unknown("an address")
    return m.symbol("id", value) if m.run is None else _ADDRESSES + value.id


def _super(m: Interpreter, args: CallArgs) -> Value:
    cls, receiver = m.live(argument(args, 0)), m.live(argument(args, 1))
    return SuperV(receiver, cls) if isinstance(cls, ClassV) else m.unknown("super() of a library class")


def _vars(m: Interpreter, args: CallArgs) -> Value:
    return m.get_attr(argument(args, 0), "__dict__", args.site) if args.args else m.new_dict({}, True)


def descriptor(kind: str) -> Callable[[Interpreter, CallArgs], Value]:
    return lambda m, args: Descriptor(kind, argument(args, 0))


def _none(m: Interpreter, args: CallArgs) -> Value:
    return None


def _object_new(m: Interpreter, args: CallArgs) -> Value:
    cls = m.live(argument(args, 0))
    return m.new_object(cls, args) if isinstance(cls, ClassV) else m.unknown("object.__new__")


def _type_call(m: Interpreter, args: CallArgs) -> Value:
    """`type.__call__(cls, ...)`, in a metaclass."""
    cls = m.live(argument(args, 0))
    if not isinstance(cls, ClassV):
        return m.unknown("type.__call__")
    return m.construct(cls, args._replace(args=args.args[1:], places=args.places[1:]))


def from_keys(m: Interpreter, args: CallArgs) -> Value:
    keys, value = iterate(m, argument(args, 0)), argument(args, 1)
    if len(keys) > 1:
        m.repeat(value, args.site)
    return m.new_dict({m.key_of(key): value for key in keys})


MODELS: dict[str, Callable[[Any, CallArgs], Value]] = {
    "builtins.len": _len,
    "builtins.isinstance": _isinstance,
    "builtins.issubclass": _issubclass,
    "builtins.getattr": _getattr,
    "builtins.setattr": _setattr,
    "builtins.delattr": _delattr,
    "builtins.hasattr": _hasattr,
    "builtins.list": _list,
    "builtins.tuple": _tuple,
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "builtins.dict": new_dict,
    "builtins.dict.fromkeys": from_keys,
    "builtins.type": _type,
    "builtins.type.__call__": _type_call,
    "builtins.callable": _callable,
    "builtins.bool": _bool,
    "builtins.int": constant(int),
    "builtins.float": constant(float),
    "builtins.str": _str,
    "builtins.chr": constant(chr),
    "builtins.ord": constant(ord),
    "builtins.abs": constant(abs),
    "builtins.round": constant(round),
    "builtins.divmod": constant(divmod),
    "builtins.any": _any_all("any"),
    "builtins.all": _any_all("all"),
    "builtins.sum": _sum,
    "builtins.max": _max_min(">"),
    "builtins.min": _max_min("<"),
    "builtins.id": _id,
    "builtins.super": _super,
    "builtins.vars": _vars,
    "builtins.property": descriptor("property"),
    "builtins.staticmethod": descriptor("staticmethod"),
    "builtins.classmethod": descriptor("classmethod"),
    "builtins.print": _none,
    "builtins.object.__init__": _none,
    "builtins.object.__new__": _object_new,
}
