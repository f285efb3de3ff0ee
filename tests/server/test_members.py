"""Functions that come, go, change their names, signatures and classes: a session says what `modlint check` says.

What is drawn: the names under which others look something up, in the class itself, its bases, its subclasses and the
files that import it, so that a look-up that is forgotten shows.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.server import test_session
from tests.server.test_session import Project, again, interpreted

__all__ = ["interpreted"]

STATE = Path(__file__).parents[2] / "fixtures" / "models" / "state"
PARTS = """\
import torch
import torch.nn as nn


def norm(n):
    return nn.BatchNorm2d(n)


class Mixin:
    def scaled(self, x):
        return x


class Block(nn.Module, Mixin):
    def __init__(self, width=8):
        super().__init__()
        self.norm = norm(width)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.norm(x))

    def features(self, x):
        return self.act(self.act(x))


class Deep(Block):
    size = 2

    def forward(self, x):
        if hasattr(self, "extra"):
            x = self.norm(x)
        return self.scaled(super().forward(self.norm(x)))
"""
NET = """\
import torch.nn as nn
import parts
from parts import Block, Deep


def make():
    return Block(4)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Deep()
        self.other = make()
        self.norm = parts.norm(8)
        self.reset()

    def forward(self, x):
        if self.training:
            x = self.norm(x)
        x = self.block(self.other.features(x))
        return self.norm(x)

    def reset(self):
        for module in self.modules():
            if hasattr(module, "started"):
                module.started()


class Wide(Net):
    def features(self, x):
        return helper(self.norm(self.norm(x)))


def built():
    return Wide()


NETS = {"net": Net()}
"""
BODIES = (
    "return x",
    "return self.norm(self.norm(x))",
    "return super().forward(x)",
    "self.kept = x\n        return self.act(x)",
    "if self.training:\n            x = self.act(x)\n        return self.act(x)",
    "return helper(x)",
    "self.norm = nn.BatchNorm2d(8)",
)
NAMES = (
    *("forward", "features", "extra", "scaled", "reset", "started", "train", "norm", "size", "own"),
    *("__init__", "__call__", "__getattr__", "__init_subclass__", "__len__"),
)
GLOBALS = ("norm", "helper", "make", "built", "len", "Block", "hasattr")
SIGNATURES = ("self, x=None", "self, x", "self, x=(1, None)", "self, x=nn.ReLU", "self, x=make", "self, *x, **y")


def edited(draw: random.Random, text: str) -> str:
    """The text with one function more, or less, or elsewhere, or under another name or signature."""
    blocks = text.rstrip("\n").split("\n\n")
    heads = [n for n, block in enumerate(blocks) if block.strip().startswith("class ")]
    methods = [n for n, block in enumerate(blocks) if block.startswith("    def ")]
    margin = [n for n, block in enumerate(blocks) if block.strip("\n").startswith("def ")]
    kind = draw.randrange(7)
    if kind == 0:
        at = draw.choice([*heads, *methods])
        method = f"    def {draw.choice(NAMES)}({draw.choice(SIGNATURES)}):\n        {draw.choice(BODIES)}"
        blocks.insert(at + 1, method)
    elif kind == 1:
        blocks.insert(draw.choice([*heads, *margin]), f"\ndef {draw.choice(GLOBALS)}(x=None):\n    return x")
    elif kind == 2:
        del blocks[draw.choice([*methods, *margin])]
    elif kind in (3, 4):
        at = draw.choice([*methods, *methods, *margin])
        name = blocks[at].split("def ")[1].split("(")[0]
        other = draw.choice(NAMES if at in methods else GLOBALS)
        blocks = [block.replace(name, other) if kind == 3 or n == at else block for n, block in enumerate(blocks)]
    elif kind == 5:
        method = blocks.pop(draw.choice(methods))
        blocks.insert(draw.choice([n for n in methods if n <= len(blocks)]), method)
    else:
        at = draw.choice(methods)
        start, end = blocks[at].index("(") + 1, blocks[at].index(")")
        blocks[at] = blocks[at][:start] + draw.choice(SIGNATURES) + blocks[at][end:]
    return "\n\n".join(blocks) + "\n"


@pytest.mark.parametrize("seed", range(6))
def test_any_functions(tmp_path: Path, seed: int) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    draw = random.Random(seed)
    project = Project(tmp_path, net=NET, parts=PARTS)
    versions = {"net": [NET], "parts": [PARTS]}
    for name, text in (("net", NET), ("parts", PARTS)):
        project.edit(name, text)
    for _ in range(12):
        name = draw.choice(("net", "parts"))
        text = draw.choice(versions[name][-3:])
        versions[name].append(text if draw.random() < 0.2 else edited(draw, text))
        project.edit(name, versions[name][-1])
        project.findings("net")
        project.findings("parts")


HEAD = "import torch.nn as nn\n"
TWICE = "\n    def twice(self, x):\n        return self.norm(self.norm(x))\n"


def model(
    forward: str, more: str = "", head: str = HEAD, base: str = "nn.Module", norm: str = "nn.BatchNorm2d(8)"
) -> str:
    """A file with a model whose forward returns an expression."""
    return (
        f"{head}\n\nclass Net({base}):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.norm = {norm}\n\n    def forward(self, x):\n        return {forward}\n{more}"
    )


def state(name: str) -> str:
    return (STATE / f"{name}.py").read_text()


BUILD = "def build(n=8):\n    return nn.BatchNorm2d(n)\n"
FROM_PARTS = model("self.norm(self.norm(x))", head=f"{HEAD}from parts import build\n", norm="build()")
STARRED = model("self.norm(self.norm(x))", head=f"{HEAD}from parts import *\n", norm="build()")
FUNCTION = "\n\ndef twice(f, x):\n    return f(f(x))\n"
SETUP = "\n\ndef setup(m):\n    init(m)\n    return m\n\n\ndef init(m):\n    pass\n"
ACT = "\n\ndef act(x):\n    return norms(x)\n\n\nNORM = nn.BatchNorm2d(8)\n"
KIND = "\n    def make(self, kind=Kind):\n        return kind(8)\n"
IDENTITY = f"{HEAD}from torch.nn import Identity as Kind\n"
KINDS = f"{HEAD}from torch.nn import BatchNorm2d as Kind\n{IDENTITY}"
HAS = "\n\nHAS = hasattr(Net, 'twice')\n"
PATCH = "\n\nNet.twice = lambda self, x: self.norm(x)\n"
BASE = f"{HEAD}\n\nclass Base(nn.Module):\n    size = 1\n"
SIZED = f"\n{model('self.norm(self.norm(x)) if self.size == 1 else x', base='Base', head='')}"
HOOK = "\n    def __init_subclass__(cls):\n        cls.size = 2\n"
UNKNOWN = f"{HEAD}from elsewhere import Base\n"
DECODING = state("eval_mode_cache_noisy").replace(
    "if not self.training:", "decoding = not self.training\n        if decoding:"
)
MODE = "    def mode(self):\n        return 1 if self.training else 0\n\n    def forward(self, q"
KEPT = state("held_by_a_module_without_forward_noisy")
KEPT += KEPT[KEPT.index("\n\nclass Net") : KEPT.index("\n\ndef example")].replace("class Net", "class More")
KEYS = "    def forward(self, keys):\n        return keys\n\n    def update("


@pytest.mark.parametrize(
    ("texts", "changed", "before", "after"),
    [
        pytest.param(
            {"net": model("twice(self.norm, x)")},
            {"net": model("twice(self.norm, x)", FUNCTION)},
            [],
            ["ML101"],
            id="a function that a model has looked up",
        ),
        pytest.param(
            {"net": model("self.twice(x)")},
            {"net": model("self.twice(x)", TWICE)},
            [],
            ["ML101"],
            id="a method that it has looked up",
        ),
        pytest.param(
            {"net": FROM_PARTS, "parts": HEAD},
            {"parts": f"{HEAD}\n\n{BUILD}"},
            [],
            ["ML101"],
            id="a function that another file imports",
        ),
        pytest.param(
            {"net": STARRED, "parts": HEAD},
            {"parts": f"{HEAD}\n\n{BUILD}"},
            [],
            ["ML101"],
            id="one that it imports with a star",
        ),
        pytest.param(
            {"net": f"{STARRED}\n\n{BUILD.replace('BatchNorm2d', 'Linear')}", "parts": f"{HEAD}\n\n{BUILD}"},
            {"net": STARRED},
            ["ML203"],
            ["ML101"],
            id="one that hides what is imported with a star",
        ),
        pytest.param(
            {"net": model("self.extra(x)", f"{TWICE}\n    extra = twice\n")},
            {"net": model("self.extra(x)", "\n    def twice(self, x, y=1):\n        return x\n\n    extra = twice\n")},
            ["ML101"],
            [],
            id="a method that the class has under another name too",
        ),
        pytest.param(
            {"net": model("self.twice(x)", f"{TWICE}{TWICE.replace('self.norm(self.norm(x))', 'x')}")},
            {"net": model("self.twice(x)", TWICE)},
            [],
            ["ML101"],
            id="the second of two methods of one name",
        ),
        pytest.param(
            {"net": model("self.twice(x)", f"    twice = None\n{HAS}")},
            {"net": model("self.twice(x)", f"    twice = None\n{TWICE}{HAS}")},
            [],
            ["ML101"],
            id="a method of the name of an attribute",
        ),
        pytest.param(
            {"net": model("x", head=UNKNOWN, base="Base").partition("    def forward")[0]},
            {"net": model("self.norm(self.norm(x))", head=UNKNOWN, base="Base")},
            [],
            ["ML101"],
            id="a forward that makes the class a module",
        ),
        pytest.param(
            {"net": model("self.norm(self.norm(x))", SETUP, norm="setup(nn.BatchNorm2d(8))")},
            {
                "net": model("self.norm(self.norm(x))", SETUP, norm="setup(nn.BatchNorm2d(8))").replace(
                    "init(m):\n    pass", "init(m, n=8):\n    m.eval = n\n    raise ValueError"
                )
            },
            ["ML101"],
            [],
            id="a function that one without effect calls",
        ),
        pytest.param(
            {"net": model("act(x)", ACT)},
            {"net": model("act(x)", f"{ACT}\n\ndef norms(x):\n    return NORM(NORM(x))\n")},
            [],
            ["ML303"],
            id="a function that one of data alone calls",
        ),
        pytest.param(
            {"net": model("self.norm(self.norm(x)) if HAS else x", HAS)},
            {"net": model("self.norm(self.norm(x)) if HAS else x", f"{TWICE}{HAS}")},
            [],
            ["ML101"],
            id="a method that the top level has asked for",
        ),
        pytest.param(
            {"net": model("self.twice(self.norm(x))", f"{TWICE}{PATCH}")},
            {"net": model("self.twice(self.norm(x))", PATCH)},
            ["ML101"],
            ["ML101"],
            id="a method that the top level has put another in the place of",
        ),
        pytest.param(
            {"net": f"{BASE}{SIZED}"}, {"net": f"{BASE}{HOOK}{SIZED}"}, ["ML101"], [], id="a hook of subclasses"
        ),
        pytest.param(
            {"net": model("self.norm(self.norm(x))", "    Kind = nn.BatchNorm2d\n", IDENTITY, norm="self.make()")},
            {
                "net": model(
                    "self.norm(self.norm(x))", f"    Kind = nn.BatchNorm2d\n{KIND}", IDENTITY, norm="self.make()"
                )
            },
            [],
            ["ML101"],
            id="a default of the name of an attribute of the class",
        ),
        pytest.param(
            {"net": model("self.norm(self.norm(x))", head=KINDS, norm="self.make()")},
            {"net": model("self.norm(self.norm(x))", KIND, KINDS, norm="self.make()")},
            [],
            [],
            id="a default that is imported twice",
        ),
        pytest.param(
            {"net": model("self.norm(self.norm(x))", head=KINDS.partition(IDENTITY)[0], norm="self.make()")},
            {"net": model("self.norm(self.norm(x))", KIND, KINDS.partition(IDENTITY)[0], norm="self.make()")},
            [],
            ["ML101"],
            id="a default that is imported",
        ),
        pytest.param(
            {"net": DECODING},
            {"net": DECODING.replace("    def forward(self, q", MODE)},
            [],
            ["ML101"],
            id="a method that depends on the mode",
        ),
        pytest.param(
            {"net": KEPT},
            {"net": KEPT.replace("    def update(", KEYS)},
            ["ML101", "ML101"],
            [],
            id="a forward of a module that could not be called",
        ),
    ],
)
def test_what_a_name_decides_is_decided_again(
    tmp_path: Path, texts: dict[str, str], changed: dict[str, str], before: list[str], after: list[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    project = Project(tmp_path, **texts)
    for versions, codes in ((texts, before), (texts | changed, after), (texts, before), (texts | changed, after)):
        for name, text in versions.items():
            project.edit(name, text)
        assert [code for code in project.codes("net") if code not in {"ML001", "ML003"}] == codes


def test_only_models_that_can_see_the_name_are_interpreted_again(tmp_path: Path, interpreted: list[str]) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    net, parts = test_session.NET, test_session.PARTS
    project = Project(tmp_path, net=net, parts=parts)
    project.edit("net", net)
    project.edit("parts", parts)
    assert again(project, interpreted, "net") == ["Net", "Other"]
    new = "    def new(self, x, act=nn.ReLU):\n        return x\n\n    def unused"
    added, called = net.replace("    def unused", new), net.replace("self.block(self.act(x))", "self.new(x)")
    for name, text, expected in (
        ("net", added, []),
        ("net", net, []),
        ("net", called, ["Net"]),
        ("net", called.replace("    def unused", new), ["Net"]),
        ("net", called.replace("    def unused", new.replace("new(", "newer(")), []),  # as before it was there
        ("net", net.replace("unused(self", "unused(self, y, z=(1, 2)"), []),
        ("net", f"{net}\n\ndef norms(n, act=nn.ReLU, m=-1):\n    return norm(n)\n", []),
        ("net", net, []),
        ("parts", parts.replace("    def forward", "    def more(self):\n        pass\n\n    def forward"), []),
        ("parts", parts.replace("def forward(self, x)", "def forward(self, x, y=None)"), ["Net"]),
        ("parts", parts.replace("def norm(n)", "def norm(n, m=1)"), ["Net", "Other"]),
        ("net", net.replace("class Other", "class Another"), ["Net", "Another"]),
    ):
        project.edit(name, text)
        assert again(project, interpreted, "net") == expected
        project.findings("net")


def test_a_function_that_went_is_not_what_others_have_written_over(tmp_path: Path) -> None:
    """After it went, a file is run again without all files that it imports."""
    (tmp_path / "pyproject.toml").write_text("")
    project = Project(tmp_path, net=NET, parts=PARTS)
    for name, text in (("net", NET), ("parts", PARTS), ("net", NET.replace("features(self, x)", "other(self, x)"))):
        project.edit(name, text)
        project.findings("net")
    analysis = project.session._analyst._analysis
    project.edit("net", f"{NET}\n\nSIZE = 2\n")
    project.findings("net")
    assert project.session._analyst._analysis is analysis


def test_a_function_that_a_top_level_has_run_which_knows_nothing_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    part = f"{HEAD}import hub\n\n\n{BUILD}\n\nhub.MADE['norm'] = build\n"
    project = Project(
        tmp_path,
        net=model("self.norm(self.norm(x))", head=f"{HEAD}import parts\nimport use\n", norm="use.NORM"),
        parts=part,
        use="import hub\n\nNORM = hub.MADE['norm'](8)\n",
        hub="MADE = {}\n",
    )
    found = []
    for text in (part, part.replace("BatchNorm2d", "Identity"), part):
        project.edit("parts", text)
        found.append(project.codes("net"))
    assert found[0] == found[2] != found[1]
