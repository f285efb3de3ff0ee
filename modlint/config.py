"""pyproject.toml -> Config: what `[tool.modlint]` of the nearest pyproject.toml says, or the defaults.

One configuration per run. Unknown keys and wrong types are errors that name the file, the key and what is allowed.
"""

from __future__ import annotations

import difflib
import json
import os
import sys
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

from modlint.errors import ModlintError
from modlint.projects import common_folder, is_above, place_of, upwards

DEFAULT_EXCLUDE = (
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".git-rewrite",
    ".hg",
    ".ipynb_checkpoints",
    ".modlint_cache",
    ".mypy_cache",
    ".nox",
    ".pants.d",
    ".pyenv",
    ".pytest_cache",
    ".pytype",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    ".vscode",
    "__pycache__",
    "__pypackages__",
    "_build",
    "buck-out",
    "dist",
    "node_modules",
    "site-packages",
    "venv",
)
FORMATS = ("full", "concise", "json", "sarif", "github", "gitlab", "junit", "rdjson")
CACHE_DIR = ".modlint_cache"
GLOB_CHARACTERS = "*?[]{}\\"


@dataclass(frozen=True, slots=True)
class ModelTarget:
    """One `[[tool.modlint.models]]`: what `modlint trace TARGET` takes on the command line."""

    target: str
    init: str = ""  # JSON object of keyword arguments
    input: tuple[str, ...] = ()  # "2x3x32x32", "int64[0,99]:2x16"
    inputs: str = ""  # "module:function"


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one run. `root` is the folder that paths in findings, baselines and the cache are relative to."""

    root: str = "."
    package: str = ""  # where we stand inside of a package, which lies in `root` beside others that are not ours
    source: str | None = None  # the pyproject.toml that was read
    select: tuple[str, ...] = ()  # empty: the rules that are on by default
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = DEFAULT_EXCLUDE
    extend_exclude: tuple[str, ...] = ()
    force_exclude: bool = False
    respect_gitignore: bool = True
    search_path: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    models: tuple[ModelTarget, ...] = ()
    output_format: str | None = None
    baseline: str | None = None
    cache_dir: str | None = None


class Kind(Enum):
    """The shape of a key's value, in the words of an error message."""

    BOOL = "true or false"
    STRING = "a string"
    FORMAT = "one of " + ", ".join(FORMATS)
    STRINGS = "a list of strings"
    IGNORES = "a table of glob = list of codes"
    MODELS = "an array of tables with target, init, input, inputs"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of `[tool.modlint]`, as `modlint config` shows it."""

    name: str
    kind: Kind
    about: str
    example: str

    @property
    def field(self) -> str:
        """The attribute of Config that holds it."""
        return self.name.replace("-", "_")


KEYS = (
    Key(
        "select",
        Kind.STRINGS,
        "The rules to run, by code, slug, family or prefix, in place of the defaults.",
        '["ML1", "params"]',
    ),
    Key(
        "extend-select",
        Kind.STRINGS,
        "Rules to run besides the selected ones.",
        '["ML203"]',
    ),
    Key(
        "ignore",
        Kind.STRINGS,
        "Rules that are not run.",
        '["ML103"]',
    ),
    Key(
        "per-file-ignores",
        Kind.IGNORES,
        "Rules whose findings are dropped in files that match a glob, or that do not match one after `!`.",
        '{ "tests/*" = ["ML201"] }',
    ),
    Key(
        "exclude",
        Kind.STRINGS,
        "Files and folders that are not searched, in place of the defaults.",
        '["build"]',
    ),
    Key(
        "extend-exclude",
        Kind.STRINGS,
        "Files and folders that are not searched, besides `exclude`.",
        '["third_party"]',
    ),
    Key(
        "force-exclude",
        Kind.BOOL,
        "Exclude also files that are named on the command line.",
        "true",
    ),
    Key(
        "respect-gitignore",
        Kind.BOOL,
        "Leave out what .gitignore files exclude.",
        "false",
    ),
    Key(
        "search-path",
        Kind.STRINGS,
        "Folders in which imports are looked up after the linted tree. Read, never run.",
        '["src", "vendor"]',
    ),
    Key(
        "states",
        Kind.STRINGS,
        "TOML files with the state classes of your own or third-party modules.",
        '["modlint-states.toml"]',
    ),
    Key(
        "models",
        Kind.MODELS,
        "Models that `--trace` and `--confirm` build: target, init, input, inputs.",
        '[{ target = "net.py:Net", input = ["2x3x32x32"] }]',
    ),
    Key(
        "output-format",
        Kind.FORMAT,
        "How findings are printed.",
        '"concise"',
    ),
    Key(
        "baseline",
        Kind.STRING,
        "A file of known findings that are not reported again.",
        '"modlint-baseline.json"',
    ),
    Key(
        "cache-dir",
        Kind.STRING,
        "Where the cache is kept.",
        '".modlint_cache"',
    ),
)
_BY_NAME = {key.name: key for key in KEYS}
_TARGET_KEYS = tuple(field.name for field in fields(ModelTarget))


def load(paths: list[str], explicit: str | None = None, isolated: bool = False, inline: tuple[str, ...] = ()) -> Config:
    """The configuration of a run over `paths`: that of `explicit`, or of the nearest pyproject.toml that has a section.

    What `inline` says, as lines of TOML (`ignore = ["ML103"]`), goes before it. Raises ModlintError for a file that
    cannot be read, unknown keys and wrong types.
    """
    if isolated and explicit is not None:
        raise ModlintError(f"--isolated reads no configuration, and --config names one: {explicit}")
    config = _from_file(paths, explicit, isolated)
    for line in inline:
        config = replace(config, **_from_here(_values(_toml(line, line), line, os.getcwd())))
    return config


def anchored(glob: str, folder: str) -> str:
    """A glob that begins at `folder`, with an absolute path; one that is absolute already is left as it is."""
    begin = "".join(f"\\{c}" if c in GLOB_CHARACTERS else c for c in folder)
    return os.path.normpath(os.path.join(begin, glob))


def from_here(glob: str) -> str:
    """A glob of the command line, as one that means the same in any folder: with a slash, it begins where we stand."""
    negated = "!" if glob.startswith("!") else ""
    rest = glob[len(negated) :]
    return negated + (anchored(rest, os.getcwd()) if "/" in rest else rest)


def _from_here(values: dict[str, Any]) -> dict[str, Any]:
    for field in {"exclude", "extend_exclude"} & values.keys():
        values[field] = tuple(map(from_here, values[field]))
    if "per_file_ignores" in values:
        values["per_file_ignores"] = tuple((from_here(glob), codes) for glob, codes in values["per_file_ignores"])
    return values


def _from_file(paths: list[str], explicit: str | None, isolated: bool) -> Config:
    start = common_folder(paths)
    if explicit is not None:
        named = _parsed(os.path.abspath(explicit), required=True) or _rooted(Config(), start)
        return named if is_above(named.root, start) else _rooted(named, start)
    if not isolated:
        for folder in upwards(start):
            file = os.path.join(folder, "pyproject.toml")
            config = _parsed(file) if os.path.isfile(file) else None
            if config is not None:
                return config
    return _rooted(Config(), start)


def _rooted(config: Config, start: str) -> Config:
    root, package = place_of(start)
    return replace(config, root=root, package=package)


def _parsed(file: str, required: bool = False) -> Config | None:
    shown = os.path.relpath(file)
    try:
        with open(file, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise ModlintError(f"cannot read the configuration: {error.strerror}", file=shown) from error
    if b"modlint" not in data and not required:
        return None
    table = _section(data, shown, required)
    return None if table is None else parse(table, file)


def _section(data: bytes, shown: str, required: bool) -> dict[str, Any] | None:
    try:
        document = _toml(data.decode("utf-8-sig"), shown)
    except UnicodeDecodeError as error:
        raise ModlintError(f"is not valid TOML: {error}", file=shown) from error
    tool = document.get("tool", {})
    section = tool.get("modlint") if isinstance(tool, dict) else None
    if section is None and required and os.path.basename(shown) != "pyproject.toml":
        section = document
    if section is not None and not isinstance(section, dict):
        raise ModlintError("tool.modlint must be a table", file=shown)
    return section


def _toml(text: str, shown: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ModlintError(f"is not valid TOML: {error}", file=shown) from error


def parse(table: dict[str, Any], file: str) -> Config:
    """The Config that the keys of `table` give; `file` is the pyproject.toml they stand in."""
    folder = os.path.dirname(os.path.abspath(file))
    return Config(root=folder, source=os.path.abspath(file), **_values(table, os.path.relpath(file), folder))


def _values(table: dict[str, Any], shown: str, folder: str) -> dict[str, Any]:
    """The attributes of a Config that a table names; paths are relative to `folder`. Raises ModlintError."""
    problems = []
    values: dict[str, Any] = {}
    for name, value in table.items():
        key = _BY_NAME.get(name)
        if key is None:
            problems.append(_unknown(name, _BY_NAME))
            continue
        try:
            values[key.field] = _converted(key, value)
        except _WrongValue as error:
            problems.append(str(error))
    if problems:
        raise ModlintError("; ".join(problems), file=shown)
    for field in {"search_path", "states"} & values.keys():
        values[field] = tuple(os.path.join(folder, path) for path in values[field])
    for field in {"baseline", "cache_dir"} & values.keys():
        values[field] = os.path.join(folder, values[field]) if values[field] else None
    return values


class _WrongValue(Exception):
    """A value of the wrong type; str() is what to tell the user."""


def _unknown(name: str, allowed: Any, where: str = "tool.modlint") -> str:
    near = difflib.get_close_matches(name, allowed, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"unknown key {where}.{name}{hint}; allowed are {', '.join(allowed)}"


def _converted(key: Key, value: Any) -> Any:
    match key.kind:
        case Kind.BOOL if isinstance(value, bool):
            return value
        case Kind.STRING if isinstance(value, str):
            return value
        case Kind.FORMAT if value in FORMATS:
            return value
        case Kind.STRINGS if _is_strings(value):
            return tuple(value)
        case Kind.IGNORES if isinstance(value, dict) and all(map(_is_strings, value.values())):
            return tuple((glob, tuple(codes)) for glob, codes in value.items())
        case Kind.MODELS if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return tuple(map(_target, value))
    raise _WrongValue(f"tool.modlint.{key.name} must be {key.kind.value}, not {value!r}; for example {key.example}")


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _target(table: dict[str, Any]) -> ModelTarget:
    for name in table:
        if name not in _TARGET_KEYS:
            raise _WrongValue(_unknown(name, _TARGET_KEYS, "tool.modlint.models"))
    target, init = table.get("target"), table.get("init", {})
    shapes, inputs = table.get("input", []), table.get("inputs", "")
    if not isinstance(target, str):
        raise _WrongValue('tool.modlint.models needs a target, for example target = "net.py:Net"')
    if not isinstance(init, dict):
        raise _WrongValue("tool.modlint.models.init must be a table of keyword arguments")
    if not (_is_strings(shapes) or isinstance(shapes, str)) or not isinstance(inputs, str):
        raise _WrongValue(
            'tool.modlint.models.input must be a list of shapes such as ["2x3x32x32"], inputs a "module:function"'
        )
    try:
        arguments = json.dumps(init) if init else ""
    except TypeError as error:  # a TOML date
        raise _WrongValue(f"tool.modlint.models.init holds a value that JSON does not know: {error}") from error
    return ModelTarget(target, arguments, (shapes,) if isinstance(shapes, str) else tuple(shapes), inputs)
