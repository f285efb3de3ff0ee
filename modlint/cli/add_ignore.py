"""`--add-ignore`: write a suppression comment for every finding, at the end of its line or above it."""

from __future__ import annotations

import io
import os
import re
import tokenize
from typing import TYPE_CHECKING

import click

from modlint.sources import line_ends_of

if TYPE_CHECKING:
    from modlint.findings import Finding, Report

_EXISTING = re.compile(r"(#\s*modlint:\s*ignore\[)([^\]]*)(\])")


def add_ignores(report: Report, root: str) -> int:
    """Change the files; says how many suppressions were added. The exit status is 0."""
    by_file: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if finding.code not in {"ML901", "ML903"}:
            by_file.setdefault(finding.location.filename, []).append(finding)
    added = 0
    for file, findings in by_file.items():
        if ".ipynb" in file:
            click.echo(f"modlint: {file}: suppressions are not added to notebooks; write them by hand", err=True)
            continue
        path = os.path.join(root, file)
        with open(path, "rb") as stream:
            data = stream.read()
        with open(path, "wb") as stream:
            stream.write(with_ignores(data, findings))
        added += len(findings)
    click.echo(f"Added {added} suppression{'' if added == 1 else 's'}.")
    return 0


def with_ignores(data: bytes, findings: list[Finding]) -> bytes:
    """The source with a comment for each finding; encoding and line ends stay."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    lines = line_ends_of(data.decode(encoding))
    open_rows = _rows_without_room(data)
    wanted: dict[int, dict[str, None]] = {}
    for finding in findings:
        first, last = finding.location.row, finding.location.end_row
        row = next((row for row in range(first, last + 1) if row not in open_rows), -first)
        wanted.setdefault(row, {})[finding.code] = None
    for row in sorted(wanted, key=abs, reverse=True):
        codes = list(wanted[row])
        if row > 0:
            lines[row - 1] = _commented(lines[row - 1], codes)
        else:
            text, end = lines[-row - 1]
            indent = text[: len(text) - len(text.lstrip())]
            lines.insert(-row - 1, (f"{indent}# modlint: ignore[{', '.join(codes)}]", end or "\n"))
    return "".join(text + end for text, end in lines).encode(encoding)


def _commented(line: tuple[str, str], codes: list[str]) -> tuple[str, str]:
    text, end = line
    existing = _EXISTING.search(text)
    if existing is None:
        return f"{text.rstrip()}  # modlint: ignore[{', '.join(codes)}]", end
    there = [code.strip() for code in existing[2].split(",") if code.strip()]
    merged = ", ".join(dict.fromkeys([*there, *codes]))
    return f"{text[: existing.start(2)]}{merged}{text[existing.end(2) :]}", end


def _rows_without_room(data: bytes) -> frozenset[int]:
    """Rows at whose end no comment can stand: inside of a string, or before a continuation."""
    rows: set[int] = set()
    for token in tokenize.tokenize(io.BytesIO(data).readline):
        if token.start[0] != token.end[0] and token.type not in {tokenize.NEWLINE, tokenize.NL}:
            rows.update(range(token.start[0], token.end[0]))
    text, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    for row, (line, _end) in enumerate(line_ends_of(data.decode(text)), start=1):
        if line.rstrip().endswith("\\"):
            rows.add(row)
    return frozenset(rows)
