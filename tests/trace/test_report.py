"""What is printed of a traced graph: the contract's JSON, the table, and the drawings."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

import modlint
from modlint.trace.drawing import dot, svg
from modlint.trace.picture import ROOM, Standing, picture_of
from modlint.trace.report import report_json, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.trace.traced import TracedGraph

SOURCE = """
class Block(nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.fc, self.norm, self.act = nn.Linear(4, 4), norm, nn.ReLU()
    def forward(self, x):
        return self.act(self.norm(self.act(self.fc(x))))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        norm = nn.BatchNorm1d(4)
        self.one, self.two = Block(norm), Block(norm)
        self.head = Block(nn.LayerNorm(4))
    def forward(self, x):
        return self.head(self.head(self.two(self.one(x))))
"""


@pytest.fixture
def graph(traced: Callable[..., TracedGraph], monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> TracedGraph:
    monkeypatch.chdir(str(tmp_path))
    return traced(SOURCE, torch.randn(3, 4))


def test_the_json_has_the_keys_of_the_contract(graph: TracedGraph) -> None:
    report = json.loads(report_json(graph))
    assert list(report) == ["coverage", "model", "target", "tracer", "why_not_fx", "inputs", "instances", "graph"]
    assert (report["model"], report["tracer"], report["why_not_fx"], report["inputs"]) == ("Net", "fx", None, ["3x4"])
    norm = next(entry for entry in report["instances"] if "one.norm" in entry["paths"])
    assert {name: norm[name] for name in norm if name != "uses"} == {
        "paths": ["one.norm", "two.norm"],
        "type": "torch.nn.BatchNorm1d",
        "state": "stateful",
        "writes": ["running_mean", "running_var", "num_batches_tracked"],
        "executions": 2,
        "verdict": "changes-semantics",
    }
    assert norm["uses"][0] == {"filename": "net.py", "row": 12, "column": 25, "in": "Block.forward"}
    assert sum(edge["target"] == "one.norm" for edge in report["graph"]["edges"]) == 2


def test_verdicts_are_told_for_every_reused_instance_and_for_no_other(graph: TracedGraph) -> None:
    verdicts = {(e["paths"] or ["."])[0]: e["verdict"] for e in json.loads(report_json(graph))["instances"]}
    assert verdicts == {
        ".": None, "one": None, "one.fc": None, "two": None, "two.fc": None,
        "one.norm": "changes-semantics", "one.act": "safe", "two.act": "safe", "head.act": "safe",
        "head": "deliberate", "head.fc": "deliberate", "head.norm": "deliberate",
    }  # fmt: skip


def test_the_table(graph: TracedGraph) -> None:
    assert table(graph) == (
        "Net: 5 instances are reused, of 12\n"
        "Traced with torch.fx on 3x4 (given).\n"
        "\n"
        "one.norm  torch.nn.BatchNorm1d  stateful (writes running_mean, running_var, num_batches_tracked)"
        "  runs 2 times  changes-semantics ML101\n"
        "    slots    one.norm, two.norm\n"
        "    created  net.py:17:16\n"
        "    use 1    net.py:12:25  in Block.forward  as one.norm\n"
        "    use 2    net.py:12:25  in Block.forward  as two.norm\n"
        "\n"
        "head  net.Block  parametric  runs 2 times  deliberate ML003\n"
        "    created  net.py:19:21\n"
        "    use 1    net.py:21:26  in Net.forward\n"
        "    use 2    net.py:21:16  in Net.forward\n"
        "\n"
        "one.act  torch.nn.ReLU  stateless  runs 2 times  safe ML001\n"
        "    created  net.py:10:63\n"
        "    use 1    net.py:12:35  in Block.forward\n"
        "    use 2    net.py:12:16  in Block.forward\n"
        "\n"
        "two.act  torch.nn.ReLU  stateless  runs 2 times  safe ML001\n"
        "    created  net.py:10:63\n"
        "    use 1    net.py:12:35  in Block.forward\n"
        "    use 2    net.py:12:16  in Block.forward\n"
        "\n"
        "head.act  torch.nn.ReLU  stateless  runs 4 times  safe ML001\n"
        "    created  net.py:10:63\n"
        "    use 1    net.py:12:35  in Block.forward\n"
        "    use 2    net.py:12:16  in Block.forward\n"
        "    use 3    net.py:12:35  in Block.forward\n"
        "    use 4    net.py:12:16  in Block.forward\n"
        "\n"
        "Run again only because the module around them does: head.fc, head.norm.\n"
    )


def test_a_recorded_graph_says_why_in_the_table(traced: Callable[..., TracedGraph]) -> None:
    graph = traced(
        "class Net(nn.Module):\n    def forward(self, x):\n        return x if x.sum() > 0 else -x\n", torch.ones(2)
    )
    assert "Recorded from one forward pass on 2 (given), for torch.fx cannot follow it: TraceError" in table(graph)
    assert "no instance is reused, of 1" in table(graph)


def test_the_drawings_number_the_uses_and_colour_states_and_verdicts(graph: TracedGraph) -> None:
    picture = picture_of(graph)
    nodes = {node.key: node for node in picture.nodes}
    assert (nodes["one.norm"].title, nodes["one.norm"].subtitle) == ("one.norm ×2", "BatchNorm1d")
    standing = {key: nodes[key].standing for key in ("one.norm", "one.fc", "head", "head.fc")}
    assert list(standing.values()) == [Standing.REUSED, Standing.PLAIN, Standing.REUSED, Standing.INSIDE]
    assert nodes["one.norm"].outline != nodes["one.act"].outline
    assert len({nodes[key].fill for key in ("one.norm", "one.act", "one.fc")}) == 3
    numbers = [int(n) for edge in picture.edges for n in edge.label.split(", ")]
    assert sorted(numbers) == list(range(1, len(graph.uses())))
    source = dot(picture)
    assert source.startswith('digraph "Net" {') and source.endswith("}\n")
    assert '"one" -> "one.norm" [label="4"' in source
    drawing = ElementTree.fromstring(svg(picture))
    texts = ["".join(text.itertext()) for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Net", "one.norm ×2", "stateful", "reused: changes-semantics"} <= set(texts)
    assert len([path for path in drawing.iter("{http://www.w3.org/2000/svg}path") if path.get("marker-end")]) == len(
        picture.edges
    )


def bottleneck(width: int) -> nn.Module:
    relu = nn.ReLU()
    parts = [nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), relu, nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), relu]
    return nn.Sequential(*parts, nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), relu)


def test_a_large_model_is_collapsed_by_path_and_what_changes_semantics_stays() -> None:
    shared = nn.BatchNorm2d(4)
    layers = [nn.Sequential(*(bottleneck(4) for _ in range(n))) for n in (3, 4, 6, 3)]
    layers[2][5].append(shared)  # type: ignore[operator, union-attr]
    layers[3][2].append(shared)  # type: ignore[operator, union-attr]
    graph = modlint.trace(nn.Sequential(nn.Conv2d(3, 4, 1), *layers), torch.randn(2, 3, 4, 4))
    picture = picture_of(graph)
    assert len(graph.instances()) > 2 * ROOM
    assert len(picture.nodes) <= ROOM
    (loud,) = [n for n in picture.nodes if n.standing is Standing.REUSED and "BatchNorm2d" in n.subtitle]
    assert loud.title == "3.5.9 ×2"
    shown = {node.key: node.subtitle for node in picture.nodes}
    assert re.fullmatch(r"Sequential \+\d+", shown["1.0"])
    hidden = sum(int(text.rpartition("+")[2]) for text in shown.values() if "+" in text)
    assert hidden + len(picture.nodes) == len([i for i in graph.instances() if graph.uses_of(i.key)])


def test_the_svg_draws_an_instance_once_and_mentions_it_where_another_module_uses_it_again() -> None:
    norm = nn.BatchNorm1d(4)
    graph = modlint.trace(nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), norm) for _ in range(3))), torch.randn(3, 4))
    picture = picture_of(graph)
    assert picture.summary == (
        "8 instances run, 1 is reused, 1 of them with an effect on what is computed; traced with torch.fx on 3x4"
    )
    drawing = ElementTree.fromstring(svg(picture))
    name = "{http://www.w3.org/2000/svg}"
    texts = ["".join(text.itertext()) for text in drawing.iter(f"{name}text")]
    assert (texts.count("0.1 ×3"), texts.count("0.1")) == (1, 2)
    tops = [float(box.get("y", 0)) for box in drawing.iter(f"{name}rect") if box.get("rx")]
    assert len(tops) == 8 == len(set(tops))
    bottom = float(drawing.get("height", 0))
    assert all(float(text.get("y", 0)) < bottom for text in drawing.iter(f"{name}text"))


def test_a_drawing_has_an_end_however_many_instances_change_semantics() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bn = nn.BatchNorm1d(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.bn(self.bn(x))  # type: ignore[no-any-return]

    picture = picture_of(modlint.trace(nn.Sequential(*(Twice() for _ in range(200))), torch.randn(3, 2)))
    assert len(picture.nodes) == 2 * ROOM + 1
    assert "200 are reused, 200 of them with an effect on what is computed (72 of these not drawn)" in picture.summary
    assert len(svg(picture)) < 150_000
