"""What the experiment says of each reused instance, and the result as a whole: the values that reports are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from modlint.findings import Evidence, Harm, Level, Observable
from modlint.verdicts import Verdict

if TYPE_CHECKING:
    from torch import nn

    from modlint.confirm.observables import Quantity


class Aim(str, Enum):
    """What there is to find out about an instance."""

    SAFE = "safe"  # nothing differs
    TIE = "tie"  # deliberately shared parameters: gradients of the uses accumulate, no state flows
    PARAMETERS = "parameters"  # the same, warned of
    STATE = "state"  # warned of: state flows between the uses
    OPEN = "open"  # verdict unknown
    CROSS = "cross"  # shared by several models


@dataclass(frozen=True, slots=True)
class Home:
    """The smallest module that runs once per forward pass and holds all uses, with its share of all executions."""

    name: str
    module: nn.Module
    share: float


@dataclass(frozen=True, slots=True)
class Reused:
    """A reused instance: its key in the graph, the verdict and rule of the trace, and what there is to find out."""

    name: str
    aim: Aim
    verdict: Verdict = Verdict.UNKNOWN
    code: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reused instance with the live object that it stands for."""

    reused: Reused
    module: nn.Module
    home: Home | None = None

    @property
    def name(self) -> str:
        return self.reused.name

    @property
    def aim(self) -> Aim:
        return self.reused.aim


@dataclass(frozen=True, slots=True)
class Measure:
    """One observable: the largest absolute difference of A and B, also relative to its scale, and that of A and A'."""

    quantity: Quantity
    difference: float
    relative: float
    noise: float
    where: str = ""  # the tensor and the step in which the difference was found


NO_HARM = Harm()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The evidence on one instance. `measured` is the verdict of the numbers alone, None where they are unclear."""

    reused: Reused
    level: Level
    measured: Verdict | None
    note: str
    measures: tuple[Measure, ...] = ()
    harm: Harm = NO_HARM
    executions: int = 0
    tracked_only: bool = False  # buffers differ and nothing reads them
    state_flows: bool | None = None  # from one use to another, whatever the parameters do; None where not found out
    within: str = ""  # the module that it was tried in, "" for the whole model
    derivatives: tuple[str, ...] = ()  # the local derivative at each use, described

    @property
    def evidence(self) -> Evidence:
        """The same for a finding."""
        observables = tuple(Observable(m.quantity.value, m.difference, m.noise) for m in self.measures)
        return Evidence(self.level, observables, self.note, self.harm)


@dataclass(frozen=True, slots=True)
class Nondeterministic:
    """An operation whose result differs between identical runs (ML601), and the module that runs it."""

    path: str
    operation: str
    phase: str = "forward"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ConfirmResult:
    """The whole experiment on one model, outcomes ranked by measured harm."""

    model: str
    device: str
    torch: str
    settings: dict[str, Any]
    seeds: tuple[int, ...]
    steps: int
    noise: tuple[tuple[Quantity, float], ...]
    outcomes: tuple[Outcome, ...]
    nondeterministic: tuple[Nondeterministic, ...] = ()
    notes: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    executions: int = 0  # forward passes of the whole model
    seconds: float = 0.0  # with the trace
    experiment_seconds: float = 0.0

    @property
    def deterministic(self) -> bool:
        """Whether A and A' agreed to the last bit."""
        return all(value == 0 for _, value in self.noise)

    def outcome(self, name: str) -> Outcome:
        """The outcome of the instance of that name. Raises KeyError."""
        for outcome in self.outcomes:
            if outcome.reused.name == name:
                return outcome
        raise KeyError(name)


def ranked(outcomes: list[Outcome]) -> tuple[Outcome, ...]:
    """Confirmed harm first, the largest first; then what is unclear, refuted and safe. Ties by name."""
    order = {Verdict.CHANGES_SEMANTICS: 0, None: 1, Verdict.UNKNOWN: 1, Verdict.DELIBERATE: 2, Verdict.SAFE: 3}
    return tuple(sorted(outcomes, key=lambda o: (order[o.measured], o.tracked_only, -o.harm.size, o.reused.name)))
