"""The baseline: a JSON file of known findings, by fingerprint, that are not reported again."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING

from modlint.errors import ModlintError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modlint.findings import Finding

_VERSION = 1


def write(file: str, findings: Iterable[Finding]) -> None:
    """Make `findings` the known ones. Code, file and message are there for the reader; the fingerprint decides."""
    entries = [
        {"fingerprint": f.fingerprint, "code": f.code, "filename": f.location.filename, "message": f.message}
        for f in findings
    ]
    text = json.dumps({"version": _VERSION, "findings": entries}, indent=2, ensure_ascii=False) + "\n"
    try:
        # what UTF-8 has no bytes for is written as JSON writes it
        with open(file, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
    except OSError as error:
        raise ModlintError(f"cannot write the baseline: {error.strerror}", file=os.path.relpath(file)) from error


def unknown(file: str, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that the file does not know. One entry hides one finding."""
    left = _read(file)
    remaining = []
    for finding in findings:
        if left[finding.fingerprint] > 0:
            left[finding.fingerprint] -= 1
        else:
            remaining.append(finding)
    return tuple(remaining)


def _read(file: str) -> Counter[str]:
    shown = os.path.relpath(file)
    try:
        with open(file, encoding="utf-8-sig") as stream:
            data = json.load(stream)
    except OSError as error:
        raise ModlintError(
            f"cannot read the baseline: {error.strerror}; --write-baseline makes it", file=shown
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModlintError(f"is not a baseline: {error}; --write-baseline makes it anew", file=shown) from error
    if not isinstance(data, dict) or data.get("version") != _VERSION or not isinstance(data.get("findings"), list):
        raise ModlintError("is not a baseline of this version; --write-baseline makes it anew", file=shown)
    return Counter(str(entry.get("fingerprint")) for entry in data["findings"] if isinstance(entry, dict))
