"""Names whose meaning is known where values are not: what library functions and methods do to what they get."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modlint.interpreter.interpreter import Interpreter


def _methods(*types: type) -> frozenset[str]:
    return frozenset(name for kind in types for name in dir(kind) if not name.startswith("_"))


LABELS = frozenset({"__doc__", "__signature__", "__name__", "__qualname__", "__module__", "__annotations__"})
_OF_MAPPINGS = frozenset({"get", "items", "keys", "values", "copy"})
_OF_MODULES = frozenset(
    {"reset_parameters", "children", "named_children", "modules", "named_modules", "parameters"}
) | {*("named_parameters", "buffers", "named_buffers")}
_OF_TENSORS = frozenset({"size", "dim", "numel", "item", "tolist", "detach", "clone", "view", "reshape", "flatten"}) | {
    *("permute", "transpose", "contiguous", "squeeze", "unsqueeze", "mean", "std", "sum", "max", "min", "abs"),
    *("sqrt", "pow", "exp", "log", "float", "to"),
}
_OF_OTHERS = frozenset({"warning_once", "is_file", "exists"})
READERS = (
    _methods(str, re.Pattern, re.Match)
    | (_methods(logging.Logger) - _methods(logging.Handler))
    | _OF_MAPPINGS
    | _OF_MODULES
    | _OF_TENSORS
    | _OF_OTHERS
)
CHANGERS = _methods(list, dict, set) - _methods(str) - _OF_MAPPINGS
SETTERS = frozenset({"register_buffer", "register_parameter", "register_module", "add_module", "set_submodule"}) | {
    *("requires_grad_", "train", "eval", "apply", "compile", "register_forward_hook", "register_forward_pre_hook"),
    *("load_state_dict", "forward"),
}
_FORBIDDEN = frozenset({"setattr", "delattr", "exec", "eval", "compile", "__import__", "globals", "locals", "vars"}) | {
    *("map", "filter", "next", "super"),
}
_MEDDLING = frozenset({"functools", "operator", "copy", "sys", "contextlib", "types", "pickle", "gc", "weakref"}) | {
    *("atexit", "ctypes", "builtins", "dataclasses"),
}
_PURE = frozenset({"dataclasses.is_dataclass", "dataclasses.fields", "functools.partial"})
_PURE_PACKAGES = frozenset({"regex", "packaging", "numpy", "typing_extensions"})
_SETTINGS = frozenset({"argparse", "json", "yaml", "toml", "tomllib", "configparser", "os", "sys", "pathlib"}) | {
    *("omegaconf", "hydra", "yacs", "ml_collections", "mmcv", "mmengine", "absl", "click", "fire", "gin"),
}
GIVE_GIVEN = frozenset({"builtins.getattr", "builtins.max", "builtins.min", "builtins.sum"})  # may return an argument


def in_place(name: str) -> bool:
    """Whether a method is one of a tensor's that change its values."""
    return name.endswith("_") and name != "requires_grad_" and not name.startswith("_")


def reads(name: str) -> bool:
    """Whether a method of a library's object changes nothing that is judged."""
    return name in READERS or in_place(name)


def is_safe(m: Interpreter, dotted: str) -> bool:
    """Whether a library function neither keeps nor changes what it is given."""
    root, _, rest = dotted.partition(".")
    if root == "builtins":
        return rest not in _FORBIDDEN
    if root == "torch":
        return rest.startswith(("nn.init.", "nn.functional.")) or (
            rest.islower() and "." not in rest and rest != "compile"
        )
    if dotted in _PURE:
        return True
    if m.entry(dotted) is not None or m.wrapper(dotted) is not None:
        return False
    if root == "importlib":
        return rest.startswith(("util.", "metadata."))
    return root in _PURE_PACKAGES or (root in sys.stdlib_module_names and root not in _MEDDLING)


def reads_settings(dotted: str) -> bool:
    """Whether a library function reads what the program is told: a file of settings, the command line, a prompt."""
    return dotted.partition(".")[0] in _SETTINGS or dotted in {"builtins.open", "builtins.input"}
