"""What editors and CI read: `concise` by their own expressions, and the matchers that modlint brings."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Done

ROOT = Path(__file__).parents[2]

# VS Code's built-in `$gcc` (cpptools), the pattern of its problem matcher.
GCC = r"^(.*):(\d+):(\d+):\s+(?:fatal\s+)?(warning|error):\s+(.*)$"
# Emacs, compilation-error-regexp-alist-alist, entry `gnu`, less its groups for programs and ranges, in Python's syntax.
EMACS = r"^((?:[^0-9\n]|[0-9]+[^0-9\n])(?:[^\n :]| [^\n/-]|:[^ \n])*?): ?(\d+)[.:](\d+): *(?:(warning|note)|(error))?"
# Vim's default errorformat holds %f:%l:%c:%m.
VIM = r"^(.+?):(\d+):(\d+):(.*)$"

READ_WITH_NODE = """
const {regexps, text} = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const lines = text.split('\\n').filter(line => line);
const match = (regexp, line) => { const m = new RegExp(regexp).exec(line); return m && [...m]; };
console.log(JSON.stringify(regexps.map(regexp => lines.map(line => match(regexp, line)))));
"""


@pytest.fixture
def output(project: Path, run: Callable[..., Done]) -> str:
    """Real output with an error, a warning and a note, and a file name with a space and a letter beyond ASCII."""
    (project / "src" / "net.py").rename(project / "src" / "my nét.py")
    source = "import torch.nn as nn\n\nx = 1  # modlint: ignore[ML101]\n"
    (project / "src" / "odd.py").write_text(source)
    text = run("src", "--extend-select", "ML001", "--output-format", "concise").out
    assert sorted(line.split(": ")[1] for line in text.splitlines()) == ["error", "note", "warning"]
    return text


def in_node(regexps: list[str], text: str) -> list[list[list[str] | None]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("these expressions are run by Node, and there is none here")
    asked = json.dumps({"regexps": regexps, "text": text})
    done = subprocess.run([node, "-e", READ_WITH_NODE], input=asked, capture_output=True, text=True, check=True)
    answer: list[list[list[str] | None]] = json.loads(done.stdout)
    return answer


def test_vs_code_s_gcc_matcher_reads_errors_and_warnings(output: str) -> None:
    (matches,) = in_node([GCC], output)
    read = [match[1:] for match in matches if match is not None]
    assert [(file, line, column, severity) for file, line, column, severity, _ in read] == [
        ("src/my nét.py", "11", "13", "error"),
        ("src/odd.py", "3", "8", "warning"),
    ]
    assert read[0][4].startswith("ML101 BatchNorm2d 'self.bn' runs 2 times")


def matcher_of_readme() -> dict[str, Any]:
    """The `problemMatcher` of the README's tasks.json."""
    (snippet,) = re.findall(
        r"```jsonc?\n(\{[^`]*?\"problemMatcher\"[^`]*?)```", (ROOT / "README.md").read_text("utf-8")
    )
    (task,) = json.loads(snippet)["tasks"]
    found: dict[str, Any] = task["problemMatcher"]
    return found


@pytest.mark.parametrize("where", ["GitHub Actions", "VS Code"])
def test_modlint_s_own_matchers_read_every_line(output: str, where: str) -> None:
    if where == "VS Code":
        pattern = matcher_of_readme()["pattern"]
    else:
        (matcher,) = json.loads((ROOT / ".github" / "modlint-matcher.json").read_text())["problemMatcher"]
        (pattern,) = matcher["pattern"]
    (matches,) = in_node([pattern["regexp"]], output)
    names = ("file", "line", "column", "severity", "code")
    read = [tuple(match[pattern[name]] for name in names) for match in matches if match is not None]
    assert read == [
        ("src/clean.py", "10", "16", "note", "ML001"),
        ("src/my nét.py", "11", "13", "error", "ML101"),
        ("src/odd.py", "3", "8", "warning", "ML903"),
    ]


@pytest.mark.parametrize(("name", "pattern"), [("Vim", VIM), ("Emacs", EMACS)])
def test_vim_and_emacs_find_the_place(output: str, name: str, pattern: str) -> None:
    read = [match.groups()[:3] for line in output.splitlines() if (match := re.match(pattern, line))]
    assert read == [("src/clean.py", "10", "16"), ("src/my nét.py", "11", "13"), ("src/odd.py", "3", "8")]


def test_the_text_of_full_is_no_match_by_mistake(project: Path, run: Callable[..., Done]) -> None:
    matcher = json.loads((ROOT / ".github" / "modlint-matcher.json").read_text())["problemMatcher"][0]
    text = run("src", "--output-format", "full").out
    (matches,) = in_node([matcher["pattern"][0]["regexp"]], text)
    assert matches == [None] * len(matches)
