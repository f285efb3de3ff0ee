"""`modlint trace TARGET`: build a model, trace it, print its reuse graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modlint.config import load
from modlint.errors import ModlintError

if TYPE_CHECKING:
    from modlint.trace.traced import TracedGraph


@click.command()
@click.argument("target")
@click.option("--init", default="", metavar="JSON", help="Keyword arguments of a class or factory.")
@click.option("--input", "specs", multiple=True, metavar="SPEC", help="2x3x32x32 or int64[0,99]:2x16; repeatable.")
@click.option("--inputs", default="", metavar="MODULE:FUNCTION", help="A function that returns the inputs.")
@click.option(
    "--output-format",
    type=click.Choice(["full", "json", "dot", "svg"]),
    default="full",
    help="A table, the report as JSON, or a drawing [default: full].",
)
@click.option("-o", "--output-file", type=click.Path(dir_okay=False), help="Write to this file instead of stdout.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "meta"]),
    default="auto",
    help="Where to build; meta needs no memory for weights. auto: meta for large weights, else cpu.",
)
@click.option("--seed", type=int, default=0, help="Seed of weights and synthesised inputs [default: 0].")
@click.option("--timeout", type=float, default=300.0, metavar="SECONDS", help="Time limit [default: 300].")
@click.option(
    "--memory", type=float, metavar="GIB", help="Memory limit of the process that runs your code [default: half]."
)
@click.option("--config", "config_file", metavar="FILE", help="Read this file instead of the nearest pyproject.toml.")
def trace(
    target: str,
    init: str,
    specs: tuple[str, ...],
    inputs: str,
    output_format: str,
    output_file: str | None,
    device: str,
    seed: int,
    timeout: float,
    memory: float | None,
    config_file: str | None,
) -> int:
    """Build a model, trace it with torch.fx or record a forward pass, and print its reuse graph.

    TARGET is file.py:NAME or package.module:NAME; NAME a Module class, a factory or an instance. Runs your code.
    """
    from modlint.cli.confirm_command import INSTALL

    try:
        from modlint.trace.session import Request, half_of_memory, traced_target
        from modlint.trace.worker import Limits
    except ModuleNotFoundError as error:
        if error.name not in {"torch", "numpy"}:
            raise
        raise ModlintError(f"this needs torch and numpy: {INSTALL}") from error

    config = load(["."], config_file)
    configured = next((model for model in config.models if model.target == target), None)
    if configured is not None:
        init = init or configured.init
        if not specs and not inputs:
            specs, inputs = configured.input, configured.inputs
    place = "" if device == "auto" else device
    request = Request(target, init, specs, inputs, place, seed, config.states)
    limits = Limits(timeout, half_of_memory() if memory is None else int(memory * 2**30))
    _write(_rendered(traced_target(request, limits), output_format), output_file)
    return 0


def _rendered(graph: TracedGraph, output_format: str) -> str:
    from modlint.trace.drawing import dot, svg
    from modlint.trace.picture import picture_of
    from modlint.trace.report import report_json, table

    match output_format:
        case "json":
            return report_json(graph) + "\n"
        case "dot":
            return dot(picture_of(graph))
        case "svg":
            return svg(picture_of(graph))
        case _:
            return table(graph)


def _write(text: str, output_file: str | None) -> None:
    if output_file is None:
        click.echo(text, nl=False)
        return
    try:
        with open(output_file, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
    except OSError as error:
        raise ModlintError(f"cannot write {output_file}: {error.strerror}") from error
