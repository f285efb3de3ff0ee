"""The worker process: its limits, its environment, what it sends back, and where the user's prints go."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from modlint.errors import LogicError, ModlintError
from modlint.trace import worker
from modlint.trace.worker import Limits

HERE = str(Path(__file__).parent)


def environment() -> dict[str, Any]:
    print("a print of the user's")
    return {name: os.environ.get(name) for name in worker.ENVIRONMENT} | {"hash": hash("modlint")}


def mistake() -> None:
    raise ModlintError("wrong", file="net.py", line=3)


def fault() -> None:
    raise KeyError("ours")


def sleep() -> None:
    time.sleep(60)


def die() -> None:
    os._exit(7)


def crash() -> None:
    os.kill(os.getpid(), 11)


def swell() -> None:
    bytearray(2**31)


def lambdas() -> object:
    return lambda: 0


def run(name: str, **limits: Any) -> Any:
    before = list(sys.path)
    sys.path.insert(0, HERE)
    try:
        return worker.run(f"test_worker:{name}", {}, Limits(**limits))
    finally:
        sys.path[:] = before


def test_the_environment_is_set_before_python_starts_and_prints_stay_off_stdout(
    capfd: pytest.CaptureFixture[str],
) -> None:
    one, other = run("environment"), run("environment")
    assert one == other
    assert {name: one[name] for name in worker.ENVIRONMENT} == worker.ENVIRONMENT
    out, err = capfd.readouterr()
    assert (out, "a print of the user's" in err) == ("", True)


@pytest.mark.parametrize(
    ("job", "limits", "says"),
    [
        pytest.param("mistake", {}, "^net.py:3: wrong$", id="the user's mistake"),
        pytest.param("sleep", {"seconds": 1.0}, "still running after 1 s; give it more with --timeout", id="too slow"),
        pytest.param("die", {}, "ended with status 7 before it answered", id="an exit"),
        pytest.param("crash", {}, "was ended by SIGSEGV", id="a crash"),
        pytest.param("swell", {"memory": 2**30}, "the limit is 1 GiB; raise it with --memory", id="too large"),
    ],
)
def test_what_goes_wrong_is_told(job: str, limits: dict[str, Any], says: str) -> None:
    with pytest.raises(ModlintError, match=says):
        run(job, **limits)


@pytest.mark.parametrize(
    ("job", "says"),
    [
        pytest.param("fault", "KeyError", id="a fault of ours"),
        pytest.param("lambdas", "does not pickle", id="a bad answer"),
    ],
)
def test_our_own_faults_are_told_apart(job: str, says: str) -> None:
    with pytest.raises(LogicError, match=says):
        run(job)
