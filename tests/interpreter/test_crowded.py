"""Models with more paths than are followed: what is found on the one path that is left."""

from __future__ import annotations

import pytest

from modlint.catalogue import Catalogue
from modlint.interpreter import conditions, interpret
from modlint.syntax.source import parse_source
from modlint.syntax.tree import SourceTree

_MODEL = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width, rate, mode):
        super().__init__()
        if {test}:
            raise ValueError("not allowed")
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x):
        return self.norm(self.norm(x))
"""


@pytest.mark.parametrize(
    "test",
    [
        pytest.param("rate < 0.0", id="one condition"),
        pytest.param("rate < 0.0 or rate > 1.0", id="either of two"),
        pytest.param("rate < 0.0 or rate > 1.0 or mode not in ('batch', 'row')", id="one of three"),
        pytest.param("not (0.0 <= rate and rate <= 1.0)", id="not both"),
    ],
)
def test_a_check_that_raises_is_not_the_path_that_is_followed(test, monkeypatch):
    monkeypatch.setattr(conditions, "MANY_NODES", 0)
    file = parse_source("net.py", _MODEL.format(test=test).encode())
    tree = SourceTree({"net.py": file}.get, is_file=lambda name: name == "net.py")
    (model,) = interpret(tree, "net.py", Catalogue.load([]))
    (norm,) = [one for one in model.graph.instances() if one.type == "torch.nn.BatchNorm1d"]
    assert len(model.graph.uses_of(norm.key)) == 2
