"""What the trace pass returns: the use graph with how it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modlint.graph import UseGraph

if TYPE_CHECKING:
    from modlint.trace.inputs import Inputs


class TracedGraph(UseGraph):
    """A use graph of a live model.

    `tracer` is "fx" or "recorded", `why_not_fx` the reason where it is not fx, `coverage` the share of leaf calls seen
    (1.0 when the whole forward ran under watch), `inputs` what it ran on, `target` what the user named, `file` the
    source of the model's class.
    """

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.tracer = "recorded"
        self.why_not_fx = ""
        self.coverage = 1.0
        self.inputs: Inputs | None = None
        self.target = ""
        self.file = ""
