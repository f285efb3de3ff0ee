"""Symbolic tracing: torch.fx with a Tracer of its own that knows instances by identity and sees containers too.

In: a copy of the model in train mode and the inputs that its forward will get (only tensors become proxies; flags and
defaults are constants). Out: the calls, or the reason why fx cannot follow the forward.
"""

from __future__ import annotations

import inspect
import operator
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.fx

from modlint.trace.calls import Call, Recorder, written_by_function
from modlint.trace.entries import has_entry
from modlint.trace.marks import changed, seen_attributes
from modlint.trace.modes import may_write_by_mode
from modlint.trace.randomness import draws
from modlint.trace.recorded import buffer_owners, watching
from modlint.trace.sources import asks_for_type, is_users
from modlint.trace.walk import modules_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modlint.trace.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Traced:
    """The calls that fx saw; or `reason`, why it failed. `draws` are the ids of modules that draw random numbers.

    `touched`: the forward wrote attributes or buffers of classes that the catalogue does not know, or drew outside of
    what fx sees, so that only an execution can tell what it keeps.
    """

    calls: tuple[Call, ...] = ()
    reason: str = ""
    touched: bool = False
    draws: frozenset[int] = frozenset()


def trace_symbolically(model: torch.nn.Module, inputs: Inputs | None) -> Traced:
    """Trace a copy of a model; the copy is changed by it."""
    if "forward" in vars(model):
        return Traced(reason="forward is set on the instance, and fx traces the class's")
    if type(model).__call__ is not torch.nn.Module.__call__:
        return Traced(reason=f"{type(model).__name__} has a __call__ of its own, and fx begins at its forward")
    odd = next((d for v, d in _values(inputs) if not isinstance(v, (torch.Tensor, *_PLAIN))), None)
    if odd is not None:
        return Traced(reason=f"fx has no stand-in for the argument {odd}")
    modules = modules_of(model)
    for module in modules:
        if _is_opaque(module):
            return Traced(reason=f"{type(module).__name__} runs modules that fx does not see into")
        if _is_leaf(module) and "forward" in vars(module):
            return Traced(reason=f"a {type(module).__name__} has a forward set on the instance, which fx does not run")
        if _has_hooks(module, module is model):
            return Traced(reason=f"{type(module).__name__} has hooks, which fx does not run")
    watched = [module for module in modules if not has_entry(module)]
    before = [seen_attributes(module) for module in watched]
    rng = torch.get_rng_state()
    tracer = _Tracer(model)
    try:
        with watching(model, tracer.recorder, functions=False):
            tracer.trace_root(model, _constants(model, inputs))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # anything: the forward met a Proxy where it wanted a tensor
        return Traced(reason=_reason(error))
    if tracer.asked:
        return Traced(reason="the forward asks for the type of a value that is a proxy in fx")
    wrote = any(changed(then, seen_attributes(m)) - _CONSTANTS for then, m in zip(before, watched, strict=True))
    there = set(map(id, modules))
    made = any(_holds_proxies(call.module) for call in tracer.recorder.calls if id(call.module) not in there)
    wrote = wrote or any(may_write_by_mode(module) for module in watched)
    touched = wrote or made or tracer.wrote_buffers or not torch.equal(rng, torch.get_rng_state())
    traced = Traced(tuple(tracer.recorder.calls), "", touched, frozenset(tracer.draws))
    tracer.let_go()
    return traced


_CONSTANTS = frozenset(f"_tensor_constant{n}" for n in range(1000))  # what fx itself keeps on the root


def _holds_proxies(module: torch.nn.Module) -> bool:
    """Whether the module was built by the forward from what it computed."""
    return any(issubclass(type(value), torch.fx.Proxy) for value in vars(module).values())


_PLAIN = (bool, int, float, str, type(None))


def _values(inputs: Inputs | None) -> list[tuple[Any, str]]:
    return [] if inputs is None else list(zip((*inputs.args, *inputs.named.values()), inputs.described, strict=True))


def _reason(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _is_opaque(module: torch.nn.Module) -> bool:
    """A module that fx takes as a leaf although its forward runs modules of its own; or a compiled one."""
    if isinstance(module, torch.jit.ScriptModule):
        return bool(module._modules)
    if isinstance(module, (torch.nn.MultiheadAttention, torch.nn.ModuleList, torch.nn.ModuleDict, torch.nn.Sequential)):
        return False
    inner = [name for name in module._modules if name != "parametrizations"]
    return bool(inner) and module.__module__.startswith("torch.nn.modules.")


def _is_leaf(module: torch.nn.Module) -> bool:
    """Whether fx does not follow the module's forward, for it is torch's own."""
    return module.__module__.startswith("torch.") and not isinstance(module, torch.nn.Sequential)


def _has_hooks(module: torch.nn.Module, root: bool) -> bool:
    """Whether a user's hook hangs on a leaf or on the root, which fx does not call.

    Those of torch itself, such as spectral_norm, run nothing.
    """
    if not (root or _is_leaf(module)):
        return False
    hooks = (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
    return any(not type(hook).__module__.startswith("torch.") for hook in hooks)


def _constants(model: torch.nn.Module, inputs: Inputs | None) -> dict[str, Any]:
    """Arguments of forward that are no tensors: those given, and the defaults of those not given."""
    signature = inspect.signature(model.forward)
    plain = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_ONLY}
    names = [p.name for p in signature.parameters.values() if p.kind in plain]
    given = {} if inputs is None else {**dict(zip(names, inputs.args, strict=False)), **inputs.named}
    constants = {}
    for name in names:
        default = signature.parameters[name].default
        if name in given:
            if isinstance(given[name], _PLAIN):
                constants[name] = given[name]
        elif default is not inspect.Parameter.empty and not isinstance(default, torch.nn.Module):
            constants[name] = default
    return constants


def _is_held(value: Any) -> bool:
    """Whether a value that is changed in place is a tensor of the model's: itself, or a view of a parameter."""
    if not issubclass(type(value), torch.fx.Proxy):
        return isinstance(value, torch.Tensor)
    node = value.node
    while node.args and isinstance(node.args[0], torch.fx.Node) and node.target in _VIEWS:
        node = node.args[0]
    return bool(node.op == "get_attr")


# fmt: off
_VIEWS = frozenset((
    getattr, operator.getitem, "detach", "view", "view_as", "reshape", "flatten", "unflatten", "t", "transpose",
    "permute", "movedim", "moveaxis", "swapaxes", "swapdims", "squeeze", "unsqueeze", "select", "narrow", "expand",
    "expand_as", "diagonal", "unfold", "chunk", "split", "unbind", "as_strided", "contiguous",
))
# fmt: on


def _written(target: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    """What a torch function changes in place, by its name: `add_`, `__iadd__`, `__setitem__`, or what `out` names."""
    name = target if isinstance(target, str) else getattr(target, "__name__", "")
    writes = target in _IN_PLACE or name in _IN_PLACE_METHODS or kwargs.get("inplace") is True
    writes = writes or (name.endswith("_") and not name.endswith("__"))
    first = [args[0]] if writes and args else []
    return [one for value in (*first, kwargs.get("out")) for one in (value if type(value) is list else [value])]


class _Proxy(torch.fx.Proxy):  # type: ignore[misc]
    """A proxy that notices what fx would silently do wrong: a branch on its type, an attribute assigned to it."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        frame = sys._getframe(1)
        if is_users(frame.f_code.co_filename) and asks_for_type(frame):
            self.tracer.asked = True
        return _Proxy

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in {"node", "tracer"}:  # `self.weight.data = ...` would be lost on the proxy
            self.tracer.wrote_buffers = True
        super().__setattr__(name, value)

    @__class__.setter  # type: ignore[no-redef, attr-defined, untyped-decorator]
    def __class__(self, value: type) -> None:
        raise TypeError("the class of a proxy is fixed")


class _ProxyFlow:
    """Which calls a proxy comes from, by its node; attribute proxies belong to what they are read from."""

    def __init__(self) -> None:
        self._origins: dict[torch.fx.Node, frozenset[int]] = {}

    def of(self, value: Any) -> frozenset[int]:
        found: frozenset[int] = frozenset()
        for proxy in _proxies(value):
            found |= self._origins.get(proxy.node, frozenset())
        return found

    def set(self, value: Any, origins: frozenset[int]) -> None:
        for proxy in _proxies(value):
            self._origins[proxy.node] = origins


def _proxies(value: Any, depth: int = 4) -> Iterator[torch.fx.Proxy]:
    if isinstance(value, torch.fx.Proxy):
        yield value
    elif depth:
        if isinstance(value, (tuple, list)):
            inner: Any = value
        elif isinstance(value, dict):
            inner = list(value.values())
        elif isinstance(value, slice):
            inner = (value.start, value.stop, value.step)
        elif hasattr(value, "__dataclass_fields__"):
            inner = list(vars(value).values())
        else:
            return
        for item in inner:
            yield from _proxies(item, depth - 1)


_IN_PLACE = frozenset({operator.setitem, operator.iadd, operator.isub, operator.imul, operator.itruediv})
_IN_PLACE_METHODS = frozenset(("__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__ipow__")) | {
    *("__ifloordiv__", "__imod__", "__iand__", "__ior__", "__ixor__", "__ilshift__", "__irshift__")
}


class _Tracer(torch.fx.Tracer):  # type: ignore[misc]
    """fx's Tracer, which tells the recorder of every call; leaves are torch's own modules, as in fx."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.recorder = Recorder(_ProxyFlow(), instead=self._leaf)
        self.wrote_buffers = False
        self.asked = False
        self.draws: set[int] = set()
        self._owners = buffer_owners(model)

    def _leaf(self, module: torch.nn.Module, args: Any, kwargs: Any) -> Any:
        """A direct call of a leaf's forward is a node as well."""
        name = self.path_of_module(module)
        return (
            self.create_proxy("call_module", name, args, kwargs)
            if self.is_leaf_module(module, name)
            else NotImplemented
        )

    def trace_root(self, model: torch.nn.Module, constants: dict[str, Any]) -> None:
        """The model's own execution, which fx begins at the class's forward."""

        def run() -> None:
            running = self.recorder.running
            if running is not None:
                running.entered = True
            self.trace(model, concrete_args=constants)

        self.recorder.call(model, run, (), sys._getframe())

    def let_go(self) -> None:
        """Hold the copy no longer: the tracer's own proxies hold it, and are garbage that only a collection finds."""
        self.recorder.calls, self.recorder.on_unknown = [], None
        self.__dict__.clear()

    def call_module(self, m: torch.nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """An execution of `m`: a node where it is a leaf, else its forward is followed."""

        def run() -> Any:
            name = self.path_of_module(m)
            if self.is_leaf_module(m, name):
                return self.create_proxy("call_module", name, args, kwargs)
            return forward(*args, **kwargs)

        running = self.recorder.running
        if running is not None and running.module is m and not running.entered:
            return run()  # super().__call__ of the same execution
        return self.recorder.call(m, run, (args, kwargs), sys._getframe(1))

    def path_of_module(self, mod: torch.nn.Module) -> str:
        """The path, or a made-up one for a module that is registered nowhere."""
        path = (self.submodule_paths or {}).get(mod)
        return path if isinstance(path, str) else f"unregistered_{id(mod)}"

    def proxy(self, node: torch.fx.Node) -> Any:
        """A proxy that notices type checks."""
        return _Proxy(node, self)

    def create_arg(self, a: Any) -> Any:
        """A proxy is its node, before fx asks whether it is a parameter."""
        return a.node if isinstance(a, torch.fx.Proxy) else super().create_arg(a)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Note under which name a child was read."""
        if isinstance(attr_val, torch.nn.Module):
            self.recorder.hints[id(attr_val)] = attr
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **named: Any) -> Any:
        """A node; its origins are those of its arguments."""
        proxy = super().create_proxy(kind, target, args, kwargs, *rest, **named)
        if kind in {"call_function", "call_method"}:
            self._computes(target, args, kwargs, proxy)
        return proxy

    def _computes(self, target: Any, args: Any, kwargs: Any, proxy: Any) -> None:
        flow = self.recorder.dataflow
        flow.set(proxy, flow.of((args, kwargs)))
        running = self.recorder.running
        if running is not None and draws(target, args, kwargs):
            self.draws.add(id(running.module))
        self.wrote_buffers = self.wrote_buffers or any(map(_is_held, _written(target, args, kwargs)))
        written = written_by_function(target, args, kwargs)
        if written is not None:
            owner = self._owners.get(id(written[0]))
            self.wrote_buffers = self.wrote_buffers or (owner is not None and not has_entry(owner))
            if owner is not None and not self.recorder.is_running(owner):
                self.recorder.note_functional(owner, (args, kwargs), proxy, written[1])
