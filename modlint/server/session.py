"""One project as an editor has it open: a file's text -> its findings, keeping everything else warm between edits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modlint import baseline, ruleset
from modlint.analysis import Analyst, Options
from modlint.config import CACHE_DIR
from modlint.linter import Request, find_files, findings_of, sources_of
from modlint.sources import Mentions, name_of
from modlint.syntax.files import is_excluded
from modlint.syntax.text import encoding_of
from modlint.syntax.units import ANEW

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
        self._edited: dict[str, None] = {}  # what the analyst does not know yet
        self._behind: dict[str, list[str]] = {}  # what was last found in a file may have come from these
        self._torn: dict[str, bool] = {}  # what cannot be read now, and whether the analyst was told so
        folder = config.cache_dir or os.path.join(config.root, CACHE_DIR)
        cache = folder if os.path.isdir(folder) else None
        request = Request((path,), config, cache_folder=cache, overlays={path: b""})
        found, around = find_files(request)
        self._sources: Sources = sources_of(request, found, around, self._open)
        self._sources.expect_edits()
        self._mentions = Mentions(self._sources)
        options = Options(config.search_path, config.states, bool(self._selected & _INVENTORY))
        self._analyst = Analyst(self._sources, options, self._mentions, stays=True)

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
        data = None if text is None else _encoded(text)
        if data == self._open.get(name):
            return
        if data is None:
            del self._open[name]
        else:
            self._open[name] = data
        self._sources.forget(name)
        self._edited[name] = None

    def findings(self, path: str) -> tuple[Finding, ...]:
        """What the models of the file give, in the file, and the baseline does not know. Raises ModlintError."""
        if self.config.force_exclude and is_excluded(path, self.config):
            return ()
        name = self.name(path)
        self._catch_up(name)
        readable = self._sources.representation(name) is not None
        results = [self._analyst.analyse(name)] if readable else []
        self._behind[name] = self._analyst.behind(name)
        found = findings_of(self._sources, [name], results, self.config, self._rules, self._selected)
        self._sources.fresh.clear()  # unsaved text is nothing for the cache
        return found if self.config.baseline is None else baseline.unknown(self.config.baseline, found)

    def depends(self, path: str, other: str) -> bool:
        """Whether what was found in one file may have come from another."""
        return self.name(other) in self._behind.get(self.name(path), ())

    def _catch_up(self, name: str) -> None:
        """Tell the analyst of the edits, before `name` is looked at.

        While that is torn, which it mostly is while it is typed, what was known of it is kept for when it is whole.
        """
        for edited in self._edited:
            self._reread(edited)
        self._edited.clear()
        for torn, told in self._torn.items():
            if torn != name and not told:
                self._analyst.forget(torn)
                self._torn[torn] = True

    def _reread(self, name: str) -> None:
        if name not in self._open:
            self._torn.pop(name, None)
            self._mentions.forget(name)
            self._analyst.forget(name)
            return
        change = self._sources.reread(name)
        now = self._sources.representation(name)
        self._mentions.renew(name, () if now is None else now.calls)
        if change is None or now is None:
            self._torn.setdefault(name, False)
        else:
            self._analyst.edited(name, now, ANEW if self._torn.pop(name, False) else change)


def _encoded(text: str) -> bytes:
    """The text as the bytes of a file that declares its encoding as the text does."""
    data = _paired(text).encode("utf-8", "surrogatepass")
    encoding = encoding_of(data)
    return data if encoding in {"utf-8", "utf-8-sig"} else text.encode(encoding, "replace")


def _paired(text: str) -> str:
    """The text with one code point for two surrogates: a client that counts in UTF-16 may send each by itself."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
