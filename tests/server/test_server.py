"""The language server, driven by a real client over its stdin and stdout."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator  # noqa: TC003 - pytest-lsp evaluates the annotations of its fixtures
from typing import TYPE_CHECKING

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

if TYPE_CHECKING:
    from pathlib import Path

NOISY = """\
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(8)

    def forward(self, x):
        x = self.bn(x)
        s = "😀"; x = self.bn(x)
        return x
"""
TIED = """\
import torch.nn as nn


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.Linear(8, 8)
        self.layers = nn.Sequential(*[layer] * 3)

    def forward(self, x):
        return self.layers(x)
"""


REGISTERED: list[types.Registration] = []  # what the server has asked the client for


@pytest_lsp.fixture(config=ClientServerConfig(server_command=[sys.executable, "-m", "modlint", "server"]))
async def client(lsp_client: LanguageClient) -> AsyncIterator[None]:
    REGISTERED.clear()

    @lsp_client.feature(types.CLIENT_REGISTER_CAPABILITY)
    def register(params: types.RegistrationParams) -> None:
        REGISTERED.extend(params.registrations)

    parameters = types.InitializeParams(capabilities=client_capabilities("visual-studio-code"))
    await lsp_client.initialize_session(parameters)
    yield
    await lsp_client.shutdown_session()


class Editor:
    """One open document."""

    def __init__(self, client: LanguageClient, path: Path) -> None:
        self.client = client
        self.uri = path.as_uri()
        self.version = 0

    def open(self, text: str) -> None:
        item = types.TextDocumentItem(uri=self.uri, language_id="python", version=0, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=item))

    def change(self, text: str) -> None:
        self.version += 1
        document = types.VersionedTextDocumentIdentifier(version=self.version, uri=self.uri)
        whole = types.TextDocumentContentChangeWholeDocument(text=text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [whole]))

    def edit(self, line: int, start: int, end: int, text: str) -> None:
        """Put a text in the place of a part of a line; characters count in UTF-16."""
        self.version += 1
        document = types.VersionedTextDocumentIdentifier(version=self.version, uri=self.uri)
        part = types.Range(types.Position(line, start), types.Position(line, end))
        change = types.TextDocumentContentChangePartial(range=part, text=text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    async def shows(self, codes: list[str]) -> None:
        """Wait until the diagnostics are these, however often something is published."""
        while [diagnostic.code for diagnostic in self.client.diagnostics[self.uri]] != codes:
            await asyncio.sleep(0.02)

    async def published(self) -> list[types.Diagnostic]:
        await self.client.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        return list(self.client.diagnostics[self.uri])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("[tool.modlint]\n")
    (tmp_path / "net.py").write_text(NOISY)
    return tmp_path


@pytest.mark.asyncio
async def test_diagnostics_of_the_unsaved_text_with_every_use(client: LanguageClient, project: Path) -> None:
    editor = Editor(client, project / "net.py")
    editor.open(NOISY)
    (found,) = await editor.published()
    assert (found.code, found.source, found.severity) == ("ML101", "modlint", types.DiagnosticSeverity.Error)
    # The emoji is one code point and two of the client's UTF-16 units.
    assert (found.range.start.line, found.range.start.character) == (10, 8 + len('s = "xx"; x = '))
    told = [(r.message, r.location.range.start.line, r.location.uri) for r in found.related_information or ()]
    assert told == [("created here", 6, editor.uri), ("use 1, in Net.forward", 9, editor.uri)]
    editor.change(NOISY.replace('        s = "😀"; x = self.bn(x)\n', ""))
    assert await editor.published() == []
    editor.change(NOISY)
    assert len(await editor.published()) == 1
    editor.change("class Net(\n")
    assert [d.code for d in await editor.published()] == ["ML901"]
    client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(editor.uri)))
    assert await editor.published() == []


@pytest.mark.asyncio
async def test_a_burst_of_changes_is_looked_at_once(client: LanguageClient, project: Path) -> None:
    editor = Editor(client, project / "net.py")
    editor.open(NOISY)
    await editor.published()
    for number in range(5):
        editor.change(f"{NOISY}\nx = {number}\n" if number < 4 else "x = 1\n")
    assert await editor.published() == []


@pytest.mark.asyncio
async def test_hover_shows_the_page_and_the_story_at_each_place(client: LanguageClient, project: Path) -> None:
    editor = Editor(client, project / "net.py")
    editor.open(NOISY)
    await editor.published()
    document = types.TextDocumentIdentifier(editor.uri)
    for line, character in ((6, 20), (9, 15), (10, 24)):
        shown = await client.text_document_hover_async(types.HoverParams(document, types.Position(line, character)))
        assert shown is not None and isinstance(shown.contents, types.MarkupContent)
        assert "**ML101** BatchNorm2d 'self.bn' runs 2 times" in shown.contents.value
        assert "- line 7 of `net.py`: created here" in shown.contents.value
        assert "What it does" in shown.contents.value
    nothing = await client.text_document_hover_async(types.HoverParams(document, types.Position(0, 2)))
    assert nothing is None


async def offered(client: LanguageClient, editor: Editor, found: types.Diagnostic) -> dict[str, types.TextEdit]:
    document = types.TextDocumentIdentifier(editor.uri)
    parameters = types.CodeActionParams(document, found.range, types.CodeActionContext([found]))
    actions = await client.text_document_code_action_async(parameters) or []
    edits = {}
    for action in actions:
        assert isinstance(action, types.CodeAction) and action.edit is not None and action.edit.changes is not None
        (edits[action.title],) = action.edit.changes[editor.uri]
    return edits


@pytest.mark.asyncio
async def test_code_actions_suppress_or_mark_as_meant(client: LanguageClient, project: Path) -> None:
    editor = Editor(client, project / "net.py")
    editor.open(NOISY)
    (found,) = await editor.published()
    edits = await offered(client, editor, found)
    assert list(edits) == ["Suppress ML101 here"]
    edit = edits["Suppress ML101 here"]
    assert edit.new_text == '        s = "😀"; x = self.bn(x)  # modlint: ignore[ML101]'
    assert (edit.range.start.line, edit.range.start.character, edit.range.end.character) == (10, 0, 32)
    editor.change(TIED)
    (found,) = await editor.published()
    edits = await offered(client, editor, found)
    assert list(edits) == ["Suppress ML201 here", "Mark as shared on purpose"]
    marked = TIED.splitlines()
    mark = edits["Mark as shared on purpose"]
    marked[mark.range.start.line] = mark.new_text
    editor.change("\n".join(marked))
    assert await editor.published() == []


@pytest.mark.asyncio
async def test_another_file_s_unsaved_text_counts(client: LanguageClient, project: Path) -> None:
    (project / "parts.py").write_text("import torch.nn as nn\n\n\ndef norm():\n    return nn.Identity()\n")
    using = NOISY.replace("nn.BatchNorm2d(8)", "norm()").replace("nn\n", "nn\nfrom parts import norm\n", 1)
    net, parts = Editor(client, project / "net.py"), Editor(client, project / "parts.py")
    net.open(using)
    assert await net.published() == []
    parts.open("import torch.nn as nn\n\n\ndef norm():\n    return nn.BatchNorm2d(8)\n")
    assert await parts.published() == []
    net.change(using + "\n")
    assert [d.code for d in await net.published()] == ["ML101"]


@pytest.mark.asyncio
async def test_open_files_that_import_the_edited_one_are_looked_at_again(client: LanguageClient, project: Path) -> None:
    plain = "import torch.nn as nn\n\n\ndef norm():\n    return nn.Identity()\n"
    (project / "parts.py").write_text(plain)
    using = NOISY.replace("nn.BatchNorm2d(8)", "norm()").replace("nn\n", "nn\nfrom parts import norm\n", 1)
    net, parts = Editor(client, project / "net.py"), Editor(client, project / "parts.py")
    net.open(using)
    assert await net.published() == []
    parts.open(plain)
    assert await parts.published() == []
    for text, codes in (
        (plain.replace("Identity()", "BatchNorm2d(8)"), ["ML101"]),
        (plain, []),
        (plain.replace("Identity()", "BatchNorm2d(8)"), ["ML101"]),
        (plain + "x = (", []),  # what cannot be read is not known
        (plain.replace("Identity()", "BatchNorm2d(16)"), ["ML101"]),
    ):
        parts.change(text)
        await asyncio.wait_for(net.shows(codes), 60)
    client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(parts.uri)))
    await asyncio.wait_for(net.shows([]), 60)


@pytest.mark.asyncio
async def test_a_mistake_in_the_configuration_is_logged(client: LanguageClient, project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.modlint]\nslect = []\n")
    Editor(client, project / "net.py").open(NOISY)
    await client.wait_for_notification(types.WINDOW_LOG_MESSAGE)
    assert "unknown key tool.modlint.slect" in client.log_messages[-1].message


@pytest.mark.asyncio
async def test_a_configuration_that_changes_on_disk_counts(client: LanguageClient, project: Path) -> None:
    """The client need not tell of it. What is open and unsaved elsewhere still counts."""
    (project / "parts.py").write_text("import torch.nn as nn\n\n\ndef norm():\n    return nn.Identity()\n")
    using = NOISY.replace("nn.BatchNorm2d(8)", "norm()").replace("nn\n", "nn\nfrom parts import norm\n", 1)
    net, parts = Editor(client, project / "net.py"), Editor(client, project / "parts.py")
    parts.open("import torch.nn as nn\n\n\ndef norm():\n    return nn.BatchNorm2d(8)\n")
    await parts.published()
    net.open(using)
    assert [d.code for d in await net.published()] == ["ML101"]
    for settings, codes in (('ignore = ["ML101"]', []), ("", ["ML101"]), ('ignore = ["ML1"]\n', []), ("", ["ML101"])):
        (project / "pyproject.toml").write_text(f"[tool.modlint]\n{settings}")
        net.change(using + "\n")
        await asyncio.wait_for(net.shows(codes), 60)


@pytest.mark.asyncio
async def test_what_the_baseline_knows_is_not_shown(client: LanguageClient, project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.modlint]\nbaseline = "known.json"\n')
    command = [sys.executable, "-m", "modlint", ".", "--write-baseline"]
    subprocess.run(command, cwd=project, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=True)
    editor = Editor(client, project / "net.py")
    editor.open("\n" + NOISY)
    assert await editor.published() == []
    editor.change(NOISY + NOISY.partition("\n\n\n")[2].replace("Net", "Other"))
    (found,) = await editor.published()
    assert found.range.start.line == 19
    (project / "known.json").write_text('{"version": 1, "findings": []}')
    editor.change(NOISY)
    assert [d.code for d in await editor.published()] == ["ML101"]


@pytest.mark.asyncio
async def test_the_client_is_asked_to_tell_of_files_that_change(client: LanguageClient, project: Path) -> None:
    Editor(client, project / "net.py").open(NOISY)
    await client.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    assert [asked.method for asked in REGISTERED] == [types.WORKSPACE_DID_CHANGE_WATCHED_FILES]
    (project / "pyproject.toml").write_text('[tool.modlint]\nignore = ["ML1"]\n')
    change = types.FileEvent((project / "pyproject.toml").as_uri(), types.FileChangeType.Changed)
    client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([change]))
    await client.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    assert not client.diagnostics[(project / "net.py").as_uri()]


@pytest.mark.asyncio
async def test_two_folders_have_a_configuration_each(client: LanguageClient, tmp_path: Path) -> None:
    editors = []
    for name, settings in (("one", ""), ("other", 'ignore = ["ML101"]')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").write_text(f"[tool.modlint]\n{settings}\n")
        editors.append(Editor(client, tmp_path / name / "net.py"))
    for editor, codes in zip(editors, (["ML101"], []), strict=True):
        editor.open(NOISY)
        assert [d.code for d in await editor.published()] == codes


@pytest.mark.asyncio
async def test_a_file_that_is_renamed_while_it_is_open(client: LanguageClient, project: Path) -> None:
    old, new = Editor(client, project / "net.py"), Editor(client, project / "new.py")
    old.open(NOISY)
    assert [d.code for d in await old.published()] == ["ML101"]
    (project / "net.py").rename(project / "new.py")
    client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri=old.uri)))
    assert await old.published() == []
    new.open(NOISY)
    assert [d.code for d in await new.published()] == ["ML101"]


@pytest.mark.asyncio
async def test_text_that_cannot_be_parsed_while_it_is_typed(client: LanguageClient, project: Path) -> None:
    editor = Editor(client, project / "net.py")
    editor.open(NOISY)
    assert [d.code for d in await editor.published()] == ["ML101"]
    editor.change(NOISY + "x = (\n")
    [torn] = await editor.published()
    assert (torn.code, torn.range.start.line) == ("ML901", 12)
    editor.change(NOISY + "x = ()\n")
    assert [d.code for d in await editor.published()] == ["ML101"]


@pytest.mark.asyncio
async def test_edits_below_what_other_programs_take_for_the_end_of_a_line(
    client: LanguageClient, project: Path
) -> None:
    """A form feed, and the separators of Unicode within a string, end no line for Python nor for the protocol."""
    editor = Editor(client, project / "net.py")
    editor.open("s = '\u2028\x85\x1c'\n\x0c\n" + NOISY)
    (found,) = await editor.published()
    assert found.range.start.line == 12
    editor.edit(12, 13, 15, "")  # the emoji, which is two units
    (found,) = await editor.published()
    assert (found.code, found.range.start.character) == ("ML101", 8 + len('s = ""; x = '))
    edits = await offered(client, editor, found)
    assert edits["Suppress ML101 here"].new_text == '        s = ""; x = self.bn(x)  # modlint: ignore[ML101]'
    editor.edit(12, 20, 30, "x")
    assert await editor.published() == []


@pytest.mark.asyncio
async def test_a_character_that_is_sent_in_halves(client: LanguageClient, project: Path) -> None:
    editor = Editor(client, project / "net.py")
    editor.open(NOISY.replace("😀", ""))
    (before,) = await editor.published()
    editor.edit(10, 13, 13, "\ud83d")
    editor.edit(10, 14, 14, "\ude00")
    (found,) = await editor.published()
    assert (found.code, found.range.start.character) == ("ML101", before.range.start.character + 2)


@pytest.mark.asyncio
async def test_what_can_be_done_about_a_text_that_is_another_now(client: LanguageClient, project: Path) -> None:
    """A finding of the text before says nothing of where a comment goes in this one."""
    editor = Editor(client, project / "net.py")
    editor.open(NOISY)
    (found,) = await editor.published()
    editor.change("\n" + NOISY)
    assert await offered(client, editor, found) == {}
    (found,) = await editor.published()
    assert list(await offered(client, editor, found)) == ["Suppress ML101 here"]
    editor.change("class Net(\n")
    (torn,) = await editor.published()
    assert await offered(client, editor, torn) == {}  # no comment is read there


@pytest.mark.asyncio
async def test_a_comment_above_ends_as_the_lines_of_the_text(client: LanguageClient, project: Path) -> None:
    editor = Editor(client, project / "net.py")
    joined = '        s = "😀"; x = self.bn(x) + f("""\n            """)\n'
    editor.open(NOISY.replace('        s = "😀"; x = self.bn(x)\n', joined).replace("\n", "\r\n"))
    (found,) = await editor.published()
    (edit,) = (await offered(client, editor, found)).values()
    assert (edit.range.start.line, edit.new_text) == (10, "        # modlint: ignore[ML101]\r\n")


@pytest.mark.slow
@pytest.mark.asyncio
async def test_an_edit_in_a_large_tree_is_answered_soon(client: LanguageClient, project: Path) -> None:
    """300 files of models that import each other; the time from the change to the diagnostics, the pause included."""
    for number in range(300):
        shutil.copy(project / "net.py", project / f"net{number}.py")
        with (project / f"net{number}.py").open("a") as stream:
            stream.write("\n\n" + NOISY.replace("Net", f"Other{number}") * 4)
    text = (
        (project / "net7.py")
        .read_text()
        .replace("import torch.nn as nn\n", "import torch.nn as nn\nfrom net8 import Net as N\n", 1)
    )
    editor = Editor(client, project / "net7.py")
    editor.open(text)
    await asyncio.wait_for(editor.published(), 60)
    taken = []
    for number in range(20):
        before = time.perf_counter()
        editor.change(text + f"\nx = {number}\n")
        await editor.published()
        taken.append(time.perf_counter() - before)
    assert statistics.quantiles(taken, n=20)[-1] < 1.0, taken  # the goal is 0.15 on an idle machine: see benchmarks


class Notebook:
    """An open notebook: markdown, which the client keeps to itself, and cells of code."""

    def __init__(self, client: LanguageClient, path: Path) -> None:
        self.client = client
        self.uri = path.as_uri()
        self.version = 0

    def cell(self, number: int) -> str:
        return f"vscode-notebook-cell:{self.uri.removeprefix('file:')}#W{number}"

    def open(self, *texts: str) -> None:
        code = types.NotebookCellKind.Code
        cells = [types.NotebookCell(types.NotebookCellKind.Markup, self.cell(0))]
        cells += [types.NotebookCell(code, self.cell(number)) for number, _ in enumerate(texts, start=1)]
        documents = [types.TextDocumentItem(self.cell(n), "python", 0, text) for n, text in enumerate(texts, start=1)]
        notebook = types.NotebookDocument(self.uri, "jupyter-notebook", 0, cells)
        self.client.notebook_document_did_open(types.DidOpenNotebookDocumentParams(notebook, documents))

    def change(self, number: int, text: str) -> None:
        cell = types.VersionedTextDocumentIdentifier(self.version + 1, self.cell(number))
        content = types.NotebookDocumentCellContentChanges(
            cell, [types.TextDocumentContentChangeWholeDocument(text=text)]
        )
        self._changed(types.NotebookDocumentCellChanges(text_content=[content]))

    def insert(self, at: int, number: int, text: str) -> None:
        cell = types.NotebookCell(types.NotebookCellKind.Code, self.cell(number))
        document = types.TextDocumentItem(self.cell(number), "python", 0, text)
        structure = types.NotebookDocumentCellChangeStructure(
            types.NotebookCellArrayChange(at, 0, [cell]), did_open=[document]
        )
        self._changed(types.NotebookDocumentCellChanges(structure=structure))

    def remove(self, at: int, number: int) -> None:
        structure = types.NotebookDocumentCellChangeStructure(
            types.NotebookCellArrayChange(at, 1), did_close=[types.TextDocumentIdentifier(self.cell(number))]
        )
        self._changed(types.NotebookDocumentCellChanges(structure=structure))

    def _changed(self, cells: types.NotebookDocumentCellChanges) -> None:
        self.version += 1
        notebook = types.VersionedNotebookDocumentIdentifier(self.version, self.uri)
        change = types.NotebookDocumentChangeEvent(cells=cells)
        self.client.notebook_document_did_change(types.DidChangeNotebookDocumentParams(notebook, change))

    async def published(self, *cells: int) -> list[types.Diagnostic]:
        """The diagnostics, one for each of the cells by number, as soon as the client has been told of just these."""
        async with asyncio.timeout(20) if hasattr(asyncio, "timeout") else contextlib.AsyncExitStack():
            while True:
                told = [(uri, found) for uri, found in self.client.diagnostics.items() if found]
                found = sorted((int(uri.rpartition("#W")[2]), one) for uri, several in told for one in several)
                if [number for number, _ in found] == list(cells):
                    return [one for _, one in found]
                await asyncio.sleep(0.02)


HEAD, _, BODY = NOISY.partition("\n\n\n")


@pytest.mark.asyncio
async def test_a_notebook_has_diagnostics_in_its_cells(client: LanguageClient, project: Path) -> None:
    notebook = Notebook(client, project / "walk net.ipynb")
    notebook.open(f"%matplotlib inline\n{HEAD}", BODY)
    (found,) = await notebook.published(2)
    assert found.code == "ML101"
    assert (found.range.start.line, found.range.start.character) == (7, 8 + len('s = "xx"; x = '))
    assert "(first at line 7)" in found.message
    told = [(r.location.uri, r.location.range.start.line) for r in found.related_information or ()]
    assert told == [(notebook.cell(2), 3), (notebook.cell(2), 6)]

    document = types.TextDocumentIdentifier(notebook.cell(2))
    shown = await client.text_document_hover_async(types.HoverParams(document, types.Position(6, 15)))
    assert shown is not None and isinstance(shown.contents, types.MarkupContent)
    assert "**ML101** BatchNorm2d 'self.bn' runs 2 times" in shown.contents.value
    other = types.TextDocumentIdentifier(notebook.cell(1))
    assert await client.text_document_hover_async(types.HoverParams(other, types.Position(6, 15))) is None

    parameters = types.CodeActionParams(document, found.range, types.CodeActionContext([found]))
    (action,) = await client.text_document_code_action_async(parameters) or []
    assert isinstance(action, types.CodeAction) and action.edit is not None and action.edit.changes is not None
    (edit,) = action.edit.changes[notebook.cell(2)]
    assert edit.range.start.line == 7 and edit.new_text.endswith("x = self.bn(x)  # modlint: ignore[ML101]")

    lines = BODY.split("\n")
    lines[edit.range.start.line] = edit.new_text
    notebook.change(2, "\n".join(lines))
    assert await notebook.published() == []


@pytest.mark.asyncio
async def test_cells_that_come_and_go(client: LanguageClient, project: Path) -> None:
    notebook = Notebook(client, project / "walk.ipynb")
    notebook.open(HEAD)
    notebook.insert(2, 7, BODY)
    await notebook.published(7)
    notebook.insert(1, 8, BODY.replace("Net", "Other"))
    (first, _) = await notebook.published(7, 8)
    assert "Net.forward" in (first.related_information or ())[1].message
    notebook.remove(3, 7)
    await notebook.published(8)
    notebook.insert(3, 9, BODY)
    await notebook.published(8, 9)
    closed = types.DidCloseNotebookDocumentParams(
        types.NotebookDocumentIdentifier(notebook.uri), [types.TextDocumentIdentifier(notebook.cell(9))]
    )
    client.notebook_document_did_close(closed)
    await notebook.published()


@pytest.mark.asyncio
async def test_a_notebook_uses_files_and_files_that_are_open(client: LanguageClient, project: Path) -> None:
    parts = Editor(client, project / "parts.py")
    parts.open("import torch.nn as nn\n\n\ndef norm():\n    return nn.BatchNorm2d(8)\n")
    assert await parts.published() == []
    notebook = Notebook(client, project / "walk.ipynb")
    notebook.open("from parts import norm\n" + HEAD, BODY.replace("nn.BatchNorm2d(8)", "norm()"))
    (found,) = await notebook.published(2)
    created, first = found.related_information or ()
    assert (created.location.uri, first.location.uri) == (parts.uri, notebook.cell(2))


@pytest.mark.asyncio
async def test_columns_where_the_text_declares_an_encoding(client: LanguageClient, project: Path) -> None:
    editor = Editor(client, project / "net.py")
    editor.open("# coding: latin-1\n" + NOISY.replace("😀", "é"))
    (found,) = await editor.published()
    assert (found.range.start.line, found.range.start.character) == (11, 8 + len('s = "x"; x = '))
    editor.change("# coding: latin-1\n" + NOISY)  # cannot be saved so, and is linted all the same
    (found,) = await editor.published()
    assert (found.code, found.range.start.line) == ("ML101", 11)


@pytest.mark.asyncio
async def test_a_hover_does_not_wait_for_a_lint(client: LanguageClient, project: Path) -> None:
    editor = Editor(client, project / "net.py")
    editor.open(NOISY)
    await editor.published()
    long = NOISY + "".join(NOISY.partition("\n\n\n")[2].replace("Net", f"Net{number}") for number in range(400))
    editor.change(long)
    await asyncio.sleep(0.3)
    document = types.TextDocumentIdentifier(editor.uri)
    shown = await client.text_document_hover_async(types.HoverParams(document, types.Position(9, 15)))
    assert shown is not None
    assert len(client.diagnostics[editor.uri]) == 1  # what is shown is what was found before
    assert len(await editor.published()) == 401
