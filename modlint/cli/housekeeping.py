"""`modlint config`, `clean`, `version` and `server`."""

from __future__ import annotations

import difflib
import os

import click

from modlint import __version__
from modlint.config import KEYS, Config, Key, load
from modlint.errors import ModlintError


@click.command()
@click.argument("name", metavar="[KEY]", required=False)
def config(name: str | None) -> None:
    """List the keys of [tool.modlint] in pyproject.toml, or describe one."""
    if name is None:
        for key in KEYS:
            click.echo(key.name)
        return
    found = next((key for key in KEYS if key.name == name), None)
    if found is None:
        names = [key.name for key in KEYS]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"`modlint config` lists them: {', '.join(names)}"
        raise ModlintError(f"there is no key {name!r}; {hint}")
    click.echo(_described(found), nl=False)


def _described(key: Key) -> str:
    head = f"{key.about}\n\nDefault value: {_default(key)}\nType: {key.kind.value}\n"
    return f"{head}Example usage:\n```toml\n[tool.modlint]\n{key.name} = {key.example}\n```\n"


def _default(key: Key) -> str:
    from modlint.cli.options import written

    value = getattr(Config(), key.field)
    return "none" if value is None else written(key, value)


@click.command()
@click.option("--cache-dir", metavar="FOLDER", help="The cache to remove.")
def clean(cache_dir: str | None) -> None:
    """Remove the cache of the project that we stand in."""
    from modlint.cache import clean as remove
    from modlint.cli.options import cache_folder
    from modlint.cli.output import shown_name

    folder = os.path.abspath(cache_dir or cache_folder(load([])))
    if remove(folder):
        click.echo(f"Removed {shown_name(folder)}", err=True)


@click.command()
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text")
def version(output_format: str) -> None:
    """Print the version."""
    import json

    click.echo(json.dumps({"version": __version__}) if output_format == "json" else f"modlint {__version__}")


@click.command()
def server() -> None:
    """Run the language server on stdin and stdout."""
    try:
        from modlint.server import start
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"pygls", "lsprotocol"}:
            raise
        raise ModlintError("the language server needs pygls: pip install 'pygls>=2'") from error
    start()
