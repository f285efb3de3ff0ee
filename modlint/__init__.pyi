# What type checkers see: `trace` and `confirm` are rooms that can be called, which no module's type can say.

from modlint.confirm import confirm as confirm
from modlint.trace import trace as trace

__version__: str
