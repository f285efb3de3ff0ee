"""The pre-commit hook, run by the real `pre-commit try-repo`; and what a hook depends on: files given in parts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.conftest import NOISY, SILENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Done

ROOT = Path(__file__).parents[2]
MEGABYTE = 1_000_000

USING = NOISY.replace("nn.BatchNorm2d(8)", "norm()").replace("as nn\n", "as nn\n\nfrom parts import norm\n", 1)
PARTS = "import torch.nn as nn\n\n\ndef norm():\n    return nn.BatchNorm2d(8)\n"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def repository(project: Path) -> Path:
    """A git repository with a good and a bad model and a file that both could import."""
    (project / "src" / "net.py").unlink()
    (project / "src" / "clean.py").unlink()
    (project / "good.py").write_text(SILENT)
    (project / "parts.py").write_text(PARTS)
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "start")
    return project


def test_files_in_batches_give_together_what_one_run_gives(repository: Path, run: Callable[..., Done]) -> None:
    names = [f"net{number}.py" for number in range(9)]
    for name in names:
        (repository / name).write_text(USING)
    whole = run("check", *names).out
    for size in (1, 2, 4):
        batches = [names[at : at + size] for at in range(0, len(names), size)]
        assert "".join(run("check", *batch, "--no-cache").out for batch in batches) == whole
    assert whole.count("ML101") == 9


def test_findings_are_those_of_the_given_files_and_the_rest_of_the_tree_is_read(
    repository: Path, run: Callable[..., Done]
) -> None:
    (repository / "net.py").write_text(USING)
    assert run("net.py").out.startswith("net.py:13:13: error: ML101")  # what `norm` returns is in parts.py
    assert run("parts.py", "good.py").out == ""


@pytest.mark.slow
def test_the_hook(repository: Path, tmp_path: Path) -> None:
    pre_commit = shutil.which("pre-commit", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert pre_commit is not None, "pre-commit is one of the tools of modlint[dev]"
    source = tmp_path / "modlint"  # a repository of what is here, committed or not
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "modlint", "rules").split("\n")
    for name in [*filter(None, listed), "pyproject.toml", "README.md", ".pre-commit-hooks.yaml"]:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    git(source, "init", "--quiet")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "-m", "modlint")
    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "home"), "NO_COLOR": "1"}

    def hook(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [pre_commit, "try-repo", str(source), "modlint", *arguments]
        return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, timeout=300)

    clean = hook("--all-files")
    if "Could not find a version" in clean.stdout + clean.stderr or "ConnectionError" in clean.stdout + clean.stderr:
        pytest.skip("the hook's environment cannot be installed: no package index within reach")
    assert clean.returncode == 0, clean.stdout + clean.stderr

    (repository / "bad.py").write_text(USING)
    (repository / "unstaged.py").write_text(NOISY)
    git(repository, "add", "bad.py")
    partial = hook()  # what is staged: bad.py alone, which imports parts.py
    assert partial.returncode == 1
    assert "bad.py:13:13: error: ML101 BatchNorm2d 'self.bn' runs 2 times per forward" in partial.stdout
    assert "unstaged.py" not in partial.stdout and "good.py" not in partial.stdout

    revision = git(source, "rev-parse", "HEAD").strip()
    (repository / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {source}\n    rev: {revision}\n    hooks:\n      - id: modlint\n"
    )
    git(repository, "add", ".pre-commit-config.yaml")
    command = [pre_commit, "run", "--files", "bad.py", "good.py"]
    run = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 1 and "bad.py:13:13: error: ML101" in run.stdout

    environments = list((tmp_path / "home").glob("*/py_env-*"))
    packages = [folder for place in environments for folder in place.glob("lib/python3*/site-packages/*")]
    names = {folder.name for folder in packages}
    assert "modlint" in names and "torch" not in names
    pip = {folder for folder in packages if folder.name.startswith(("pip", "setuptools", "wheel"))}
    size = sum(
        file.stat().st_size
        for folder in packages
        if folder not in pip
        for file in ([folder] if folder.is_file() else folder.rglob("*"))
        if file.is_file() and not file.is_symlink()
    )
    assert size < 60 * MEGABYTE, f"{size / MEGABYTE:.1f} MB"
    print(f"hook environment: {size / MEGABYTE:.1f} MB")
