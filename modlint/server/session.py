"""One project as an editor has it open: a file's text -> its findings, keeping everything else warm between edits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modlint import ruleset
from modlint.analysis import Analyst, Options
from modlint.config import CACHE_DIR
from modlint.linter import Request, find_files, findings_of, sources_of
from modlint.sources import Mentions, name_of
from modlint.syntax.files import is_excluded

if TYPE_CHECKING:
    from modlint.config import Config
    from modlint.findings import Finding
    from modlint.sources import Sources

_INVENTORY = frozenset({"ML001", "ML002", "ML003"})


class Session:
    """The files of one project; text that is open in the editor goes before what is on disk."""

    def __init__(self, config: Config, path: str) -> None:
        """Start on the project of `config`, to which the file at `path` belongs."""
        self.config = config
        self._rules = ruleset.load()
        self._selected = self._rules.selected(config.select or None, config.extend_select, config.ignore)
        self._open: dict[str, bytes] = {}
        folder = config.cache_dir or os.path.join(config.root, CACHE_DIR)
        cache = folder if os.path.isdir(folder) else None
        request = Request((path,), config, cache_folder=cache, overlays={path: b""})
        found, around = find_files(request)
        self._sources: Sources = sources_of(request, found, around, self._open)
        self._mentions = Mentions(self._sources)
        options = Options(config.search_path, config.states, bool(self._selected & _INVENTORY))
        self._analyst = Analyst(self._sources, options, self._mentions)

    def name(self, path: str) -> str:
        """How findings call the file at `path`."""
        return name_of(self.config.root, path)

    def path(self, name: str) -> str:
        """The path of a file that a finding names."""
        return self._sources.path(name)

    def lines(self, name: str) -> list[str]:
        """The lines of a file, for counting columns as the client does."""
        return self._sources.lines(name)

    def put(self, path: str, text: str | None) -> None:
        """The text of a file in the editor; None when it was closed."""
        name = self.name(path)
        if text is None:
            self._open.pop(name, None)
        else:
            self._open[name] = text.encode("utf-8", "surrogatepass")
        self.forget(path)

    def forget(self, path: str) -> None:
        """Take notice that a file has changed."""
        name = self.name(path)
        self._sources.forget(name)
        self._mentions.forget(name)
        self._analyst.forget(name)

    def findings(self, path: str) -> tuple[Finding, ...]:
        """What the models of the file give, in the file."""
        if self.config.force_exclude and is_excluded(path, self.config):
            return ()
        name = self.name(path)
        readable = self._sources.representation(name) is not None
        results = [self._analyst.analyse(name)] if readable else []
        self._sources.fresh.clear()  # unsaved text is nothing for the cache
        return findings_of(self._sources, [name], results, self.config, self._rules, self._selected)
