"""`--add-ignore`: write a suppression comment for every finding, at the end of its line or above it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from modlint.syntax.text import encoding_of, indent_of, lines_with_ends, row_for_comment, with_ignore

if TYPE_CHECKING:
    from modlint.findings import Finding, Report


def add_ignores(report: Report, root: str) -> int:
    """Change the files; says how many suppressions were added. The exit status is 2 where a file cannot be changed."""
    by_file: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if finding.code not in {"ML901", "ML903"}:
            by_file.setdefault(finding.location.filename, []).append(finding)
    added = status = 0
    for file, findings in by_file.items():
        if ".ipynb" in file:
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
    with open(path, "r+b") as stream:
        data = with_ignores(stream.read(), findings)
        stream.seek(0)
        stream.write(data)


def with_ignores(data: bytes, findings: list[Finding]) -> bytes:
    """The source with a comment for each finding; encoding and line ends stay."""
    encoding = encoding_of(data)
    lines = lines_with_ends(data.decode(encoding))
    wanted: dict[tuple[int, bool], dict[str, None]] = {}
    for finding in findings:
        place = row_for_comment(data, finding.location.row, finding.location.end_row)
        wanted.setdefault(place, {})[finding.code] = None
    for row, above in sorted(wanted, reverse=True):
        text, end = lines[row - 1]
        codes = list(wanted[row, above])
        if above:
            lines.insert(row - 1, (f"{indent_of(text)}# modlint: ignore[{', '.join(codes)}]", end or "\n"))
        else:
            lines[row - 1] = (with_ignore(text, codes), end)
    return "".join(text + end for text, end in lines).encode(encoding)
