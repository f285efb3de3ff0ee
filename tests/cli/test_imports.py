"""What a file imports is found wherever the command is run from, and whatever of its package is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Done

COUNTS = """\
import torch.nn as nn


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, x):
        self.seen = self.seen + 1
        return x * self.seen
"""

NET = """\
import torch.nn as nn

from {where} import Counts


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.counts = Counts()

    def forward(self, x):
        return self.counts(self.counts(x))
"""


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        file = folder / (name.replace("__", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    top = tmp_path / "site" / "pkg"
    write(top, layers=COUNTS, nets__net=NET.format(where="pkg.layers"))
    for folder in (top, top / "nets"):
        (folder / "__init__.py").write_text("")
    (tmp_path / "else").mkdir()
    return top


@pytest.mark.parametrize("stands", ["site", "else", "site/pkg", "site/pkg/nets", "."])
@pytest.mark.parametrize("given", ["pkg", "pkg/nets", "pkg/nets/net.py"])
def test_a_package_is_found_by_its_own_name(
    package: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, stands: str, given: str
) -> None:
    monkeypatch.chdir(package.parents[1] / stands)
    assert "ML101 Counts 'self.counts'" in run(str(package.parent / given)).out


def test_a_relative_import_out_of_the_named_folder_is_the_same_file(
    package: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class that is reached by two names of its file is one class, so that `isinstance` holds."""
    checked = "self.counts = Counts() if isinstance(Counts(), layers.Counts) else nn.ReLU()"
    text = NET.format(where="..layers").replace("self.counts = Counts()", checked)
    (package / "nets" / "net.py").write_text(f"from pkg import layers\n{text}")
    monkeypatch.chdir(package / "nets")
    assert "ML101 Counts 'self.counts'" in run("net.py").out


def test_folders_beside_the_named_one_are_looked_into_where_no_project_ends(
    tmp_path: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "repo", utils__layers=COUNTS, models__net=NET.format(where="utils.layers"))
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    assert "ML101 Counts" in run("../repo/models/net.py").out
    (tmp_path / "repo" / "models" / "pyproject.toml").write_text("[tool.modlint]\n")
    assert "ML101" not in run("../repo/models/net.py").out


def test_a_module_that_comes_outside_of_the_project_is_noticed(
    tmp_path: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "repo", models__net=NET.format(where="utils.layers"))
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    for _ in range(2):
        assert run("../repo/models/net.py").out == ""
    write(tmp_path / "repo", utils__layers=COUNTS)
    assert "ML101 Counts" in run("../repo/models/net.py").out


def test_what_is_installed_beside_a_package_is_not_followed_into(
    package: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(package.parent / "other", layers=COUNTS)
    (package.parent / "other" / "__init__.py").write_text("")
    (package / "nets" / "net.py").write_text(NET.format(where="other.layers"))
    monkeypatch.chdir(package.parents[1] / "else")
    assert run(str(package)).out == ""
    monkeypatch.chdir(package.parent)
    assert "ML101 Counts" in run("pkg").out
