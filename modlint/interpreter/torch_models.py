"""Functions of torch that matter for reuse: checkpointing, norms on a module's buffers, wrappers, RNG, parameters."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from modlint.interpreter import calls, series, tracking
from modlint.interpreter.arguments import argument
from modlint.interpreter.values import (
    INPUT,
    RNG,
    BoundV,
    CallArgs,
    DictObj,
    ExtV,
    FuncV,
    ModuleObj,
    PartialV,
    Tensor,
    Value,
    Wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.catalogue.entries import Wrapper
    from modlint.interpreter.interpreter import Interpreter

_CHECKPOINT_OPTIONS = frozenset(
    {"use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug", "early_stop"}
)
_RANDOM = frozenset(
    {
        "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli", "multinomial",
        "normal", "poisson", "dropout", "alpha_dropout", "feature_dropout", "native_dropout",
    }
)  # fmt: skip
_FRESH = frozenset(
    {"zeros", "ones", "empty", "full", "arange", "linspace", "eye", "zeros_like", "ones_like", "empty_like"}
)
_SERIES = {"torch.linspace": series.linspace, "torch.arange": series.arange, "numpy.linspace": series.numpy_linspace}
_FUNCTIONAL_RANDOM = {"dropout": 1, "dropout1d": 1, "dropout2d": 1, "dropout3d": 1, "alpha_dropout": 1, "rrelu": 3}
_QUANTIZED = ("torch.ao.", "torch.quantization.", "torch.nn.")
_FUNCTIONAL = ("torch.nn.functional.", "torch.functional.")


@cache
def model_of(dotted: str) -> Callable[[Interpreter, CallArgs], Value] | None:
    """The model of a torch function by its dotted name, or None."""
    found = _MODELS.get(dotted)
    if found is not None:
        return found
    owner, _, name = dotted.rpartition(".")
    if owner == "torch" and name in _RANDOM:
        return _random
    if dotted in _SERIES:
        return _SERIES[dotted]
    if owner in {"torch", "numpy"} and name in _FRESH:
        return _fresh
    if owner in {"numpy.random", "np.random"} or dotted.startswith("torch.distributions."):
        return _random
    if owner == "torch.nn.functional" and name in _FUNCTIONAL_RANDOM:
        return lambda m, args: _dropout(m, args, _FUNCTIONAL_RANDOM[name])
    if name in _CLASS_METHODS and owner.startswith(_QUANTIZED):
        return partial(_CLASS_METHODS[name], owner)
    if name in {"checkpoint", "checkpoint_seq", "checkpoint_sequential"} and "checkpoint" in owner:
        return _checkpoint if name == "checkpoint" else _checkpoint_sequential
    return None


def draws(name: str) -> bool:
    """Whether a function of that name draws from the RNG, or re-runs what it is given."""
    dropping = name in _FUNCTIONAL_RANDOM or name == "scaled_dot_product_attention"
    return name in _RANDOM or dropping or name.startswith("checkpoint")


def _taint(m: Interpreter, args: CallArgs) -> int:
    return m.taint_of((*args.args, *args.kwargs.values()))


def _random(m: Interpreter, args: CallArgs) -> Value:
    m.drawn()
    return m.data(RNG | _taint(m, args), m.src_of(args.args))


def _fresh(m: Interpreter, args: CallArgs) -> Value:
    return m.data()


def _dropout(m: Interpreter, args: CallArgs, position: int) -> Value:
    training = argument(args, position + 1, "training", True)
    p = argument(args, position, "p", 0.5)
    if training is False or p == 0:
        return m.data(_taint(m, args), m.src_of(args.args))
    return _random(m, args)


def _attention(m: Interpreter, args: CallArgs) -> Value:
    """`scaled_dot_product_attention(query, key, value, attn_mask, dropout_p)`: drops whatever the mode is."""
    if argument(args, 4, "dropout_p", 0.0) == 0:
        return m.data(_taint(m, args), m.src_of(args.args))
    return _random(m, args)


# -- checkpointing -----------------------------------------------------------------------------------------------


def _checkpoint(m: Interpreter, args: CallArgs) -> Value:
    """`checkpoint(function, *args)`: runs it now, and again in backward."""
    function = argument(args, 0, "function")
    kwargs = {k: v for k, v in args.kwargs.items() if k not in _CHECKPOINT_OPTIONS and k != "function"}
    return _recomputed(m, function, args._replace(args=args.args[1:], kwargs=kwargs, places=args.places[1:]))


def _recomputed(m: Interpreter, function: Value, args: CallArgs) -> Value:
    before = m.checkpointed
    m.checkpointed = args.site or before if m.has_gradients else before
    try:
        return m.call(function, args)
    finally:
        m.checkpointed = before


def _checkpoint_sequential(m: Interpreter, args: CallArgs) -> Value:
    """`checkpoint_sequential(functions, segments, input)` (torch), `checkpoint_seq(functions, input)` (timm)."""
    functions = m.items(argument(args, 0, "functions"))[0]
    x = args.args[-1] if len(args.args) > 1 else args.kwargs.get("input", args.kwargs.get("x"))
    last = _last_segment(m, args, len(functions))
    for index, function in enumerate(functions):
        inner = args._replace(args=(x,), kwargs={}, places=())
        x = m.call(function, inner) if index >= last else _recomputed(m, function, inner)
    return x


def _last_segment(m: Interpreter, args: CallArgs, count: int) -> int:
    """The first function that is not recomputed: torch runs the last segment as it is."""
    segments = m.concrete(argument(args, 1, "segments")) if len(args.args) > 2 or "segments" in args.kwargs else None
    if not isinstance(segments, int) or segments < 1:
        return count
    return (count // segments) * (segments - 1)


# -- norms on buffers --------------------------------------------------------------------------------------------


def _batch_norm(m: Interpreter, args: CallArgs) -> Value:
    """`F.batch_norm(x, running_mean, running_var, ..., training)`: writes the buffers of whoever owns them."""
    if m.live(argument(args, 5, "training", False)) is not False:
        _norm_use(m, args)
    return m.data(_taint(m, args) | INPUT, m.src_of(args.args))


def _instance_norm(m: Interpreter, args: CallArgs) -> Value:
    if m.live(argument(args, 5, "use_input_stats", True)) is not False:
        _norm_use(m, args)
    return m.data(_taint(m, args) | INPUT, m.src_of(args.args))


def _torch_batch_norm(m: Interpreter, args: CallArgs) -> Value:
    """`torch.batch_norm(x, weight, bias, running_mean, running_var, training, ...)`."""
    order = [0, 3, 4, 1, 2, 5]
    if len(args.args) > 5:
        return _batch_norm(m, args._replace(args=tuple(args.args[i] for i in order), places=()))
    return m.data(_taint(m, args) | INPUT)


def _norm_use(m: Interpreter, args: CallArgs) -> None:
    buffers = [m.live(argument(args, 1, "running_mean")), m.live(argument(args, 2, "running_var"))]
    owners = {id(t.owner): t.owner for t in buffers if isinstance(t, Tensor) and t.owner is not None}
    for owner in owners.values():
        if m.run is not None and m.run.of(owner) is None:
            tracking.record(m, owner, args)
    for tensor in buffers:
        if isinstance(tensor, Tensor):
            m.write_tensor(tensor, INPUT, True)


# -- modules -----------------------------------------------------------------------------------------------------


def wrap(m: Interpreter, wrapper: Wrapper, args: CallArgs) -> Value:
    """A function that changes the module that it is given (spectral_norm, prune, ...)."""
    values = wrapper.bind(args.args, {k: v for k, v in args.kwargs.items() if k not in {"*", "**"}})
    module = m.live(values.get(wrapper.argument))
    if not isinstance(module, ModuleObj):
        return module if wrapper.returns else None
    bound = {name: m.as_argument(value) for name, value in values.items()}
    if wrapper.copied.holds(bound):
        module = m.deep_copy(module, args.site)
    before = next((w.by for w in m.possible(module.facts.get("wrappers")) if isinstance(w, Wrapped)), ())
    m.set(module.facts, "wrappers", Wrapped((*before, (wrapper, tuple(bound.items())))))
    return module if wrapper.returns else None


def _skip_init(m: Interpreter, args: CallArgs) -> Value:
    """`skip_init(nn.Linear, 3, 4)`: an instance of the class, its parameters left as the memory happens to be."""
    if not args.args:
        return m.unknown("skip_init()")
    return m.call(args.args[0], args._replace(args=args.args[1:], places=args.places[1:]))


def _with_args(owner: str, m: Interpreter, args: CallArgs) -> Value:
    """`MinMaxObserver.with_args(dtype=...)`: the class with some of its arguments."""
    return PartialV(ExtV(owner), args.args, dict(args.kwargs))


def _from_another(owner: str, m: Interpreter, args: CallArgs) -> Value:
    """`nnq.Linear.from_float(module)`: a new instance, its arguments taken from the other module."""
    made = m.new_module(ExtV(owner), args.site)
    m.library_init(
        made, ExtV(owner), args._replace(args=(), kwargs={"**": m.unknown("from another module")}, places=())
    )
    return made


_CLASS_METHODS = {
    "with_args": _with_args,
    "from_float": _from_another,
    "from_observed": _from_another,
    "from_reference": _from_another,
}


def _same(m: Interpreter, args: CallArgs) -> Value:
    """Compiling and scripting give a module that is the same for our purposes."""
    return args.args[0] if args.args else m.unknown("torch.compile as a decorator")


def _parameter(m: Interpreter, args: CallArgs) -> Value:
    data = m.live(argument(args, 0, "data"))
    if isinstance(data, Tensor) and data.kind == "parameter" and data.owner is not None:
        return Tensor(m.fresh(), "parameter")
    made = Tensor(m.fresh(), "parameter")
    made.persistent = argument(args, 1, "requires_grad", True) is not False
    return made


def _buffer(m: Interpreter, args: CallArgs) -> Value:
    return Tensor(m.fresh(), "buffer", None, "", argument(args, 1, "persistent", True) is not False)


def _call_first(m: Interpreter, args: CallArgs) -> Value:
    """`vmap(f)`, `jit.script_if_tracing(f)`: the function itself."""
    first = args.args[0] if args.args else None
    return first if isinstance(first, FuncV | BoundV | PartialV | ModuleObj) else m.unknown("a function transform")


def _functional_call(m: Interpreter, args: CallArgs) -> Value:
    """`functional_call(module, tensors, args, kwargs)`: a call of the module, with other parameters under these names.

    Followed only where the names are known and all of parameters: state goes to the buffers that are given.
    """
    module, given = m.live(argument(args, 0, "module")), m.live(argument(args, 1, "parameter_and_buffer_dicts"))
    names = m.dict_items(given) if isinstance(given, DictObj) and not given.open else {None: None}
    if not isinstance(module, ModuleObj) or not all(str(name).endswith(("weight", "bias")) for name in names):
        return calls.unknown_call(m, ExtV("torch.func.functional_call"), args)
    inputs, kwargs = m.live(argument(args, 2, "args", ())), m.live(argument(args, 3, "kwargs"))
    named = m.dict_items(kwargs) if isinstance(kwargs, DictObj) else {}
    positional = inputs if type(inputs) is tuple else (inputs,)
    return m.call(module, args._replace(args=positional, kwargs=named, places=(), named_places={}))


_MODELS: dict[str, Callable[[Interpreter, CallArgs], Value]] = {
    "torch.utils.checkpoint.checkpoint": _checkpoint,
    "torch.utils.checkpoint.checkpoint_sequential": _checkpoint_sequential,
    "torch.nn.functional.batch_norm": _batch_norm,
    "torch.nn.functional.instance_norm": _instance_norm,
    "torch.nn.functional.scaled_dot_product_attention": _attention,
    "torch.batch_norm": _torch_batch_norm,
    "torch.nn.utils.skip_init": _skip_init,
    "torch.nn.utils.init.skip_init": _skip_init,
    "torch.func.functional_call": _functional_call,
    "torch.nn.utils.stateless.functional_call": _functional_call,
    "torch.compile": _same,
    "torch.jit.script": _same,
    "torch.jit.trace": _same,
    "torch.jit.ignore": _same,
    "torch.jit.unused": _same,
    "torch.jit.export": _same,
    "torch.vmap": _call_first,
    "torch.func.vmap": _call_first,
    "torch.nn.Parameter": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    "torch.nn.UninitializedParameter": _parameter,
    "torch.nn.Buffer": _buffer,
}
