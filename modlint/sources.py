"""The linted tree as one process sees it: bytes, digests and representations of files, from disk, editor or cache.

A file goes by its *name*: its path relative to the project's root with forward slashes, absolute when it lies
elsewhere. Names stand in findings and in the cache, so neither depends on where the checkout is.
"""

from __future__ import annotations

import os
import pickle
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from modlint.cache import Cache, is_settled, loads, signatures_of
from modlint.errors import ModlintError
from modlint.projects import is_project, upwards
from modlint.syntax.notebooks import Notebook, read_notebook
from modlint.syntax.text import lines_of, with_line_feeds
from modlint.syntax.tree import Roots

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from modlint.syntax.ir import FileIR
    from modlint.syntax.pieces import PieceParser
    from modlint.syntax.source import Span
    from modlint.syntax.units import Change

    MentionState = tuple[dict[str, list[str]], dict[str, bytes | None]]

_CLIMB = 2  # folders above the root of no project in which imports are looked for
_REPRESENTATION = "representation"
_MENTIONS = "calls"
_SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Setup:
    """What a process needs to read the tree; crosses to the workers."""

    root: str
    tree: tuple[str, ...]  # names of every file of the project, the linted ones among them
    cache_folder: str | None
    stamp: str  # of modlint itself
    overlays: Mapping[str, bytes] = field(default_factory=dict)  # unsaved text by name
    walked: tuple[str, ...] = ("",)  # names of the folders of which the tree has every file
    package: str = ""  # the only one in the root that is followed


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a file has no representation, and where."""

    reason: str
    line: int = 1
    column: int = 1


def name_of(root: str, path: str) -> str:
    """The name of an absolute path."""
    inside = path.startswith(root.rstrip(os.sep) + os.sep)
    return os.path.relpath(path, root).replace(os.sep, "/") if inside else path


class Sources:
    """Files by name. What was newly computed waits in `fresh`, as rows for the cache."""

    def __init__(self, setup: Setup, blobs: dict[str, bytes] | None = None) -> None:
        self.setup = setup
        self.cache = Cache(setup.cache_folder)
        self.fresh: list[tuple[str, str, str, bytes]] = []
        self.unreadable: dict[str, Unreadable] = {}
        self._blobs = {} if blobs is None else blobs  # pickled representations of this run
        self._digests: dict[str, str | None] = {}
        self._meanings: dict[str, str | None] = {}
        self._seen: dict[str, tuple[str, bytes]] | None = None
        self._listed: dict[str, frozenset[str]] = {}
        self._without: dict[tuple[str, frozenset[str]], bool] = {}
        self._edited: dict[str, PieceParser] | None = None

    def expect_edits(self) -> None:
        """Keep what unsaved texts were parsed to, for what an edit leaves as it is. Call `reread` after each edit."""
        self._edited = {}

    def roots(self) -> Roots:
        """Where imports are looked for: above the root too, where that is of no project and no package."""
        root, package = self.setup.root, self.setup.package
        above = () if package or is_project(root) else tuple(upwards(root)[1 : 1 + _CLIMB])
        return Roots(root, above, package)

    def path(self, name: str) -> str:
        """The absolute path of a name."""
        return os.path.join(self.setup.root, name)

    def exists(self, name: str) -> bool:
        """Whether there is such a file, on disk or in an editor."""
        return name in self.setup.overlays or os.path.isfile(self.path(name))

    def gap(self, base: tuple[str, ...]) -> tuple[str, str] | None:
        """The folder in which a module may come that is not there, and by what name; None where the tree would tell."""
        folder, *names = base
        for name in (*names, "__init__"):
            if self._is_walked(folder):
                return None
            below = os.path.join(folder, name)
            if not os.path.isdir(self.path(below)):
                return folder, name
            folder = below
        return None

    def _is_walked(self, folder: str) -> bool:
        if os.path.isabs(folder):
            return any(folder == top or folder.startswith(f"{top}/") for top in self.setup.walked if top)
        return any(not top or folder == top or folder.startswith(f"{top}/") for top in self.setup.walked)

    def is_without(self, folder: str, names: frozenset[str]) -> bool:
        """Whether none of the names is now that of a module in the folder."""
        key = (folder, names)
        if key not in self._without:
            if folder not in self._listed:
                self._listed[folder] = modules_in(self.path(folder))
            self._without[key] = names.isdisjoint(self._listed[folder])
        return self._without[key]

    def raw(self, name: str) -> bytes:
        """The bytes of the file itself. Raises OSError."""
        overlay = self.setup.overlays.get(name)
        if overlay is not None:
            return overlay
        with open(self.path(name), "rb") as stream:
            return stream.read()

    def source(self, name: str) -> bytes:
        """The Python source: the file's bytes, or the joined cells of a notebook. Raises OSError or ModlintError."""
        notebook = self.notebook(name)
        data = self.raw(name) if notebook is None else notebook.source
        return with_line_feeds(data)

    def notebook(self, name: str) -> Notebook | None:
        """The cells, where the file is a notebook. Raises OSError or ModlintError."""
        return read_notebook(name, self.raw(name)) if name.endswith(".ipynb") else None

    def lines(self, name: str) -> list[str]:
        """The lines of a file, or of one cell (`net.ipynb:cell 3`), for showing; empty when it cannot be read."""
        file, _, cell = name.partition(".ipynb:cell ")
        try:
            if not cell:
                return lines_of(self.source(name))
            notebook = self.notebook(f"{file}.ipynb")
        except (OSError, ModlintError):
            return []
        return [] if notebook is None else notebook.lines(int(cell))

    def digest(self, name: str) -> str | None:
        """A hash of the file's bytes; None when it cannot be read. An unchanged file is not read again."""
        if name not in self._digests:
            self._digests[name] = self._remembered(name) or self._computed(name)
        return self._digests[name]

    def _remembered(self, name: str) -> str | None:
        if name in self.setup.overlays:
            return None
        if self._seen is None:
            self._seen = self.cache.all(_SEEN)
        path = self.path(name)
        row = self._seen.get(path)
        return row[1].decode("ascii") if row is not None and row[0] == signatures_of([path])[0] else None

    def _computed(self, name: str) -> str | None:
        try:
            digest = digest_of(self.raw(name))
        except OSError:
            return None
        path = self.path(name)
        if name not in self.setup.overlays and is_settled(path):
            self.fresh.append((_SEEN, path, signatures_of([path])[0], digest.encode("ascii")))
        return digest

    def meaning(self, name: str) -> str | None:
        """A hash of what a file means to the models that read it: comments and layout are no part of it.

        Of a file with suppressions or marks, whose comments count, it is the digest.
        """
        if name not in self._meanings:
            self._meanings[name] = self._meant(name)
        return self._meanings[name]

    def _meant(self, name: str) -> str | None:
        from modlint.syntax.suppressions import might_have_directives

        try:
            blob = None if might_have_directives(self.source(name)) else self._blobs.get(name) or self.prepare(name)
        except (OSError, ModlintError):
            blob = None
        return self.digest(name) if blob is None else digest_of(blob)

    def is_same(self, name: str, digest: str | None, meaning: str | None) -> bool:
        """Whether a file means what it meant when it had this digest and this meaning."""
        return self.digest(name) == digest or self.meaning(name) == meaning

    def representation(self, name: str) -> FileIR | None:
        """The file as the interpreter runs it; None, with the reason in `unreadable`, when it cannot be read."""
        parser = self._parser(name)
        if parser is not None:
            return None if name in self.unreadable else parser.ir
        blob = self._blobs.get(name) or self.cache.get(_REPRESENTATION, name, self._stamp(name))
        found: FileIR | None = None if blob is None else loads(blob)
        if found is not None:
            return found
        return None if name in self.unreadable else self._parsed(name)

    def prepare(self, name: str) -> bytes | None:
        """Make the representation ready, pickled; parse only what is not in the cache."""
        blob = self.cache.get(_REPRESENTATION, name, self._stamp(name))
        if blob is None and self._parsed(name) is not None:
            blob = self._blobs[name]
        if blob is not None:
            self._blobs[name] = blob
        return blob

    def reread(self, name: str) -> Change | None:
        """What an edit has changed since the unsaved text could last be read; None where it cannot be read now."""
        parser = self._parser(name)
        assert parser is not None
        self.unreadable.pop(name, None)
        with self._failing(name):
            return parser.parse(name, self.source(name))
        return None

    @contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        """Within: a file is read, and if that fails the reason is kept."""
        try:
            yield
        except OSError as error:
            self.unreadable[name] = Unreadable(error.strerror or "the file cannot be opened")
        except ModlintError as error:
            self.unreadable[name] = Unreadable(error.message, error.line or 1, getattr(error, "column", 1))

    def _parsed(self, name: str) -> FileIR | None:
        from modlint.syntax.ir import pickled
        from modlint.syntax.source import deep_recursion, parse_source

        parsed = None
        with self._failing(name):
            parsed = parse_source(name, self.source(name))
            with deep_recursion(name):
                blob = pickled(parsed)
        if name in self.unreadable or parsed is None:
            return None
        self._blobs[name] = blob
        stamp = self._stamp(name)
        self.fresh.append((_REPRESENTATION, name, stamp, blob))
        self.fresh.append((_MENTIONS, name, stamp, "\n".join(sorted(parsed.calls)).encode("utf-8", "surrogatepass")))
        return parsed

    def locate(self, name: str, numbers: list[int]) -> dict[int, Span]:
        """The spans of numbered nodes. Raises OSError or ModlintError."""
        parser = self._parser(name)
        if parser is not None:
            return parser.locate(numbers)
        from modlint.syntax.spans import located

        file = self.representation(name)
        return located(self.source(name), () if file is None else file.body, numbers)

    def _parser(self, name: str) -> PieceParser | None:
        if self._edited is None or name not in self.setup.overlays:
            return None
        if name not in self._edited:
            from modlint.syntax.pieces import PieceParser

            self._edited[name] = PieceParser()
        return self._edited[name]

    def _stamp(self, name: str) -> str:
        """Numbers of an edited file are not those that the cache has for the same text."""
        edited = " edited" if self._parser(name) is not None else ""
        return f"{self.setup.stamp} {self.setup.root} {self.digest(name)}{edited}"

    def stamp(self, name: str) -> str:
        """What a cached fact about the file alone is valid for."""
        return self._stamp(name)

    def remember(self, kind: str, name: str, stamp: str, value: object) -> None:
        """Keep a value for the cache."""
        self.fresh.append((kind, name, stamp, pickle.dumps(value, pickle.HIGHEST_PROTOCOL)))

    def forget(self, name: str) -> None:
        """Read a file anew when it is next asked for."""
        for known in (self._digests, self._meanings, self._blobs, self.unreadable):
            known.pop(name, None)
        if self._edited is not None and name not in self.setup.overlays:
            self._edited.pop(name, None)

    def take(self, rows: Iterable[tuple[str, str, str, bytes]]) -> None:
        """Rows that another process computed."""
        for row in rows:
            if row[0] == _REPRESENTATION:
                self._blobs[row[1]] = row[3]
            self.fresh.append(row)

    def hand_over(self) -> tuple[list[tuple[str, str, str, bytes]], dict[str, Unreadable]]:
        """What is new here, for the process that asked; nothing is kept."""
        rows, self.fresh = self.fresh, []
        unreadable, self.unreadable = self.unreadable, {}
        self._blobs.clear()
        return rows, unreadable

    def blobs(self) -> dict[str, bytes]:
        """The pickled representations of this run, by name."""
        return self._blobs

    def save(self) -> None:
        """Write what is new to the cache."""
        self.cache.put(self.fresh)
        self.fresh = []


class Mentions:
    """Which files of the tree mention a name: by their representations, or by their text where there is none yet."""

    def __init__(self, sources: Sources, state: MentionState | None = None) -> None:
        self._sources = sources
        self._by_name: dict[str, list[str]] = {}
        self._unread: dict[str, bytes | None] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._sought: set[str] = set()  # names that no file that is not read yet mentions
        if state is None:
            self._read()
        else:
            self._by_name, self._unread = state

    @property
    def state(self) -> MentionState:
        """What another process needs to go on from here."""
        return self._by_name, self._unread

    def _read(self) -> None:
        sources = self._sources
        rows = sources.cache.all(_MENTIONS)
        rows.update({row[1]: (row[2], row[3]) for row in sources.fresh if row[0] == _MENTIONS})
        for name in sources.setup.tree:
            row = rows.get(name)
            if row is not None and row[0] == sources.stamp(name):
                self._add(name, row[1].decode("utf-8", "surrogatepass").split("\n"))
            elif name not in sources.unreadable:
                self._unread[name] = None

    def of(self, name: str) -> tuple[str, ...]:
        """Two of the files that call `name`, or the one that does, or none."""
        needle = name.encode("utf-8", "surrogatepass")
        unread = [] if name in self._sought or len(self._by_name.get(name, ())) > 1 else list(self._unread)
        for file in unread:
            if needle in self._text(file):
                del self._unread[file]
                found = self._sources.representation(file)
                self._add(file, found.calls if found is not None else ())
                if len(self._by_name.get(name, ())) > 1:
                    break
        else:
            self._sought.add(name)
        return tuple(self._by_name.get(name, ())[:2])

    def forget(self, file: str) -> None:
        """Look at a file anew."""
        self._remove(file)
        self._unread[file] = None
        self._sought.clear()

    def renew(self, file: str, names: Iterable[str]) -> None:
        """The names that a file mentions now."""
        if self._names.get(file) != (found := tuple(names)):
            self._remove(file)
            self._unread.pop(file, None)
            self._add(file, found)

    def _remove(self, file: str) -> None:
        for name in self._names.pop(file, ()):
            self._by_name[name].remove(file)

    def _text(self, file: str) -> bytes:
        text = self._unread[file]
        if text is None:
            try:
                text = self._sources.source(file)
            except (OSError, ModlintError):
                text = b""
            self._unread[file] = text
        return text

    def _add(self, file: str, names: Iterable[str]) -> None:
        self._names[file] = tuple(names)
        for name in self._names[file]:
            self._by_name.setdefault(name, []).append(file)


def modules_in(folder: str) -> frozenset[str]:
    """The names of the files and folders that can be imported from a folder."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name.removesuffix(".py") for entry in entries)
    except OSError:
        return frozenset()


def digest_of(data: bytes) -> str:
    """A hash of bytes, 32 hex digits."""
    return blake2b(data, digest_size=16).hexdigest()
