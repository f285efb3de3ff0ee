"""A class that others build with arguments that are not known: claimed is what holds with all that it takes."""

from __future__ import annotations

import pytest

from modlint.catalogue import Catalogue
from modlint.interpreter import Analysis, interpret
from modlint.syntax.source import parse_source
from modlint.syntax.tree import SourceTree

_MODEL = """
from torch import nn

class Block(nn.Module):
    def __init__(self, options):
        super().__init__()
        if not options.allowed():
            raise ValueError("not allowed")
        layers, gate = [], nn.PReLU()
        LAYERS
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)

class Grower(nn.Module):
    def grow(self, options):
        self.block = Block(options)

    def forward(self, x):
        return x
"""


@pytest.mark.parametrize(
    ("layers", "uses"),
    [
        pytest.param("layers = [gate, nn.Tanh(), gate]", 2, id="twice whatever is given"),
        pytest.param("layers = [nn.Tanh(), gate] if options.wide else [gate]", 0, id="first or second by an argument"),
    ],
)
def test_what_is_claimed_holds_with_all_arguments_that_are_taken(layers, uses):
    file = parse_source("net.py", _MODEL.replace("LAYERS", layers).encode())
    tree = SourceTree({"net.py": file}.get, is_file=lambda name: name == "net.py")
    (block,) = [m.graph for m in interpret(tree, "net.py", Catalogue.load([])) if m.graph.model == "Block"]
    (gate,) = [one for one in block.instances() if one.type == "torch.nn.PReLU"]
    assert len(block.uses_of(gate.key)) == uses


_OPTIONAL = """
from torch import nn

class Block(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.heads = options.heads
        self.norm1 = nn.LayerNorm(8)
        self.norm2 = NORM

    def forward(self, x):
        if x.shape[-1] % self.heads:
            raise ValueError("not divisible")
        return self.norm2(self.norm1(x))

class Net(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.block = Block(options) if options.blocks else None

    def forward(self, x):
        return x if self.block is None else self.block(x)

class Grower(nn.Module):
    def grow(self, options):
        self.net = Net(options)

    def forward(self, x):
        return x
"""


@pytest.mark.parametrize(
    ("norm", "uses"),
    [
        pytest.param("self.norm1", 2, id="one norm whatever is given"),
        pytest.param("self.norm1 if options.single else nn.LayerNorm(8)", 1, id="one norm if an argument says so"),
    ],
)
def test_a_block_that_others_run_under_a_condition_is_a_model_of_its_own(norm, uses):
    file = parse_source("net.py", _OPTIONAL.replace("NORM", norm).encode())
    tree = SourceTree({"net.py": file}.get, is_file=lambda name: name == "net.py")
    (block,) = [m.graph for m in interpret(tree, "net.py", Catalogue.load([])) if m.graph.model == "Block"]
    first = next(one for one in block.instances() if one.type == "torch.nn.LayerNorm")
    assert len(block.uses_of(first.key)) == uses


_BLOCKS = """
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x):
        return self.norm(self.norm(x))

def helper():
    return Block
"""
_USER = """
from torch import nn
from blocks import Block

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()

    def forward(self, x):
        return self.block(x)
"""


def test_what_is_said_of_a_file_does_not_depend_on_the_files_before_it():
    files = {name: parse_source(name, text.encode()) for name, text in (("blocks.py", _BLOCKS), ("user.py", _USER))}

    def said(*order: str) -> dict[str, list[str]]:
        tree = SourceTree(files.get, callers=lambda name: ["user.py"], is_file=files.__contains__)
        analysis = Analysis(tree, Catalogue.load([]))
        return {file: [model.graph.model for model in analysis.models(file)] for file in order}

    assert said("blocks.py", "user.py") == said("user.py", "blocks.py") == {"blocks.py": ["Block"], "user.py": ["Net"]}
