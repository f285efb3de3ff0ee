"""The language server itself: which message of the client makes what happen."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls import uris
from pygls.lsp.server import LanguageServer

from modlint import __version__
from modlint.config import load
from modlint.errors import ModlintError
from modlint.server.protocol import SOURCE, Translator, actions
from modlint.server.session import Session

if TYPE_CHECKING:
    from modlint.findings import Finding

QUIET_SECONDS = 0.05  # without a change before the text is looked at


class Server(LanguageServer):
    """A language server with a session for each project and the last findings of each open document."""

    def __init__(self) -> None:
        super().__init__("modlint", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Incremental)
        self.sessions: dict[str, Session] = {}  # by root
        self.folders: dict[str, str] = {}  # folder -> root
        self.found: dict[str, tuple[Finding, ...]] = {}
        self.waiting: dict[str, asyncio.Task[None]] = {}

    def session(self, path: str) -> Session:
        """The session of a file's project. Raises ModlintError for its configuration."""
        folder = os.path.dirname(path)
        if folder not in self.folders:
            config = load([path])
            self.folders[folder] = config.root
            if config.root not in self.sessions:
                self.sessions[config.root] = Session(config, path)
        return self.sessions[self.folders[folder]]

    def look(self, uri: str) -> None:
        """Lint one open document and publish what is found."""
        document = self.workspace.get_text_document(uri)
        path = uris.to_fs_path(uri)
        if path is None or not path.endswith(".py"):
            return
        try:
            session = self.session(path)
            session.put(path, document.source)
            self.found[uri] = session.findings(path)
        except ModlintError as error:
            self.window_log_message(types.LogMessageParams(types.MessageType.Error, str(error)))
            return
        translator = Translator(session, self.workspace.position_codec)
        diagnostics = [translator.diagnostic(finding) for finding in self.found[uri]]
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri=uri, diagnostics=diagnostics, version=document.version)
        )

    def look_soon(self, uri: str) -> None:
        """Lint a document when it has been left alone for a moment."""
        task = self.waiting.pop(uri, None)
        if task is not None:
            task.cancel()
        self.waiting[uri] = asyncio.ensure_future(self._later(uri))

    async def _later(self, uri: str) -> None:
        await asyncio.sleep(QUIET_SECONDS)
        self.waiting.pop(uri, None)
        self.look(uri)

    def forget(self, uri: str) -> None:
        """The document is closed: what is on disk counts again, and its diagnostics go."""
        task = self.waiting.pop(uri, None)
        if task is not None:
            task.cancel()
        self.found.pop(uri, None)
        path = uris.to_fs_path(uri)
        if path is not None and path.endswith(".py"):
            self.session(path).put(path, None)
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri=uri, diagnostics=[]))


server = Server()


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def did_open(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
    """Lint at once."""
    ls.look(params.text_document.uri)


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def did_change(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
    """Lint when typing pauses."""
    ls.look_soon(params.text_document.uri)


@server.feature(types.TEXT_DOCUMENT_DID_SAVE)
def did_save(ls: Server, params: types.DidSaveTextDocumentParams) -> None:
    """Other open documents may depend on what was saved."""
    for uri in list(ls.found):
        if uri != params.text_document.uri:
            ls.look_soon(uri)


@server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
def did_close(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
    """Take the diagnostics back."""
    ls.forget(params.text_document.uri)


@server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
def did_change_watched_files(ls: Server, params: types.DidChangeWatchedFilesParams) -> None:
    """Files came, went or changed outside of the editor: start anew, for configuration and listing may differ."""
    ls.sessions.clear()
    ls.folders.clear()
    for uri in list(ls.found):
        ls.look_soon(uri)


@server.feature(types.TEXT_DOCUMENT_HOVER)
def hover(ls: Server, params: types.HoverParams) -> types.Hover | None:
    """The rule's page and the instance's story, at each of its places."""
    uri = params.text_document.uri
    path = uris.to_fs_path(uri)
    if path is None or not ls.found.get(uri):
        return None
    session = ls.session(path)
    translator = Translator(session, ls.workspace.position_codec)
    return translator.hover(ls.found[uri], session.name(path), params.position)


@server.feature(
    types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
)
def code_actions(ls: Server, params: types.CodeActionParams) -> list[types.CodeAction]:
    """Suppress a finding, or mark it as meant."""
    uri = params.text_document.uri
    text = ls.workspace.get_text_document(uri).source
    by_fingerprint = {finding.fingerprint: finding for finding in ls.found.get(uri, ())}
    offered = []
    for diagnostic in params.context.diagnostics:
        data = diagnostic.data
        fingerprint = data.get("fingerprint") if isinstance(data, dict) else getattr(data, "fingerprint", None)
        if diagnostic.source == SOURCE and fingerprint in by_fingerprint:
            finding = by_fingerprint[fingerprint]
            offered += actions(finding, diagnostic, uri, text, ls.workspace.position_codec)
    return offered


def start() -> None:
    """Serve on stdin and stdout until the client says goodbye."""
    server.start_io()
