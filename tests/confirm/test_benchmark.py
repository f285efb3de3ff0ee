"""`benchmarks/cuda.py` is complete: every case runs on the CPU in small, and without CUDA it says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "cuda.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=300, check=False
    )


def test_cases_run_in_small_and_are_written(tmp_path: Path) -> None:
    out = tmp_path / "cpu.json"
    cases = ("--case", "conv-transpose-as-is", "--case", "thread-normal-against-reused")
    done = run("--device", "cpu", "--size", "tiny", "--repeats", "1", "--out", str(out), *cases)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(out.read_text("utf-8"))
    assert {"device", "torch", "python", "system", "date"} <= report["machine"].keys()
    noisy = report["cases"]["conv-transpose-as-is"]
    assert noisy["settings"]["determinism"] == "as-is"
    assert noisy["found"] == {"act": "safe"}
    assert noisy["cost"]["executions_ratio"] <= 1.3
    assert report["cases"]["thread-normal-against-reused"]["same"] is True


def test_figures_of_the_cpu_are_not_put_among_those_of_cuda() -> None:
    done = run("--device", "cpu", "--size", "tiny", "--case", "thread-module-against-function", "--repeats", "1")
    assert done.returncode != 0
    assert "give --out for a run on the CPU" in done.stderr


def test_without_cuda_it_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    done = run()
    assert done.returncode == 2
    assert "no device 'cuda': this torch sees no CUDA device" in done.stderr


def test_it_hides_nothing_from_torch_in_its_own_folder() -> None:
    """torch looks for a package `cuda`, and finds this folder first where Python is started in it."""
    command = [sys.executable, "-W", "ignore", "-c", "import torch; print(torch.ones(1).item())"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=SCRIPT.parent)
    assert (done.returncode, done.stdout) == (0, "1.0\n"), done.stderr
