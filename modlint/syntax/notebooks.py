"""A Jupyter notebook -> the Python source of its code cells in one piece, and the way back from a row to cell and row.

The cells are one module: names carry over from cell to cell. Lines of magic are blanked, so rows and columns stay true.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modlint.errors import ModlintError

if TYPE_CHECKING:
    from modlint.graph.model import Location

_MAGIC = ("%", "!", "?", "/", ",", ";")  # no statement of Python starts with one of them
_VALUE = re.compile(r"(\s*[A-Za-z_][\w.,\s\[\]]*=\s*)[!%]")  # `files = !ls`, `x = %time f()`
_COMMAND = re.compile(  # what IPython takes for a magic without its %: two words in a row are no Python
    r"(?:cd\s+(?:[~.]|(?=\w))|(?:cat|cp|ls|man|mkdir|mv|rm|pip|conda|mamba|uv)\s+(?=\w))(?!(?:and|else|for|if|in|is|not|or)\b)"
)
_TOKEN = re.compile(r"\\.|\'\'\'|\"\"\"|['\"#()\[\]{}]")
_PYTHON_CELL_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")


@dataclass(frozen=True, slots=True)
class Notebook:
    """The joined source, and for each code cell its number in the notebook and the row on which it starts."""

    source: bytes
    cells: tuple[tuple[int, int], ...]

    def located(self, location: Location) -> Location:
        """A location in the joined source as one in a cell: the cell becomes a part of the file's name."""
        at = max(bisect_right([start for _, start in self.cells], location.row) - 1, 0)
        if not self.cells:
            return location
        number, start = self.cells[at]
        return location._replace(
            filename=f"{location.filename}:cell {number}",
            row=location.row - start + 1,
            end_row=location.end_row - start + 1,
        )

    def lines(self, cell: int) -> list[str]:
        """The lines of one code cell, by its number in the notebook."""
        every = self.source.decode("utf-8").split("\n")
        starts = [*(start for _, start in self.cells), len(every)]
        for index, (number, start) in enumerate(self.cells):
            if number == cell:
                return every[start - 1 : starts[index + 1] - 1]
        return []


def read_notebook(path: str, data: bytes) -> Notebook:
    """The code cells of a notebook. Raises ModlintError when it is not one, or not one of Python."""
    try:
        document = json.loads(data)
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        raise ModlintError(f"is not a notebook: {error}", file=path) from error
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        raise ModlintError("is not a notebook of format 4: it has no list of cells", file=path)
    lines: list[str] = []
    cells = []
    for number, cell in enumerate(document["cells"] if _speaks_python(document) else [], start=1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            cells.append((number, len(lines) + 1))
            lines.extend(_code(cell.get("source", "")))
    return Notebook("".join(line + "\n" for line in lines).encode("utf-8", "replace"), tuple(cells))


def _speaks_python(document: dict[str, Any]) -> bool:
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return True
    tables = [(metadata.get("language_info"), "name"), (metadata.get("kernelspec"), "language")]
    named = [table[key] for table, key in tables if isinstance(table, dict) and key in table]
    return named[:1] in ([], ["python"])


def _code(source: Any) -> list[str]:
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    first = next((line.strip() for line in lines if line.strip()), "")
    if first.startswith("%%") and not first.startswith(_PYTHON_CELL_MAGICS):
        return ["" for _ in lines]
    statements = _Statements()
    return [statements.read(line) for line in lines]


class _Statements:
    """The lines of one cell in order: what is magic where a statement starts is none within brackets or a string."""

    def __init__(self) -> None:
        self._quote = ""  # of the string that is open
        self._brackets = 0
        self._joined = False  # by a backslash
        self._magic = False

    def read(self, line: str) -> str:
        """The line, with what is magic in it blanked."""
        if not self._quote and not self._brackets and not (self._joined and not self._magic):
            blanked = _blanked(line) if not self._joined else ""
            self._magic = blanked != line
            self._joined = self._magic and line.endswith("\\")
            if self._magic:
                return blanked
        comment = self._reads_comment(line)
        self._joined = line.endswith("\\") and not comment
        if len(self._quote) == 1 and not self._joined:
            self._quote = ""
        return line

    def _reads_comment(self, line: str) -> bool:
        for token in _TOKEN.findall(line):
            if self._quote:
                self._quote = "" if token.startswith(self._quote) else self._quote
            elif token == "#":
                return True
            elif token[0] in "'\"":
                self._quote = token
            elif token in "([{":
                self._brackets += 1
            elif token in ")]}":
                self._brackets = max(self._brackets - 1, 0)
        return False


def _blanked(line: str) -> str:
    """A line of magic as a `pass` of the same indentation, which is right inside of a block too.

    What magic gives to a name is the result of a call that nobody knows.
    """
    code = line.strip()
    if code.startswith(_MAGIC) or (code.endswith("?") and "#" not in code) or _COMMAND.match(code):
        return line[: len(line) - len(line.lstrip())] + "pass"
    value = _VALUE.match(line)
    return line if value is None else f"{value[1]}get_ipython()"
