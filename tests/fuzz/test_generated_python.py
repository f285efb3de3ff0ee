"""Python that nobody wrote: from the grammar, from the tree, and real models with their tokens mixed up."""

from __future__ import annotations

import io
import tokenize

import hypothesmith
from fuzzing import FIXTURES, MODEL, codes, examples, lint_files
from hypothesis import given
from hypothesis import strategies as st

SOURCES = [path.read_text(encoding="utf-8") for path in sorted(FIXTURES.glob("*/*.py"))][2::7]
_WORDS = ("None", "True", "0", "-1", "10**9", "self", "nn", "super", "x", "[]", "{}", "()", "...", "lambda: 0", "''")
_FIXED = frozenset({tokenize.INDENT, tokenize.DEDENT, tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER})


@examples(20)
@given(hypothesmith.from_grammar())
def test_python_from_the_grammar(source: str) -> None:
    assert codes(source.encode("utf-8", "surrogatepass")) <= {"ML901"}


@examples(20)
@given(hypothesmith.from_node())
def test_python_from_the_tree(source: str) -> None:
    assert codes(source.encode("utf-8", "surrogatepass")) <= {"ML901"}


@examples(20)
@given(hypothesmith.from_node())
def test_a_module_that_imports_generated_python(source: str) -> None:
    model = MODEL.replace("import torch\n", "from generated import *\n")
    lint_files({"generated.py": source.encode("utf-8", "surrogatepass"), "net.py": model})


@examples(150)
@given(source=st.sampled_from(SOURCES), data=st.data())
def test_a_model_with_tokens_exchanged(source: str, data: st.DataObject) -> None:
    """Names, numbers and operators are put in the place of others: much of it still parses and means something odd."""
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type not in _FIXED]
    pool = [*_WORDS, *sorted({t.string for t in tokens if t.type in {tokenize.NAME, tokenize.NUMBER}})]
    lines = source.splitlines(keepends=True)
    edits = {}
    for _ in range(data.draw(st.integers(1, 5))):
        token = tokens[data.draw(st.integers(0, len(tokens) - 1))]
        if token.start[0] == token.end[0]:
            edits[token.start] = (token, data.draw(st.sampled_from(pool)))
    for (row, column), (token, text) in sorted(edits.items(), reverse=True):
        line = lines[row - 1]
        lines[row - 1] = line[:column] + text + line[token.end[1] :]
    codes("".join(lines))


@examples(80)
@given(source=st.sampled_from(SOURCES), data=st.data())
def test_a_model_with_lines_moved(source: str, data: st.DataObject) -> None:
    """Lines are dropped, doubled and exchanged with lines of the same indentation."""
    lines = source.splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "swap"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case _:
                indent = len(lines[at]) - len(lines[at].lstrip())
                same = [i for i, line in enumerate(lines) if len(line) - len(line.lstrip()) == indent]
                other = data.draw(st.sampled_from(same))
                lines[at], lines[other] = lines[other], lines[at]
    codes("".join(lines))
