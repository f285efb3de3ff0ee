"""`import modlint` as a library: what type checkers are told, and what it loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import modlint

STUB = Path(modlint.__file__).with_suffix(".pyi")


def test_type_checkers_see_every_public_name_and_no_other() -> None:
    told = set()
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        match node:
            case ast.ImportFrom(names=names):
                told |= {alias.asname for alias in names}
            case ast.AnnAssign(target=ast.Name(id=name)):
                told.add(name)
    assert told == set(modlint.__all__)


def test_the_import_loads_neither_torch_nor_a_room_that_needs_it() -> None:
    code = "import sys, modlint; print(*sorted(n for n in sys.modules if n.startswith(('torch', 'modlint'))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["modlint"]
