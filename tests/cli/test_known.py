"""Findings that are known already: the baseline, and --since a git revision."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from cli.conftest import NOISY, TIED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Done


def test_a_baseline_hides_what_it_knows_even_when_lines_move(project: Path, run: Callable[..., Done]) -> None:
    arguments = ["src", "--baseline", "known.json"]
    assert run(*arguments).status == 2  # there is none yet
    done = run(*arguments, "--write-baseline")
    assert (done.status, done.out) == (0, "")
    (entry,) = json.loads((project / "known.json").read_text())["findings"]
    assert (entry["code"], entry["filename"]) == ("ML101", "src/net.py")
    (project / "src" / "net.py").write_text("# moved\n\n" + NOISY)
    assert run(*arguments).status == 0
    (project / "src" / "tied.py").write_text(TIED)
    assert [line.split(":")[0] for line in run(*arguments).out.splitlines()] == ["src/tied.py"]
    assert run("src").out.count("\n") == 2


def test_a_baseline_stands_in_the_configuration_and_holds_wherever_we_stand(
    project: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "pyproject.toml").write_text('[tool.modlint]\nbaseline = "known.json"\n')
    run("src", "--write-baseline")
    assert run("src").status == 0
    monkeypatch.chdir(project / "src")
    assert run("net.py").status == 0


def test_a_baseline_with_a_byte_order_mark(project: Path, run: Callable[..., Done]) -> None:
    run("src", "--baseline", "known.json", "--write-baseline")
    (project / "known.json").write_text((project / "known.json").read_text(), encoding="utf-8-sig")
    assert run("src", "--baseline", "known.json").status == 0


def test_one_entry_hides_one_finding(project: Path, run: Callable[..., Done]) -> None:
    arguments = ["src", "--baseline", "known.json"]
    run(*arguments, "--write-baseline")
    data = json.loads((project / "known.json").read_text())
    (project / "known.json").write_text(json.dumps({"version": 1, "findings": data["findings"] * 2}))
    assert run(*arguments).status == 0
    (project / "known.json").write_text(json.dumps({"version": 1, "findings": []}))
    assert run(*arguments).status == 1


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "[" * 100_000, '{"version": 2, "findings": []}', '{"version": 1}'],
    ids=lambda text: repr(text[:40]),
)
def test_what_is_no_baseline_is_told(project: Path, run: Callable[..., Done], text: str) -> None:
    (project / "known.json").write_text(text)
    done = run("src", "--baseline", "known.json")
    assert done.status == 2 and "known.json: is not a baseline" in done.err and "--write-baseline" in done.err


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, check=True)


@pytest.fixture
def repository(project: Path) -> Path:
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "start")
    return project


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        pytest.param("return x", "return x + 1", False, id="another line"),
        pytest.param("BatchNorm2d(8)", "BatchNorm2d(9)", True, id="the creation"),
        pytest.param(
            "def forward(self, x):\n        x = self.bn(x)",
            "def forward(self, x):\n        x = self.bn(x + 1)",
            True,
            id="the first use",
        ),
        pytest.param(
            "        x = self.bn(x)\n        return",
            "        x = self.bn(x)  #\n        return",
            True,
            id="the second use",
        ),
        pytest.param("import", "\n\nimport", False, id="a move of everything"),
    ],
)
def test_since_reports_what_changed_lines_take_part_in(
    repository: Path, run: Callable[..., Done], old: str, new: str, found: bool
) -> None:
    assert run("src", "--since", "HEAD").out == ""
    (repository / "src" / "net.py").write_text(NOISY.replace(old, new, 1))
    assert ("ML101" in run("src", "--since", "HEAD").out) is found
    git(repository, "commit", "--quiet", "-a", "-m", "change")
    assert run("src", "--since", "HEAD").out == ""
    assert ("ML101" in run("src", "--since", "HEAD~1").out) is found


def test_since_takes_new_files_whole_and_works_from_a_subfolder(
    repository: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "src" / "é new.py").write_text(NOISY)
    monkeypatch.chdir(repository / "src")
    assert run("--since", "HEAD").out.startswith("é new.py:11:13: error: ML101")
    assert run("--since", "HEAD").out.count("\n") == 1
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "new")
    assert run("--since", "HEAD~1").out.startswith("é new.py:11:13: error: ML101")


def test_since_counts_both_sides_of_a_removal(repository: Path, run: Callable[..., Done]) -> None:
    (repository / "src" / "net.py").write_text(
        NOISY.replace("        x = self.bn(x)\n", "        x = self.bn(x)\n        y = x\n", 1)
    )
    git(repository, "commit", "--quiet", "-a", "-m", "one more line")
    (repository / "src" / "net.py").write_text(NOISY)
    assert "ML101" in run("src", "--since", "HEAD").out


def test_since_cannot_be_used_to_pass_options_to_git(repository: Path, run: Callable[..., Done]) -> None:
    done = run("src", "--since=--output=pwned")
    assert done.status == 2 and not (repository / "pwned").exists()


def test_since_an_empty_revision_is_a_mistake(repository: Path, run: Callable[..., Done]) -> None:
    """`--since "$BASE"` with a variable that is not set must not pass for a run without `--since`."""
    done = run("src", "--since", "")
    assert done.status == 2 and "--since: git says" in done.err


def test_since_a_file_that_was_renamed_is_new(repository: Path, run: Callable[..., Done]) -> None:
    git(repository, "mv", "src/net.py", "src/other.py")
    assert run("src", "--since", "HEAD").out.startswith("src/other.py:11:13: error: ML101")
    git(repository, "commit", "--quiet", "-m", "renamed")
    git(repository, "checkout", "--quiet", "--detach")
    assert run("src", "--since", "HEAD").out == ""


def test_since_sees_changes_in_submodules(
    repository: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "net.py").write_text(NOISY)
    git(other, "init", "--quiet")
    git(other, "add", ".")
    git(other, "commit", "--quiet", "-m", "start")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "src/vendored")
    git(repository, "commit", "--quiet", "-m", "a submodule")
    assert run("src", "--since", "HEAD").out == ""
    (repository / "src" / "vendored" / "net.py").write_text(NOISY.replace("(8)", "(9)"))
    assert run("src", "--since", "HEAD").out.startswith("src/vendored/net.py:11:13: error: ML101")
    monkeypatch.chdir(repository / "src")
    assert run("--since", "HEAD").out.startswith("vendored/net.py:11:13: error: ML101")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("color.ui", "always"),
        ("diff.external", "echo"),
        ("diff.submodule", "log"),
    ],
)
def test_since_whatever_git_is_configured_to(repository: Path, run: Callable[..., Done], name: str, value: str) -> None:
    git(repository, "config", name, value)
    (repository / "src" / "net.py").write_text(NOISY.replace("(8)", "(9)"))
    assert "ML101" in run("src", "--since", "HEAD").out


def test_since_with_a_configuration_that_lies_elsewhere(
    repository: Path, run: Callable[..., Done], tmp_path: Path
) -> None:
    """In another folder of the repository, and outside of it: the project is that of the files."""
    (repository / "settings").mkdir()
    (repository / "src" / "net.py").write_text(NOISY.replace("(8)", "(9)"))
    for settings in (repository / "settings" / "modlint.toml", tmp_path / "modlint.toml"):
        settings.write_text("")
        assert run("src", "--since", "HEAD", "--config", str(settings)).out.startswith("src/net.py:11:13: error: ML101")


def test_since_counts_a_changed_file_of_the_repository_outside_of_the_project(
    repository: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "inner").mkdir()
    (repository / "inner" / "pyproject.toml").write_text('[tool.modlint]\nsearch-path = [".."]\n')
    (repository / "parts.py").write_text("import torch.nn as nn\n\n\ndef norm():\n    return nn.BatchNorm2d(8)\n")
    using = NOISY.replace("nn.BatchNorm2d(8)", "norm()").replace("nn\n", "nn\nfrom parts import norm\n", 1)
    (repository / "inner" / "net.py").write_text(using)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "more")
    monkeypatch.chdir(repository / "inner")
    assert run("--since", "HEAD").out == "" and "ML101" in run(".").out
    (repository / "parts.py").write_text("import torch.nn as nn\n\n\ndef norm():\n    return nn.BatchNorm2d(9)\n")
    assert "ML101" in run("--since", "HEAD").out


def test_since_a_file_that_git_ignores_is_new_where_it_is_named(repository: Path, run: Callable[..., Done]) -> None:
    (repository / ".gitignore").write_text("src/made.py\n.modlint_cache\n")
    (repository / "src" / "made.py").write_text(NOISY)
    assert "src/made.py" not in run(".", "--since", "HEAD").out
    assert run("src/made.py", "--since", "HEAD").out.startswith("src/made.py:11:13: error: ML101")
