"""Bytes of a file -> representation, or the error that becomes ML901; and numbers of nodes -> lines and columns."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import warnings
from contextlib import contextmanager
from types import FunctionType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from modlint.errors import ModlintError
from modlint.syntax.bulk import without_bulk
from modlint.syntax.ir import FileIR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import libcst
    from libcst.metadata import CodeRange

_F = TypeVar("_F", bound="Callable[..., object]")
_DEEP = 8000  # frames; enough for an expression nested a thousand deep
_CHUNK = 2**17 + 1  # words: a little over 1 MiB, for which CPython takes 2 MiB
_OPEN = 200  # brackets open at once: Python reads no more, and libcst overflows the machine's stack at some thousand
_BRACKET = re.compile(r"[\[\](){}]")
_LONG = 4_000  # bytes of a line from which on its operators are counted
_CHAINED = 1_500  # operators in a row: at some thousand libcst takes minutes, or overflows the machine's stack
_RUNGS = 3_000  # branches of one `if`: at some thousand libcst overflows the machine's stack
_PLACE = re.compile(r"parser error: error at (\d+):(\d+): ")
_OPERATORS = (
    b"and",
    b"or",
    b"+",
    b"-",
    b"*",
    b"/",
    b"|",
    b"&",
    b"^",
    b"%",
    b"@",
    b".",
    b"<",
    b">",
    b"==",
    b"[",
    b"(",
    b"not",
    b"lambda",
    b"await",
    b"if",
    b"else",
)
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_WORDS = frozenset({"and", "or", "not", "lambda", "if", "await", "in", "is"})


class SourceError(ModlintError):
    """A file that cannot be decoded or parsed. `line` and `column` (from 1) say where.

    `stopped` is the line that the parser could not get past, where it got that far.
    """

    def __init__(self, message: str, path: str, line: int = 1, column: int = 1, stopped: int = 0) -> None:
        super().__init__(message, file=path, line=line)
        self.line = line
        self.column = column
        self.stopped = stopped


class Span(NamedTuple):
    """Rows and columns from 1, columns in code points, the end exclusive."""

    row: int
    column: int
    end_row: int
    end_column: int


def parse_source(path: str, data: bytes) -> FileIR:
    """Lower one file. Raises SourceError when it is not Python that libcst can read."""
    from modlint.syntax.lower import Lowerer

    with deep_recursion(path):
        tree = parse_module(path, data)
        lowerer = Lowerer()
        body = lowerer.statements(tree.body)
    return FileIR(path, body, dict.fromkeys(sorted(lowerer.mentions)), dict.fromkeys(sorted(lowerer.calls)))


def locate(data: bytes, numbers: Iterable[int]) -> dict[int, Span]:
    """The spans of numbered nodes: parses the file a second time, so ask only for what is reported."""
    from modlint.syntax.lower import Lowerer

    with deep_recursion(""):
        module, positions = positioned(data)
        lowerer = Lowerer(record=True)
        lowerer.statements(module.body)
    nodes = lowerer.nodes or []
    return {number: span_of(positions[nodes[number]]) for number in numbers}


def positioned(data: bytes) -> tuple[libcst.Module, Mapping[libcst.CSTNode, CodeRange]]:
    """The syntax tree, and where each node stands. Raises SourceError."""
    from libcst.metadata import MetadataWrapper, PositionProvider

    wrapper = MetadataWrapper(parse_module("", data), unsafe_skip_copy=True)
    return wrapper.module, wrapper.resolve(PositionProvider)


def span_of(found: CodeRange, before: int = 0) -> Span:
    """A range as a span, with so many rows before the text that it is a range of."""
    start, end = found.start, found.end
    return Span(start.line + before, start.column + 1, end.line + before, end.column + 1)


@contextmanager
def room_for_recursion() -> Iterator[None]:
    """Within: a higher recursion limit."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _DEEP))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def in_one_chunk(function: _F) -> _F:
    """The same function; the frames of all that it calls, some thousand deep, lie in one piece of memory.

    CPython (3.11 and later) keeps frames in chunks of 16 KiB. It maps another one when calls go past the end of the
    last, and unmaps it as soon as they return, which may be millions of times. A chunk is made as large as the first
    frame in it asks for, so this one asks for much: of memory that is never touched.
    """
    if sys.implementation.name == "cpython" and isinstance(function, FunctionType):
        function.__code__ = function.__code__.replace(co_stacksize=_CHUNK)
    return function


@contextmanager
def deep_recursion(path: str) -> Iterator[None]:
    """Room for deeply nested source; a file that needs more is unreadable, not a crash."""
    try:
        with room_for_recursion():
            yield
    except RecursionError:
        raise SourceError("nested too deeply to analyse; split the expression", path) from None


def parse_module(path: str, data: bytes) -> libcst.Module:
    """The syntax tree. Raises SourceError."""
    import libcst

    _refuse(path, data)
    try:
        return libcst.parse_module(without_bulk(data))
    except libcst.ParserSyntaxError as error:
        raise _syntax_error(path, data, error.message) from None
    except (UnicodeDecodeError, LookupError, SyntaxError) as error:
        raise _undecoded(path, data, error) from None


def fault(path: str, data: bytes) -> SourceError | None:
    """What `parse_module` says of source that libcst is known to refuse; None where Python takes it. Far quicker."""
    try:
        _refuse(path, data)
    except SourceError as error:
        return error
    found = _syntax_error(path, data, "")
    return None if found.message == _said("") else found


def _refuse(path: str, data: bytes) -> None:
    """Raise SourceError for what libcst must not be given."""
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise SourceError("contains a NUL byte; is it a Python file?", path, line)
    line = _too_deep(data)
    if line:
        raise SourceError(f"cannot be parsed: more than {_OPEN} brackets are open at once", path, line)
    line = _too_long(data)
    if line:
        raise SourceError(
            f"nested too deeply to analyse: over {_CHAINED} operators in a row; split the line", path, line
        )
    line = _ladder(data)
    if line:
        raise SourceError(f"nested too deeply to analyse: over {_RUNGS} elif in a row; use a table", path, line)


def _said(said: str) -> str:
    return f"cannot be parsed: {said}"


def _syntax_error(path: str, data: bytes, said: str) -> SourceError:
    """What Python says of the source and where, as it tells more than libcst does; else what libcst `said`."""
    place = _PLACE.match(said)
    stopped = 0 if place is None else int(place[1])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(data)
    except SyntaxError as error:
        line = min(error.lineno or 1, data.count(b"\n") + 1)
        return SourceError(_said(error.msg), path, line, max(error.offset or 1, 1), stopped)
    except (ValueError, RecursionError, MemoryError):
        pass
    if place is None:
        return SourceError(_said(said), path)
    return SourceError(_said(said[place.end() :]), path, stopped, max(int(place[2]), 1), stopped)


def _undecoded(path: str, data: bytes, error: Exception) -> SourceError:
    """The line of the first byte that is not UTF-8 where the file declares no encoding, else what Python says."""
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    except (SyntaxError, LookupError):
        encoding = "utf-8" if "missing encoding" in str(error) else ""
    try:
        data.decode(encoding) if encoding.startswith("utf-8") else None
    except UnicodeDecodeError as wrong:
        line = data.count(b"\n", 0, wrong.start) + 1
        reason = f"byte 0x{data[wrong.start]:02x} is not UTF-8, and the file declares no other encoding"
        return SourceError(f"cannot be decoded: {reason}", path, line)
    return SourceError(f"cannot be decoded: {error}", path)


def _ladder(data: bytes) -> int:
    """The line on which too many branches of one `if` follow each other, or 0. libcst nests them in each other."""
    if data.count(b"elif") <= _RUNGS:
        return 0
    rungs: dict[int, int] = {}
    for row, line in enumerate(data.split(b"\n"), start=1):
        text = line.lstrip()
        if text and not text.startswith(b"#"):
            indent = len(line) - len(text)
            rungs = {column: count for column, count in rungs.items() if column <= indent}
            rungs[indent] = rungs.get(indent, 0) + 1 if text.startswith(b"elif") else 0
            if rungs[indent] > _RUNGS:
                return row
    return 0


def _too_deep(data: bytes) -> int:
    """The line on which too many brackets are open, or 0. Strings and comments are told apart only when it matters."""
    if sum(map(data.count, (b"(", b"[", b"{"))) <= _OPEN or _deepest(data.decode("latin-1")) <= _OPEN:
        return 0
    depth, row = 0, 1
    try:
        for token in tokenize.tokenize(io.BytesIO(data).readline):
            row = token.start[0]
            if token.type == tokenize.OP and token.string in "([{":
                depth += 1
            elif token.type == tokenize.OP and token.string in ")]}":
                depth -= 1
            fields = _deepest(token.string) if token.type == tokenize.STRING and "{" in token.string else 0
            if depth + fields > _OPEN:
                return row
    except UnicodeDecodeError:
        return 0  # libcst says what is wrong
    except (tokenize.TokenError, SyntaxError):
        return row
    return 0


def _deepest(text: str) -> int:
    """The most brackets that are open at once."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        depth = depth + 1 if bracket in "([{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest


def _too_long(data: bytes) -> int:
    """The line on which too many operators follow each other in one expression, or 0."""
    if not _may_be_long(data.split(b"\n")):
        return 0
    counts, row = [0], 1
    before = tokenize.ENCODING
    try:
        for token in tokenize.tokenize(io.BytesIO(data).readline):
            row = token.start[0]
            if token.string in _CLOSING and len(counts) > 1:
                counts.pop()
            if token.type == tokenize.NEWLINE or token.string in (",", ";"):
                counts[-1] = 0
            elif token.type == tokenize.OP or token.string in _WORDS or token.type == before == tokenize.STRING:
                counts[-1] += 1
            if token.string in _OPENING:
                counts.append(0)
            before = token.type
            if counts[-1] > _CHAINED:
                return row
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):
        return 0  # libcst says what is wrong
    return 0


def _may_be_long(lines: list[bytes]) -> bool:
    """Whether some line, or some run of lines that begin or end with operators, is very long."""
    run = 0
    for line in lines:
        if len(line) > _LONG:
            return True
        text = line.strip()
        run = run + 1 if text.startswith(_OPERATORS) or text.endswith(_OPERATORS) else 0
        if run > _CHAINED:
            return True
    return False
