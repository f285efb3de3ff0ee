"""A function of modlint's run in a fresh Python process: bounded in time and memory, the user's output kept off stdout.

In: `module:function` and keyword arguments that pickle. Out: the function's result (pickled) or a ModlintError.
The environment is set before Python starts, because hash seed and cuBLAS read it only then.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modlint.errors import LogicError, ModlintError

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENT = {"PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
_START = "import pickle, sys; job = pickle.load(open(sys.argv[1], 'rb')); sys.path[:] = job['path']; \
from modlint.trace.worker import serve; serve(job)"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user's code may take: `seconds` of wall-clock time, `memory` in bytes (None: no limit)."""

    seconds: float = 300.0
    memory: int | None = None


def run(
    function: str, arguments: dict[str, Any], limits: Limits = Limits(), environment: dict[str, str] | None = None
) -> Any:
    """Run `module:function(**arguments)` in a process of its own and return what it returns.

    Raises the ModlintError that the function raised, or one that says that a limit was reached or the process died.
    """
    with tempfile.TemporaryDirectory(prefix="modlint-") as folder:
        job, answer = Path(folder, "job"), Path(folder, "answer")
        job.write_bytes(
            pickle.dumps(
                {
                    "path": sys.path,
                    "function": function,
                    "arguments": arguments,
                    "memory": limits.memory,
                    "answer": str(answer),
                }
            )
        )
        status = _process(str(job), limits, {**os.environ, **ENVIRONMENT, **(environment or {})})
        if not answer.exists():
            raise ModlintError(_death(status, limits))
        return _read(answer)


def _process(job: str, limits: Limits, environment: dict[str, str]) -> int:
    """Run the worker to its end; its process group is killed when time is up or the caller is interrupted."""
    process = subprocess.Popen(
        [sys.executable, "-c", _START, job],
        stdin=subprocess.DEVNULL,
        stdout=_errors(),
        env=environment,
        start_new_session=True,
    )
    try:
        return process.wait(limits.seconds)
    except subprocess.TimeoutExpired:
        raise ModlintError(_late(limits.seconds)) from None
    finally:
        if process.poll() is None:
            _kill(process)


def _late(seconds: float) -> str:
    return f"the model was still running after {seconds:g} s; give it more with --timeout, or smaller inputs"


class _Late(KeyboardInterrupt):
    """Time is up. An interrupt, because anything else is taken for an exception of the model's."""


@contextlib.contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """In the worker: bound a block of the user's code. Raises ModlintError; what does not let itself be interrupted
    is left to the limit of the process, as everything is where the system has no such alarm.
    """
    if seconds is None or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: Any) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _Late:
        raise ModlintError(_late(seconds)) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _errors() -> int:
    """Where the user's prints go: our stderr, or nowhere when there is none."""
    try:
        return subprocess.DEVNULL if sys.__stderr__ is None else sys.__stderr__.fileno()
    except (OSError, ValueError):
        return subprocess.DEVNULL


def _kill(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _death(status: int, limits: Limits) -> str:
    if status >= 0:
        return f"the model's process ended with status {status} before it answered; does the model call os._exit?"
    name = signal.Signals(-status).name
    if name == "SIGKILL":
        return "the model's process was killed (SIGKILL), as the system does when memory runs out; try smaller inputs"
    return f"the model's process was ended by {name}; run the model alone to see why"


def _read(answer: Path) -> Any:
    kind, value = pickle.loads(answer.read_bytes())
    match kind:
        case "value":
            return value
        case "error":
            message, file, line = value
            raise ModlintError(message, file=file, line=line)
        case _:
            raise LogicError(value)


def serve(job: dict[str, Any]) -> None:
    """The worker's side: run the job, write the answer, leave at once (threads of the user's do not hold it up)."""
    _limit(job["memory"])
    answer = _answer(job)
    try:
        data = pickle.dumps(answer)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        data = pickle.dumps(("fault", f"{job['function']} returned what does not pickle: {error}"))
    scratch = Path(job["answer"] + ".part")
    scratch.write_bytes(data)
    scratch.replace(job["answer"])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # the user's code may have closed or removed it
            stream.flush()
    os._exit(0)


def _answer(job: dict[str, Any]) -> tuple[str, Any]:
    module, _, name = job["function"].partition(":")
    try:
        return "value", getattr(importlib.import_module(module), name)(**job["arguments"])
    except ModlintError as error:
        return "error", (_with_hint(error.message, job["memory"]), error.file, error.line)
    except MemoryError:
        return "error", (_with_hint("MemoryError", job["memory"]), None, None)
    except Exception:  # ours: the caller raises it as a LogicError with this text
        return "fault", traceback.format_exc()


def _with_hint(message: str, memory: int | None) -> str:
    """Name the limit where memory ran out under one."""
    starved = "MemoryError" in message or "can't allocate memory" in message
    if memory is None or not starved:
        return message
    return f"{message}\n  the limit is {memory / 2**30:.3g} GiB; raise it with --memory, or give smaller inputs"


def _limit(memory: int | None) -> None:
    """Bound the private writable memory. (RLIMIT_AS would also count what CUDA only reserves.)"""
    if memory is None:
        return
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bound = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))
