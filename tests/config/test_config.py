"""[tool.modlint]: where it is looked for, what it may hold, and how a mistake in it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modlint.config import KEYS, Config, ModelTarget, load
from modlint.errors import ModlintError

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """
[tool.modlint]
select = ["ML1", "params"]
extend-select = ["ML203"]
ignore = ["ML103"]
exclude = ["build"]
extend-exclude = ["third_party/*.py"]
force-exclude = true
respect-gitignore = false
per-file-ignores = { "tests/*" = ["ML201", "ML202"] }
search-path = ["src"]
states = ["states.toml"]
output-format = "json"
baseline = "known.json"
cache-dir = ".cache/modlint"

[[tool.modlint.models]]
target = "net.py:Net"
init = { width = 8 }
input = ["2x3x32x32"]

[[tool.modlint.models]]
target = "pkg.heads:Head"
inputs = "pkg.data:example"
"""


def write(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def test_every_key_is_read(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    config = load([str(tmp_path)])
    assert config == Config(
        root=str(tmp_path),
        source=str(tmp_path / "pyproject.toml"),
        select=("ML1", "params"),
        extend_select=("ML203",),
        ignore=("ML103",),
        per_file_ignores=(("tests/*", ("ML201", "ML202")),),
        exclude=("build",),
        extend_exclude=("third_party/*.py",),
        force_exclude=True,
        respect_gitignore=False,
        search_path=(str(tmp_path / "src"),),
        states=(str(tmp_path / "states.toml"),),
        models=(
            ModelTarget("net.py:Net", '{"width": 8}', ("2x3x32x32",)),
            ModelTarget("pkg.heads:Head", inputs="pkg.data:example"),
        ),
        output_format="json",
        baseline=str(tmp_path / "known.json"),
        cache_dir=str(tmp_path / ".cache/modlint"),
    )


def test_every_key_of_the_list_is_an_attribute_and_has_an_example_that_is_valid(tmp_path: Path) -> None:
    text = "[tool.modlint]\n" + "\n".join(f"{key.name} = {key.example}" for key in KEYS)
    write(tmp_path, text)
    config = load([str(tmp_path)])
    assert all(getattr(config, key.field) != getattr(Config(), key.field) for key in KEYS)


def test_the_nearest_section_above_the_paths_counts_and_a_pyproject_without_one_is_passed_by(tmp_path: Path) -> None:
    write(tmp_path, '[tool.modlint]\nselect = ["ML101"]\n')
    write(tmp_path / "inner", "[tool.other]\nmodlint = 1\n")
    write(tmp_path / "other", '[tool.modlint]\nselect = ["ML102"]\n')
    (tmp_path / "inner" / "net.py").touch()
    assert load([str(tmp_path / "inner" / "net.py")]).select == ("ML101",)
    assert load([str(tmp_path / "other")]).select == ("ML102",)
    assert load([str(tmp_path / "inner"), str(tmp_path / "other")]).root == str(tmp_path)


def test_isolated_and_an_explicit_file(tmp_path: Path) -> None:
    write(tmp_path, '[tool.modlint]\nselect = ["ML101"]\n')
    (tmp_path / "own.toml").write_text('select = ["ML201"]\n')
    assert load([str(tmp_path)], isolated=True).select == ()
    assert load([str(tmp_path)], str(tmp_path / "own.toml")).select == ("ML201",)


def test_a_named_file_tells_the_root_only_of_the_project_that_it_lies_in(tmp_path: Path) -> None:
    project, settings = tmp_path / "project", tmp_path / "settings"
    write(project / "src", "")
    write(project, "[tool.modlint]\n")
    settings.mkdir()
    (settings / "own.toml").write_text('states = ["s.toml"]\n')
    elsewhere = load([str(project / "src")], str(settings / "own.toml"))
    assert (elsewhere.root, elsewhere.states) == (str(project / "src"), (str(settings / "s.toml"),))
    assert load([str(project / "src")], str(project / "pyproject.toml")).root == str(project)
    (tmp_path / "own.toml").write_text("")  # in a folder of many projects, which is none itself
    assert load([str(project)], str(tmp_path / "own.toml")).root == str(project)


def test_an_empty_path_is_none(tmp_path: Path) -> None:
    write(tmp_path, '[tool.modlint]\nbaseline = ""\ncache-dir = ""\n')
    assert (load([str(tmp_path)]).baseline, load([str(tmp_path)]).cache_dir) == (None, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            'slect = ["ML1"]',
            "unknown key tool.modlint.slect (did you mean 'select'?); allowed are",
            id="a typo is told with the key that was meant",
        ),
        pytest.param(
            'select = "ML1"',
            "tool.modlint.select must be a list of strings, not 'ML1'; for example",
            id="a string is not a list",
        ),
        pytest.param("select = [1]", "must be a list of strings", id="a list of numbers is not a list of strings"),
        pytest.param('force-exclude = "yes"', "must be true or false", id="a string is not a flag"),
        pytest.param('output-format = "xml"', "must be one of full, concise, json", id="a format that does not exist"),
        pytest.param(
            'per-file-ignores = { a = "ML1" }', "must be a table of glob = list of codes", id="codes need a list"
        ),
        pytest.param(
            'models = [{ target = "a:b", inpt = "x" }]',
            "unknown key tool.modlint.models.inpt (did you mean 'input'?)",
            id="a typo inside a model",
        ),
        pytest.param('models = [{ input = ["1x2"] }]', "needs a target", id="a model without a target"),
        pytest.param("models = [{ target = 'a:b', init = 3 }]", "init must be a table", id="init needs a table"),
        pytest.param(
            "models = [{ target = 'a:b', init = { day = 2026-11-24 } }]",
            "JSON does not know",
            id="a date is no keyword argument",
        ),
        pytest.param("models = 3", "must be an array of tables", id="models need an array"),
    ],
)
def test_mistakes_name_the_file_the_key_and_what_is_allowed(tmp_path: Path, text: str, told: str) -> None:
    write(tmp_path, f"[tool.modlint]\n{text}\n")
    with pytest.raises(ModlintError) as caught:
        load([str(tmp_path)])
    assert "pyproject.toml: " in str(caught.value) and told in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, "[tool.modlint]\nfoo = 1\nselect = 2\n")
    with pytest.raises(ModlintError) as caught:
        load([str(tmp_path)])
    assert "tool.modlint.foo" in str(caught.value) and "tool.modlint.select" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["tool.modlint = 3", "[tool.modlint\n", "tool.modlint.select = \xff", "modlint = " + "[" * 5000],
    ids=lambda text: repr(text[:30]),
)
def test_what_is_no_table_or_no_toml_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModlintError, match=r"pyproject\.toml: "):
        load([str(tmp_path)])


def test_a_missing_explicit_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModlintError, match="cannot read the configuration"):
        load([str(tmp_path)], str(tmp_path / "none.toml"))
