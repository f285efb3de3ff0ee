"""Which functions count as having no effect: a decorator is run for every class of a package."""

from __future__ import annotations

from pathlib import Path

import pytest

from modlint.catalogue import Catalogue
from modlint.interpreter import reach
from modlint.interpreter.interpreter import Interpreter
from modlint.interpreter.scope import load
from modlint.interpreter.values import FuncV
from modlint.syntax.source import parse_source
from modlint.syntax.tree import SourceTree

DECORATOR = """
import inspect
import logging
import re

logger = logging.getLogger(__name__)
TEXT = "{name} of {place}"
KNOWN = {}

def documented(cls):
    lines = (cls.__doc__ or "").splitlines()
    LINE
    cls.__doc__ = "\\n".join(lines)
    return cls
"""


@pytest.mark.parametrize(
    ("line", "skipped"),
    [
        ("lines.append(TEXT.format(name=cls.__name__, place=inspect.getfile(cls)))", True),
        ("lines = [re.sub('a', 'b', line).strip() for line in lines]", True),
        ("logger.warning('no text: %s', cls)", True),
        ("KNOWN[cls.__name__] = cls", False),
        ("cls.norm = None", False),
    ],
)
def test_a_decorator_that_writes_texts_alone_has_no_effect(line: str, skipped: bool, tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(DECORATOR.replace("LINE", line))
    tree = SourceTree(lambda path: parse_source(path, Path(path).read_bytes()) if path == str(file) else None)
    m = Interpreter(tree, Catalogue.load())
    module = load(m, str(file))
    assert module is not None
    function = module.cells["documented"]
    assert isinstance(function, FuncV)
    effects = reach.of(m, function)
    assert (effects.why_not == "" and effects.returns == "cls") is skipped, effects.why_not
