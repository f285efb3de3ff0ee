"""Arguments -> the command that they name, `check` where they name none -> exit status."""

from __future__ import annotations

import difflib
import importlib
import os
import sys

import click

from modlint import __version__
from modlint.cli.help import HELP
from modlint.errors import ModlintError

# Each command is imported when it is asked for: module, attribute.
_COMMANDS = {
    "check": ("modlint.cli.check", "check"),
    "trace": ("modlint.cli.trace_command", "trace"),
    "confirm": ("modlint.cli.confirm_command", "confirm"),
    "compare": ("modlint.cli.compare_command", "compare"),
    "state": ("modlint.cli.pages", "state"),
    "rule": ("modlint.cli.pages", "rule"),
    "config": ("modlint.cli.housekeeping", "config"),
    "clean": ("modlint.cli.housekeeping", "clean"),
    "server": ("modlint.cli.housekeeping", "server"),
    "version": ("modlint.cli.housekeeping", "version"),
}


class Commands(click.Group):
    """The group of all commands, in which a first argument that is none means `check`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the help text."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `check` before arguments that name no command."""
        ctx.obj = list(args)
        if args and args[0] not in _COMMANDS and args[0] not in {"-h", "--help", "-V", "--version"}:
            _suspect(args[0])
            args = ["check", *args]
        return super().parse_args(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        """The text that `--help` prints without click too."""
        return HELP.rstrip()


def _suspect(word: str) -> None:
    """Raise for what looks like a mistyped command and is no file."""
    near = difflib.get_close_matches(word, _COMMANDS, n=1)
    if near and not word.startswith("-") and not os.path.exists(word):
        raise ModlintError(f"there is no command, file or folder {word!r}; did you mean {near[0]!r}?")


main = Commands(
    name="modlint",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
click.version_option(__version__, "-V", "--version", message="modlint %(version)s")(main)


def run(arguments: list[str]) -> int:
    """The exit status of a command line. What is wrong with it goes to stderr."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    try:
        os.getcwd()
    except OSError as error:
        click.echo(f"modlint: the current folder cannot be found any more: {error.strerror}", err=True)
        return 2
    try:
        status = main.main(args=arguments, prog_name="modlint", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except ModlintError as error:
        click.echo(f"modlint: {error}", err=True)
        return 2
    return status if isinstance(status, int) else 0
