"""Which functions count as having no effect: a decorator is run for every class of a package."""

from __future__ import annotations

from pathlib import Path

import pytest

from modlint.catalogue import Catalogue
from modlint.interpreter import Analysis, effects, reach
from modlint.interpreter.interpreter import Interpreter
from modlint.interpreter.scope import load
from modlint.interpreter.values import CallArgs, ClassV, FuncV
from modlint.syntax.source import parse_source
from modlint.syntax.tree import SourceTree

DECORATOR = """
import inspect
import logging
import re

logger = logging.getLogger(__name__)
TEXT = "{name} of {place}"
KNOWN = {}

def documented(cls):
    lines = (cls.__doc__ or "").splitlines()
    LINE
    cls.__doc__ = "\\n".join(lines)
    return cls
"""


@pytest.mark.parametrize(
    ("line", "skipped"),
    [
        ("lines.append(TEXT.format(name=cls.__name__, place=inspect.getfile(cls)))", True),
        ("lines = [re.sub('a', 'b', line).strip() for line in lines]", True),
        ("logger.warning('no text: %s', cls)", True),
        ("KNOWN[cls.__name__] = cls", False),
        ("cls.norm = None", False),
    ],
)
def test_a_decorator_that_writes_texts_alone_has_no_effect(line: str, skipped: bool, tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(DECORATOR.replace("LINE", line))
    tree = SourceTree(lambda path: parse_source(path, Path(path).read_bytes()) if path == str(file) else None)
    m = Interpreter(tree, Catalogue.load())
    module = load(m, str(file))
    assert module is not None
    function = module.cells["documented"]
    assert isinstance(function, FuncV)
    effects = reach.of(m, function)
    assert (effects.why_not == "" and effects.returns == "cls") is skipped, effects.why_not


APPLIED = """
from functools import partial

from torch import nn


class Rotary(nn.Module):
    def __init__(self):
        super().__init__()
        self.reset_parameters()

    def reset_parameters(self):
        self.table = RESET


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.rotary = Rotary()
        self.apply(partial(self.start, scale=2.0))

    def start(self, module, scale=1.0):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=scale)
        elif hasattr(module, "reset_parameters"):
            module.reset_parameters()

    def forward(self, x):
        return self.fc(x)
"""


@pytest.mark.parametrize("reset", ["None", "nn.BatchNorm1d(4)"])
def test_what_is_applied_runs_on_the_modules_that_it_changes_alone(
    reset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "net.py"
    file.write_text(APPLIED.replace("RESET", reset))
    tree = SourceTree(lambda path: parse_source(path, Path(path).read_bytes()) if path == str(file) else None)
    ran: list[str] = []
    skipped = effects.skipped

    def asked(m: Interpreter, func: FuncV, args: CallArgs) -> object:
        found = skipped(m, func, args)
        if func.name == "start" and found is None and len(args.args) == 2:
            ran.append(args.args[1].cls.name if isinstance(args.args[1].cls, ClassV) else args.args[1].cls.dotted)
        return found

    monkeypatch.setattr(effects, "skipped", asked)
    Analysis(tree, Catalogue.load()).models(str(file))
    assert set(ran) == {"Rotary", "Net"}  # of Net it was asked for all of them together
