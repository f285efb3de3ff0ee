"""The interpreter room: files in, use graphs out. It runs `__init__` and `forward` on abstract values."""

from modlint.interpreter.interpreter import BUDGET
from modlint.interpreter.models import Analysis, ModelResult, interpret

__all__ = ["BUDGET", "Analysis", "ModelResult", "interpret"]
