"""The README tells the truth: its example, its rules, its commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli.conftest import NOISY, SILENT
from modlint import ruleset
from modlint.cli import app
from modlint.config import load
from modlint.syntax.suppressions import directives

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Done

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_readme_shows(project: Path, run: Callable[..., Done]) -> None:
    source, shown = re.findall(r"```(?:python|console)\n(.*?)```", README, re.DOTALL)[:2]
    command, _, output = shown.partition("\n")
    (project / "block.py").write_text(source)
    assert source.count("\n") <= 12
    assert run(*command.removeprefix("$ modlint ").split()).out == output


def test_the_table_has_every_rule_with_its_name_and_default() -> None:
    rows = re.findall(r"^\| (ML\d+) \| ([\w-]+) \| ([\w, ]+) \|", README, re.MULTILINE)
    expected = []
    for rule in ruleset.load().all():
        silent = not rule.default and not (rule.severity.value == "note" and rule.code > "ML3")
        default = "off" if silent else rule.severity.value
        expected.append((rule.code, rule.slug, "off, preview" if rule.preview else default))
    assert rows == expected


def test_every_command_is_one_of_modlint_s() -> None:
    named = re.findall(
        r"^(?:\$ )?modlint (\w+) ", "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL)), re.MULTILINE
    )
    assert set(named) <= set(app._COMMANDS) and len(named) > 3


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_settings_are_read(project: Path) -> None:
    (text,) = snippets("toml")
    (project / "pyproject.toml").write_text(text)
    config = load([str(project)])
    assert (config.extend_select, config.models[0].target) == (("ML203",), "src/net.py:Net")


def test_the_suppressions_are_of_a_form_that_is_known() -> None:
    found = directives(snippets("python")[1].encode())
    assert [directive.action.value for directive in found] == ["ignore", "ignore", "shared", "ignore-file"]


def test_the_hook_of_the_pre_commit_snippet(project: Path) -> None:
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    pre_commit = shutil.which("pre-commit", path=tools)
    assert pre_commit is not None, "pre-commit is one of the tools of modlint[dev]"
    (project / "bin").mkdir()
    command = project / "bin" / "modlint"  # as pip installs it
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m modlint "$@"\n')
    command.chmod(0o755)
    (project / ".pre-commit-config.yaml").write_text(snippets("yaml")[0])
    cells = [{"cell_type": "code", "source": NOISY}]
    (project / "walk.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    environment = {
        **os.environ,
        "PATH": f"{project / 'bin'}{os.pathsep}{tools}",
        "PRE_COMMIT_HOME": str(project / "home"),
    }

    def hook() -> subprocess.CompletedProcess[str]:
        subprocess.run(["git", "add", "."], cwd=project, check=True)
        command = [pre_commit, "run", "--all-files"]
        return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)

    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    (project / ".gitignore").write_text("home\nbin\n")
    done = hook()
    assert done.returncode == 1 and "src/net.py:11:13: error: ML101" in done.stdout
    assert "walk.ipynb:cell 1:11:13: error: ML101" in done.stdout
    (project / "src" / "net.py").write_text(SILENT)
    (project / "walk.ipynb").unlink()
    assert hook().returncode == 0


def test_the_matcher_of_the_task_is_that_of_github() -> None:
    (task,) = (json.loads(text) for text in snippets("json"))
    matcher = json.loads((ROOT / ".github" / "modlint-matcher.json").read_text())
    assert task["tasks"][0]["problemMatcher"]["pattern"] == matcher["problemMatcher"][0]["pattern"][0]
