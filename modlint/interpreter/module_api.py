"""The methods of nn.Module, by name: `handler(machine, module, call, name)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modlint.catalogue.entries import Holds
from modlint.interpreter import classes, effects, hooks, parameter_lists, views
from modlint.interpreter.arguments import argument
from modlint.interpreter.containers import DICT_METHODS, LIST_METHODS, list_like
from modlint.interpreter.modules import (
    library_forward,
    register,
    run_forward,
    run_module,
    set_module_attr,
)
from modlint.interpreter.values import (
    INPUT,
    MISSING,
    BoundV,
    CallArgs,
    Choice,
    FuncV,
    ModuleObj,
    Tensor,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modlint.interpreter.interpreter import Interpreter

_NOT_STATE = frozenset({"training"})
_DEEPEST = 40  # modules within modules of which a mode is set


def module_method(m: Interpreter, obj: ModuleObj, name: str) -> Callable[..., Value] | None:
    """The handler of a library method of this instance, or None."""
    entry = obj.entry
    if entry is not None and name in entry.methods:
        return _method_use
    if list_like(obj) and name in LIST_METHODS:
        return LIST_METHODS[name]
    if entry is not None and entry.holds is Holds.DICT and name in DICT_METHODS:
        return DICT_METHODS[name]
    if entry is not None and entry.holds is Holds.PARAMETERS and (found := parameter_lists.method(m, obj, name)):
        return found
    return _MODULE.get(name)


def walk(m: Interpreter, obj: ModuleObj) -> Iterator[ModuleObj]:
    """The module and all below it, each once, as modules() gives them."""
    seen: set[int] = set()
    todo: list[Value] = [obj]
    while todo:
        one = todo.pop()
        if type(one) is Choice:
            todo += [alternative for _, alternative in reversed(one.alts)]
        elif isinstance(one, ModuleObj) and one.id not in seen:
            seen.add(one.id)
            yield one
            todo += reversed(one.mods.values())


def _children(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    found: dict[int, Value] = {}
    for child in obj.mods.values():
        value = m.live(child)
        if value is not None and value is not MISSING:
            found.setdefault(id(value), value)
    return m.new_iter(tuple(found.values()))


def _named_children(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    found: dict[int, Value] = {}
    for key, child in obj.mods.items():
        value = m.live(child)
        if value is not None and value is not MISSING:
            found.setdefault(id(value), (key, value))
    return m.new_iter(tuple(found.values()))


def _modules(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    return m.new_iter(tuple(walk(m, obj)))


def _named_modules(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    found: list[Value] = []
    seen: set[int] = set()

    def visit(module: ModuleObj, path: str) -> None:
        if module.id in seen:
            return
        seen.add(module.id)
        found.append((path, module))
        for key, child in list(module.mods.items()):
            value = m.live(child)
            if isinstance(value, ModuleObj):
                visit(value, f"{path}.{key}" if path else key)

    visit(obj, "")
    return m.new_iter(tuple(found))


def _parameters(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    tensors = [t for module in walk(m, obj) for t in _tensors(m, module)]
    pairs = name.startswith("named")
    return m.new_iter(tuple((t.name, t) if pairs else t for t in tensors))


def _tensors(m: Interpreter, obj: ModuleObj) -> list[Tensor]:
    own = [t for t in (m.live(v) for v in obj.tensors.values()) if isinstance(t, Tensor) and t.kind == "parameter"]
    if obj.entry is not None and not own and obj.entry.holds is Holds.NOTHING:
        own = [t for n in ("weight", "bias") if isinstance(t := m.library_attr(obj, n), Tensor)]
    return own


def _add_module(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    key, value = argument(args, 0, "name"), argument(args, 1, "module")
    place = args.places[1] if len(args.places) > 1 else args.named_places.get("module")
    if isinstance(key, str):
        register(m, obj, key, value, place)
    elif value is not None:
        register(m, obj, f"<{len(obj.mods)}>", value, place)
    return None


def _register_buffer(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    key, value = argument(args, 0, "name"), argument(args, 1, "tensor")
    persistent = argument(args, 2, "persistent", True)
    if isinstance(key, str):
        if value is None:
            m.set(obj.tensors, key, None)
            return None
        tensor = Tensor(m.fresh(), "buffer", obj, key, persistent is not False)
        m.set(obj.tensors, key, tensor)
        m.wrote_attr(obj, key, value, False)
    return None


def _register_parameter(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    key, value = argument(args, 0, "name"), argument(args, 1, "param")
    if isinstance(key, str):
        m.set(obj.tensors, key, None if value is None else Tensor(m.fresh(), "parameter", obj, key))
    return None


def _train(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    mode = False if name == "eval" else argument(args, 0, "mode", True)
    user = classes.find_any(obj.cls, "train")
    if name == "eval" and isinstance(user, FuncV):
        m.call(BoundV(user, obj), args._replace(args=(False,), kwargs={}))
        return obj
    set_training(m, obj, mode)
    return obj


def set_training(m: Interpreter, obj: ModuleObj, mode: Value, done: set[int] | None = None) -> None:
    """nn.Module.train: the module, then `train` of each child, which may be overridden.

    `done` are those that it was set of, for one that may be below itself.
    """
    done = set() if done is None else done
    done.add(obj.id)
    m.set(obj.cells, "training", mode)
    for child in list(obj.mods.values()):
        for one in m.possible(child):
            if not isinstance(one, ModuleObj) or one.id in done or m.depth >= _DEEPEST:
                continue
            m.depth += 1
            user = classes.find_any(one.cls, "train")
            if isinstance(user, FuncV):
                m.call(BoundV(user, one), CallArgs((mode,), {}, None))
            else:
                set_training(m, one, mode, done)
            m.depth -= 1


def _apply(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    function = args.args[0] if args.args else None
    if m.run is None and effects.without_effect(m, function, obj):
        return obj
    for module in list(walk(m, obj)):
        m.call(function, CallArgs((module,), {}, None))
    return obj


def _same(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    return obj


def _requires_grad(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    frozen = argument(args, 0, "requires_grad", True) is False
    for module in list(walk(m, obj)):
        m.set(module.facts, "frozen", frozen)
    return obj


def _forward(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    if name == "__call__":
        return run_forward(m, obj, args)
    if m.run is not None and m.run.of(obj) is not None:
        return library_forward(m, obj, args)  # the old forward, from within the one that replaced it
    return run_module(m, obj, MISSING, args)


def _get_submodule(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    path = argument(args, 0, "target")
    if not isinstance(path, str):
        return m.unknown("gave up: submodule by an unknown path")
    found: Value = obj
    for part in path.split(".") if path else []:
        found = m.live(found.mods.get(part)) if isinstance(found, ModuleObj) else None
    return found


def _set_submodule(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    path, value = argument(args, 0, "target"), argument(args, 1, "module")
    if not isinstance(path, str):
        m.note("gave up: submodule by an unknown path")
        return None
    above, _, last = path.rpartition(".")
    owner = _get_submodule(m, obj, CallArgs((above,), {}), name)
    if isinstance(owner, ModuleObj):
        place = args.places[1] if len(args.places) > 1 else args.named_places.get("module")
        register(m, owner, last, value, place)
    return None


def _data(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    return m.data()


def _setattr(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    if len(args.args) == 2 and isinstance(args.args[0], str):
        set_module_attr(m, obj, args.args[0], args.args[1], args.places[1] if len(args.places) > 1 else None)
    return None


def _method_use(m: Interpreter, obj: ModuleObj, args: CallArgs, name: str) -> Value:
    """A method whose calls are uses of the instance (FloatFunctional.add, ...)."""
    from modlint.interpreter import tracking

    run = tracking.record(m, obj, args)
    return m.data(INPUT, frozenset({run.order}))


_MODULE: dict[str, Callable[..., Value]] = {
    "forward": _forward,
    "__call__": _forward,
    "add_module": _add_module,
    "register_module": _add_module,
    "register_buffer": _register_buffer,
    "register_parameter": _register_parameter,
    "children": _children,
    "named_children": _named_children,
    "modules": _modules,
    "named_modules": _named_modules,
    "parameters": _parameters,
    "named_parameters": _parameters,
    "train": _train,
    "eval": _train,
    "apply": _apply,
    "requires_grad_": _requires_grad,
    "get_submodule": _get_submodule,
    "set_submodule": _set_submodule,
    "state_dict": _data,
    "load_state_dict": _data,
    "__getattr__": views.registered,
    "__setattr__": _setattr,
    **dict.fromkeys(("to", "cuda", "cpu", "half", "float", "double", "bfloat16", "type", "share_memory"), _same),
    "compile": _data,
    "zero_grad": _data,
    "extra_repr": _data,
    "register_forward_hook": hooks.register,
    "register_forward_pre_hook": hooks.register,
    "register_full_backward_hook": _data,
    "register_load_state_dict_post_hook": _data,
    "_register_load_state_dict_pre_hook": _data,
    "save_hyperparameters": _data,
    "log": _data,
    "buffers": _data,
    "named_buffers": _data,
}


def special_attr(m: Interpreter, obj: ModuleObj, name: str) -> Any:
    """Attributes that every module has: `training`, `_modules`, `__class__`, ...; MISSING for others."""
    if name == "training":
        m.asked_training = True
        return True
    if name == "__class__":
        return obj.cls
    return views.view_of(obj, name)
