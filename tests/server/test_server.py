"""The language server, driven by a real client over its stdin and stdout."""

from __future__ import annotations

import asyncio
import shutil
import statistics
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


@pytest_lsp.fixture(config=ClientServerConfig(server_command=[sys.executable, "-m", "modlint", "server"]))
async def client(lsp_client: LanguageClient) -> AsyncIterator[None]:
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
async def test_a_mistake_in_the_configuration_is_logged(client: LanguageClient, project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.modlint]\nslect = []\n")
    Editor(client, project / "net.py").open(NOISY)
    await client.wait_for_notification(types.WINDOW_LOG_MESSAGE)
    assert "unknown key tool.modlint.slect" in client.log_messages[-1].message


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
