"""What the client has open -> what the linter reads: a Python file as it is, a notebook as the JSON of its cells."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lsprotocol import types
from pygls import uris
from pygls.workspace import TextDocument

from modlint.reporters.words import file_and_cell
from modlint.syntax.text import lines_with_ends

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pygls.workspace import Workspace


_SYNC = types.TextDocumentSyncKind.Incremental
_PYTHON = {None, "", "python"}  # what a client calls the language of a cell


class Text(TextDocument):
    """An open text, with the lines that the protocol and Python see: pygls also ends one at a form feed."""

    @property
    def lines(self) -> Sequence[str]:
        """The lines with their ends."""
        return [line + end for line, end in lines_with_ends(self.source) if line or end]


@dataclass(frozen=True, slots=True)
class Document:
    """The text of one open file. Of a notebook, `cells` are the URIs of all its cells in order."""

    uri: str
    path: str
    text: str
    version: int | None
    cells: tuple[str, ...] = ()
    shown: tuple[tuple[str, int | None], ...] = ()  # every URI that can have diagnostics, with its version

    def uri_of(self, filename: str) -> str | None:
        """The cell in which a finding of a notebook stands; None for every other place."""
        file, cell = file_and_cell(filename)
        if cell is None or cell > len(self.cells) or not self.path.replace(os.sep, "/").endswith(file):
            return None
        return self.cells[cell - 1]

    def filename_of(self, uri: str, name: str) -> str:
        """How findings call the text at `uri`, where they call the file `name`."""
        return f"{name}:cell {self.cells.index(uri) + 1}" if uri in self.cells else name


def keep_lines(workspace: Workspace) -> None:
    """Make every text that is opened from here on one of ours."""

    def created(
        uri: str, source: str | None = None, version: int | None = None, language_id: str | None = None
    ) -> TextDocument:
        codec = workspace.position_codec
        return Text(uri, source, version, language_id, sync_kind=_SYNC, position_codec=codec)

    workspace._create_text_document = created  # type: ignore[method-assign, assignment]


def document_of(workspace: Workspace, uri: str) -> Document | None:
    """The file or notebook that is open at `uri`, or whose cell is; None for what is not ours to lint."""
    notebook = workspace.get_notebook_document(notebook_uri=uri) or workspace.get_notebook_document(cell_uri=uri)
    path = uris.to_fs_path(uri if notebook is None else notebook.uri)
    if path is None or not path.endswith(".py" if notebook is None else ".ipynb"):
        return None
    if notebook is not None:
        return _notebook(workspace, notebook, path)
    text = workspace.get_text_document(uri)
    return Document(uri, path, text.source, text.version, shown=((uri, text.version),))


def _notebook(workspace: Workspace, notebook: types.NotebookDocument, path: str) -> Document:
    cells, shown = [], []
    for cell in notebook.cells:
        text = workspace.text_documents.get(unquote(cell.document))  # none where the client keeps it to itself
        if text is not None and cell.kind == types.NotebookCellKind.Code and text.language_id in _PYTHON:
            cells.append({"cell_type": "code", "source": text.source})
            shown.append((cell.document, text.version))
        else:
            cells.append({"cell_type": "raw", "source": ""})
    joined = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4})
    uris_of_cells = tuple(cell.document for cell in notebook.cells)
    return Document(notebook.uri, path, joined, notebook.version, uris_of_cells, tuple(shown))
