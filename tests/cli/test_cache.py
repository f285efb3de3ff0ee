"""The cache: the same output with and without it, whatever has happened to it, and no heavy import on a warm run."""

from __future__ import annotations

import os
import pickle
import sqlite3
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from cli.conftest import NOISY, SILENT, TIED
from cli.test_app import imported_by
from modlint import analysis, cache
from modlint.cache import Cache, loads, run_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Done

HEAVY = {"libcst", "networkx", "torch", "numpy"}


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take files as old enough to be trusted at once."""
    monkeypatch.setattr(cache, "_RACY_NS", -1)


def database(project: Path) -> Path:
    (file,) = (project / ".modlint_cache").glob("*.sqlite3")
    return file


def counted(project: Path) -> dict[str, int]:
    with sqlite3.connect(database(project)) as connection:
        kinds = dict(connection.execute("SELECT kind, COUNT(*) FROM rows GROUP BY kind"))
        kinds["run"] = connection.execute("SELECT COUNT(*) FROM runs").fetchone()[0]
    return kinds


def test_the_folder_is_marked_for_git_and_backup_programs(project: Path, run: Callable[..., Done]) -> None:
    run("src")
    assert (project / ".modlint_cache" / ".gitignore").read_text().endswith("*\n")
    assert (project / ".modlint_cache" / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172")


@pytest.mark.usefixtures("settled")
def test_a_second_run_is_replayed_until_a_file_changes(project: Path, run: Callable[..., Done]) -> None:
    first = run("src")
    assert counted(project)["run"] == 1
    second = run("src")
    assert (second.status, second.out) == (first.status, first.out)
    (project / "src" / "net.py").write_text(SILENT)
    assert run("src").out == ""
    (project / "src" / "new.py").write_text(NOISY)
    assert run("src").out.startswith("src/new.py:11")
    (project / "src" / "new.py").unlink()
    assert run("src").out == ""
    (project / ".gitignore").write_text("")
    (project / "src" / "net.py").write_text(NOISY)
    assert run("src").out == first.out
    (project / "pyproject.toml").write_text('[tool.modlint]\nignore = ["ML101"]\n')
    assert run("src").out == ""


@pytest.mark.usefixtures("settled")
def test_a_replay_is_what_was_printed(project: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run("src")
    from modlint.cli import check

    monkeypatch.setattr(check, "_run", None)
    assert (run("src").out, run("src").status) == (expected.out, expected.status)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "TypeError" in run("src").err  # another environment is another run


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("name", ["pyproject.toml", "src/pyproject.toml", "../pyproject.toml"])
def test_a_configuration_that_comes_is_read(project: Path, run: Callable[..., Done], name: str) -> None:
    """Whether one is there already that has no section, or none at all."""
    for text in ("", "[project]\n", None):
        (project / "pyproject.toml").unlink(missing_ok=True)
        if text is not None:
            (project / name).write_text(text)
        for _ in range(2):
            assert run("src/net.py").status == 1
        (project / name).write_text('[tool.modlint]\nignore = ["ML101"]\n')
        assert run("src/net.py").status == 0
        (project / name).unlink()
        assert run("src/net.py").status == 1


def test_a_young_file_is_not_trusted(project: Path, run: Callable[..., Done]) -> None:
    run("src")
    assert counted(project)["run"] == 0
    assert "seen" not in counted(project)


def test_a_warm_run_imports_nothing_heavy(project: Path) -> None:
    for name in ("net.py", "clean.py"):
        old = time.time() - 60
        os.utime(project / "src" / name, (old, old))
    cold = imported_by("src", cwd=project)
    assert "libcst" in cold and "torch" not in cold and "networkx" not in cold
    warm = imported_by("src", cwd=project)
    assert not HEAVY & warm
    assert "sqlite3" in warm


def test_a_replay_does_not_even_import_click(project: Path, run: Callable[..., Done]) -> None:
    run("src")
    time.sleep(2.1)  # younger files are not trusted
    imported_by("src", cwd=project)
    again = imported_by("src", cwd=project)
    assert not {*HEAVY, "click", "dataclasses", "json"} & again


def test_one_changed_file_is_read_anew_and_the_others_are_not(
    project: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("src")
    parsed = []
    from modlint.syntax import source

    real = source.parse_source
    monkeypatch.setattr(source, "parse_source", lambda path, data: parsed.append(path) or real(path, data))
    (project / "src" / "net.py").write_text(NOISY + "\n")
    run("src")
    assert parsed == ["src/net.py"]


def test_a_comment_in_an_imported_file_changes_nothing_for_those_that_import_it(
    project: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    norm = "import torch.nn as nn\n\n\ndef norm():\n    return nn.BatchNorm2d(8)\n"
    (project / "src" / "__init__.py").touch()
    (project / "src" / "parts.py").write_text(norm)
    (project / "src" / "user.py").write_text(
        NOISY.replace("nn.BatchNorm2d(8)", "norm()") + "\n\nfrom .parts import norm\n"
    )
    before = run("src").out
    judged = []
    real = analysis.Analyst.analyse
    monkeypatch.setattr(analysis.Analyst, "analyse", lambda self, file: judged.append(file) or real(self, file))
    (project / "src" / "parts.py").write_text("# Norms.\n\n" + norm.replace("(8)", "( 8 )  # of eight"))
    assert run("src").out == before
    assert judged == []
    (project / "src" / "parts.py").write_text(norm.replace("(8)", "(16)"))
    run("src")
    assert judged == ["src/parts.py", "src/user.py"]


def test_findings_depend_on_imported_files(project: Path, run: Callable[..., Done]) -> None:
    (project / "src" / "net.py").write_text(
        "import torch.nn as nn\nfrom .parts import norm\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.n = norm()\n\n    def forward(self, x):\n        x = self.n(x)\n"
        "        return self.n(x)\n"
    )
    (project / "src" / "__init__.py").touch()
    parts = project / "src" / "parts.py"
    parts.write_text("import torch.nn as nn\n\n\ndef norm():\n    return nn.BatchNorm2d(8)\n")
    assert "ML101" in run("src/net.py").out
    parts.write_text("import torch.nn as nn\n\n\ndef norm():\n    return nn.Identity()\n")
    assert run("src/net.py").out == ""
    parts.write_text("import torch.nn as nn\n\n\ndef norm():\n    return nn.BatchNorm2d(8)\n")
    assert "ML101" in run("src/net.py").out
    parts.unlink()
    assert run("src/net.py").out == ""


def corrupt(file: Path) -> None:
    data = bytearray(file.read_bytes())
    for at in range(100, len(data), 97):
        data[at] ^= 0x5A
    file.write_bytes(data)


def other_program(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE rows(a)")
        connection.execute("CREATE TABLE runs(a)")


def flip_values(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE rows SET value = CAST('damaged' AS BLOB)")
        connection.execute("UPDATE runs SET output = CAST('damaged' AS BLOB)")


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(corrupt, id="flipped bytes"),
        pytest.param(lambda file: file.write_bytes(b"not a database, this is"), id="not a database"),
        pytest.param(lambda file: file.write_bytes(b""), id="an empty file"),
        pytest.param(lambda file: file.write_bytes(file.read_bytes()[:5000]), id="cut off"),
        pytest.param(other_program, id="the tables of another program"),
        pytest.param(flip_values, id="values that do not fit their checksums"),
        pytest.param(lambda file: (file.unlink(), file.mkdir()), id="a folder in its place"),
    ],
)
def test_harm_to_the_cache_is_survived(project: Path, run: Callable[..., Done], harm: Callable[[Path], object]) -> None:
    expected = run("src")
    harm(database(project))
    for _ in range(3):
        done = run("src")
        assert (done.status, done.out, done.err) == (expected.status, expected.out, "")


def test_a_cache_that_cannot_be_written_is_done_without(project: Path, run: Callable[..., Done]) -> None:
    (project / ".modlint_cache").write_text("a file where the folder should be")
    assert run("src").status == 1


def test_a_locked_cache_is_done_without(
    project: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run("src").out
    monkeypatch.setattr(cache, "_BUSY_SECONDS", 0.05)
    lock = sqlite3.connect(database(project), isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        assert run("src").out == expected
    finally:
        lock.close()


def test_several_processes_share_a_cache(project: Path) -> None:
    command = [sys.executable, "-m", "modlint", "src", "-j1"]
    outputs: list[str] = []

    def work() -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        outputs.append(done.out if hasattr(done, "out") else done.stdout + done.stderr)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(outputs)) == 1 and "ML101" in outputs[0]


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, ("touch pwned",))


def test_a_stranger_s_cache_cannot_run_code(project: Path) -> None:
    assert loads(pickle.dumps(Evil())) is None
    assert loads(b"\x80\x04\x8c\x0dmodlint.cache\x8c\tos.system\x93\x8c\x0btouch pwned\x85R.") is None
    assert loads(b"garbage") is None
    assert loads(pickle.dumps({"a": (1, frozenset({2}))})) == {"a": (1, frozenset({2}))}
    assert not (project / "pwned").exists()


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    ("module", "file"),
    [
        pytest.param("parts", "src/parts.py", id="a file beside it"),
        pytest.param("parts", "src/parts/__init__.py", id="a package beside it"),
        pytest.param("parts", "parts.py", id="a file above it"),
        pytest.param("kit.parts", "src/kit/parts.py", id="a file in a package that is there"),
        pytest.param("kit.parts", "src/kit/parts/__init__.py", id="a package in one that is there"),
        pytest.param("kit.parts", "../other/kit/parts.py", id="a file along the search path"),
    ],
)
def test_a_module_that_was_not_there_and_comes(project: Path, run: Callable[..., Done], module: str, file: str) -> None:
    """Where no mark of a project says which files there are, and beyond the project."""
    (project / "pyproject.toml").unlink()
    (project / "src" / "kit").mkdir()
    (project / "src" / "kit" / "__init__.py").write_text("")
    if file.startswith(".."):
        (project / "pyproject.toml").write_text('[tool.modlint]\nsearch-path = ["../other"]\n')
        (project / "src" / "kit" / "__init__.py").unlink()
    using = NOISY.replace("nn.BatchNorm2d(8)", "norm()")
    (project / "src" / "net.py").write_text(f"from {module} import norm\n{using}")
    for _ in range(2):
        assert run("src/net.py").out == ""
    (project / file).parent.mkdir(parents=True, exist_ok=True)
    (project / file).write_text("import torch.nn as nn\n\n\ndef norm():\n    return nn.BatchNorm2d(8)\n")
    assert run("src/net.py").out.startswith("src/net.py:12:13: error: ML101")


@pytest.mark.usefixtures("settled")
def test_few_runs_are_kept(project: Path, run: Callable[..., Done]) -> None:
    store = Cache(str(project / ".modlint_cache"))
    for number in range(40):
        store.record(run_key([str(number)]), [str(project / "src" / "net.py")], 0, b"")
    store.close()
    assert counted(project)["run"] <= 17


def test_no_cache_leaves_nothing_behind(project: Path, run: Callable[..., Done]) -> None:
    run("src", "--no-cache")
    assert not (project / ".modlint_cache").exists()
    run("src", "--cache-dir", "elsewhere")
    assert (project / "elsewhere").is_dir() and not (project / ".modlint_cache").exists()


def test_output_is_the_same_for_any_number_of_processes_order_and_seed(project: Path) -> None:
    for number in range(6):
        (project / "src" / f"noisy{number}.py").write_text(NOISY)
        (project / "src" / f"tied{number}.py").write_text(TIED)
    outputs = set()
    for seed, arguments in enumerate((["src", "-j1"], ["src", "-j2", "--no-cache"], ["src", "-j3"], ["src", "-j2"])):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        command = [sys.executable, "-m", "modlint", *arguments, "--output-format", "json"]
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
        assert done.stderr == b""
        outputs.add(done.stdout)
    files = sorted((str(p.relative_to(project)) for p in (project / "src").glob("*.py")), reverse=True)
    command = [sys.executable, "-m", "modlint", *files, "--no-cache", "--output-format", "json"]
    outputs.add(subprocess.run(command, capture_output=True, check=False).stdout)
    assert len(outputs) == 1


def test_a_cache_in_a_folder_that_holds_other_things(project: Path, run: Callable[..., Done]) -> None:
    """Neither is the folder hidden from git, nor does `clean` take more from it than the cache."""
    before = sorted(path.name for path in project.iterdir())
    assert run("src", "--cache-dir", ".").status == 1
    assert sorted(path.name for path in project.iterdir()) == sorted([*before, "cache-1.sqlite3"])
    assert run("clean", "--cache-dir", ".").err == f"Removed {project}\n"
    assert sorted(path.name for path in project.iterdir()) == before
    assert run("clean", "--cache-dir", ".").err == ""


def test_clean_leaves_the_caches_of_others(project: Path, run: Callable[..., Done]) -> None:
    (project / "other").mkdir()
    (project / "other" / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
    (project / "other" / "rows").write_text("")
    run("clean", "--cache-dir", "other")
    assert sorted(path.name for path in (project / "other").iterdir()) == ["CACHEDIR.TAG", "rows"]
