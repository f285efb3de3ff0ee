"""Which files a run over some paths lints."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modlint.config import Config
from modlint.errors import ModlintError
from modlint.syntax.files import find

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        *(
            "net.py",
            "note.ipynb",
            "readme.md",
            "stub.pyi",
            "build/gen.py",
            "venv/lib/x.py",
            "src/a.py",
            "src/deep/b.py",
        ),
        *("src/deep/b_test.py", ".git/hook.py", "out/c.py", "out/keep.py"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(tree: Path, config: Config, *paths: str) -> list[str]:
    found = find([str(tree / path) for path in paths or (".",)], replace(config, root=str(tree)))
    return [file[len(str(tree)) + 1 :] for file in found.files]


EVERYTHING = [
    "build/gen.py",
    "net.py",
    "note.ipynb",
    "out/c.py",
    "out/keep.py",
    "src/a.py",
    "src/deep/b.py",
    "src/deep/b_test.py",
]


def test_python_files_and_notebooks_outside_of_the_usual_folders(tree: Path) -> None:
    assert names(tree, Config()) == EVERYTHING


@pytest.mark.parametrize(
    ("pattern", "gone"),
    [
        pytest.param("deep", {"src/deep/b.py", "src/deep/b_test.py"}, id="a folder's name at any depth"),
        pytest.param("*_test.py", {"src/deep/b_test.py"}, id="a glob of names"),
        pytest.param("src/deep/b.py", {"src/deep/b.py"}, id="a path from the root"),
        pytest.param("deep/b.py", set(), id="a path is not matched from elsewhere"),
        pytest.param("src/*.py", {"src/a.py", "src/deep/b.py", "src/deep/b_test.py"}, id="a star matches slashes"),
        pytest.param("src/{a,x}.py", {"src/a.py"}, id="alternatives"),
        pytest.param("[!abdgns]*", {"out/c.py", "out/keep.py"}, id="a set of characters"),
        pytest.param("**/b.py", {"src/deep/b.py"}, id="any number of folders"),
        pytest.param("src/**/b.py", {"src/deep/b.py"}, id="folders in between"),
        pytest.param("src/d", set(), id="the start of a name is not the name"),
        pytest.param("src/", {"src/a.py", "src/deep/b.py", "src/deep/b_test.py"}, id="a folder with a slash"),
    ],
)
def test_exclude(tree: Path, pattern: str, gone: set[str]) -> None:
    assert set(EVERYTHING) - set(names(tree, Config(extend_exclude=(pattern,)))) == gone


@pytest.mark.parametrize("glob", ["[", "src/{a", "a}"])
def test_a_glob_with_a_bracket_that_is_not_closed_is_told(tree: Path, glob: str) -> None:
    with pytest.raises(ModlintError, match="has no partner"):
        names(tree, Config(exclude=(glob,)))


def test_a_root_whose_name_is_a_glob(tree: Path) -> None:
    (tree / "[x]{").mkdir()
    (tree / "[x]{" / "a.py").write_text("")
    assert names(tree / "[x]{", Config(exclude=("./a*",))) == []


def test_gitignore_nested_with_exceptions(tree: Path) -> None:
    (tree / ".gitignore").write_text("out/*\n!out/keep.py\n/net.py\n")
    (tree / "src" / ".gitignore").write_text("b*.py\n")
    (tree / "src" / "deep" / ".gitignore").write_text("!b.py\n")
    assert names(tree, Config()) == ["build/gen.py", "note.ipynb", "out/keep.py", "src/a.py", "src/deep/b.py"]
    assert names(tree, Config(respect_gitignore=False)) == EVERYTHING


def test_gitignore_with_what_is_no_pattern(tree: Path) -> None:
    """Git passes it by, as it does a byte order mark, and ends lines at line feeds alone."""
    (tree / ".gitignore").write_bytes(b"\xef\xbb\xbfsrc/\r\n!\n\\\n[z-a]\nnet.py\x0cx\n\xff\n")
    assert names(tree, Config()) == [name for name in EVERYTHING if not name.startswith("src/")]


def test_gitignore_above_the_searched_folder_counts(tree: Path) -> None:
    (tree / ".gitignore").write_text("b_test.py\n")
    assert names(tree, Config(), "src") == ["src/a.py", "src/deep/b.py"]


def test_a_named_file_is_linted_unless_exclusion_is_forced(tree: Path) -> None:
    config = Config(extend_exclude=("src",))
    assert names(tree, config, "src/a.py") == ["src/a.py"]
    assert names(tree, replace(config, force_exclude=True), "src/a.py", "net.py") == ["net.py"]
    assert names(tree, replace(config, force_exclude=True), "src") == []


def test_a_file_is_linted_once_however_often_it_is_named(tree: Path) -> None:
    assert names(tree, Config(), "net.py", ".", "src/../net.py").count("net.py") == 1


def test_a_script_without_the_suffix_is_linted_when_it_is_named(tree: Path) -> None:
    assert names(tree, Config(), "readme.md") == ["readme.md"]


def test_links_to_folders_are_not_followed(tree: Path) -> None:
    (tree / "src" / "loop").symlink_to(tree)
    assert names(tree, Config()) == EVERYTHING


def test_a_link_to_itself_is_no_file(tree: Path) -> None:
    (tree / "src" / "ring.py").symlink_to("ring.py")
    (tree / "src" / "nowhere.py").symlink_to("gone.py")
    assert names(tree, Config()) == EVERYTHING


def test_a_folder_that_cannot_be_looked_into_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(folder: str) -> object:
        if str(folder).endswith("src"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    found = find([str(tree)], Config(root=str(tree)))
    assert found.closed == ((str(tree / "src"), "Permission denied"),)
    assert any(file.endswith("net.py") for file in found.files)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
def test_a_device_is_no_file() -> None:
    with pytest.raises(ModlintError, match="neither a file nor a folder: /dev/zero; source from a pipe is read from -"):
        find(["/dev/zero"], Config(root="/"))


def test_missing_paths_are_told_all_at_once(tree: Path) -> None:
    paths = [str(tree / "nope.py"), str(tree / "net.py"), str(tree / "gone")]
    found = find(paths, Config(root=str(tree)))
    assert found.files == (str(tree / "net.py"),)
    assert found.absent == (f"no such file or folder: {paths[0]}, {paths[2]}",)
    with pytest.raises(ModlintError, match=r"no such file or folder: .*nope\.py, .*gone"):
        find([paths[0], paths[2]], Config(root=str(tree)))
