"""Frames of deep calls lie in one piece of memory, which is not mapped anew when calls go past the end of another."""

from __future__ import annotations

import sys

import pytest

from modlint.syntax.source import in_one_chunk

resource = pytest.importorskip("resource")


def _down(depth: int) -> int:
    return depth and _down(depth - 1)


def _many() -> None:
    """Calls of every depth: some of these go past the end of a chunk of 16 KiB, again and again."""
    for depth in range(300):
        for _ in range(50):
            _down(depth)


@in_one_chunk
def _many_in_one() -> None:
    for depth in range(300):
        for _ in range(50):
            _down(depth)


def _pages_of(many: object) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    assert callable(many)
    many()
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="frames are not kept in chunks")
def test_frames_lie_in_one_chunk() -> None:
    assert _pages_of(_many_in_one) * 20 < _pages_of(_many)
