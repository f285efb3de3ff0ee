"""What the user is told: a finding with its place, its instance, every use and the evidence. Reporters make it text."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modlint.graph.model import Location, StateClass


class Severity(str, Enum):
    """How loud a finding is; a note never sets the exit status."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Level(str, Enum):
    """How well a finding is founded."""

    STATIC = "static"
    TRACED = "traced"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Observable:
    """One measured quantity: the largest absolute difference of the two models, and that of two identical runs."""

    name: str
    difference: float
    noise: float


@dataclass(frozen=True, slots=True)
class Harm:
    """How much the reuse changes. Relative to the scale of each.

    `skew` is the distance of the uses' statistics: of means in standard deviations, of other buffers relative to their
    size.
    """

    train: float = 0.0
    eval: float = 0.0
    skew: float = 0.0

    @property
    def size(self) -> float:
        """What outcomes are ranked by: the larger relative change of an output."""
        return max(self.train, self.eval)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The level, with the numbers behind it when there are any. `harm` is None where none was measured."""

    level: Level = Level.STATIC
    observables: tuple[Observable, ...] = ()
    note: str = ""
    harm: Harm | None = None


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """What a finding says of an instance."""

    type: str
    path: str
    state: StateClass
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UseSite:
    """One use of the instance: where, and in which function."""

    location: Location
    within: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `location` is the use (or repetition, or slot) that makes it reuse."""

    code: str
    name: str
    family: str
    severity: Severity
    message: str
    url: str
    location: Location
    model: str = ""
    module: ModuleFacts | None = None
    children: tuple[ModuleFacts, ...] = ()
    created: Location | None = None
    uses: tuple[UseSite, ...] = ()
    evidence: Evidence = Evidence()
    fingerprint: str = ""

    @property
    def sort_key(self) -> tuple[str, int, int, int, str, str]:
        """The order of every report: by file, cell of a notebook, row, column, code."""
        file, mark, cell = self.location.filename.partition(".ipynb:cell ")
        number = int(cell) if cell.isdecimal() else 0
        return (file + mark, number, self.location.row, self.location.column, self.code, self.message)


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of one run, sorted; the lines of source that they point at; the counts for `--statistics`."""

    findings: tuple[Finding, ...]
    statistics: Statistics | None = None
    lines: Mapping[tuple[str, int], str] = field(default_factory=dict)  # by file name and row
    color: bool = False

    @property
    def failed(self) -> bool:
        """Whether a finding of warning or error is among them."""
        return any(finding.severity is not Severity.NOTE for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of one run. Reused instances are keyed by (state class, verdict)."""

    files: int = 0
    models: int = 0
    instances: int = 0
    reused: tuple[tuple[str, str, int], ...] = ()
    unknowns: tuple[tuple[str, int], ...] = ()
    without_entry: tuple[tuple[str, int], ...] = ()
    seconds: float = 0.0
