"""`modlint confirm TARGET`: trace a model, then measure what its reuse changes."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from modlint import ruleset
from modlint.config import load
from modlint.errors import ModlintError
from modlint.graph import Location

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.confirm.compare import Comparison
    from modlint.confirm.job import Choice, Confirmed, Model
    from modlint.confirm.outcome import Reused
    from modlint.trace.worker import Limits

INSTALL = "pip install torch numpy, which is what modlint's extra 'trace' stands for"
PATIENCE = 2.0  # seconds before progress is shown

_EXPERIMENT = (
    click.option("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or cuda:N [default: auto]."),
    click.option(
        "--dtype",
        type=click.Choice(["float32", "float64", "bfloat16"]),
        help="Run in this floating type [default: the model's own].",
    ),
    click.option(
        "--deterministic/--as-is",
        default=True,
        help="Ask for deterministic kernels, or leave the noise that your own training has.",
    ),
    click.option("--steps", type=click.IntRange(min=3), default=3, help="Training steps of every run [default: 3]."),
    click.option("--seed", type=int, default=0, help="Seed of inputs, weights and steps [default: 0]."),
    click.option("--timeout", type=float, default=600.0, metavar="SECONDS", help="Time limit [default: 600]."),
    click.option(
        "--memory", type=float, metavar="GIB", help="Memory limit of the process that runs your code [default: half]."
    ),
    click.option(
        "--config", "config_file", metavar="FILE", help="Read this file instead of the nearest pyproject.toml."
    ),
    click.option("--output-format", type=click.Choice(["full", "json"]), default="full", help="How to print."),
)


def experiment_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that `confirm` and `compare` have in common."""
    for option in reversed(_EXPERIMENT):
        command = option(command)
    return command


@click.command()
@click.argument("target")
@click.option("--init", default="", metavar="JSON", help="Keyword arguments of a class or factory.")
@click.option("--input", "specs", multiple=True, metavar="SPEC", help="2x3x32x32 or int64[0,99]:2x16; repeatable.")
@click.option("--inputs", default="", metavar="MODULE:FUNCTION", help="A function that returns the inputs.")
@experiment_options
def confirm(target: str, init: str, specs: tuple[str, ...], inputs: str, **options: Any) -> int:
    """Run the model against a copy in which every use of a reused instance has one of its own.

    TARGET is file.py:NAME or package.module:NAME; NAME a Module class, a factory or an instance. Runs your code.
    """
    require_torch()
    from modlint.confirm.filters import Filters
    from modlint.confirm.job import Model
    from modlint.confirm.report import result_json, result_text

    model = configured(Model(target, init, specs, inputs), options["config_file"])
    confirmed: Confirmed = in_worker("confirm", {"model": model, "choice": choice_of(options)}, limits_of(options))
    silenced = Filters(load(["."], options["config_file"])).silenced(confirmed)
    if options["output_format"] == "json":
        report = result_json(confirmed.result, confirmed.traced, confirmed.types, silenced)
        click.echo(json.dumps(report, indent=2, allow_nan=False))
    else:
        click.echo(result_text(confirmed.result, confirmed.types, uses_of(confirmed), silenced), nl=False)
    return int(harmful(confirmed, silenced))


def configured(model: Model, config_file: str | None) -> Model:
    """The model with what `[[tool.modlint.models]]` says of it and the command line leaves open."""
    config = load(["."], config_file)
    entry = next((entry for entry in config.models if entry.target == model.target), None)
    model = replace(model, states=config.states)
    if entry is None:
        return model
    if not model.input and not model.inputs:
        model = replace(model, input=entry.input, inputs=entry.inputs)
    return replace(model, init=model.init or entry.init)


def require_torch() -> None:
    """Raises ModlintError where torch or numpy is missing."""
    missing = [name for name in ("torch", "numpy") if importlib.util.find_spec(name) is None]
    if missing:
        raise ModlintError(f"this needs {' and '.join(missing)}: {INSTALL}")


def harmful(confirmed: Confirmed, silenced: frozenset[Reused]) -> bool:
    """Whether an instance that a check would warn of was not found harmless."""
    from modlint.confirm.filters import code_of

    rules = ruleset.load()
    return any(
        outcome.reused not in silenced
        and (code := code_of(outcome)) != ""
        and rules.rule(code).severity.value != "note"
        and (outcome.measured is None or outcome.measured.value == "changes-semantics")
        for outcome in confirmed.result.outcomes
    )


def uses_of(confirmed: Confirmed) -> dict[str, str]:
    """Where each reused instance is used: `net.py:18, 19`."""
    from modlint.trace.report import shown

    found = {}
    for judgement in confirmed.judgements:
        rows: dict[str, dict[int, None]] = {}
        for use in judgement.uses:
            if isinstance(use.place, Location):
                rows.setdefault(shown(use.place.filename), {})[use.place.row] = None
        texts = [f"{file}:{', '.join(map(str, lines))}" for file, lines in rows.items()]
        found[judgement.instance.key] = "; ".join(texts)
    return found


def choice_of(options: dict[str, Any]) -> Choice:
    """The settings of the experiment."""
    from modlint.confirm.job import Choice

    names = ("device", "dtype", "deterministic", "steps", "seed")
    return Choice(**{name: options[name] for name in names})


def limits_of(options: dict[str, Any]) -> Limits:
    """What the user's code may take."""
    from modlint.trace.session import half_of_memory
    from modlint.trace.worker import Limits

    memory = options["memory"]
    return Limits(options["timeout"], half_of_memory() if memory is None else int(memory * 2**30))


def in_worker(job: str, arguments: dict[str, Any], limits: Limits) -> Any:
    """Run a job of this module in a process of its own. Raises ModlintError."""
    from modlint.trace import worker

    return worker.run(f"modlint.cli.confirm_command:{job}_job", arguments, limits)


def confirm_job(model: Model, choice: Choice) -> Confirmed:
    """In the worker: the experiment, with progress on the terminal."""
    from modlint.confirm.job import confirm_target

    with Progress() as progress:
        return confirm_target(model, choice, progress)


def compare_job(one: Model, other: Model, choice: Choice) -> Comparison:
    """In the worker: the comparison."""
    from modlint.confirm.job import compare_targets

    return compare_targets(one, other, choice)


class Progress:
    """A progress bar on stderr, where that is a terminal and the work takes longer than two seconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._bar is not None:
            self._bar.render_finish()

    def __call__(self, done: int, total: int, what: str) -> None:
        """`done` of `total` runs are over; the next one is `what`."""
        if not sys.stderr.isatty() or time.monotonic() - self._began < PATIENCE:
            return
        if self._bar is None:
            self._bar = click.progressbar(length=total, file=sys.stderr, item_show_func=lambda item: item)
            self._bar.render_progress()
        self._bar.length = total
        self._bar.update(done - self._bar.pos, what)
