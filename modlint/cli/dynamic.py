"""`modlint PATH --trace` and `--confirm`: the static findings with what running the models showed. Runs user code."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from modlint import ruleset
from modlint.errors import ModlintError
from modlint.report import distinct
from modlint.syntax.text import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modlint.config import Config
    from modlint.findings import Finding
    from modlint.linter import Outcome
    from modlint.trace.session import Request
    from modlint.trace.worker import Limits

_SECONDS = 600.0  # for the experiment on one model


def with_evidence(outcome: Outcome, config: Config, options: dict[str, Any]) -> Outcome:
    """The outcome with the evidence of a trace, and of the experiment when it is asked for. Notes go to stderr."""
    from modlint.cli.confirm_command import INSTALL

    try:
        from modlint.trace.evidence import trace_tree
    except ModuleNotFoundError as error:
        if error.name not in {"torch", "numpy"}:
            raise
        raise ModlintError(f"--trace and --confirm need torch and numpy: {INSTALL}") from error
    if options["confirm"]:
        from modlint.confirm.determinism import pick_device

        pick_device(options["device"])  # which is an error of its own, rather than one of every model
    evidence = trace_tree(outcome.report.findings, outcome.files, config, _limits(options["timeout"]))
    for note in evidence.notes:
        click.echo(f"modlint: {note}", err=True)
    findings: Sequence[Finding] = evidence.findings
    if options["confirm"]:
        findings = _confirmed(findings, evidence.requests, config, outcome.files, options)
    selected = ruleset.load().selected(config.select or None, config.extend_select, config.ignore)
    chosen = distinct(finding for finding in findings if finding.code in selected)
    lines = {**outcome.report.lines, **_lines(chosen, config.root)}
    return replace(outcome, report=replace(outcome.report, findings=chosen, lines=lines))


def _limits(seconds: float | None) -> Limits | None:
    """The limits of each model that is traced, where `--timeout` says so."""
    from modlint.trace.session import half_of_memory
    from modlint.trace.worker import Limits

    return None if seconds is None else Limits(seconds, half_of_memory())


def _confirmed(
    findings: Sequence[Finding],
    requests: Iterable[Request],
    config: Config,
    files: Sequence[str],
    options: dict[str, Any],
) -> tuple[Finding, ...]:
    from modlint.cli.confirm_command import Progress
    from modlint.confirm.evidence import confirm_findings
    from modlint.confirm.filters import Filters
    from modlint.confirm.job import Choice, Model
    from modlint.trace.worker import Limits

    targets = [Model(r.target, r.init, r.input, r.inputs, states=r.states) for r in requests]
    limits = Limits(seconds=options["timeout"] or _SECONDS)
    with Progress() as told:
        merged = confirm_findings(
            findings, targets, Choice(device=options["device"]), limits, config.root, told, Filters(config, files)
        )
    for target, message in merged.failures:
        click.echo(f"modlint: {target} was not measured: {message}", err=True)
    return merged.findings


def _lines(findings: Iterable[Finding], root: str) -> dict[tuple[str, int], str]:
    """The lines at which findings point, for those that the static pass did not know."""
    rows: dict[str, set[int]] = {}
    for finding in findings:
        for place in (finding.location, finding.created, *(use.location for use in finding.uses)):
            if place is not None and ".ipynb" not in place.filename:
                rows.setdefault(place.filename, set()).update((place.row, place.end_row))
    found = {}
    for file, wanted in rows.items():
        try:
            with open(os.path.join(root, file), "rb") as stream:
                lines = lines_of(stream.read())
        except OSError:
            continue
        found.update({(file, row): lines[row - 1] for row in wanted if 0 < row <= len(lines)})
    return found
