"""`modlint check`: paths and options -> findings on stdout, or in a file."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from modlint import ruleset
from modlint.cli.options import cache_folder, check_options, default_jobs, loaded, settings_text
from modlint.cli.output import shown, shown_name
from modlint.errors import ModlintError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modlint.config import Config
    from modlint.findings import Report
    from modlint.linter import Outcome


@click.command()
@check_options
@click.argument("paths", nargs=-1)
@click.pass_context
def check(ctx: click.Context, /, paths: tuple[str, ...], **options: Any) -> int:
    """Lint files and folders (`.` when none is given). Imports neither torch nor your code."""
    stdin = paths == ("-",) or (options["stdin_filename"] is not None and not paths)
    if not stdin and ("-" in paths or options["stdin_filename"] is not None):
        word = "-" if "-" in paths else "--stdin-filename"
        raise ModlintError(f"{word} stands for stdin and cannot be mixed with other paths")
    if stdin and options["add_ignore"]:
        raise ModlintError("--add-ignore changes files, and source from stdin is in none")
    if stdin and options["since"] is not None:
        raise ModlintError("--since compares files with what git knows of them, and source from stdin is in none")
    if options["write_baseline"] and options["since"] is not None:
        raise ModlintError("--write-baseline with --since would forget what is known elsewhere; write it of the whole")
    if options["output_file"] == "-":
        options["output_file"] = None
    where = [options["stdin_filename"] or "-"] if stdin else list(paths or (".",))
    config = loaded(where, options)
    if options["show_settings"]:
        selected = ruleset.load().selected(config.select or None, config.extend_select, config.ignore)
        click.echo(settings_text(config, selected), nl=False)
        return 0
    if options["show_files"]:
        return _listed(config, where, stdin)
    return _linted(ctx, config, where, stdin, options)


def _listed(config: Config, paths: list[str], stdin: bool) -> int:
    from modlint.syntax.files import Found, find, is_excluded

    if stdin:
        name = os.path.abspath(paths[0])
        found = Found(() if config.force_exclude and is_excluded(name, config) else (name,), ())
    else:
        found = find(paths, config)
    for file in found.files:
        click.echo(shown_name(file))
    return _told(found.absent, found.closed)


def _linted(ctx: click.Context, config: Config, paths: list[str], stdin: bool, options: dict[str, Any]) -> int:
    outcome = _run(config, paths, stdin, options)
    for fault in outcome.faults:
        click.echo(f"modlint: a fault of modlint's own left this file unjudged: {fault}", err=True)
    status = max(2 if outcome.faults else 0, _told(outcome.absent, outcome.closed))
    if not outcome.files and not stdin:
        click.echo("modlint: no Python files found under the given paths", err=True)
    if options["write_baseline"]:
        _spare(config.baseline, outcome)
    report = _filtered(outcome.report, config, options)
    if options["add_ignore"]:
        from modlint.cli.add_ignore import add_ignores

        return max(status, add_ignores(report, config.root))
    name = _format(config, options)
    output = _encoded(_rendered(report, name, config, options), name, options["output_file"])
    status = max(status, 1 if report.failed and not options["exit_zero"] else 0)
    _spare(options["output_file"], outcome)
    _write(output, options["output_file"])
    if _repeatable(outcome, stdin, options):
        _record(ctx.obj if isinstance(ctx.obj, list) else [], config, outcome, status, output)
    return status


def _told(absent: Iterable[str], closed: Iterable[tuple[str, str]]) -> int:
    """Say what of the paths could not be looked at, while the rest is linted: the exit status that this makes."""
    lines = [*absent]
    for folder, reason in closed:
        name = shown_name(folder)
        lines.append(f"cannot look into {name}, so nothing in it is linted: {reason}; mend that, or exclude it")
    for line in lines:
        click.echo(f"modlint: {line}", err=True)
    return 2 if lines else 0


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
    if options["since"] is not None:
        from modlint.cli.since import touched

        findings = touched(findings, options["since"], config.root)
    if options["write_baseline"] or config.baseline is not None:
        from modlint import baseline

        if config.baseline is None:
            raise ModlintError(
                "--write-baseline needs to know the file: give --baseline FILE, or set it in pyproject.toml"
            )
        if options["write_baseline"]:
            baseline.write(config.baseline, findings)
            known = f"{len(findings)} finding{'' if len(findings) == 1 else 's'}"
            click.echo(f"modlint: wrote {known} to {shown_name(config.baseline)}", err=True)
        findings = baseline.unknown(config.baseline, findings)
    return replace(report, findings=findings)


def _on_terminal(options: dict[str, Any]) -> bool:
    return options["output_file"] is None and sys.stdout.isatty()


def _format(config: Config, options: dict[str, Any]) -> str:
    return config.output_format or ("full" if _on_terminal(options) else "concise")


def _rendered(report: Report, name: str, config: Config, options: dict[str, Any]) -> str:
    from modlint.reporters import reporter

    report = replace(shown(report, config.root), color=_color(_on_terminal(options)))
    if options["statistics"]:
        from modlint.reporters import statistics

        return statistics.render_json(report) if name == "json" else statistics.render(report)
    return reporter(name)(report)


def _color(terminal: bool) -> bool:
    """As no-color.org and force-color.org have it."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (terminal and os.environ.get("TERM") != "dumb")


_FOR_PEOPLE = frozenset({"full", "concise", "github"})


def _encoded(text: str, name: str, file: str | None) -> bytes:
    """JSON and XML are UTF-8 wherever they go; what people read on stdout is in the encoding of the terminal."""
    encoding = sys.stdout.encoding if file is None and name in _FOR_PEOPLE else None
    return text.encode(encoding or "utf-8", "backslashreplace")


def _spare(file: str | None, outcome: Outcome) -> None:
    """Raise ModlintError where what is to be written is one of the files that were linted (`modlint -o net.py`)."""
    if file is not None and os.path.realpath(file) in map(os.path.realpath, outcome.files):
        raise ModlintError("is one of the files that are linted, and is not overwritten", file=shown_name(file))


def _write(output: bytes, file: str | None) -> None:
    if file is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(output)
        sys.stdout.flush()
        return
    try:
        with open(file, "wb") as stream:
            stream.write(output)
    except OSError as error:
        raise ModlintError(f"cannot write the output: {error.strerror}", file=file) from error


_UNREPEATABLE = ("statistics", "since", "output_file", "write_baseline", "trace", "confirm", "no_cache", "cache_dir")


def _repeatable(outcome: Outcome, stdin: bool, options: dict[str, Any]) -> bool:
    """Whether the same command prints the same as long as the watched files are unchanged."""
    said = outcome.faults or outcome.closed or outcome.absent or not outcome.files
    return not (stdin or said or any(options[name] for name in _UNREPEATABLE))


def _record(arguments: list[str], config: Config, outcome: Outcome, status: int, output: bytes) -> None:
    from modlint.cache import Cache, nearest, run_key

    folder = cache_folder(config)
    if nearest(os.getcwd()) != folder:
        return
    watched = [*outcome.watched, *filter(None, [config.source, config.baseline])]
    Cache(folder).record(run_key(arguments), watched, status, output)
