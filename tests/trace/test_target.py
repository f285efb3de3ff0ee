"""Targets: what NAME may be, how files are imported, what is said when it goes wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from torch import nn

from modlint.errors import ModlintError
from modlint.trace.target import load
from modlint.trace.users import UserCodeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOURCE = """
class Net(nn.Module):
    class Inner(nn.Module):
        def __init__(self, width=3):
            super().__init__()
            self.fc = nn.Linear(width, width)

    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, width)

def factory(width=5):
    return Net(width)

def number():
    return 3

instance = Net(7)
text = "no model"
"""


@pytest.mark.parametrize(
    ("name", "init", "width"),
    [
        pytest.param("Net", {"width": 2}, 2, id="a class with --init"),
        pytest.param("factory", {}, 5, id="a factory"),
        pytest.param("factory", {"width": 6}, 6, id="a factory with --init"),
        pytest.param("instance", {}, 7, id="an instance"),
        pytest.param("Net.Inner", {}, 3, id="a nested class"),
    ],
)
def test_a_target_is_built(write: Callable[..., Path], name: str, init: dict[str, int], width: int) -> None:
    model = load(f"{write(SOURCE)}:{name}", init).model
    assert model.fc.in_features == width


@pytest.mark.parametrize(
    ("name", "init", "says"),
    [
        pytest.param("Net", {}, r"without width; give them with --init '{\"width\": ...}'", id="lacks an argument"),
        pytest.param("Nett", {}, "has no 'Nett'; did you mean Net", id="a name that is not there"),
        pytest.param("Xyzzy", {}, "it defines Net", id="a name like no other"),
        pytest.param("number", {}, "returned an int, not an nn.Module", id="a factory of something else"),
        pytest.param("text", {}, "is a str; a target is", id="no model at all"),
        pytest.param("instance", {"width": 1}, "is an instance already", id="arguments for an instance"),
    ],
)
def test_a_wrong_target_is_an_error_that_helps(
    write: Callable[..., Path], name: str, init: dict[str, int], says: str
) -> None:
    with pytest.raises(ModlintError, match=re.escape(says.replace('\\"', '"'))):
        load(f"{write(SOURCE)}:{name}", init)


@pytest.mark.parametrize("spec", ["net.py", "net.py:", ":Net", "nowhere.py:Net"])
def test_what_is_no_target_says_how_one_is_written(spec: str) -> None:
    with pytest.raises(ModlintError, match=r"package.module:NAME|no such file"):
        load(spec)


def test_a_class_nested_in_a_package_with_relative_imports(tmp_path: Path, write: Callable[..., Path]) -> None:
    write("", "pack/__init__.py")
    write("", "pack/models/__init__.py")
    write("class Norm(nn.BatchNorm2d):\n    pass\n", "pack/layers.py")
    file = write(
        """
        from ..layers import Norm

        class Net(nn.Sequential):
            def __init__(self):
                super().__init__(Norm(3))
        """,
        "pack/models/net.py",
    )
    model = load(f"{file}:Net").model
    assert type(model[0]).__module__ == "pack.layers"


def test_a_file_whose_name_another_module_bears(write: Callable[..., Path]) -> None:
    file = write("class Net(nn.Module):\n    pass\n", "types.py")
    assert isinstance(load(f"{file}:Net").model, nn.Module)


def test_a_dotted_target(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("class Net(nn.Module):\n    pass\n", "spam/eggs.py")
    monkeypatch.chdir(file.parent.parent)
    assert type(load("spam.eggs:Net").model).__name__ == "Net"


def test_an_exception_shows_the_users_lines_and_no_others(write: Callable[..., Path]) -> None:
    file = write(
        """
        def helper():
            raise KeyError("weights")

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                helper()
        """
    )
    with pytest.raises(UserCodeError) as caught:
        load(f"{file}:Net")
    assert "raised KeyError: 'weights'" in caught.value.message
    assert "helper()" in caught.value.message
    assert (caught.value.line, "site-packages" in caught.value.message) == (8, False)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        pytest.param("def (", "SyntaxError", id="a syntax error"),
        pytest.param("import nowhere_to_be_found", "No module named", id="a missing import"),
        pytest.param("raise SystemExit(3)", "SystemExit: 3", id="an exit"),
    ],
)
def test_a_file_that_cannot_be_imported(write: Callable[..., Path], source: str, says: str) -> None:
    with pytest.raises(UserCodeError, match=says):
        load(f"{write(source)}:Net")


def test_the_places_of_creation_and_of_every_slot(write: Callable[..., Path]) -> None:
    file = write(
        """
        class Block(nn.Module):
            def __init__(self, act):
                super().__init__()
                self.act = act

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                act = nn.PReLU()
                self.block = Block(act)
        """
    )
    target = load(f"{file}:Net")
    births, model = target.births, target.model
    lines = file.read_text().splitlines()
    created, placed = births.creation(model.block.act), births.placement(model.block, "act")
    assert created is not None and placed is not None
    assert lines[created.row - 1][created.column - 1 : created.end_column - 1] == "nn.PReLU()"
    assert lines[placed.row - 1][placed.column - 1 : placed.end_column - 1] == "Block(act)"


def test_a_name_that_a_package_fails_to_import_when_asked_is_an_error(write: Callable[..., Path]) -> None:
    file = write("def __getattr__(name):\n    raise ModuleNotFoundError(f'no requirements for {name}')\n")
    with pytest.raises(ModlintError, match=r"looking up Net in .*net.py raised ModuleNotFoundError: no requirements"):
        load(f"{file}:Net")
