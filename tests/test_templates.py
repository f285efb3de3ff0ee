"""What is made again is what a run would make: every model's graph, with and without copies of constructors' calls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from oracle import FIXTURES

from modlint.catalogue import Catalogue
from modlint.interpreter import Analysis, replays, templates
from modlint.sources import Mentions, Setup, Sources
from modlint.syntax.tree import SourceTree

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.graph import UseGraph
    from modlint.interpreter import ModelResult
    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.values import CallArgs, ClassV, Value

FILES = tuple(sorted(path.relative_to(FIXTURES).as_posix() for path in Path(FIXTURES).rglob("*.py")))


def run_instead(m: Interpreter, cls: ClassV, args: CallArgs, run: Callable[[], Value]) -> Value:
    """In the place of `templates.built`: nothing is made again."""
    return run()


def analysed(root: Path, files: tuple[str, ...], recalls: bool = False) -> list[ModelResult]:
    sources = Sources(Setup(str(root), files, None, ""))
    tree = SourceTree(sources.representation, (), Mentions(sources).of, sources.exists)
    analysis = Analysis(tree, Catalogue.load(), recalls=recalls)
    return [model for file in files for model in analysis.models(file)]


def told(model: ModelResult) -> object:
    """A model, with loops and conditions numbered as they come."""
    return told_graph(model.graph), model.unknowns, model.without_entry, model.steps, model.instances


def told_graph(graph: UseGraph) -> object:
    loops: dict[int, int] = {}
    literals = {abs(literal) for use in graph.uses() for term in use.condition for literal in term}
    ranks = {literal: rank for rank, literal in enumerate(sorted(literals), 1)}
    uses = []
    for use in graph.uses():
        loop = None if use.loop is None else loops.setdefault(use.loop, len(loops))
        terms = [frozenset(ranks[abs(one)] * (1 if one > 0 else -1) for one in term) for term in use.condition]
        uses.append((replace(use, loop=loop, condition=()), set(terms)))
    return graph.model, graph.instances(), uses


class Counted:
    """How often something was made again, or done again."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.made = self.done = 0
        make, happen = templates.Template.made, replays.Summary.happens

        def made(*args: object) -> object:
            self.made += 1
            return make(*args)  # type: ignore[arg-type]

        def happens(*args: object) -> object:
            self.done += 1
            return happen(*args)  # type: ignore[arg-type]

        patch.setattr(templates.Template, "made", made)
        patch.setattr(replays.Summary, "happens", happens)


def test_the_fixtures_have_the_same_graphs_where_constructors_are_run_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted = Counted(monkeypatch)
    made = {recalls: analysed(Path(FIXTURES), FILES, recalls) for recalls in (False, True)}
    assert counted.made
    assert counted.done
    monkeypatch.setattr(templates, "built", run_instead)
    for run, *again in zip(analysed(Path(FIXTURES), FILES), *made.values(), strict=True):
        assert [told(one) for one in again] == [told(run)] * 2, run.graph.model


NET = """
import torch
from torch import nn
from elsewhere import something

SHARED = nn.ReLU()
NUMBERS = []


class Block(nn.Module):
    count = 0

    def __init__(self, width, options=None, known=[]):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 1)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU()
        CONSTRUCTOR

    def forward(self, x):
        x = self.norm(self.conv(x))
        FORWARD
        return self.act(x)


class Net(nn.Module):
    def __init__(self, flag):
        super().__init__()
        blocks, options = [], []
        for index in range(4):
            block = Block(WIDTH)
            AFTER
            blocks.append(block)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x
"""
CASES = {
    "alike": ({}, 3, 2),
    "of other widths": ({"WIDTH": "8 + index"}, 0, 0),
    "of a tuple, a class and a partial": ({"WIDTH": "8, (nn.ReLU, __import__('functools'))"}, 0, 0),
    "with options": ({"WIDTH": "8, {'bias': [1, 2]}", "CONSTRUCTOR": "self.options = options"}, 3, 2),
    "with options that are kept and changed": (
        {"WIDTH": "8, options", "CONSTRUCTOR": "self.options = options", "AFTER": "options.append(block)"},
        0,
        0,
    ),
    "with options that the constructor changes": (
        {"WIDTH": "8, [index]", "CONSTRUCTOR": "options.append(1); self.options = options"},
        0,
        0,
    ),
    "changed after they were built": ({"AFTER": "block.act = SHARED"}, 0, 0),
    "one of which is changed": ({"AFTER": "if index == 2:\n                block.norm = block.act"}, 3, 1),
    "counted by their class": ({"CONSTRUCTOR": "Block.count += 1"}, 0, 0),
    "counted by a default": ({"CONSTRUCTOR": "known.append(width)"}, 0, 0),
    "counted by the file": ({"CONSTRUCTOR": "NUMBERS.append(width)"}, 0, 0),
    "that hold something not known": ({"CONSTRUCTOR": "self.extra = something()"}, 3, 2),
    "that are decided by something not known": (
        {"CONSTRUCTOR": "if something():\n            self.act = nn.Sequential(nn.BatchNorm2d(width))"},
        0,
        0,
    ),
    "under a flag": ({"WIDTH": "8, flag", "CONSTRUCTOR": "self.act = nn.GELU() if options else nn.ReLU()"}, 3, 0),
    "built on some paths": ({"AFTER": "if flag:\n                block.act = Block(8)"}, 7, 0),
    "that close over themselves": ({"CONSTRUCTOR": "self.again = lambda x: self.act(x)"}, 0, 0),
    "that count their calls": ({"CONSTRUCTOR": "self.calls = 0", "FORWARD": "self.calls = self.calls + 1"}, 3, 0),
    "that draw": ({"FORWARD": "x = x + torch.randn_like(x)"}, 3, 2),
    "that run themselves twice": ({"FORWARD": "x = self.norm(self.act(x))"}, 3, 2),
    "that loop": ({"FORWARD": "for step in range(3):\n            x = self.act(self.norm(x))"}, 3, 2),
    "that loop over data": ({"FORWARD": "for row in x:\n            x = self.act(row)"}, 3, 0),
    "that ask for the mode": ({"FORWARD": "if self.training:\n            x = self.act(x)"}, 3, 2),
    "that write a buffer": (
        {
            "CONSTRUCTOR": "self.register_buffer('steps', torch.zeros(1))",
            "FORWARD": "if self.training:\n            self.steps.add_(1)",
        },
        3,
        2,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_blocks_are_as_if_each_was_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And as many of four are made again, and done again, as can be; the first is given an input, the second data."""
    parts, made, done = CASES[name]
    text = NET
    for part in ("CONSTRUCTOR", "FORWARD", "AFTER"):
        text = text.replace(part, parts.get(part, "pass"))
    (tmp_path / "net.py").write_text(text.replace("WIDTH", parts.get("WIDTH", "8")))
    counted = Counted(monkeypatch)
    again = [told(model) for model in analysed(tmp_path, ("net.py",))]
    monkeypatch.setattr(templates, "built", run_instead)
    run = [told(model) for model in analysed(tmp_path, ("net.py",))]
    assert again == run
    assert len(run) == 1
    assert (counted.made, counted.done) == (made, done)
