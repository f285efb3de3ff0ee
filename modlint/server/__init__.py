"""The language server: diagnostics, hovers and code actions over the unsaved text of an editor."""

from modlint.server.server import start

__all__ = ["start"]
