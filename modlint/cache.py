"""What earlier runs found out, in `.modlint_cache`: rows of (kind, name) -> stamp and value, and whole runs to replay.

Context: a cache may be corrupt, another program's, read-only, in use, or checked in by a stranger. Decision: every row
has a checksum, values are unpickled with modlint's own value types alone, and every failure is a miss. Consequence:
nothing here raises; a run without a working cache is only slower. Nothing but builtins is imported at module level: a
replay is a start of Python and one query.
"""

from __future__ import annotations

import os
import sys
from sys import version_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from typing import Any

FOLDER = ".modlint_cache"
_FILE = "cache-1.sqlite3"  # the number is that of the schema
_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows(
    kind TEXT, name TEXT, stamp TEXT, value BLOB, checksum INTEGER, PRIMARY KEY(kind, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs(
    number INTEGER PRIMARY KEY, key TEXT UNIQUE, paths TEXT, signatures TEXT, status INTEGER, output BLOB,
    checksum INTEGER);
"""
_MARKS = {".gitignore": "# made by modlint\n*\n", "CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n"}
_RUNS_KEPT = 16
_BUSY_SECONDS = 1.0
_RACY_NS = 2_000_000_000  # a file this young may change again without a change of its time stamp


class Cache:
    """The cache of one folder; `Cache(None)` is one that holds nothing. One per process: connections are not shared."""

    def __init__(self, folder: str | None) -> None:
        self.folder = folder
        self._connection: sqlite3.Connection | None = None
        self._broken = folder is None

    def get(self, kind: str, name: str, stamp: str) -> bytes | None:
        """The value of a row, if it is there with that stamp."""
        sql = "SELECT value, checksum FROM rows WHERE kind = ? AND name = ? AND stamp = ?"
        for value, checksum in self._run(sql, (kind, name, stamp)):
            if _checksum(kind, name, stamp, value) == checksum:
                found: bytes = value
                return found
        return None

    def all(self, kind: str) -> dict[str, tuple[str, bytes]]:
        """Every row of a kind: name -> (stamp, value)."""
        return {
            name: (stamp, value)
            for name, stamp, value, checksum in self._run(
                "SELECT name, stamp, value, checksum FROM rows WHERE kind = ?", (kind,)
            )
            if _checksum(kind, name, stamp, value) == checksum
        }

    def put(self, rows: Iterable[tuple[str, str, str, bytes]]) -> None:
        """Write rows of (kind, name, stamp, value), replacing those of the same kind and name."""
        data = [(*row, _checksum(*row)) for row in rows]
        if data:
            self._write("INSERT OR REPLACE INTO rows VALUES(?, ?, ?, ?, ?)", data)

    def replayed(self, key: str) -> tuple[int, bytes] | None:
        """Status and output of a run with that key all of whose inputs are unchanged."""
        sql = "SELECT paths, signatures, status, output, checksum FROM runs WHERE key = ?"
        for paths, signatures, status, output, checksum in self._run(sql, (key,)):
            if (
                _checksum(key, paths, signatures, str(status), output) != checksum
                or signatures_of(paths.split("\0"))[0] != signatures
            ):
                return None
            return status, output
        return None

    def record(self, key: str, paths: list[str], status: int, output: bytes) -> None:
        """Remember a run, unless a file is so young that a change of it might go unseen."""
        signatures, youngest = signatures_of(paths)
        if any("\0" in path for path in paths) or youngest > _now() - _RACY_NS:
            return
        joined = "\0".join(paths)
        row = (key, joined, signatures, status, output, _checksum(key, joined, signatures, str(status), output))
        self._write("DELETE FROM runs WHERE key = ?", [(key,)])
        self._write("INSERT INTO runs VALUES(NULL, ?, ?, ?, ?, ?, ?)", [row])
        self._write(f"DELETE FROM runs WHERE number <= (SELECT MAX(number) FROM runs) - {_RUNS_KEPT}", [()])

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run(self, sql: str, arguments: tuple[str, ...]) -> list[tuple[Any, ...]]:
        import sqlite3

        connection = self._open()
        if connection is None:
            return []
        try:
            return connection.execute(sql, arguments).fetchall()
        except (sqlite3.Error, ValueError, OverflowError) as error:
            self._give_up(error)
            return []

    def _write(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        import sqlite3

        connection = self._open(create=True)
        if connection is None:
            return
        try:
            with connection:
                connection.executemany(sql, rows)
        except (sqlite3.Error, ValueError, OverflowError) as error:
            self._give_up(error)

    def _open(self, create: bool = False) -> sqlite3.Connection | None:
        import sqlite3

        if self._broken or self._connection is not None:
            return self._connection
        assert self.folder is not None
        file = os.path.join(self.folder, _FILE)
        if not os.path.exists(file) and not (create and _prepared(self.folder)):
            self._broken = create
            return None
        try:
            self._connection = sqlite3.connect(file, timeout=_BUSY_SECONDS)
            if create or os.access(file, os.W_OK):
                self._connection.execute("PRAGMA synchronous = OFF")
            if create:
                self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._give_up(error)
        return self._connection

    def _give_up(self, error: Exception) -> None:
        """Go on without the cache; one that is damaged, rather than in use or read-only, is thrown away."""
        import sqlite3

        self.close()
        self._broken = True
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            assert self.folder is not None
            _remove(os.path.join(self.folder, _FILE))


def loads(data: bytes) -> Any:
    """The value that `pickle.dumps` made, or None when it is damaged or names anything but modlint's value types."""
    import io
    import pickle

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if (module, name) in _PLAIN:
                return super().find_class(module, name)
            if module.startswith("modlint.") and "." not in name:
                found = super().find_class(module, name)
                if isinstance(found, type) and found.__module__ == module and _is_value(found):
                    return found
            raise pickle.UnpicklingError(f"{module}.{name} is not a value type of modlint's")

    try:
        return Reader(io.BytesIO(data)).load()
    except Exception:  # pickle raises nearly anything for damaged data, and all of it means the same: a miss
        return None


_PLAIN = frozenset(("builtins", name) for name in ("frozenset", "set", "complex", "Ellipsis"))


def _is_value(found: type) -> bool:
    import enum

    return hasattr(found, "__dataclass_fields__") or issubclass(found, (enum.Enum, tuple))


def signatures_of(paths: Iterable[str]) -> tuple[str, int]:
    """What tells that files changed, one line a path, empty for a missing one; and the time of the latest change."""
    lines = []
    youngest = 0
    stat = os.stat
    for path in paths:
        try:
            found = stat(path)
        except (OSError, ValueError):
            lines.append("")
            continue
        changed = max(found.st_mtime_ns, found.st_ctime_ns)
        if changed > youngest:
            youngest = changed
        lines.append(f"{found.st_mtime_ns} {found.st_ctime_ns} {found.st_size} {found.st_ino}")
    return "\n".join(lines), youngest


def is_settled(path: str) -> bool:
    """Whether a later change of the file is sure to change its signature."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return max(found.st_mtime_ns, found.st_ctime_ns) <= _now() - _RACY_NS


def package_stamp() -> str:
    """What tells one modlint from another: version, Python, and the files of the package and of the rules."""
    from modlint import __version__

    package = os.path.dirname(os.path.abspath(__file__))
    folders = [package, os.path.join(os.path.dirname(package), "rules")]
    marks = []
    while folders:
        for entry in _entries(folders.pop()):
            if entry.is_dir():
                if entry.name != "__pycache__":
                    folders.append(entry.path)
            elif entry.name.endswith((".py", ".toml", ".md")):
                found = entry.stat()
                marks.append(hash((found.st_mtime_ns, found.st_size)))
    return f"{__version__} {version_info[0]}.{version_info[1]} {len(marks)} {hash(tuple(marks))}"


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What a folder holds, by name; nothing where there is no such folder (a zipped wheel)."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def run_key(arguments: list[str]) -> str:
    """What decides the output of a run, apart from the contents of files."""
    environment = [
        os.environ.get(name, "") for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TERM", "COLUMNS")
    ]
    parts = [
        package_stamp(),
        os.getcwd(),
        str(sys.stdout.isatty()),
        str(sys.stdout.encoding),
        *environment,
        *arguments,
    ]
    return "\0".join(parts)


def nearest(start: str) -> str | None:
    """The cache folder of the nearest folder, from `start` upwards, that has one."""
    while True:
        folder = os.path.join(start, FOLDER)
        if os.path.isdir(folder):
            return folder
        above = os.path.dirname(start)
        if above == start:
            return None
        start = above


def clean(folder: str) -> bool:
    """Remove what modlint has put into a cache folder, and the folder if nothing else is in it.

    Says whether there was a cache. Any folder may be named, so that nothing in it is removed but what is known.
    """
    import contextlib

    databases = [e.path for e in _entries(folder) if e.name.startswith("cache-") and ".sqlite3" in e.name]
    marks = [os.path.join(folder, name) for name, text in _MARKS.items() if _holds(os.path.join(folder, name), text)]
    if not databases and len(marks) < len(_MARKS):
        return False
    for path in (*databases, *marks):
        _remove(path)
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return True


def _holds(path: str, text: str) -> bool:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read(len(text) + 1) == text
    except (OSError, ValueError):
        return False


def _prepared(folder: str) -> bool:
    """Make the folder, and mark one in which nothing is: for git as ignored, for backup programs as a cache."""
    try:
        os.makedirs(folder, exist_ok=True)
        for name, text in () if os.listdir(folder) else _MARKS.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
                stream.write(text)
    except OSError:
        return False
    return True


def _remove(path: str) -> None:
    import contextlib

    with contextlib.suppress(OSError):
        os.remove(path)


def _checksum(*parts: str | bytes) -> int:
    from zlib import crc32

    total = 0
    for part in parts:
        total = crc32(part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part, total)
    return total


def _now() -> int:
    from time import time_ns

    return time_ns()
