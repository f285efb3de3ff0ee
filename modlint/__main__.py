"""The way in: `modlint` and `python -m modlint`.

Version, help and a run of which nothing has changed are answered before anything heavy is imported.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run the command line; returns the exit status."""
    _open_closed_streams()
    try:
        status = _answered(list(sys.argv[1:] if argv is None else argv))
        if not sys.stdout.closed:  # the language server closes it
            sys.stdout.flush()
        return status
    except BaseException as error:  # Ctrl-C comes back as any error a library makes of it
        if _interrupted(error):
            return 130
        if isinstance(error, SystemExit):
            raise
        if isinstance(error, OSError) and error.filename is None:
            return _unprinted(error)
        return _failed()


def _open_closed_streams() -> None:
    """Python has None for a stream that was closed before it started (`>&-`): nothing comes from it, or is kept."""
    import os

    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - it stays open


def _interrupted(error: "BaseException | None") -> bool:
    """Whether Ctrl-C is behind an error: libraries turn it into errors of their own when it comes amid their work."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _unprinted(error: OSError) -> int:
    """Stdout takes no more: its reader has left, which is its right, or the disk is full."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 1
    print(f"modlint: cannot write the output: {error.strerror}", file=sys.stderr)
    return 2


def _failed() -> int:
    """A fault of modlint's own that nothing has caught: Python's status for it, 1, is that of findings."""
    import traceback

    traceback.print_exc()
    print("modlint: this is a fault of modlint's own, please report it", file=sys.stderr)
    return 2


def _answered(arguments: "list[str]") -> int:
    if arguments in (["--version"], ["-V"], ["version"]):
        from modlint import __version__

        print(f"modlint {__version__}")
        return 0
    if arguments in (["--help"], ["-h"], ["help"]):
        from modlint.cli.help import HELP

        print(HELP, end="")
        return 0
    if arguments[:1] == ["state"]:
        from modlint.catalogue.quick import output

        text = output(arguments[1:])
        if text is not None:
            print(text, end="")
            return 0
    status = _replayed(arguments)
    if status is not None:
        return status
    from modlint.cli.app import run

    return run(arguments)


def _replayed(arguments: "list[str]") -> "int | None":
    """Repeat the output of the same run when no file that it looked at has changed since."""
    import os

    from modlint.cache import Cache, nearest, run_key

    try:
        folder = nearest(os.getcwd())
    except OSError:
        return None
    if folder is None:
        return None
    found = Cache(folder).replayed(run_key(arguments))
    if found is None:
        return None
    status, output = found
    sys.stdout.buffer.write(output)
    sys.stdout.flush()
    return status


if __name__ == "__main__":
    sys.exit(main())
