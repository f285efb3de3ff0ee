"""The language server itself: which message of the client makes what happen.

Decision: linting runs in one thread beside the one that talks to the client, and nothing but that thread touches a
session. Consequence: a hover or a code action is answered from what was found last, without waiting for a lint.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls import uris
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from modlint import __version__
from modlint.cache import signatures_of
from modlint.config import load
from modlint.errors import ModlintError
from modlint.projects import upwards
from modlint.server.documents import Document, document_of, keep_lines
from modlint.server.protocol import SOURCE, Translator, actions
from modlint.server.session import Session

if TYPE_CHECKING:
    from modlint.findings import Finding

QUIET_SECONDS = 0.03  # without a change before the text is looked at
LATER_SECONDS = 0.2  # the same before open files are looked at that depend on it
IDLE_SECONDS = 5.0  # without a lint before garbage is collected

_WATCHED = ("**/*.py", "**/*.ipynb", "**/pyproject.toml", "**/.gitignore")
_NOTEBOOKS = types.NotebookDocumentSyncOptions(
    [
        types.NotebookDocumentFilterWithNotebook(
            notebook=types.NotebookDocumentFilterNotebookType("jupyter-notebook"),
            cells=[types.NotebookCellLanguage("python")],
        )
    ]
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found in a document, and what it was."""

    document: Document
    name: str
    findings: tuple[Finding, ...]
    diagnostics: dict[str, list[types.Diagnostic]]  # by URI
    translator: Translator


class Server(LanguageServer):
    """A language server with a session for each project and what was last seen in each open document."""

    def __init__(self) -> None:
        super().__init__(
            "modlint",
            __version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            notebook_document_sync=_NOTEBOOKS,
        )
        self.worker = ThreadPoolExecutor(1, "modlint")
        self.sessions: dict[str, Session] = {}  # by root; the worker's
        self.folders: dict[str, str] = {}  # folder -> root; the worker's
        self.texts: dict[str, str] = {}  # what is open, by path; the worker's
        self.configured: dict[str, str] = {}  # folder -> what tells that a configuration for it changed
        self.seen: dict[str, Seen] = {}  # by the URI of the file or notebook
        self.waiting: dict[str, asyncio.Task[None]] = {}
        self.due: set[str] = set()  # what has changed and was not looked at since, by the same
        self.idle: asyncio.TimerHandle | None = None

    # -- on the worker's thread ----------------------------------------------------------------------------------

    def session(self, path: str) -> Session:
        """The session of a file's project. Raises ModlintError for its configuration."""
        folder = os.path.dirname(path)
        if folder not in self.folders:
            config = load([path])
            self.folders[folder] = config.root
            if config.root not in self.sessions:
                self.sessions[config.root] = Session(config, path)
                for other, text in self.texts.items():
                    if other.startswith(os.path.join(config.root, "")):
                        self.sessions[config.root].put(other, text)
        return self.sessions[self.folders[folder]]

    def linted(self, document: Document) -> Seen:
        """Lint one document. Raises ModlintError."""
        self.texts[document.path] = document.text
        session = self.session(document.path)
        session.put(document.path, document.text)
        findings = session.findings(document.path)
        translator = Translator(session, self.workspace.position_codec, document)
        diagnostics: dict[str, list[types.Diagnostic]] = {}
        for finding in findings:
            place = document.uri_of(finding.location.filename) or document.uri
            diagnostics.setdefault(place, []).append(translator.diagnostic(finding))
        return Seen(document, session.name(document.path), findings, diagnostics, translator)

    def dependent(self, path: str, seen: dict[str, Seen]) -> list[str]:
        """Which of the open documents may depend on the file at `path`."""
        if os.path.dirname(path) not in self.folders:
            return []
        session = self.session(path)
        return [
            uri
            for uri, other in seen.items()
            if other.document.path != path
            and self.session(other.document.path) is session
            and session.depends(other.document.path, path)
        ]

    def closed(self, path: str) -> None:
        """What is on disk counts again."""
        self.texts.pop(path, None)
        if os.path.dirname(path) in self.folders:
            self.session(path).put(path, None)

    def anew(self) -> None:
        """Forget every project."""
        self.sessions.clear()
        self.folders.clear()

    # -- on the client's thread ----------------------------------------------------------------------------------

    def look(self, uri: str, after: float = 0.0, edited: bool = True) -> None:
        """Lint a document when it has been left alone for a moment. `edited`: it is the one that has changed."""
        document = document_of(self.workspace, uri)
        if document is not None:
            self.stop(document.uri)
            if edited:
                self.due.add(document.uri)
            self.waiting[document.uri] = asyncio.ensure_future(self._look(document.uri, after, edited))

    def stop(self, uri: str) -> None:
        """Do not publish what is under way for a document."""
        task = self.waiting.pop(uri, None)
        if task is not None:
            task.cancel()

    async def _look(self, uri: str, after: float, edited: bool) -> None:
        if after:
            await asyncio.sleep(after)
        document = document_of(self.workspace, uri)
        if document is None:
            return
        if self.reconfigured(document.path):
            self.look_anew(uri)
        loop = asyncio.get_running_loop()
        try:
            seen = await loop.run_in_executor(self.worker, self.linted, document)
        except ModlintError as error:
            self.window_log_message(types.LogMessageParams(types.MessageType.Error, str(error)))
            return
        before = self.seen.get(uri)
        self.seen[uri] = seen
        self.due.discard(uri)
        if edited or before is None or before.diagnostics != seen.diagnostics:
            for place, version in document.shown:
                self.publish(place, seen.diagnostics.get(place, []), version)
        self.collect_later(loop)
        if edited:
            await self._spread(document.path)

    async def _spread(self, path: str) -> None:
        """Look at the open documents that may depend on a file which is another now."""
        loop = asyncio.get_running_loop()
        for other in await loop.run_in_executor(self.worker, self.dependent, path, dict(self.seen)):
            self.look(other, LATER_SECONDS, edited=other in self.due)

    def reconfigured(self, path: str) -> bool:
        """Whether a configuration that may be the file's has come, gone or changed: not every client tells of it."""
        folder = os.path.dirname(path)
        now = signatures_of(os.path.join(above, "pyproject.toml") for above in upwards(folder))[0]
        if self.configured.setdefault(folder, now) == now:
            return False
        self.configured = {folder: now}  # which is what a session made from here on goes by
        return True

    def look_anew(self, uri: str = "") -> None:
        """Forget every project, and look at every document but the one at `uri`."""
        self.worker.submit(self.anew)
        for other in list(self.seen):
            if other != uri:
                self.look(other, QUIET_SECONDS)

    def publish(self, uri: str, diagnostics: list[types.Diagnostic], version: int | None = None) -> None:
        """Tell the client what is known of one text."""
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri=uri, diagnostics=diagnostics, version=version)
        )

    def collect_later(self, loop: asyncio.AbstractEventLoop) -> None:
        """Collect garbage when nothing has been looked at for a while: it takes as long as a lint."""
        if self.idle is not None:
            self.idle.cancel()
        self.idle = loop.call_later(IDLE_SECONDS, self.worker.submit, gc.collect)

    def forget(self, uri: str) -> None:
        """The document is closed: its diagnostics go."""
        self.stop(uri)
        self.due.discard(uri)
        seen = self.seen.pop(uri, None)
        path = uris.to_fs_path(uri)
        if path is not None:
            self.worker.submit(self.closed, path)
            self.waiting[uri] = asyncio.ensure_future(self._spread(path))
        for place, _ in ((uri, None),) if seen is None else seen.document.shown:
            self.publish(place, [])


server = Server()


@server.feature(types.INITIALIZE)
def initialize(ls: Server, params: types.InitializeParams) -> None:
    """The workspace is there, and nothing is open in it yet."""
    keep_lines(ls.workspace)


@server.feature(types.INITIALIZED)
async def initialized(ls: Server, params: types.InitializedParams) -> None:
    """Ask to be told of files that change outside of the editor, where the client can be asked."""
    workspace = ls.client_capabilities.workspace
    watching = workspace.did_change_watched_files if workspace is not None else None
    if watching is None or not watching.dynamic_registration:
        return
    watched = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(glob) for glob in _WATCHED])
    wanted = types.Registration("modlint-files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, watched)
    with contextlib.suppress(JsonRpcException):  # a client that says no
        await ls.client_register_capability_async(types.RegistrationParams([wanted]))


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def did_open(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
    """Lint at once."""
    ls.look(params.text_document.uri)


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def did_change(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
    """Lint when typing pauses."""
    ls.look(params.text_document.uri, QUIET_SECONDS)


@server.feature(types.TEXT_DOCUMENT_DID_SAVE)
def did_save(ls: Server, params: types.DidSaveTextDocumentParams) -> None:
    """Other open documents may depend on what was saved."""
    for uri in list(ls.seen):
        if uri != params.text_document.uri:
            ls.look(uri, QUIET_SECONDS)


@server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
def did_close(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
    """Take the diagnostics back."""
    ls.forget(params.text_document.uri)


@server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)
def did_open_notebook(ls: Server, params: types.DidOpenNotebookDocumentParams) -> None:
    """Lint all cells as one module."""
    ls.look(params.notebook_document.uri)


@server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
def did_change_notebook(ls: Server, params: types.DidChangeNotebookDocumentParams) -> None:
    """Lint when typing pauses; a cell that is gone keeps no diagnostics."""
    uri = params.notebook_document.uri
    document = document_of(ls.workspace, uri)
    known = ls.seen.get(uri)
    if document is not None and known is not None:
        for cell in known.document.cells:
            if cell not in document.cells:
                ls.publish(cell, [])
    ls.look(uri, QUIET_SECONDS)


@server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
def did_close_notebook(ls: Server, params: types.DidCloseNotebookDocumentParams) -> None:
    """Take the diagnostics of all cells back."""
    ls.forget(params.notebook_document.uri)


@server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
def did_change_watched_files(ls: Server, params: types.DidChangeWatchedFilesParams) -> None:
    """Files came, went or changed outside of the editor: start anew, for configuration and listing may differ."""
    ls.configured.clear()
    ls.look_anew()


def _seen_at(ls: Server, uri: str) -> Seen | None:
    notebook = ls.workspace.get_notebook_document(cell_uri=uri)
    return ls.seen.get(uri if notebook is None else notebook.uri)


@server.feature(types.TEXT_DOCUMENT_HOVER)
def hover(ls: Server, params: types.HoverParams) -> types.Hover | None:
    """The rule's page and the instance's story, at each of its places."""
    seen = _seen_at(ls, params.text_document.uri)
    if seen is None:
        return None
    name = seen.document.filename_of(params.text_document.uri, seen.name)
    return seen.translator.hover(seen.findings, name, params.position)


@server.feature(
    types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
)
def code_actions(ls: Server, params: types.CodeActionParams) -> list[types.CodeAction]:
    """Suppress a finding, or mark it as meant; nothing for a text that is another than the findings are of."""
    uri = params.text_document.uri
    text = ls.workspace.get_text_document(uri)
    seen = _seen_at(ls, uri)
    if seen is None or (uri, text.version) not in seen.document.shown:
        return []
    by_fingerprint = {finding.fingerprint: finding for finding in seen.findings}
    offered = []
    for diagnostic in params.context.diagnostics:
        data = diagnostic.data
        fingerprint = data.get("fingerprint") if isinstance(data, dict) else getattr(data, "fingerprint", None)
        if diagnostic.source == SOURCE and fingerprint in by_fingerprint:
            finding = by_fingerprint[fingerprint]
            offered += actions(finding, diagnostic, uri, text.source, ls.workspace.position_codec)
    return offered


def start() -> None:
    """Serve on stdin and stdout until the client says goodbye."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)  # representations are large and hold no cycles: see `Server.collect_later`
    server.start_io()
