"""Files that are cut, scrambled or no text at all: at worst ML901, and the files beside them are still linted."""

from __future__ import annotations

import codecs

import pytest
from fuzzing import FINDING, FIXTURES, MODEL, compiles, examples, lint_files, lint_text
from hypothesis import example, given
from hypothesis import strategies as st

SOURCES = [path.read_bytes() for path in sorted(FIXTURES.glob("*/*.py"))][::5]
sources = st.sampled_from(SOURCES)


def check_damaged(data: bytes) -> None:
    """Readable for Python means readable for modlint; of what neither reads, only comments can be wrong besides.

    But libcst reads no backslash at the end of a file, which Python takes before a carriage return.
    """
    found = {code for code, _ in lint_text(data)}
    if compiles(data):
        assert "ML901" not in found or data.rstrip().endswith(b"\\")
    elif "ML901" in found:
        assert found <= {"ML901", "ML903"}


@examples(80)
@given(source=sources, share=st.floats(0, 1))
def test_a_file_cut_at_any_byte(source: bytes, share: float) -> None:
    check_damaged(source[: int(len(source) * share)])


@examples(60)
@given(source=sources, start=st.floats(0, 1), length=st.integers(1, 200))
def test_a_file_with_a_hole(source: bytes, start: float, length: int) -> None:
    at = int(len(source) * start)
    check_damaged(source[:at] + source[at + length :])


@examples(60)
@given(source=sources, other=sources, start=st.floats(0, 1), end=st.floats(0, 1))
def test_the_head_of_one_file_and_the_tail_of_another(source: bytes, other: bytes, start: float, end: float) -> None:
    check_damaged(source[: int(len(source) * start)] + other[int(len(other) * end) :])


@examples(60)
@given(source=sources, data=st.data())
def test_a_file_with_bytes_overwritten(source: bytes, data: st.DataObject) -> None:
    damaged = bytearray(source)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    check_damaged(bytes(damaged))


@examples(100)
@given(st.binary(max_size=300))
@example(b"")
@example(b"\0")
@example(b"x = 1\0\n")
@example(b"\xff\xfe")
@example(b"\r")
@example(b"\x0c")
@example(b"\\")
@example(b"\\\n")
@example(b"\t\n \n")
@example(b"'\\")
@example(b"#")
@example(b"# modlint: ignore[")
@example(b"# modlint: shared")
def test_random_bytes(data: bytes) -> None:
    check_damaged(data)


@examples(60)
@given(st.text(alphabet=" \t\n\r()[]{}:.,=*@+-'\"\\#fxN0", max_size=60))
def test_random_punctuation(text: str) -> None:
    check_damaged(text.encode())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(codecs.BOM_UTF8 + MODEL.encode(), id="a byte order mark"),
        pytest.param(MODEL.replace("\n", "\r\n").encode(), id="carriage returns and line feeds"),
        pytest.param(MODEL.replace("\n", "\r").encode(), id="carriage returns alone"),
        pytest.param(MODEL.replace("    ", "\t").encode(), id="tabs"),
        pytest.param(MODEL.rstrip("\n").encode(), id="no newline at the end"),
        pytest.param(MODEL.replace("import torch\n", "# -*- coding: latin-1 -*-\n").encode("latin-1"), id="latin-1"),
        pytest.param(MODEL.replace("import torch\n", "# coding: utf-8-sig\n").encode(), id="utf-8-sig by name"),
        pytest.param(MODEL.replace("import torch\n", "s = '\\ud800'\n").encode(), id="a lone surrogate in a string"),
        pytest.param(MODEL.replace("import torch\n", "s = '\\d'\n").encode(), id="an invalid escape"),
        pytest.param(MODEL.replace("import torch\n", "s = '\\N{BULLET}'\n").encode(), id="a character by name"),
        pytest.param(MODEL.replace("import torch\n", "n = 1e999, 0xff, 1_0, 1j\n").encode(), id="odd numbers"),
        pytest.param(MODEL.replace("import torch\n", "\x0c\n").encode(), id="a form feed"),
        pytest.param(MODEL.replace("import torch\n", "x = 1 if 1else 2\n").encode(), id="a number glued to a keyword"),
        pytest.param(MODEL.replace("Net", "Nét").encode(), id="an identifier that is not ASCII"),
    ],
)
def test_what_python_reads_is_linted(data: bytes) -> None:
    assert lint_text(data) == [FINDING]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(MODEL.encode("utf-16"), id="utf-16"),
        pytest.param(MODEL.encode() + b"\0", id="a NUL byte at the end"),
        pytest.param(b"# coding: klingon\n" + MODEL.encode(), id="an unknown encoding"),
        pytest.param(b"# coding: rot13\n" + MODEL.encode(), id="an encoding that is not of text"),
        pytest.param(b"# \xff\n" + MODEL.encode(), id="a byte that is not UTF-8"),
        pytest.param(b"x = 1  # modlint: ignore[ML101] \xff\n" + MODEL.encode(), id="such a byte beside a suppression"),
        pytest.param(b"\n\n# \xff\nx = " + b"[" * 300 + MODEL.encode(), id="such a byte above many brackets"),
        pytest.param(b"\n\n# \xff\nx = " + b"1 + " * 9000 + b"1\n" + MODEL.encode(), id="such a byte above a long sum"),
        pytest.param(MODEL.encode() + b"(", id="an open bracket"),
        pytest.param(MODEL.encode() + b"  return\n return\n", id="an indentation that fits nowhere"),
        pytest.param(b"print 'python 2'\n" + MODEL.encode(), id="python 2"),
        pytest.param(b"<<<<<<< HEAD\n" + MODEL.encode(), id="a merge conflict"),
    ],
)
def test_what_cannot_be_read_is_ml901_and_the_other_file_is_linted(data: bytes) -> None:
    found = lint_files({"broken.py": data, "whole.py": MODEL})
    assert [(f.location.filename, f.code) for f in found] == [("broken.py", "ML901"), ("whole.py", "ML101")]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"def (", id="a syntax error"),
        pytest.param(b"\0", id="a NUL byte"),
        pytest.param(b"\xff", id="a byte that is not UTF-8"),
    ],
)
def test_an_import_from_an_unreadable_file_is_unknown(broken: bytes) -> None:
    model = MODEL.replace("import torch\n", "from layers import *\n").replace("nn.Conv2d", "Unreadable")
    found = lint_files({"layers.py": broken, "net.py": model})
    assert [(f.location.filename, f.code) for f in found] == [("layers.py", "ML901"), ("net.py", "ML101")]
