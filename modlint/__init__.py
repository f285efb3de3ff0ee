"""modlint: finds reused nn.Module instances and warns where the reuse changes what a model computes or learns."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import would take longer than `modlint --version` does
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "confirm", "trace"]


def __getattr__(name: str) -> Any:
    """Load the torch-backed rooms on first use, so that `import modlint` stays free of torch.

    `modlint.trace(model, *inputs)` and `modlint.confirm(model, *inputs)` are the rooms themselves, which are callable.
    """
    if name in {"trace", "confirm"}:
        import importlib

        return importlib.import_module(f"modlint.{name}")
    raise AttributeError(f"module 'modlint' has no attribute {name!r}")
