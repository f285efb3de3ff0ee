"""`modlint check`: paths and options -> findings on stdout, or in a file."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from modlint import ruleset
from modlint.cli.options import cache_folder, check_options, default_jobs, overridden, settings_text
from modlint.config import load
from modlint.errors import ModlintError

if TYPE_CHECKING:
    from modlint.config import Config
    from modlint.findings import Report
    from modlint.linter import Outcome


@click.command()
@check_options
@click.argument("paths", nargs=-1)
@click.pass_context
def check(ctx: click.Context, /, paths: tuple[str, ...], **options: Any) -> int:
    """Lint files and folders (`.` when none is given). Imports neither torch nor your code."""
    paths = paths or (".",)
    stdin = paths == ("-",)
    if "-" in paths and not stdin:
        raise ModlintError("- stands for stdin and cannot be mixed with other paths")
    where = [options["stdin_filename"] or "-"] if stdin else list(paths)
    config = overridden(load(where, options["config_file"], options["isolated"]), options)
    if options["show_settings"] or options["show_files"]:
        return _show(config, where, options)
    return _linted(ctx, config, where, stdin, options)


def _show(config: Config, paths: list[str], options: dict[str, Any]) -> int:
    if options["show_settings"]:
        selected = ruleset.load().selected(config.select or None, config.extend_select, config.ignore)
        click.echo(settings_text(config, selected), nl=False)
    else:
        from modlint.cli.output import shown_name
        from modlint.syntax.files import find

        for file in find(paths, config).files:
            click.echo(shown_name(file))
    return 0


def _linted(ctx: click.Context, config: Config, paths: list[str], stdin: bool, options: dict[str, Any]) -> int:
    outcome = _run(config, paths, stdin, options)
    for fault in outcome.faults:
        click.echo(f"modlint: a fault of modlint's own left this file unjudged: {fault}", err=True)
    if not outcome.files and not stdin:
        click.echo("modlint: no Python files found under the given paths", err=True)
    report = _filtered(outcome.report, config, options)
    if options["add_ignore"]:
        from modlint.cli.add_ignore import add_ignores

        return add_ignores(report, config.root)
    text = _rendered(report, config, options)
    status = 2 if outcome.faults else 1 if report.failed and not options["exit_zero"] else 0
    _write(text, options["output_file"])
    if _repeatable(outcome, stdin, options):
        _record(ctx.obj if isinstance(ctx.obj, list) else [], config, outcome, status, text)
    return status


def _run(config: Config, paths: list[str], stdin: bool, options: dict[str, Any]) -> Outcome:
    from modlint.linter import Request, lint

    overlays = {}
    if stdin:
        name = os.path.abspath(paths[0])
        overlays[name] = sys.stdin.buffer.read()
        paths = [name]
    folder = None if options["no_cache"] else cache_folder(config)
    outcome = lint(Request(tuple(paths), config, options["jobs"] or default_jobs(), folder, overlays))
    if options["trace"] or options["confirm"]:
        from modlint.cli.dynamic import with_evidence

        outcome = with_evidence(outcome, config, options)
    return outcome


def _filtered(report: Report, config: Config, options: dict[str, Any]) -> Report:
    """The findings that are left by --since and the baseline."""
    findings = report.findings
    if options["since"]:
        from modlint.cli.since import touched

        findings = touched(findings, options["since"], config.root)
    if options["write_baseline"] or config.baseline is not None:
        from modlint.cli import baseline

        if config.baseline is None:
            raise ModlintError(
                "--write-baseline needs to know the file: give --baseline FILE, or set it in pyproject.toml"
            )
        if options["write_baseline"]:
            baseline.write(config.baseline, findings)
        findings = baseline.unknown(config.baseline, findings)
    return replace(report, findings=findings)


def _rendered(report: Report, config: Config, options: dict[str, Any]) -> str:
    from modlint.cli.output import shown
    from modlint.reporters import reporter

    terminal = options["output_file"] is None and sys.stdout.isatty()
    name = config.output_format or ("full" if terminal else "concise")
    report = replace(shown(report, config.root), color=_color(terminal))
    if options["statistics"]:
        from modlint.reporters import statistics

        return statistics.render_json(report) if name == "json" else statistics.render(report)
    return reporter(name)(report)


def _color(terminal: bool) -> bool:
    """As no-color.org and force-color.org have it."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (terminal and os.environ.get("TERM") != "dumb")


def _write(text: str, file: str | None) -> None:
    if file is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        with open(file, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            stream.write(text)
    except OSError as error:
        raise ModlintError(f"cannot write the output: {error.strerror}", file=file) from error


_UNREPEATABLE = ("statistics", "since", "output_file", "write_baseline", "trace", "confirm", "no_cache", "cache_dir")


def _repeatable(outcome: Outcome, stdin: bool, options: dict[str, Any]) -> bool:
    """Whether the same command prints the same as long as the watched files are unchanged."""
    return not (stdin or outcome.faults or not outcome.files or any(options[name] for name in _UNREPEATABLE))


def _record(arguments: list[str], config: Config, outcome: Outcome, status: int, text: str) -> None:
    from modlint.cache import Cache, nearest, run_key

    folder = cache_folder(config)
    if nearest(os.getcwd()) != folder:
        return
    watched = [*outcome.watched, *filter(None, [config.source, config.baseline])]
    output = text.encode(sys.stdout.encoding or "utf-8", "backslashreplace")
    Cache(folder).record(run_key(arguments), watched, status, output)
