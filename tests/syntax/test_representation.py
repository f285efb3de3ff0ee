"""A representation holds each name and literal once, and is the same bytes however it came about."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from modlint.syntax import ir
from modlint.syntax.source import parse_source

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "modlint" / "interpreter").glob("*.py"))[:12]


@pytest.mark.parametrize("file", [pytest.param(file, id=file.name) for file in SOURCES])
def test_it_is_pickled_as_pickle_does_it(file: Path) -> None:
    parsed = parse_source(file.name, file.read_bytes())
    assert ir.pickled(parsed) == pickle.dumps(parsed, pickle.HIGHEST_PROTOCOL)
    assert pickle.loads(ir.pickled(parsed)) == parsed


def test_the_files_that_were_read_before_change_no_byte_of_it() -> None:
    first, other = (file.read_bytes() for file in SOURCES[:2])
    before = ir.pickled(parse_source("x.py", first))
    parse_source("x.py", other)
    assert ir.pickled(parse_source("x.py", first)) == before


def test_names_and_literals_are_the_same_objects() -> None:
    body = parse_source("x.py", b"some_name.other_name(some_name='a text', other_name=1.5); ('a text', 1.5)\n").body
    call, pair = body[0].value, body[1].value
    assert isinstance(call, ir.Call) and isinstance(call.func, ir.Attr) and isinstance(call.func.value, ir.Name)
    assert call.args[0].keyword is call.func.value.id
    assert call.args[1].keyword is call.func.name
    assert pair.items == (call.args[0].value, call.args[1].value)
    assert all(one is arg.value for one, arg in zip(pair.items, call.args, strict=True))


def test_literals_that_are_equal_but_not_the_same_stay_apart() -> None:
    body = parse_source("x.py", b"(1, 1.0, True, 0x1, '1', b'1', 1j)\n").body
    values = [item.value for item in body[0].value.items]
    assert [type(value) for value in values] == [int, float, bool, int, str, bytes, complex]
