"""What `--statistics` prints in place of the findings: counts of the run, as text or JSON."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modlint.findings import Report, Statistics


def render(report: Report) -> str:
    """A table for people."""
    found = _statistics(report)
    rules = Counter((finding.code, finding.name) for finding in report.findings)
    sections = [
        ("", [("files", found.files), ("models", found.models), ("instances", found.instances)]),
        ("findings", [(f"{code} {name}", count) for (code, name), count in sorted(rules.items())]),
        ("reused instances, by state class and verdict", [(f"{s}, {v}", count) for s, v, count in found.reused]),
        ("unknown, by reason", _by_count(found.unknowns)),
        ("library classes without a catalogue entry", _by_count(found.without_entry)),
    ]
    lines = []
    for title, rows in sections:
        if rows:
            lines += [title] if title else []
            lines += [f"{count:>8}  {text}" for text, count in rows]
    lines.append(f"{found.seconds:>8.2f}  seconds")
    return "\n".join(lines) + "\n"


def render_json(report: Report) -> str:
    """The same as one JSON object."""
    found = _statistics(report)
    data: dict[str, Any] = {
        "files": found.files,
        "models": found.models,
        "instances": found.instances,
        "findings": dict(sorted(Counter(finding.code for finding in report.findings).items())),
        "reused": [{"state": s, "verdict": v, "count": count} for s, v, count in found.reused],
        "unknowns": dict(_by_count(found.unknowns)),
        "without_entry": dict(_by_count(found.without_entry)),
        "seconds": round(found.seconds, 3),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _statistics(report: Report) -> Statistics:
    from modlint.findings import Statistics

    return report.statistics or Statistics()


def _by_count(counts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(counts, key=lambda item: (-item[1], item[0]))
