"""`modlint compare TARGET TARGET`: are two models the same function?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from modlint.cli.confirm_command import choice_of, configured, experiment_options, in_worker, limits_of, require_torch

if TYPE_CHECKING:
    from modlint.confirm.compare import Comparison


@click.command()
@click.argument("target")
@click.argument("other")
@click.option("--init", default="", metavar="JSON", help="Keyword arguments of the first class or factory.")
@click.option("--init-b", default="", metavar="JSON", help="Those of the second.")
@click.option("--input", "specs", multiple=True, metavar="SPEC", help="2x3x32x32 or int64[0,99]:2x16; repeatable.")
@click.option("--inputs", default="", metavar="MODULE:FUNCTION", help="A function that returns the inputs.")
@click.option("--call", default="", metavar="JSON", help="Further arguments of the first model's forward.")
@click.option("--call-b", default="", metavar="JSON", help="Those of the second's.")
@experiment_options
def compare(target: str, other: str, **options: Any) -> int:
    """Run two models from the same state on the same inputs, and compare everything that training leaves behind.

    Exit status: 0 when all observables are equal to the last bit, 1 when not. Runs your code.
    """
    require_torch()
    from modlint.confirm.job import Model
    from modlint.confirm.report import comparison_json, comparison_text

    file = options["config_file"]
    one = configured(Model(target, options["init"], options["specs"], options["inputs"], options["call"]), file)
    two = configured(Model(other, options["init_b"], call=options["call_b"]), file)
    result: Comparison = in_worker(
        "compare", {"one": one, "other": two, "choice": choice_of(options)}, limits_of(options)
    )
    if options["output_format"] == "json":
        click.echo(json.dumps(comparison_json(result), indent=2, allow_nan=False))
    else:
        click.echo(comparison_text(result), nl=False)
    return 0 if result.same else 1
