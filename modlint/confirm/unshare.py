"""A replica of a model -> the same model in which every execution of a reused instance runs a copy of its own.

The copies are told apart by counting: within one forward pass of the root, the k-th execution of an instance runs with
the k-th copy of its `__dict__` in place. Identity, class and attribute access stay those of the one object, so it does
not matter how the forward reaches it: by slots, lists, loops, `.forward(x)`, parametrised, with hooks. A copy that no
execution has asked for yet is made from a pristine one, so all start in equal state.

Tied copies keep their parameters in common. That is how a stateful instance is judged: what then differs is the effect
of its state alone, since parameters that are shared on purpose differ after one step without any harm.
"""

from __future__ import annotations

import contextlib
import functools
import types
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from modlint.confirm.journal import snapshot
from modlint.confirm.ledger import Ledger, own_tensors
from modlint.confirm.marked import ForwardOnInstance, Marked, Tie
from modlint.confirm.replica import duplicate
from modlint.errors import ModlintError
from modlint.trace.calls import instance_methods, written_by_function

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from modlint.confirm.journal import State
    from modlint.confirm.marked import Observer
    from modlint.confirm.replica import Memo


class Unshared:
    """A model that runs like the one it is given, with copies of the marked instances.

    `marked` are (name, instance) pairs; the instances may be registered anywhere in `model` or nowhere. Those named in
    `apart` run copies; of the others the executions are only counted and observed (with none apart, this is model A of
    the experiment). `tie` says by name what the copies have in common. `model` must be a replica: it is changed.
    """

    def __init__(
        self,
        model: nn.Module,
        marked: Sequence[tuple[str, nn.Module]],
        *,
        apart: Collection[str],
        tie: Mapping[str, Tie] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.model = model
        self._observer = observer
        self._apart = frozenset(apart)
        self._tie = tie or {}
        self._handles: dict[int, Marked] = {}
        self._names = {id(module): name for name, module in marked}
        self._foreign: list[tuple[nn.Module, State]] = []
        self._ledger = Ledger(lambda module: h.states if (h := self._handles.get(id(module))) else None)
        for module in model.modules():
            self._ledger.welcome(module)
        try:
            for name, module in marked:
                if module not in self._ledger:
                    self._protect(module)
                self._mark(name, module)
        except BaseException:  # whatever it was: what was changed elsewhere goes back, and it is raised again
            self._restore_foreign()
            raise

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """One forward pass of the root: the k-th execution of each instance runs its k-th copy."""
        self._restart()
        return self.model(*args, **kwargs)

    def change(self, write: Callable[[nn.Module], None]) -> None:
        """Let `write` change the model (its train mode), and let every copy see what that wrote."""
        self._restart()
        write(self.model)
        for handle in self._marked():  # an instance comes before those inside its copies
            handle.journal.collect(handle.states[0])
            for state in handle.every_state[1:]:
                handle.journal.apply(state)

    def executions(self, name: str) -> int:
        """How often the instance of that name has run since the last forward pass of the root began."""
        return sum(handle.executed for handle in self._marked() if handle.name == name)

    def parameters(self) -> list[nn.Parameter]:
        """What `model.parameters()` gives, and the parameters of the copies."""
        named = self._ledger.gathered([("", self.model)], "_parameters", idle=True)
        return [p for copies in named.values() for p in copies if isinstance(p, nn.Parameter)]

    def tensors(self, registry: str) -> dict[str, tuple[torch.Tensor, ...]]:
        """The tensors of `_parameters` or `_buffers`, by the name in the model as written: original and copies."""
        outside = [(f"{handle.name}.", handle.module) for handle in self._marked()]
        return self._ledger.gathered([("", self.model), *outside], registry)

    def tensors_of(self, name: str, registry: str) -> dict[str, tuple[torch.Tensor, ...]]:
        """The tensors of one marked instance, by their names within it, one for each copy."""
        roots = [("", handle.module) for handle in self._marked() if handle.name == name]
        return self._ledger.gathered(roots, registry)

    def kept(self, name: str) -> list[dict[str, Any]]:
        """What one marked instance keeps as attributes and buffers, here and below: for each copy, by dotted name."""
        handle = next(handle for handle in self._marked() if handle.name == name)
        return [_attributes(state) for state in handle.states]

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Within this, executions of the marked instances are seen: in forward, and where backward recomputes them."""
        methods = [(cls, name, vars(cls)[name]) for cls, name in self._entries()]
        with contextlib.ExitStack() as stack:
            stack.callback(self._restore_foreign)
            for cls, name, method in methods:
                seen = self._called(method) if name == "__call__" else self._counted(cls, name, method)
                type.__setattr__(cls, name, seen)
                stack.callback(type.__setattr__, cls, name, method)
            if self._has_statistics():
                stack.enter_context(_OnBuffers(self))
            yield

    def owner_of(self, tensor: object) -> Marked | None:
        """The marked instance that is not running and has `tensor` among its buffers."""
        for handle in self._handles.values():
            if not handle.depth and any(buffer is tensor for buffer in vars(handle.module)["_buffers"].values()):
                return handle
        return None

    def run_on_buffers(self, handle: Marked, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A functional call on the buffers of an instance, as an execution of it, on the tensors of its copy."""
        before = own_tensors(vars(handle.module))

        def run(*args: Any, **kwargs: Any) -> Any:
            now = own_tensors(vars(handle.module))
            names = {id(tensor): name for name, tensor in before.items()}
            args, kwargs = tree_map(lambda v: now.get(names.get(id(v), ""), v), (args, kwargs))
            return function(*args, **kwargs)

        return self._execute(handle, run, args, kwargs, called=False)

    # How an instance becomes marked, and where its copies come from.

    def _mark(self, name: str, module: nn.Module) -> None:
        if isinstance(module, torch.jit.ScriptModule):
            raise ModlintError(f"{name!r} is compiled TorchScript, which cannot be taken apart; give the Python module")
        handle = Marked(name, module, name in self._apart)
        self._handles[id(module)] = handle
        if handle.apart:
            handle.pristine = self._twin(handle, handle.states[0])
            handle.journal.restart(handle.states[0])
        self._wrap(handle, handle.states[0])

    def _protect(self, module: nn.Module) -> None:
        """Let a module that is not part of the model (a global, a class attribute) run on a copy of its state."""
        self._foreign.append((module, vars(module)))
        inside = [inner for inner in module.modules() if inner not in self._ledger]
        state = duplicate(vars(module), inside, {**self._ledger.home, id(module): module})
        object.__setattr__(module, "__dict__", state)
        for inner in module.modules():
            self._ledger.welcome(inner)

    def _wrap(self, handle: Marked, state: State) -> None:
        if "forward" in state:
            state["forward"] = ForwardOnInstance(functools.partial(self._forward, handle), state["forward"])

    def _copy(self, handle: Marked, index: int) -> State:
        """The state of the execution of that number, made now if it is the first to ask for it."""
        if handle.pristine is not None and index >= len(handle.states):
            memo: Memo = {}
            current = vars(handle.module)
            handle.put(handle.pristine)
            state = self._twin(handle, handle.pristine, memo)
            handle.put(current)
            handle.states.append(state)
            self._wrap(handle, state)
            self._ledger.note(state)
        return handle.states[min(index, len(handle.states) - 1)]

    def _twin(self, handle: Marked, state: State, memo: Memo | None = None) -> State:
        """A deep copy of one state of an instance. What lies outside of the instance is not copied.

        With a `memo` the copy is going to run, so the marked instances inside it are marked in turn.
        """
        inside = {id(module): module for module in handle.module.modules()}
        memo, runs = ({}, False) if memo is None else (memo, True)
        memo.update((key, module) for key, module in self._ledger.home.items() if key not in inside)
        memo[id(handle.module)] = handle.module
        tie = self._tie.get(handle.name, Tie.NOTHING)
        if tie is not Tie.NOTHING:
            memo.update((id(p), p) for p in handle.module.parameters() if p.requires_grad or tie is Tie.ALL)
        twin: State = duplicate(state, inside.values(), memo)
        for key, module in inside.items():
            new = memo.get(key)
            if isinstance(new, nn.Module) and new is not module:
                self._adopt(new, self._names.get(key), runs)
        return twin

    def _adopt(self, module: nn.Module, name: str | None, runs: bool) -> None:
        if runs:
            self._ledger.welcome(module)
        if name is not None:
            self._names[id(module)] = name
            if runs:
                self._mark(name, module)

    # What happens while the model runs.

    def _marked(self) -> list[Marked]:
        return list(self._handles.values())

    def _restart(self) -> None:
        for handle in self._marked():
            handle.restart()
        for handle in self._marked():
            if handle.apart:
                handle.journal.restart(handle.states[0])

    def _restore_foreign(self) -> None:
        for module, state in self._foreign:
            object.__setattr__(module, "__dict__", state)

    def _entries(self) -> dict[tuple[type, str], None]:
        """The methods, with the class that defines them, whose calls are executions of some marked instance."""
        found: dict[tuple[type, str], None] = {(nn.Module, "__call__"): None}
        for handle in self._marked():
            for base in type(handle.module).__mro__:
                if isinstance(vars(base).get("__call__"), types.FunctionType):
                    found[(base, "__call__")] = None
            for name in ("forward", *instance_methods(handle.module)):
                cls = _defining(type(handle.module), name)
                if cls is not None:
                    found[(cls, name)] = None
        return found

    def _has_statistics(self) -> bool:
        return any("running_mean" in vars(handle.module)["_buffers"] for handle in self._marked())

    def _called(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """A `__call__`, counting the executions of marked instances and protecting modules outside of the model."""

        @functools.wraps(call)
        def seen(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            handle = self._handles.get(id(module))
            if handle is not None and not handle.called:  # else super().__call__ of the same execution
                return self._execute(handle, functools.partial(call, module), args, kwargs, called=True)
            if module not in self._ledger:
                self._protect(module)
            self._ledger.ran(module)
            return call(module, *args, **kwargs)

        return seen

    def _counted(self, cls: type, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """A method of a class, counting the calls that do not come through `__call__`."""

        @functools.wraps(method)
        def counted(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            handle = self._handles.get(id(module))
            if handle is None or _defining(type(module), name) is not cls:  # unmarked, or a call through super()
                return method(module, *args, **kwargs)
            return self._forward(handle, functools.partial(method, module), args, kwargs)

        return counted

    def _forward(self, handle: Marked, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if handle.called:
            handle.called = False
            return forward(*args, **kwargs)
        return self._execute(handle, forward, args, kwargs, called=False)

    def _execute(self, handle: Marked, run: Callable[..., Any], args: Any, kwargs: Any, *, called: bool) -> Any:
        before, called_before = vars(handle.module), handle.called
        self._enter(handle, before)
        token = None if self._observer is None else self._observer.before(handle.name, (args, kwargs))
        handle.called = called
        handle.depth += 1
        try:
            output = run(*args, **kwargs)
        finally:
            handle.depth -= 1
            handle.called = called_before
            if handle.depth:  # a module that runs itself goes on with the copy it had
                handle.put(before)
            elif handle.apart:
                handle.journal.ended(vars(handle.module))
        if self._observer is not None:
            self._observer.after(handle.name, token, output)
        return output

    def _enter(self, handle: Marked, before: State) -> None:
        index = handle.executed
        handle.executed += 1
        if not handle.apart:
            return
        if handle.depth == 0:
            handle.journal.collect(before)
        state = self._copy(handle, index)
        if handle.depth == 0 and state is not before:
            handle.journal.apply(state)
        handle.put(state)


class _OnBuffers(TorchFunctionMode):  # type: ignore[misc]
    """Sees functional normalisations on the running statistics of a marked instance, which are uses of it."""

    def __init__(self, unshared: Unshared) -> None:
        super().__init__()
        self._unshared = unshared

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        written = written_by_function(func, args, kwargs)
        handle = None if written is None else self._unshared.owner_of(written[0])
        if handle is None:
            return func(*args, **kwargs)
        return self._unshared.run_on_buffers(handle, func, args, kwargs)


def _attributes(state: State) -> dict[str, Any]:
    found = {".".join((*key.path, key.name)): (key.name, value) for key, (value, _) in snapshot(state).items()}
    return {path: tree_map(_detached, value) for path, (name, value) in found.items() if name not in _MACHINERY}


def _detached(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, torch.Tensor) else value


_MACHINERY = {*vars(nn.Module()), "forward"}


def _defining(cls: type, name: str) -> type[nn.Module] | None:
    """The class that gives instances of `cls` the method of that name, if it is a plain function."""
    for base in cls.__mro__:
        if isinstance(vars(base).get(name), types.FunctionType):
            return base if issubclass(base, nn.Module) and base is not nn.Module else None
    return None
