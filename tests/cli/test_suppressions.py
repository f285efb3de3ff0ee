"""Suppressions and the intent mark from end to end, and --add-ignore."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cli.conftest import NOISY, TIED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Done
    from modlint.findings import Finding

SECOND = "        x = self.bn(x)\n        return"


def with_comment(comment: str) -> str:
    return NOISY.replace(SECOND, f"        x = self.bn(x)  {comment}\n        return")


def found(run: Callable[..., Done], *arguments: str) -> list[tuple[str, int]]:
    entries = json.loads(run("src/net.py", "--output-format", "json", *arguments).out)
    return [(entry["code"], entry["location"]["row"]) for entry in entries]


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        pytest.param("# modlint: ignore[ML101] -- tried", [], id="the code"),
        pytest.param("# modlint: ignore", [], id="every rule"),
        pytest.param("# noqa: ML101", [], id="noqa"),
        pytest.param("# noqa", [("ML101", 11)], id="a bare noqa is not for modlint"),
        pytest.param("# modlint: ignore[ML102]", [("ML101", 11), ("ML903", 11)], id="another code is unused"),
        pytest.param("# modlint: ignore[ML101, ML101]", [], id="a code twice"),
        pytest.param("# modlint: ignore[ML777]", [("ML101", 11), ("ML903", 11)], id="no such rule"),
        pytest.param("# modlint: shared -- meant", [("ML101", 11)], id="the mark does not silence state"),
        pytest.param("# modlint: ignore[ML101", [("ML101", 11), ("ML903", 11)], id="a bracket that is not closed"),
        pytest.param("# modlint: ignore[]", [("ML101", 11), ("ML903", 11)], id="no code in the brackets"),
        pytest.param("# modlint: ignore ML102", [("ML101", 11), ("ML903", 11)], id="a code without brackets"),
        pytest.param("# modlint: ignore=ML102", [("ML101", 11), ("ML903", 11)], id="a code after a sign"),
        pytest.param("# MODLINT: ignore[ML101]", [], id="capitals"),
        pytest.param("# modlint: ignore, for now", [], id="a reason after a comma"),
        pytest.param("# modlint: shared: meant", [("ML101", 11)], id="a reason after a colon"),
        pytest.param("# modlint: sharde", [("ML101", 11), ("ML903", 11)], id="no such directive"),
    ],
)
def test_on_the_line(project: Path, run: Callable[..., Done], comment: str, expected: list[tuple[str, int]]) -> None:
    (project / "src" / "net.py").write_text(with_comment(comment))
    assert found(run) == expected


@pytest.mark.parametrize(
    ("code", "told"),
    [
        pytest.param("stateful-reuse", "its code is ML101", id="a slug"),
        pytest.param("ml101", "its code is ML101", id="a small code"),
        pytest.param("ML1", "there is no rule ML1, and a suppression names whole codes", id="the start of a code"),
    ],
)
def test_what_is_wrong_with_a_code_is_told(project: Path, run: Callable[..., Done], code: str, told: str) -> None:
    (project / "src" / "net.py").write_text(with_comment(f"# modlint: ignore[{code}]"))
    assert f"suppresses nothing here ({told})" in run("src").out


def test_above_the_line_and_for_the_file(project: Path, run: Callable[..., Done]) -> None:
    net = project / "src" / "net.py"
    net.write_text(NOISY.replace(SECOND, "        # modlint: ignore[ML101]\n" + SECOND))
    assert found(run) == []
    net.write_text("# modlint: ignore-file[ML101] -- legacy\n" + NOISY)
    assert found(run) == []
    net.write_text("# modlint: ignore-file\n" + NOISY)
    assert found(run) == []
    net.write_text("# modlint: ignore-file[ML201]\n" + NOISY)
    assert found(run) == [("ML903", 1), ("ML101", 12)]


def test_a_suppression_of_a_rule_that_is_off_is_not_called_unused(project: Path, run: Callable[..., Done]) -> None:
    (project / "src" / "net.py").write_text(with_comment("# modlint: ignore[ML101]"))
    assert found(run, "--select", "ML102,ML903") == []
    (project / "src" / "net.py").write_text(with_comment("# modlint: ignore[ML001, ML101]"))
    assert found(run) == []


def test_unused_suppressions_can_be_ignored_too(project: Path, run: Callable[..., Done]) -> None:
    net = project / "src" / "net.py"
    net.write_text(NOISY.replace("import", "x = 1  # modlint: ignore[ML101, ML903]\nimport", 1))
    assert found(run) == [("ML101", 12)]


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param("layer = nn.Linear(8, 8)", id="on the creation"),
        pytest.param("self.layers = nn.Sequential(*[layer] * 3)", id="on the repetition"),
    ],
)
def test_the_intent_mark_makes_sharing_deliberate(project: Path, run: Callable[..., Done], marked: str) -> None:
    net = project / "src" / "net.py"
    net.write_text(TIED)
    assert [code for code, _ in found(run)] == ["ML201"]
    net.write_text(TIED.replace(marked, f"{marked}  # modlint: shared -- tied"))
    assert found(run) == []
    assert [code for code, _ in found(run, "--extend-select", "ML003")] == ["ML003"]


def test_an_intent_mark_where_nothing_is_shared_is_told(project: Path, run: Callable[..., Done]) -> None:
    (project / "src" / "clean.py").unlink()
    unshared = "[nn.Linear(8, 8) for _ in range(3)])  # modlint: shared -- tied"
    (project / "src" / "net.py").write_text(TIED.replace("[layer] * 3)", unshared))
    done = run("src/net.py")
    assert "warning: ML903 '# modlint: shared' is not true (" in done.out


def test_add_ignore_silences_everything_and_stays_used(project: Path, run: Callable[..., Done]) -> None:
    (project / "src" / "tied.py").write_text(TIED)
    assert run("src", "--add-ignore").out == "Added 2 suppressions.\n"
    assert (run("src").status, run("src").out) == (0, "")
    assert "x = self.bn(x)  # modlint: ignore[ML101]\n" in (project / "src" / "net.py").read_text()
    assert run("src", "--add-ignore").out == "Added 0 suppressions.\n"


def test_add_ignore_keeps_encoding_line_ends_and_other_comments(project: Path, run: Callable[..., Done]) -> None:
    source = "# coding: latin-1\n" + with_comment("# é").replace("self.bn(x)  #", "self.bn(x)    #")
    net = project / "src" / "net.py"
    net.write_bytes(source.replace("\n", "\r\n").encode("latin-1"))
    run("src", "--add-ignore")
    assert net.read_bytes().decode("latin-1").split("\r\n")[11] == (
        "        x = self.bn(x)    # é  # modlint: ignore[ML101]"
    )
    assert run("src").status == 0


def test_add_ignore_adds_to_a_directive_that_is_there(project: Path, run: Callable[..., Done]) -> None:
    (project / "src" / "net.py").write_text(with_comment("# modlint: ignore[ML001] -- old"))
    run("src", "--add-ignore")
    assert "# modlint: ignore[ML001, ML101] -- old\n" in (project / "src" / "net.py").read_text()


def test_add_ignore_takes_no_string_for_a_directive(project: Path, run: Callable[..., Done]) -> None:
    line = '        s = "# modlint: ignore[ML102]"; x = self.bn(x)'
    (project / "src" / "net.py").write_text(NOISY.replace(SECOND, f"{line}\n        return"))
    run("src", "--add-ignore")
    assert f"{line}  # modlint: ignore[ML101]\n" in (project / "src" / "net.py").read_text()
    assert run("src").status == 0


def test_add_ignore_in_a_folder_that_is_called_as_a_notebook(project: Path, run: Callable[..., Done]) -> None:
    (project / "walk.ipynb.d").mkdir()
    (project / "walk.ipynb.d" / "net.py").write_text(NOISY)
    assert run("walk.ipynb.d", "--add-ignore").out == "Added 1 suppression.\n"
    assert run("walk.ipynb.d").status == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit to set")
def test_add_ignore_on_a_full_disk_loses_nothing(project: Path) -> None:
    """A limit on the size of files is what stands for it."""
    long = NOISY + "#" * (4096 - len(NOISY) - 5) + "\nend\n"
    (project / "src" / "net.py").write_text(long)
    command = f"trap '' XFSZ; ulimit -f 4; '{sys.executable}' -m modlint src --add-ignore --no-cache"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(["bash", "-c", command], cwd=project, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "Added 0 suppressions.\n")
    assert "src/net.py: cannot add suppressions: File too large" in done.stderr
    assert (project / "src" / "net.py").read_text() == long


def test_add_ignore_finds_room_beside_strings_and_continuations(project: Path, run: Callable[..., Done]) -> None:
    net = project / "src" / "net.py"
    net.write_text(NOISY.replace(SECOND, '        x = self.bn(x); y = """\n"""\n        return'))
    run("src", "--add-ignore")
    assert run("src").status == 0
    assert '        # modlint: ignore[ML101]\n        x = self.bn(x); y = """\n' in net.read_text()
    net.write_text(NOISY.replace(SECOND, "        x = \\\n            self.bn(x)\n        return"))
    run("src", "--add-ignore")
    assert run("src").status == 0


JOINED = """\
        x = self.bn(x) + \\
            self.bn(x) + \\
            x
        x = f(
            \'\'\'
            \'\'\', self.b2(x), \'\'\'
            \'\'\', self.b2(x), \'\'\'
            \'\'\')
        x = self.b3(x); x = (
            self.b3(x)  # why
        )  # noqa: E501
        return x
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_add_ignore_in_the_middle_of_joined_lines(project: Path, run: Callable[..., Done], newline: str) -> None:
    """No comment can stand between lines that strings or backslashes join; it goes above all of them."""
    made = "        self.bn, self.b2, self.b3 = (nn.BatchNorm2d(8) for _ in range(3))\n"
    head = NOISY.partition("        x = self.bn(x)\n")[0].replace("        self.bn = nn.BatchNorm2d(8)\n", made)
    net = project / "src" / "net.py"
    net.write_bytes((head + JOINED).replace("\n", newline).encode())
    before = found(run)
    assert [code for code, _ in before] == ["ML101"] * 3
    run("src", "--add-ignore")
    assert found(run) == []
    text = net.read_bytes().decode()
    lines = text.split(newline)
    assert lines[9:12] == ["        # modlint: ignore[ML101]", *JOINED.split("\n")[:2]]
    assert lines[14] == "            # modlint: ignore[ML101]" and lines[15].strip() == "'''"
    assert "            self.b3(x)  # why  # modlint: ignore[ML101]" in lines
    assert all(line.count("\n") == 0 for line in lines)
    run("src", "--add-ignore")
    assert net.read_bytes().decode() == text


def test_add_ignore_leaves_notebooks_alone_and_says_so(project: Path, run: Callable[..., Done]) -> None:
    cells = [{"cell_type": "code", "source": NOISY}]
    notebook = project / "src" / "walk.ipynb"
    notebook.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    before = notebook.read_bytes()
    done = run("src/walk.ipynb", "--add-ignore")
    assert done.out == "Added 0 suppressions.\n" and "suppressions are not added to notebooks" in done.err
    assert notebook.read_bytes() == before


def test_a_file_that_cannot_be_changed_is_told_and_the_others_are_changed(
    project: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    from modlint.cli import add_ignore

    real = add_ignore._change

    def change(path: str, findings: list[Finding]) -> None:
        if path.endswith("net.py"):
            raise PermissionError(13, "Permission denied", path)
        real(path, findings)

    monkeypatch.setattr(add_ignore, "_change", change)
    (project / "src" / "zoo.py").write_text(NOISY)
    done = run("src", "--add-ignore")
    assert (done.status, done.out) == (2, "Added 1 suppression.\n")
    assert done.err == "modlint: src/net.py: cannot add suppressions: Permission denied\n"
    assert "ignore[ML101]" in (project / "src" / "zoo.py").read_text()
