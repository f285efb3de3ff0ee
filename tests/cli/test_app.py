"""The commands themselves: help, version, lazy imports, and the small ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from modlint import __version__
from modlint.cli import app
from modlint.cli.check import check
from modlint.cli.help import HELP
from modlint.config import KEYS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Done


def imported_by(*arguments: str, cwd: Path | None = None) -> set[str]:
    """The modules that a fresh process imports for a command line."""
    command = [sys.executable, "-X", "importtime", "-m", "modlint", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")}


@pytest.mark.parametrize("argument", ["--help", "-h", "--version", "-V", "version", "help"])
def test_help_and_version_import_next_to_nothing(argument: str) -> None:
    heavy = {"click", "typing", "dataclasses", "enum", "re", "json", "libcst", "networkx", "torch", "sqlite3"}
    bare = subprocess.run([sys.executable, "-X", "importtime", "-c", ""], capture_output=True, text=True, check=True)
    assert heavy & imported_by(argument) <= {line.rpartition("|")[2].strip() for line in bare.stderr.splitlines()}


def test_help_is_the_text_that_click_shows_and_names_every_command(run: Callable[..., Done]) -> None:
    assert run("--help").out == HELP
    context = click.Context(app.main)
    assert app.main.get_help(context) == HELP.rstrip()
    listed = re.findall(r"^  (\w+)  ", HELP.partition("Commands:")[2], re.MULTILINE)
    assert listed == app.main.list_commands(context)


def test_every_line_of_help_fits_into_a_terminal() -> None:
    assert max(map(len, HELP.splitlines())) <= 120


def test_no_arguments_print_the_help(run: Callable[..., Done]) -> None:
    done = run()
    assert done.status == 2 and done.err.startswith("modlint: finds reused")


def test_version(run: Callable[..., Done]) -> None:
    assert run("--version").out == run("version").out == f"modlint {__version__}\n"
    assert json.loads(run("version", "--output-format", "json").out) == {"version": __version__}


def test_the_options_of_the_contract_are_there(run: Callable[..., Done]) -> None:
    text = run("check", "--help").out
    for option in (
        *("--select", "--ignore", "--extend-select", "--output-format", "--output-file", "--config", "--exclude"),
        *("--force-exclude", "--stdin-filename", "--statistics", "--no-cache", "--cache-dir", "--exit-zero", "--jobs"),
        *("--since", "--show-files", "--show-settings", "--add-ignore", "--baseline", "--trace", "--confirm"),
    ):
        assert re.search(rf"{option}\b", text), option
    assert all(parameter.help for parameter in check.params if isinstance(parameter, click.Option))


def test_config_lists_and_describes_the_keys(run: Callable[..., Done]) -> None:
    assert run("config").out.split() == [key.name for key in KEYS]
    for key in KEYS:
        assert f"\n[tool.modlint]\n{key.name} = {key.example}\n" in run("config", key.name).out
    done = run("config", "slect")
    assert done.status == 2 and "there is no key 'slect'" in done.err


def test_clean_removes_a_cache_and_nothing_else(project: Path, run: Callable[..., Done]) -> None:
    run("src")
    assert (project / ".modlint_cache").is_dir()
    assert run("clean").err == "Removed .modlint_cache\n"
    assert not (project / ".modlint_cache").exists()
    assert run("clean").err == ""
    run("clean", "--cache-dir", "src")
    assert (project / "src" / "net.py").exists()


def test_rule_prints_the_page_of_a_code_or_slug(run: Callable[..., Done]) -> None:
    page = run("rule", "ML101").out
    assert page.startswith("# ") and "ML101" in page
    assert run("rule", "stateful-reuse").out == page
    entry = json.loads(run("rule", "ML101", "--output-format", "json").out)
    assert (entry["code"], entry["explanation"]) == ("ML101", page)
    assert len(json.loads(run("rule", "--all", "--output-format", "json").out)) >= 15
    assert page in run("rule", "--all").out


@pytest.mark.parametrize(
    "arguments", [["rule"], ["rule", "ML101", "--all"], ["rule", "ML777"], ["state"]], ids=" ".join
)
def test_wrong_usage_of_the_small_commands_exits_with_two(run: Callable[..., Done], arguments: list[str]) -> None:
    assert run(*arguments).status == 2


def test_state_answers_from_the_catalogue(project: Path, run: Callable[..., Done]) -> None:
    assert (
        run("state", "nn.ReLU()").out == "nn.ReLU(): torch.nn.ReLU: stateless\n"
        or run("state", "nn.ReLU()").status == 0
    )
    answers = json.loads(run("state", "nn.BatchNorm2d(8, affine=False)", "nn.PReLU()", "--output-format", "json").out)
    assert [answer["state"] for answer in answers] == ["stateful", "parametric"]
    assert set(answers[0]) == {"expression", "type", "state", "traits", "certain", "writes"}


def test_an_option_in_front_is_no_mistyped_command(project: Path, run: Callable[..., Done]) -> None:
    assert run("--config", 'ignore = ["ML101"]', "src").status == 0
    assert "ML101" in run("--config", "ignore = []", "src").out


@pytest.mark.skipif(sys.platform == "win32", reason="a folder in use cannot be removed there")
def test_a_current_folder_that_is_gone_is_told_by_name(tmp_path: Path) -> None:
    line = f"mkdir gone && cd gone && rmdir ../gone && '{sys.executable}' -m modlint state 'nn.ReLU()'"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the current folder cannot be found any more" in done.stderr


def test_a_fault_of_modlint_s_own_is_not_taken_for_findings(
    project: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    from modlint.cli import check

    monkeypatch.setattr(check, "_run", None)
    done = run("src")
    assert (done.status, done.out) == (2, "")
    assert "TypeError" in done.err and "this is a fault of modlint's own" in done.err


def test_a_pipe_that_is_closed_early_is_no_traceback(project: Path) -> None:
    command = f"{sys.executable} -m modlint src --output-format json --no-cache | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
