"""Many files -> their representations and results, in this process or in several.

What crosses processes are representations and judgements, never syntax trees or graphs.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from modlint.analysis import Analyst, FileResult, Options
from modlint.sources import Mentions, Setup, Sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modlint.sources import MentionState

_SMALL = 8  # with fewer files another process is not worth its start
_SLICE = 16  # files that one process looks at in a row


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect garbage rarely, which saves a fifth of the time: trees and representations hold no cycles.

    What a model leaves does, and outlives two generations: a full collection every 16 million objects keeps half of the
    memory that a run on transformers else takes.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 8, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def prepare_all(sources: Sources, files: Sequence[str], jobs: int) -> None:
    """Representations of all `files`, parsing what is not in the cache, on `jobs` processes."""
    if jobs < 2 or len(files) < _SMALL:
        with rare_collections():
            for file in files:
                sources.prepare(file)
        if len(files) >= _SMALL:
            _trim()
        return
    with _Pool(jobs, sources) as pool:
        for rows, unreadable, blob in pool.map(_prepare, files):
            sources.take(rows)
            sources.unreadable.update(unreadable)
            sources.blobs().update(blob)


def _trim() -> None:
    """Give the system back what trees took, where the C library keeps it in case: 70 MiB after timm."""
    import ctypes

    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # no glibc
        return


def analyse_all(
    sources: Sources, files: Sequence[str], options: Options, mentions: Mentions, jobs: int
) -> Iterator[FileResult]:
    """The results of all `files`, in any order."""
    shared: dict[Any, Any] = {}
    if jobs < 2 or len(files) < _SMALL:
        analyst = Analyst(sources, options, mentions)
        with rare_collections():
            for file in files:
                yield _sharing(shared, analyst.analyse(file))
        return
    with _Pool(jobs, sources, options, mentions.state) as pool:
        for rows, result in pool.map_by_folder(_analyse, files):
            sources.take(rows)
            yield _sharing(shared, result)


def _sharing(known: dict[Any, Any], result: FileResult) -> FileResult:
    """The result with what it says of files and folders being the objects that others have: there are a million."""
    read = tuple(known.setdefault(one, one) for one in result.read)
    return replace(result, read=read, absent=tuple(known.setdefault(one, one) for one in result.absent))


class _Worker:
    """What a worker process holds: set once by `_start`."""

    sources: Sources
    analyst: Analyst
    collecting = rare_collections()  # held: a context that nobody holds ends where it is entered

    @classmethod
    def start(
        cls, setup: Setup, blobs: dict[str, bytes], options: Options | None, mentions: MentionState | None
    ) -> None:
        cls.collecting.__enter__()  # until the process ends
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asked, which ends this one
        cls.sources = Sources(setup, blobs)
        if options is not None:
            cls.analyst = Analyst(cls.sources, options, Mentions(cls.sources, mentions))


class _Pool:
    """Worker processes that read the tree for themselves. Where it is cheap they are forked, else spawned."""

    def __init__(
        self, jobs: int, sources: Sources, options: Options | None = None, mentions: MentionState | None = None
    ) -> None:
        import multiprocessing

        forks = sys.platform == "linux"
        sources.cache.close()
        arguments = (sources.setup, sources.blobs(), options, mentions)
        context = multiprocessing.get_context("fork" if forks else "spawn")
        self._sources = sources
        self._jobs = jobs
        self._pool = context.Pool(jobs, _Worker.start, arguments)

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self._pool.close()
        else:
            self._pool.terminate()
        self._pool.join()

    def map(self, function, files: Sequence[str]):  # type: ignore[no-untyped-def]
        """Largest files first, so that no process is left with a long one in the end."""
        return self._pool.imap_unordered(function, sorted(files, key=self._size, reverse=True), chunksize=1)

    def map_by_folder(self, function, files: Sequence[str]):  # type: ignore[no-untyped-def]
        """Neighbours together: what files of one folder import is mostly the same, and every process runs it.

        The slices become shorter towards the end, so that the processes come to it together. A package's own file,
        which imports the others, stays before them: after them it would run again what was let go.
        """
        rest, slices = sorted(files), []
        while rest:
            length = max(1, min(_SLICE, len(rest) // (4 * self._jobs)))
            slices.append((function, rest[:length]))
            rest = rest[length:]
        return chain.from_iterable(self._pool.imap_unordered(_each, slices))

    def _size(self, file: str) -> int:
        try:
            return os.path.getsize(self._sources.path(file))
        except OSError:
            return 0


def _each(task: tuple[Callable[[str], object], list[str]]) -> list[object]:
    function, files = task
    return [function(file) for file in files]


def _prepare(file: str) -> object:
    blob = _Worker.sources.prepare(file)
    return *_Worker.sources.hand_over(), {} if blob is None else {file: blob}


def _analyse(file: str) -> object:
    sources = _Worker.sources
    result = _Worker.analyst.analyse(file)
    rows, sources.fresh = sources.fresh, []
    return rows, result
