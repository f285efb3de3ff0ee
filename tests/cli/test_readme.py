"""The README tells the truth: its example, its rules, its commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from modlint import ruleset
from modlint.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Done

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


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
