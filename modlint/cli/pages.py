"""`modlint rule` and `modlint state`: what the rules and the catalogue say, without looking at any source."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from modlint import ruleset

if TYPE_CHECKING:
    from modlint.ruleset import Rule

_FORMATS = click.Choice(["text", "json"])


@click.command()
@click.argument("name", metavar="CODE|SLUG", required=False)
@click.option("--all", "every", is_flag=True, help="Print every rule.")
@click.option("--output-format", type=_FORMATS, default="text", help="text is the page in Markdown.")
def rule(name: str | None, every: bool, output_format: str) -> None:
    """Print a rule's page."""
    if every == (name is not None):
        raise click.UsageError("name one rule, or give --all")
    rules = ruleset.load()
    chosen = rules.all() if name is None else (rules.rule(name if not name.startswith(("ml", "Ml")) else name.upper()),)
    if output_format == "json":
        entries = [_entry(item) for item in chosen]
        click.echo(json.dumps(entries if every else entries[0], indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(ruleset.page(item) for item in chosen), nl=False)


def _entry(item: Rule) -> dict[str, Any]:
    return {
        "code": item.code,
        "name": item.slug,
        "family": item.family.value,
        "severity": item.severity.value,
        "default": item.default,
        "preview": item.preview,
        "summary": item.summary,
        "tags": list(item.tags),
        "explanation": ruleset.page(item),
    }


@click.command()
@click.argument("expressions", metavar="EXPRESSION...", nargs=-1, required=True)
@click.option("--output-format", type=_FORMATS, default="text")
def state(expressions: tuple[str, ...], output_format: str) -> None:
    """Say what a constructor call makes, from the catalogue alone."""
    from pathlib import Path

    from modlint.catalogue import Catalogue, said, state_of_expressions
    from modlint.config import load

    answers = state_of_expressions(list(expressions), Catalogue.load([Path(file) for file in load([]).states]))
    if output_format == "json":
        click.echo(json.dumps(answers, indent=2, ensure_ascii=False))
        return
    for answer in answers:
        click.echo(said(answer))
