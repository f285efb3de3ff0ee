"""`modlint check`: what it lints, prints and returns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from cli.conftest import NOISY, SILENT, TIED
from modlint.config import FORMATS, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Done

LINE = (
    "src/net.py:11:13: error: ML101 BatchNorm2d 'self.bn' runs 2 times per forward (first at line 10): "
    "its running statistics mix both inputs; give each use its own instance\n"
)


def test_check_is_the_default_command(project: Path, run: Callable[..., Done]) -> None:
    for arguments in (["src"], ["check", "src"], ["-j1", "src"], ["check"], ["src/net.py", "src"]):
        done = run(*arguments)
        assert (done.status, done.out, done.err) == (1, LINE, ""), arguments


def test_a_clean_run_prints_nothing_and_exits_with_zero(project: Path, run: Callable[..., Done]) -> None:
    done = run("src/clean.py")
    assert (done.status, done.out, done.err) == (0, "", "")
    assert run("src/clean.py", "--output-format", "full").out == "All checks passed!\n"


def test_notes_do_not_set_the_exit_status(project: Path, run: Callable[..., Done]) -> None:
    done = run("src/clean.py", "--extend-select", "inventory")
    assert done.status == 0
    assert "note: ML001" in done.out


def test_exit_zero(project: Path, run: Callable[..., Done]) -> None:
    done = run("src", "--exit-zero")
    assert (done.status, done.out) == (0, LINE)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["--no-such-option"], "No such option", id="an option that does not exist"),
        pytest.param(["src", "--select", "ML777"], "unknown rule selector 'ML777'", id="a rule that does not exist"),
        pytest.param(["gone.py"], "no such file or folder: gone.py", id="a path that does not exist"),
        pytest.param(["-", "src"], "- stands for stdin", id="stdin beside a path"),
        pytest.param(["src", "-j0"], "0 is not in the range", id="no process at all"),
        pytest.param(["src", "--output-format", "xml"], "'xml' is not one of", id="a format that does not exist"),
        pytest.param(["src", "--config", "none.toml"], "cannot read the configuration", id="no such configuration"),
        pytest.param(["src", "--write-baseline"], "give --baseline FILE", id="a baseline without a name"),
        pytest.param(["src", "--since", "HEAD"], "--since needs a git repository", id="no git repository"),
        pytest.param(["--stdin-filename", "a.py", "src"], "name stands for stdin", id="a name for no stdin"),
        pytest.param(["-", "--add-ignore"], "source from stdin is in none", id="suppressions in stdin"),
        pytest.param(["-", "--since", "HEAD"], "source from stdin is in none", id="changes of stdin"),
        pytest.param(
            ["src", "--since", "HEAD", "--write-baseline", "--baseline", "b.json"],
            "would forget what is known elsewhere",
            id="a baseline of changes",
        ),
        pytest.param(["chek", "src"], "did you mean 'check'?", id="a command that is mistyped"),
        pytest.param(["src", "--config", "ignroe = []"], "did you mean 'ignore'?", id="a key that is mistyped"),
        pytest.param(["src", "--config", "ignore = ["], "is not valid TOML", id="a setting that is no TOML"),
        pytest.param(["src", "--config", "a.toml", "--config", "b.toml"], "reads one file", id="two configurations"),
        pytest.param(["src", "--isolated", "--config", "a.toml"], "--isolated reads no", id="isolated by a file"),
        pytest.param(["src", "--cache-dir", ""], "--cache-dir needs a path", id="a cache without a name"),
        pytest.param(["src", "--exclude", "["], "a bracket of the glob '[' has no partner", id="half a glob"),
        pytest.param(["src", "-o", "none/out.txt"], "cannot write the output", id="an output file without a folder"),
    ],
)
def test_mistakes_of_usage_exit_with_two_and_say_what_to_do(
    project: Path, run: Callable[..., Done], arguments: list[str], told: str
) -> None:
    done = run(*arguments)
    assert (done.status, done.out) == (2, "")
    assert told in done.err


def test_a_path_that_is_not_there_is_told_and_the_others_are_still_linted(
    project: Path, run: Callable[..., Done]
) -> None:
    for _ in range(2):
        done = run("gone.py", "src", "lost")
        assert (done.status, done.out) == (2, LINE)
        assert done.err == "modlint: no such file or folder: gone.py, lost\n"
    assert run("gone.py", "src", "--exit-zero").status == 2
    done = run("gone.py", "src", "--show-files")
    assert (done.status, done.out) == (2, "src/clean.py\nsrc/net.py\n") and "gone.py" in done.err
    assert run("gone.py", "src", "--add-ignore").status == 2
    assert run("src").status == 0


def test_a_fault_of_modlint_s_own_is_told_with_its_file_and_the_others_are_still_linted(
    project: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    from modlint.interpreter import Analysis

    real = Analysis.models

    def models(self: Analysis, path: str) -> object:
        if path == "src/clean.py":
            raise ZeroDivisionError("by design")
        return real(self, path)

    monkeypatch.setattr(Analysis, "models", models)
    done = run("src", "-j1")
    assert (done.status, done.out) == (2, LINE)
    assert "a fault of modlint's own left this file unjudged: src/clean.py: ZeroDivisionError: by design" in done.err
    assert "fault of modlint's own" in run("src", "-j1", "--statistics").out


def test_a_mistake_in_the_user_s_states_exits_with_two(project: Path, run: Callable[..., Done]) -> None:
    (project / "states.toml").write_text("nonsense = 3\n")
    (project / "pyproject.toml").write_text('[tool.modlint]\nstates = ["states.toml"]\n')
    done = run("src")
    assert (done.status, done.out) == (2, "")
    assert "states.toml" in done.err


def test_a_mistake_in_the_configuration_exits_with_two(project: Path, run: Callable[..., Done]) -> None:
    (project / "pyproject.toml").write_text("[tool.modlint]\nslect = []\n")
    done = run("src")
    assert done.status == 2
    assert done.err.startswith("modlint: pyproject.toml: unknown key tool.modlint.slect (did you mean 'select'?)")


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('ignore = ["ML777"]', id="a selector"),
        pytest.param('exclude = ["["]', id="a glob"),
        pytest.param('per-file-ignores = { "[" = ["ML101"] }', id="a glob of a file"),
        pytest.param('per-file-ignores = { "a" = ["ML777"] }', id="a selector for a file"),
    ],
)
def test_selectors_and_globs_that_mean_nothing_are_told_with_their_file(
    project: Path, run: Callable[..., Done], line: str
) -> None:
    (project / "pyproject.toml").write_text(f"[tool.modlint]\n{line}\n")
    done = run("src", "--select", "ML1")
    assert done.status == 2
    assert done.err.startswith("modlint: pyproject.toml: ")


def test_a_configuration_with_a_byte_order_mark(project: Path, run: Callable[..., Done]) -> None:
    (project / "pyproject.toml").write_bytes(b'\xef\xbb\xbf[tool.modlint]\nignore = ["ML1"]\n')
    assert run("src").status == 0


@pytest.mark.skipif(sys.platform == "win32", reason="closes streams as a shell does")
@pytest.mark.parametrize(("closed", "status"), [("src >&-", 1), ("src 2>&-", 1), ("- <&-", 0), ("nowhere 2>&-", 2)])
def test_streams_that_are_closed(project: Path, closed: str, status: int) -> None:
    done = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m modlint {closed}"], cwd=project, capture_output=True, text=True
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a folder in use cannot be removed there")
def test_a_current_folder_that_is_gone(project: Path) -> None:
    line = f"mkdir gone && cd gone && rmdir ../gone && '{sys.executable}' -m modlint ."
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(["sh", "-c", line], cwd=project, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the current folder cannot be found any more" in done.stderr and "Traceback" not in done.stderr


def test_a_file_that_cannot_be_read_is_a_finding_and_the_others_are_still_linted(
    project: Path, run: Callable[..., Done]
) -> None:
    (project / "src" / "torn.py").write_text("class Net(\n")
    (project / "src" / "bytes.py").write_bytes(b"x = '\xff'\n")
    (project / "src" / "nul.py").write_bytes(b"x = 1\n\0")
    done = run("src")
    assert done.status == 1
    lines = done.out.splitlines(keepends=True)
    assert [line.split(":")[0] for line in lines] == ["src/bytes.py", "src/net.py", "src/nul.py", "src/torn.py"]
    assert all("error: ML901 this file cannot be read (" in line for line in lines if "net.py" not in line)
    assert lines[1] == LINE


@pytest.mark.parametrize(
    ("source", "place", "reason"),
    [
        pytest.param(b"x = 1\n\nif x\n    y\n", "3:5", "cannot be parsed: expected ':'", id="a colon that is missing"),
        pytest.param(b"def f():\n  a\n b\n", "3:", "cannot be parsed: unindent does not match", id="an indentation"),
        pytest.param(b"y = 1\nx = 'abc\n", "2:5", "cannot be parsed: unterminated string", id="an open string"),
        pytest.param(b"# a\n# \xe9\n", "2:1", "cannot be decoded: byte 0xe9 is not UTF-8", id="a byte"),
        pytest.param(b"if a:\n  b\n" + b"elif a:\n  b\n" * 9999, "6003:1", "nested too deeply", id="a ladder"),
    ],
)
def test_an_unreadable_file_is_told_where_python_tells_it(
    project: Path, run: Callable[..., Done], source: bytes, place: str, reason: str
) -> None:
    (project / "torn.py").write_bytes(source)
    assert run("torn.py").out.startswith(f"torn.py:{place}")
    assert f"ML901 this file cannot be read ({reason}" in run("torn.py").out


def test_a_folder_that_cannot_be_looked_into_is_told_every_time(
    project: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(folder: str) -> object:
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    (project / "closed").mkdir()
    monkeypatch.setattr(os, "scandir", scandir)
    for _ in range(2):
        done = run(".")
        assert (done.status, done.out) == (2, LINE)
        assert "cannot look into closed, so nothing in it is linted: Permission denied; mend that" in done.err
    assert run("closed").status == 2


def test_selection(project: Path, run: Callable[..., Done]) -> None:
    (project / "src" / "tied.py").write_text(TIED)

    def codes(*arguments: str) -> list[str]:
        return sorted({f["code"] for f in json.loads(run("src", "--output-format", "json", *arguments).out)})

    assert codes() == ["ML101", "ML201"]
    assert codes("--select", "ML2") == ["ML201"]
    assert codes("--select", "params,state", "--ignore", "ML201") == ["ML101"]
    assert codes("--ignore", "stateful-reuse") == ["ML201"]
    (project / "pyproject.toml").write_text('[tool.modlint]\nignore = ["ML101"]\n')
    assert codes() == ["ML201"]
    assert codes("--select", "ML1") == ["ML101"]  # as in ruff, --select starts anew
    (project / "pyproject.toml").write_text('[tool.modlint]\nper-file-ignores = { "src/t*.py" = ["params"] }\n')
    assert codes() == ["ML101"]


def test_globs_of_the_command_line_begin_where_we_stand(
    project: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "src")
    here, elsewhere = 'per-file-ignores = { "./net.py" = ["ALL"] }', 'per-file-ignores = { "src/net.py" = ["ALL"] }'
    assert run(".", "--exclude", "./net.py").out == run(".", "--config", here).out == ""
    assert run(".", "--exclude", "src/net.py").out == run(".", "--config", elsewhere).out != ""


def test_a_glob_after_an_exclamation_mark_ignores_everywhere_else(project: Path, run: Callable[..., Done]) -> None:
    (project / "net.py").write_text(NOISY)
    settings = 'per-file-ignores = { "!src/*" = ["ML1"] }'
    assert run(".", "--config", settings).out == LINE


def test_stdin_is_linted_under_its_file_name(project: Path, run: Callable[..., Done]) -> None:
    done = run("-", "--stdin-filename", "src/new.py", stdin=NOISY.encode())
    assert done.out == LINE.replace("net.py", "new.py")
    assert run("-", "--stdin-filename", "src/net.py", stdin=SILENT.encode()).status == 0
    assert run("-", stdin=NOISY.encode()).out.startswith("-:11:13: error: ML101")


def test_stdin_is_read_when_only_its_file_name_is_given(project: Path, run: Callable[..., Done]) -> None:
    done = run("--stdin-filename", "src/new.py", stdin=NOISY.encode())
    assert done.out == LINE.replace("net.py", "new.py")


def test_a_setting_on_the_command_line_goes_before_the_file_and_after_the_options(
    project: Path, run: Callable[..., Done]
) -> None:
    (project / "pyproject.toml").write_text('[tool.modlint]\nignore = ["ML2"]\noutput-format = "json"\n')
    assert run("src", "--config", "output-format = 'concise'").out == LINE
    assert run("src", "--config", 'ignore = ["ML101"]').out == "[]\n"
    (project / "other.toml").write_text('ignore = ["ML101"]\n')
    assert run("src", "--config", "other.toml", "--config", "ignore = []").out == LINE
    assert run("src", "--config", "output-format = 'json'", "--output-format", "concise").out == LINE
    (project / "ruleset=1.toml").write_text('ignore = ["ML101"]\n')  # a file, for all its name
    assert run("src", "--config", "ruleset=1.toml").out == ""


def test_stdin_honours_exclusion_when_it_is_forced(project: Path, run: Callable[..., Done]) -> None:
    arguments = ["-", "--stdin-filename", "venv/new.py"]
    assert run(*arguments, stdin=NOISY.encode()).status == 1
    assert run(*arguments, "--force-exclude", stdin=NOISY.encode()).status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-o", "src/net.py"], id="a report"),
        pytest.param(["src", "-o", "link.py"], id="a report through a link"),
        pytest.param(["src", "--baseline", "src/net.py", "--write-baseline"], id="a baseline"),
    ],
)
def test_a_file_that_is_linted_is_not_overwritten(
    project: Path, run: Callable[..., Done], arguments: list[str]
) -> None:
    (project / "link.py").symlink_to("src/net.py")
    done = run(*arguments)
    assert (done.status, done.out) == (2, "")
    assert "is one of the files that are linted, and is not overwritten" in done.err
    assert (project / "src" / "net.py").read_text() == NOISY


def test_output_file(project: Path, run: Callable[..., Done]) -> None:
    done = run("src", "--output-file", "out.txt")
    assert (done.status, done.out) == (1, "")
    assert (project / "out.txt").read_text() == LINE
    assert run("src", "--output-file", "-").out == LINE
    assert not (project / "-").exists()


def test_names_are_relative_to_where_we_stand(
    project: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprint = json.loads(run("src", "--output-format", "json").out)[0]["fingerprint"]
    monkeypatch.chdir(project / "src")
    assert run(".").out == LINE.removeprefix("src/")
    assert json.loads(run("--output-format", "json").out)[0]["fingerprint"] == fingerprint
    monkeypatch.chdir(project.parent)
    assert run("project").out == "project/" + LINE
    (project.parent / "elsewhere").mkdir()
    monkeypatch.chdir(project.parent / "elsewhere")
    assert run(str(project)).out == f"{project}/{LINE}"


def test_show_files_and_settings(project: Path, run: Callable[..., Done]) -> None:
    assert run("--show-files").out == "src/clean.py\nsrc/net.py\n"
    shown = run("--show-settings", "--select", "ML101", "src").out
    assert 'select = ["ML101"]' in shown and "# rules that run: ML101\n" in shown


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param("", id="nothing"),
        pytest.param(
            'ignore = ["ML103"]\nbaseline = "known.json"\noutput-format = "json"\n'
            'per-file-ignores = { "a \\"b\\"/*" = ["ML1", "ML2"], "!c" = [] }\n'
            'models = [{ target = "net.py:Net", init = { width = 8, deep = { on = true, of = [1, 2.5] } } }]\n',
            id="much",
        ),
    ],
)
def test_the_settings_that_are_shown_can_be_written_down(
    project: Path, run: Callable[..., Done], settings: str
) -> None:
    file = project / "pyproject.toml"
    file.write_text(f"[tool.modlint]\n{settings}")
    before, shown = load([str(project)]), run("--show-settings", "src").out
    file.write_text(f"[tool.modlint]\n{shown}")
    assert load([str(project)]) == before
    assert run("--show-settings", "src").out == shown


def test_stdin_among_the_files_that_are_shown(project: Path, run: Callable[..., Done]) -> None:
    assert run("-", "--show-files", "--stdin-filename", "src/new.py").out == "src/new.py\n"
    excluded = ("--exclude", "src", "--force-exclude")
    assert run("-", "--show-files", "--stdin-filename", "src/new.py", *excluded).out == ""


def test_statistics(project: Path, run: Callable[..., Done]) -> None:
    text = run("src", "--statistics").out
    assert "       2  files" in text and "       1  ML101 stateful-reuse" in text
    assert "  stateful, changes-semantics" in text
    counts = json.loads(run("src", "--statistics", "--output-format", "json").out)
    assert (counts["files"], counts["findings"]) == (2, {"ML101": 1})
    assert {"state": "stateful", "verdict": "changes-semantics", "count": 1} in counts["reused"]


def test_a_folder_without_python_is_told(project: Path, run: Callable[..., Done]) -> None:
    (project / "empty").mkdir()
    done = run("empty")
    assert (done.status, done.out) == (0, "")
    assert "no Python files found" in done.err


def test_colour_is_asked_for_or_forbidden_by_the_environment(
    project: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b[" not in run("src", "--output-format", "full").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in run("src", "--output-format", "full").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("src", "--output-format", "full").out


def test_a_notebook_is_linted_cell_by_cell(project: Path, run: Callable[..., Done]) -> None:
    head, _, body = NOISY.partition("\n\n\n")
    cells = [{"cell_type": "code", "source": text} for text in (f"%pip list\n{head}", body)]
    (project / "walk.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    done = run("walk.ipynb")
    assert done.out.startswith("walk.ipynb:cell 2:8:13: error: ML101 ")
    (finding,) = json.loads(run("walk.ipynb", "--output-format", "json").out)
    assert (finding["filename"], finding["cell"], finding["location"]["row"]) == ("walk.ipynb", 2, 8)
    full = run("walk.ipynb", "--output-format", "full").out
    assert "8 |         x = self.bn(x)\n  |             ^^^^^^^^^^" in full


@pytest.mark.parametrize(
    ("prefix", "encoding", "newline", "column"),
    [
        pytest.param("", "utf-8", "\r\n", 13, id="CRLF"),
        pytest.param("\ufeff", "utf-8", "\n", 13, id="a byte order mark"),
        pytest.param("# coding: latin-1\n", "latin-1", "\n", 13, id="a declared encoding"),
        pytest.param("# -*- coding: cp1252 -*-\n", "cp1252", "\r", 13, id="old Mac line ends"),
    ],
)
def test_rows_and_columns_count_code_points_whatever_the_encoding(
    project: Path, run: Callable[..., Done], prefix: str, encoding: str, newline: str, column: int
) -> None:
    source = prefix + NOISY.replace("        x = self.bn(x)\n        return", "        é = self.bn(x)\n        return")
    (project / "src" / "net.py").write_bytes(source.replace("\n", newline).encode(encoding))
    (finding,) = json.loads(run("src/net.py", "--output-format", "json").out)
    row = 12 if "coding" in prefix else 11
    assert finding["location"] == {"row": row, "column": column}
    full = run("src/net.py", "--output-format", "full").out
    assert f"{row} |         é = self.bn(x)\n   |             ^^^^^^^^^^" in full


def test_columns_after_characters_beyond_the_basic_plane_and_tabs(project: Path, run: Callable[..., Done]) -> None:
    source = NOISY.replace("    ", "\t").replace("x = self.bn(x)\n\t\treturn", 'x = "😀", self.bn(x)\n\t\treturn')
    (project / "src" / "net.py").write_text(source, encoding="utf-8")
    (finding,) = json.loads(run("src/net.py", "--output-format", "json").out)
    assert finding["location"] == {"row": 11, "column": 12}
    assert finding["end_location"] == {"row": 11, "column": 22}


@pytest.mark.parametrize("name", ["a b.py", "c:d.py", "é😀.py", "new\nline.py", "-x.py", "100%.py", "#.py", "q'\".py"])
def test_file_names_that_are_hard_to_write_down(project: Path, run: Callable[..., Done], name: str) -> None:
    (project / "src" / "net.py").rename(project / name)
    shown = name.replace("\n", "\\n")
    assert run(".").out == LINE.replace("src/net.py", shown)
    assert f"--> {shown}:11:13\n" in run(".", "--output-format", "full").out
    assert run("--", name).out == run(".").out
    assert len(run(".", "--output-format", "github").out.splitlines()) == 1
    (entry,) = json.loads(run(".", "--output-format", "json").out)
    assert entry["filename"] == name
    (result,) = json.loads(run(".", "--output-format", "sarif").out)["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri) == name and not set(uri) & set(" :#\n")


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_name_that_is_not_text(project: Path, run: Callable[..., Done], name: str) -> None:
    """Where the locale is C, any name beyond ASCII is of this kind."""
    os.rename(project / "src" / "net.py", os.fsencode(project / "src") + b"/n\xe9t.py")
    done = run("src", "--output-format", name)
    assert (done.status, done.err) == (1, "")
    if name == "json":
        assert json.loads(done.out)[0]["filename"] == "src/n\udce9t.py"
    if name == "sarif":
        assert '"uri": "src/n%E9t.py"' in done.out


@pytest.mark.parametrize("name", FORMATS)
def test_names_in_the_source_that_no_encoding_has(project: Path, run: Callable[..., Done], name: str) -> None:
    slot = "nn.ModuleDict({'\\ud800]]>\\x07\\n::error::%0A': nn.BatchNorm2d(8)})"
    source = NOISY.replace("nn.BatchNorm2d(8)", slot).replace("self.bn(x)", "next(iter(self.bn.values()))(x)")
    (project / "src" / "net.py").write_text(source)
    done = run("src", "--output-format", name)
    assert done.status == 1
    assert run("src", "--baseline", "known.json", "--write-baseline").out == ""
    assert run("src", "--baseline", "known.json").status == 0
    match name:
        case "json" | "sarif" | "gitlab" | "rdjson":
            assert "self.bn." in json.dumps(json.loads(done.out))
        case "junit":
            assert "self.bn." in done.out and ElementTree.fromstring(done.out) is not None
        case "github":
            assert "\n::error::" not in done.out
        case _:
            assert "\x07" not in done.out


@pytest.mark.parametrize("name", ["json", "sarif", "gitlab", "rdjson", "junit", "full", "concise"])
def test_json_and_xml_are_utf8_on_a_terminal_that_is_not(project: Path, name: str) -> None:
    (project / "src" / "net.py").rename(project / "src" / "é😀.py")
    command = [sys.executable, "-m", "modlint", "src", "--output-format", name]
    outputs = []
    for _ in range(2):  # the second time from the cache
        old = time.time() - 60
        os.utime(project / "src" / "é😀.py", (old, old))
        environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
        outputs.append(subprocess.run(command, capture_output=True, env=environment, check=False).stdout)
    assert outputs[0] == outputs[1]
    if name in {"full", "concise"}:
        assert "é\\U0001f600.py" in outputs[0].decode("cp1252")
    else:
        text = outputs[0].decode("utf-8")
        assert "é😀.py" in text or "%C3%A9%F0%9F%98%80.py" in text


def test_the_locale_of_c(project: Path) -> None:
    (project / "src" / "net.py").rename(project / "src" / "é.py")
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "modlint", "src"]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert b".py:11:13: error: ML101" in done.stdout


def test_cells_stand_in_their_order_and_keep_their_fingerprints(project: Path, run: Callable[..., Done]) -> None:
    sources = [NOISY.replace("Net", f"Net{number}") for number in range(11)]
    cells = [{"cell_type": "code", "source": source} for source in sources]

    def findings() -> list[tuple[int, str]]:
        (project / "walk.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
        entries = json.loads(run("walk.ipynb", "--output-format", "json").out)
        return [(entry["cell"], entry["fingerprint"]) for entry in entries]

    before = findings()
    assert [cell for cell, _ in before] == list(range(1, 12))
    cells = [{"cell_type": "code", "source": "x = 1"}, *cells]
    assert findings() == [(cell + 1, fingerprint) for cell, fingerprint in before]


def test_the_lines_that_a_message_names_are_those_of_the_cell(project: Path, run: Callable[..., Done]) -> None:
    head, _, body = NOISY.partition("\n\n\n")
    cells = [{"cell_type": "code", "source": text} for text in (head, body)]
    (project / "walk.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    assert "(first at line 7)" in run("walk.ipynb").out


def test_a_fingerprint_stays_when_lines_move_and_siblings_are_renamed(project: Path, run: Callable[..., Done]) -> None:
    net = project / "src" / "net.py"
    two = NOISY.replace("        x = self.bn(x)\n", "        x = self.bn(x)\n        x = self.other(x)\n").replace(
        "        self.bn =", "        self.other = nn.BatchNorm2d(8)\n        self.bn ="
    )

    def fingerprints() -> dict[str, str]:
        entries = json.loads(run("src", "--output-format", "json").out)
        return {entry["module"]["path"]: entry["fingerprint"] for entry in entries}

    net.write_text(two)
    before = fingerprints()
    assert set(before) == {"bn", "other"}
    net.write_text("# moved\n\n" + two.replace("self.other", "self.renamed"))
    assert fingerprints()["bn"] == before["bn"]
    net.write_text(NOISY)
    assert fingerprints() == {"bn": before["bn"]}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["src"], ["rule", "--all"], ["--version"], ["src", "-o", "/dev/full"]])
def test_a_full_disk_is_told_in_one_line(project: Path, arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "modlint", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("cannot write the output: No space left on device\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a group of processes")
@pytest.mark.parametrize("jobs", ["-j1", "-j2"])
def test_an_interrupt_is_no_traceback(project: Path, jobs: str) -> None:
    for number in range(60):
        (project / "src" / f"n{number}.py").write_text(NOISY * 10)
    command = [sys.executable, "-m", "modlint", "src", jobs, "--no-cache"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    time.sleep(0.8)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (out, err.strip()) == (b"", b"")
    assert process.returncode in (130, -signal.SIGINT)  # the latter while Python itself is shutting down
