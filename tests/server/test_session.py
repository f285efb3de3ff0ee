"""After every edit a session says what `modlint check` says of the same texts, however little it looks at again."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modlint import verdicts
from modlint.config import Config
from modlint.interpreter import models
from modlint.linter import Request, lint
from modlint.server.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modlint.findings import Finding
    from modlint.graph import UseGraph

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "fixtures" / "models").rglob("*.py"))
NET = """\
import torch.nn as nn
from parts import Block, norm, times


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()
        self.norm = norm(8)
        self.act = nn.ReLU()

    def forward(self, x):
        for _ in range(SIZE):
            x = self.norm(x)
        return self.act(self.block(self.act(x)))

    def unused(self, x):
        return self.norm(x)


class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = norm(4)

    def forward(self, x):
        return self.norm(self.norm(x))


SIZE = times(1)
"""
PARTS = """\
import torch.nn as nn


def norm(n):
    return nn.BatchNorm2d(n)


def times(n):
    return n + 1


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = norm(8)

    def forward(self, x):
        return self.norm(x)
"""


class Project:
    """A session, and what `check` says of the same texts."""

    def __init__(self, root: Path, **files: str) -> None:
        self.texts = {str(root / f"{name}.py"): text for name, text in files.items()}
        for path, text in self.texts.items():
            Path(path).write_text(text)
        self.config = replace(Config(str(root)), extend_select=("ML001", "ML002", "ML003", "ML203"))
        self.session = Session(self.config, next(iter(self.texts)))
        self.root = root

    def edit(self, name: str, text: str) -> None:
        path = str(self.root / f"{name}.py")
        self.texts[path] = text
        self.session.put(path, text)

    def findings(self, name: str) -> tuple[Finding, ...]:
        """What the session says, if that is right."""
        path = str(self.root / f"{name}.py")
        overlays = {path: text.encode() for path, text in self.texts.items()}
        expected = lint(Request((path,), self.config, overlays=overlays)).report.findings
        found = self.session.findings(path)
        assert found == expected
        return found

    def codes(self, name: str) -> list[str]:
        return sorted(finding.code for finding in self.findings(name))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "pyproject.toml").write_text("")
    return Project(tmp_path, net=NET, parts=PARTS)


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The classes of which a model is built, in order."""
    names: list[str] = []
    real = models.Analysis._class

    def noted(self: models.Analysis, cls: object, restricted: bool) -> Iterator[models.ModelResult]:
        names.append(cls.name)  # type: ignore[attr-defined]
        return real(self, cls, restricted)  # type: ignore[arg-type]

    monkeypatch.setattr(models.Analysis, "_class", noted)
    return names


def again(project: Project, interpreted: list[str], name: str) -> list[str]:
    """What the session interprets to lint a file."""
    interpreted.clear()
    project.session.findings(str(project.root / f"{name}.py"))
    return list(interpreted)


def test_only_models_that_can_see_the_change_are_interpreted_again(project: Project, interpreted: list[str]) -> None:
    project.edit("net", NET)
    assert again(project, interpreted, "net") == ["Net", "Other"]
    for edited, expected in (
        (f"# moves all\n{NET}", []),
        (NET.replace("return self.norm(x)", "return self.norm(x) + 1"), []),  # of `unused`
        (NET.replace("norm(4)", "norm(5)"), ["Other"]),
        (NET, []),  # as it was
        (NET.replace("norm(4)", "norm(5"), []),  # torn
        (NET.replace("norm(4)", "norm(5)"), []),
        (NET.replace("self.act(x)", "self.act(x + 1)"), ["Net", "Other"][:1]),
        (NET.replace("class Other", "class Another"), ["Net", "Another"]),
    ):
        project.edit("net", edited)
        assert again(project, interpreted, "net") == expected
        project.findings("net")


def test_what_stays_is_not_judged_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[UseGraph] = []
    real = verdicts.judge
    monkeypatch.setattr(verdicts, "judge", lambda graph: judged.append(graph) or real(graph))
    for edited, expected in ((NET, 2), (f"# moves all\n{NET}", 0), (NET.replace("norm(4)", "norm(5)"), 1), (NET, 0)):
        judged.clear()
        project.edit("net", edited)
        project.session.findings(str(project.root / "net.py"))
        assert len(judged) == expected
        project.findings("net")


def test_an_import_of_a_library_leaves_other_files_as_they_are(project: Project) -> None:
    project.edit("net", NET)
    project.findings("net")
    analysis = project.session._analyst._analysis
    for edited in (f"import math\n{NET}", f"import math\n{NET.replace('norm(4)', 'norm(math.ceil(4))')}", NET):
        project.edit("net", edited)
        project.findings("net")
        assert project.session._analyst._analysis is analysis


def test_an_edit_of_a_file_that_is_imported(project: Project, interpreted: list[str]) -> None:
    project.edit("net", NET)
    project.edit("parts", PARTS)
    assert project.codes("net") == ["ML001", "ML101", "ML101"]
    for edited, expected in (
        (PARTS.replace("BatchNorm2d(n)", "Identity()"), ["Net", "Other"]),
        (PARTS, []),
        (PARTS.replace("return self.norm(x)", "return self.norm(self.norm(x))"), ["Net"]),
    ):
        project.edit("parts", edited)
        assert again(project, interpreted, "net") == expected
        project.findings("net")
        project.findings("parts")


def test_what_the_top_level_has_run_is_run_again(project: Project) -> None:
    """`times` decides how often a loop runs, and is called while the file is loaded."""
    project.edit("net", NET)
    project.edit("parts", PARTS)
    assert project.codes("net").count("ML101") == 2
    project.edit("parts", PARTS.replace("n + 1", "n"))
    assert project.codes("net").count("ML101") == 1
    project.edit("parts", PARTS)
    assert project.codes("net").count("ML101") == 2


def test_a_file_that_is_torn_is_unknown_to_those_that_import_it(project: Project) -> None:
    project.edit("net", NET)
    project.edit("parts", PARTS)
    project.findings("net")
    project.edit("parts", PARTS + "x = (")
    assert project.codes("parts") == ["ML901"]
    assert "ML101" not in project.codes("net")
    project.edit("net", NET.replace("norm(4)", "norm(5)"))
    project.findings("net")
    project.edit("parts", PARTS.replace("return self.norm(x)", "return self.norm(x) + 1"))
    project.findings("parts")
    assert project.codes("net") == ["ML001", "ML101", "ML101"]


def test_who_depends_on_whom(project: Project) -> None:
    net, parts = (str(project.root / f"{name}.py") for name in ("net", "parts"))
    project.edit("net", NET)
    project.findings("net")
    for text in (PARTS, PARTS + "x = (", PARTS + "x = 1", PARTS + "y = 1"):
        project.edit("parts", text)
        project.findings("parts")
        assert project.session.depends(net, parts) and not project.session.depends(parts, net)


def test_an_import_that_is_run_for_what_it_does_and_then_mentioned(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    project = Project(
        tmp_path,
        net="import torch.nn as nn\nimport patch\nfrom parts import Part\n\n\nclass Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.part = Part()\n\n"
        "    def forward(self, x):\n        return self.part(self.part(x))\n",
        parts="import torch.nn as nn\n\n\nclass Part(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.norm = nn.Identity()\n\n    def forward(self, x):\n"
        "        return self.norm(x)\n",
        patch="import torch.nn as nn\nimport parts\n\n\ndef init(self):\n    nn.Module.__init__(self)\n"
        "    self.norm = nn.BatchNorm2d(8)\n\n\nparts.Part.__init__ = init\n",
    )
    net = project.texts[str(tmp_path / "net.py")]
    for text in (net, net.replace("return self", "patch.x\n        return self"), net):
        project.edit("net", text)
        project.findings("net")


def edits(draw: random.Random, text: str) -> Iterator[str]:
    """A text with lines moved, repeated, taken away and torn, some of it taken back."""
    versions = [text]
    for _ in range(12):
        lines = draw.choice(versions[-3:]).split("\n")
        at = draw.randrange(len(lines))
        match draw.randrange(6):
            case 0:
                lines.insert(0, "# one more")
            case 1:
                lines.insert(at, lines[at])
            case 2:
                del lines[at]
            case 3:
                lines[at] += draw.choice([" (", "  # why", "; edited = 1", '"""'])
            case 4:
                lines[at] = lines[at].replace("self.", "self.a", 1).replace("x)", "x, 2)")
            case _:
                other = draw.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
        versions.append("\n".join(lines))
        yield versions[-1]


@pytest.mark.parametrize("seed", range(12))
def test_any_edits(tmp_path: Path, seed: int) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    draw = random.Random(seed)
    texts = {"net": NET, "parts": PARTS} | {f"other{n}": f.read_text() for n, f in enumerate(draw.sample(SOURCES, 2))}
    project = Project(tmp_path, **texts)
    for name, text in texts.items():
        for edited in edits(draw, text):
            project.edit(name, edited)
            project.findings(name)
            if name == "parts":
                project.findings("net")
