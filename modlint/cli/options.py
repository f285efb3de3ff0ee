"""The options of `check`, and what they make of the configuration."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from modlint.config import CACHE_DIR, FORMATS, Kind, ModelTarget, from_here, load
from modlint.errors import ModlintError
from modlint.projects import is_project

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.config import Config, Key


def listed(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """`--select A,B --select C` as one tuple."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def _many(*names: str, metavar: str, help: str) -> Callable[[Any], Any]:
    return click.option(*names, multiple=True, callback=listed, metavar=metavar, help=help)


_OPTIONS = (
    _many("--select", metavar="RULES", help="Rules to run, by code, prefix, slug or family (comma-separated), or ALL."),
    _many("--extend-select", metavar="RULES", help="Rules to run besides the selected ones."),
    _many("--ignore", metavar="RULES", help="Rules not to run."),
    click.option(
        "--output-format",
        type=click.Choice(FORMATS),
        help="How to print findings [default: full on a terminal, else concise].",
    ),
    click.option("-o", "--output-file", type=click.Path(dir_okay=False), help="Write to this file, not to stdout (-)."),
    click.option(
        "--config",
        "configured",
        multiple=True,
        metavar="FILE|KEY=VALUE",
        help="Read this file instead of the nearest pyproject.toml, or set one key: 'ignore = [\"ML103\"]'.",
    ),
    click.option("--isolated", is_flag=True, help="Read no configuration."),
    _many("--exclude", metavar="GLOBS", help="Files and folders not to search, in place of the configured ones."),
    _many("--extend-exclude", metavar="GLOBS", help="Files and folders not to search, besides the configured ones."),
    click.option("--force-exclude/--no-force-exclude", default=None, help="Exclude files that are named here too."),
    click.option(
        "--respect-gitignore/--no-respect-gitignore", default=None, help="Leave out what .gitignore excludes."
    ),
    click.option(
        "--stdin-filename", metavar="FILE", help="What to call the source that is read from stdin (PATH is -)."
    ),
    click.option(
        "--since", metavar="REV", help="Only findings that lines changed since this git revision take part in."
    ),
    click.option("--baseline", metavar="FILE", help="Leave out the findings that this file knows."),
    click.option("--write-baseline", is_flag=True, help="Write the findings to the baseline file and report none."),
    click.option("--trace", is_flag=True, help="Trace the configured and constructible models too. Runs your code."),
    click.option("--confirm", is_flag=True, help="Measure what their reuse changes too. Runs your code."),
    click.option("--device", default="auto", metavar="DEVICE", help="Where --confirm runs: auto, cpu, cuda, cuda:N."),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Time limit of each model for --trace and --confirm [default: 60 and 600].",
    ),
    click.option("--statistics", is_flag=True, help="Print counts instead of findings."),
    click.option("-n", "--no-cache", is_flag=True, help="Neither read nor write the cache."),
    click.option("--cache-dir", metavar="FOLDER", help="Where the cache is kept."),
    click.option("-e", "--exit-zero", is_flag=True, help="Exit with 0 even when there are findings."),
    click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes to use [default: one for each core]."),
    click.option("--show-files", is_flag=True, help="Print the files that would be linted."),
    click.option("--show-settings", is_flag=True, help="Print the settings that would be used."),
    click.option("--add-ignore", is_flag=True, help="Add a suppression comment for every finding."),
)


def check_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add every option of `check`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def loaded(paths: list[str], options: dict[str, Any]) -> Config:
    """The configuration of a run: of a file, then what `--config` sets, then what the other options say."""
    given = options["configured"]
    files = [text for text in given if "=" not in text or os.path.exists(text)]
    if len(files) > 1:
        raise ModlintError(f"--config reads one file, and {' and '.join(files)} are given; settings are KEY=VALUE")
    inline = tuple(text for text in given if text not in files)
    config = load(paths, files[0] if files else None, options["isolated"], inline)
    _check(config)
    return overridden(config, options)


def _check(config: Config) -> None:
    """Raises ModlintError, with the name of the file, for selectors and globs in it that mean nothing."""
    from modlint import ruleset
    from modlint.syntax.globs import Globs

    rules = ruleset.load()
    try:
        rules.selected(config.select or None, config.extend_select, config.ignore)
        Globs((*config.exclude, *config.extend_exclude), config.root)
        for glob, codes in config.per_file_ignores:
            Globs([glob.removeprefix("!")], config.root)
            rules.selected(codes)
    except ModlintError as error:
        where = config.source and os.path.relpath(config.source)
        raise ModlintError(error.message, file=error.file or where) from error


def overridden(config: Config, options: dict[str, Any]) -> Config:
    """The configuration with what the command line says. As in ruff, `--select` starts the selection anew."""
    changes: dict[str, Any] = {}
    if options["select"]:
        changes = {name: options[name] for name in ("select", "extend_select", "ignore")}
    else:
        for name in ("extend_select", "ignore"):
            changes[name] = (*getattr(config, name), *options[name])
    if options["exclude"]:
        changes["exclude"] = tuple(map(from_here, options["exclude"]))
    changes["extend_exclude"] = (*config.extend_exclude, *map(from_here, options["extend_exclude"]))
    for name in ("output_format", "force_exclude", "respect_gitignore"):
        if options[name] is not None:
            changes[name] = options[name]
    for name in ("baseline", "cache_dir"):
        if options[name] is not None:
            changes[name] = os.path.abspath(_named(name, options[name]))
    return replace(config, **changes)


def _named(option: str, path: str) -> str:
    if not path:
        raise ModlintError(f"--{option.replace('_', '-')} needs a path, and is empty")
    return path


def cache_folder(config: Config) -> str:
    """Where the cache of a run is: as configured, else in the project, else where we stand."""
    if config.cache_dir is not None:
        return config.cache_dir
    return os.path.join(config.root if is_project(config.root) else os.getcwd(), CACHE_DIR)


def settings_text(config: Config, selected: frozenset[str]) -> str:
    """What `--show-settings` prints, which can be put into a [tool.modlint]."""
    from modlint.config import KEYS

    lines = [f"# configuration: {config.source or 'none found, defaults'}", f"# root: {config.root}"]
    for key in KEYS:
        value = getattr(config, key.field)
        lines.append(f"# {key.name} is not set" if value is None else f"{key.name} = {written(key, value)}")
    lines.append(f"# rules that run: {', '.join(sorted(selected))}")
    return "\n".join(lines) + "\n"


def written(key: Key, value: Any) -> str:
    """The value of a key as it is written in pyproject.toml."""
    return _toml(dict(value) if key.kind is Kind.IGNORES else value)


def _toml(value: Any) -> str:
    import dataclasses
    import json

    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, ModelTarget):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return _toml({n: json.loads(v) if n == "init" else v for n, v in fields.items() if v})
    if isinstance(value, dict):
        items = ", ".join(f"{json.dumps(name)} = {_toml(item)}" for name, item in value.items())
        return f"{{ {items} }}" if items else "{}"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def default_jobs() -> int:
    """One process for each core that this one may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
