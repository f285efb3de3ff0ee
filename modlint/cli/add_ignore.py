"""`--add-ignore`: write a suppression comment for every finding, at the end of its line or above it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from modlint.reporters.words import file_and_cell
from modlint.syntax.text import Margins, encoding_of, indent_of, lines_with_ends

if TYPE_CHECKING:
    from io import FileIO

    from modlint.findings import Finding, Report


def add_ignores(report: Report, root: str) -> int:
    """Change the files; says how many suppressions were added. The exit status is 2 where a file cannot be changed."""
    by_file: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if finding.code not in {"ML901", "ML903"}:
            by_file.setdefault(finding.location.filename, []).append(finding)
    added = status = 0
    for file, findings in by_file.items():
        if file_and_cell(file)[0].endswith(".ipynb"):
            click.echo(f"modlint: {file}: suppressions are not added to notebooks; write them by hand", err=True)
            continue
        try:
            _change(os.path.join(root, file), findings)
        except OSError as error:
            click.echo(f"modlint: {file}: cannot add suppressions: {error.strerror}", err=True)
            status = 2
        else:
            added += len(findings)
    click.echo(f"Added {added} suppression{'' if added == 1 else 's'}.")
    return status


def _change(path: str, findings: list[Finding]) -> None:
    """Write the suppressions in place. Where there is no room for them, or it is interrupted, all is as it was."""
    with open(path, "r+b", buffering=0) as stream:
        before = stream.readall()
        data = with_ignores(before, findings)
        try:
            _write(stream, data)
        except BaseException:  # Ctrl-C too: the file is put back as it was, and it is raised again
            _write(stream, before)
            stream.truncate()
            raise


def _write(stream: FileIO, data: bytes) -> None:
    stream.seek(0)
    left = memoryview(data)
    while left:
        left = left[stream.write(left) :]


def with_ignores(data: bytes, findings: list[Finding]) -> bytes:
    """The source with a comment for each finding; encoding and line ends stay."""
    encoding = encoding_of(data)
    lines = lines_with_ends(data.decode(encoding))
    margins = Margins(data)
    wanted: dict[tuple[int, bool], dict[str, None]] = {}
    for finding in findings:
        place = margins.place(finding.location.row, finding.location.end_row)
        wanted.setdefault(place, {})[finding.code] = None
    for row, above in sorted(wanted, reverse=True):
        text, end = lines[row - 1]
        codes = list(wanted[row, above])
        if above:
            lines.insert(row - 1, (f"{indent_of(text)}# modlint: ignore[{', '.join(codes)}]", end or "\n"))
        else:
            lines[row - 1] = (margins.with_ignore(row, text, codes), end)
    return "".join(text + end for text, end in lines).encode(encoding)
