"""Models that misbehave, all in one folder: each gets a note, the rest goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modlint.config import Config
from modlint.linter import Request, lint
from modlint.trace.evidence import trace_tree
from modlint.trace.worker import Limits

if TYPE_CHECKING:
    from pathlib import Path

TWICE = """
    def __init__(self):
        super().__init__()
        BEFORE
        self.bn = nn.BatchNorm1d(4)
    def forward(self, x):
        DURING
        return self.bn(self.bn(x))
"""
MISBEHAVING = {
    "Calm": ("pass", "pass", None),
    "Prints": ("print('out')", "os.write(1, b'raw')", None),
    "Moves": ("os.chdir('/')", "pass", None),
    "Starts": ("threading.Thread(target=lambda: time.sleep(300)).start()", "pass", None),
    "Leaves": ("sys.exit('bye')", "pass", "raised SystemExit: bye"),
    "Asks": ("input('name? ')", "pass", "raised EOFError"),
    "Rejects": ("int('wide')", "pass", "raised ValueError: invalid literal"),
    "Fails": ("pass", "raise KeyError('mode')", "no inputs found for Fails"),
    "Circles": ("pass", "return self.forward(x)", "no inputs found for Circles"),
    "Closes": ("sys.stdout = None", "pass", None),
    "Dies": ("os._exit(7)", "pass", "ended with status 7"),
    "Crashes": ("ctypes.string_at(0)", "pass", "ended by SIGSEGV"),
    "Eats": ("pass", "[torch.ones(64, 2**20, device='cpu') for _ in range(999)]", "no inputs found for Eats"),
}


@pytest.mark.slow
def test_models_that_misbehave_get_one_note_each_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Those that end their process stand in files of their own, of which each is one process."""
    head = "import ctypes, os, sys, threading, time\nimport torch\nfrom torch import nn\nprint('imported')\n"
    for name, (before, during, _) in MISBEHAVING.items():
        body = TWICE.replace("BEFORE", before).replace("DURING", during)
        alone = name in {"Dies", "Crashes", "Eats"}
        with (tmp_path / (f"{name.lower()}.py" if alone else "calm.py")).open("a") as stream:
            stream.write(f"{head}class {name}(nn.Module):{body}")
    outcome = lint(Request((str(tmp_path),), Config(root=str(tmp_path)), whole_tree=False))
    found = trace_tree(outcome.report.findings, outcome.files, Config(root=str(tmp_path)), Limits(120, 2**30))
    told = {note.partition(" was not traced: ")[0].rpartition(":")[2]: note for note in found.notes}
    assert len(told) == len(found.notes)
    for name, (_, _, says) in MISBEHAVING.items():
        assert (name in told) is (says is not None), told.get(name)
        assert says is None or says in told[name]
    traced = [f.model for f in found.findings if f.code == "ML101" and f.evidence.level.value == "traced"]
    assert sorted(traced) == sorted(name for name, (_, _, says) in MISBEHAVING.items() if says is None)
