"""Notebooks: the joined source, and the way back to cells."""

from __future__ import annotations

import json

import pytest

from modlint.errors import ModlintError
from modlint.graph import Location
from modlint.syntax.notebooks import read_notebook


def notebook(*cells: object, language: str = "python") -> bytes:
    made = [{"cell_type": "markdown", "source": "# no"}]
    made += [{"cell_type": "code", "source": cell} for cell in cells]
    return json.dumps({"cells": made, "metadata": {"language_info": {"name": language}}, "nbformat": 4}).encode()


def test_code_cells_are_one_module_and_rows_lead_back_to_cells() -> None:
    read = read_notebook("n.ipynb", notebook(["import torch\n", "x = 1"], "y = 2\n", ["z = '😀'"]))
    assert read.source.decode() == "import torch\nx = 1\ny = 2\nz = '😀'\n"
    assert read.cells == ((2, 1), (3, 3), (4, 4))
    assert read.located(Location("n.ipynb", 2, 1, 2, 2)) == Location("n.ipynb:cell 2", 2, 1, 2, 2)
    assert read.located(Location("n.ipynb", 4, 5, 4, 6)) == Location("n.ipynb:cell 4", 1, 5, 1, 6)
    assert read.lines(2) == ["import torch", "x = 1"] and read.lines(4) == ["z = '😀'"] and read.lines(9) == []


@pytest.mark.parametrize(
    ("cell", "source"),
    [
        pytest.param("%matplotlib inline\nx = 1", "pass\nx = 1\n", id="a line magic"),
        pytest.param("if x:\n    !ls\n", "if x:\n    pass\n", id="a shell line inside of a block"),
        pytest.param("%%bash\nls (\n", "\n\n", id="a cell of another language keeps its rows"),
        pytest.param("%%time\nx = 1", "pass\nx = 1\n", id="a cell magic over Python"),
        pytest.param("net?", "pass\n", id="help"),
        pytest.param("net.fc?  ", "pass\n", id="help with room after it"),
        pytest.param("files = !ls", "files = get_ipython()\n", id="what a shell line gives"),
        pytest.param("if x:\n  y = %time f()", "if x:\n  y = get_ipython()\n", id="what a magic gives, in a block"),
        pytest.param("!ls \\\n  -l\nx = 1", "pass\n\nx = 1\n", id="a shell line in two parts"),
        pytest.param("/f a", "pass\n", id="a call without brackets"),
        pytest.param("pip install x", "pass\n", id="a magic without its sign"),
        pytest.param("ls if x else y", "ls if x else y\n", id="a name that is a magic elsewhere"),
        pytest.param("x = (1\n  % 2)", "x = (1\n  % 2)\n", id="an operator within brackets"),
        pytest.param("x = 1 \\\n  % 2", "x = 1 \\\n  % 2\n", id="an operator after a backslash"),
        pytest.param("x = '''(\n!ls\n'''\n!ls", "x = '''(\n!ls\n'''\npass\n", id="text in a string"),
        pytest.param("x = 'it\\'s (' # [\n!ls", "x = 'it\\'s (' # [\npass\n", id="brackets in a string and a comment"),
        pytest.param("d['=%s'] = 3", "d['=%s'] = 3\n", id="a percent sign in a key"),
        pytest.param("x = '\ud800'", "x = '?'\n", id="a lone surrogate"),
        pytest.param("x = 'why?'", "x = 'why?'\n", id="a question in a string that ends in a quote"),
    ],
)
def test_magic_is_blanked(cell: str, source: str) -> None:
    assert read_notebook("n.ipynb", notebook(cell)).source.decode() == source


def test_a_notebook_of_another_language_has_no_python() -> None:
    assert read_notebook("n.ipynb", notebook("x <- 1", language="R")).source == b""
    document = json.loads(notebook("x <- 1"))
    document["metadata"] = {"kernelspec": {"language": "R"}}
    assert read_notebook("n.ipynb", json.dumps(document).encode()).source == b""


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"cells": 3}', b"\xff"], ids=repr)
def test_what_is_no_notebook_is_told(data: bytes) -> None:
    with pytest.raises(ModlintError, match=r"n\.ipynb: is not a notebook"):
        read_notebook("n.ipynb", data)
