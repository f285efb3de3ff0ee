"""`modlint trace` from end to end, in worker processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook

from modlint.errors import ModlintError
from modlint.trace.session import Request, parse_init, trace_job, traced_all, traced_target
from modlint.trace.worker import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
MODELS = """
print("imported")

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.fc, self.bn = nn.Linear(width, width), nn.BatchNorm1d(width)
    def forward(self, x):
        print("running")
        return self.bn(self.fc(self.bn(x)))

class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(nn.Linear(20_000, 20_000) for _ in range(16)), nn.Dropout(0.1))
    def forward(self, x):
        return self.layers(x)

class Broken(nn.Module):
    def forward(self, x):
        raise RuntimeError("no luck")

class Deadly(nn.Module):
    def __init__(self):
        import os
        os._exit(3)
"""


def modlint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modlint", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_command_prints_json_alone_and_keeps_the_users_prints_on_stderr(write: Callable[..., Path]) -> None:
    file = write(MODELS)
    done = modlint(file.parent, "trace", "net.py:Net", "--init", '{"width": 6}', "--output-format", "json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["target"], report["inputs"]) == (0, "net.py:Net", ["2x6"])
    assert "imported" in done.stderr and "running" in done.stderr


def test_an_error_is_told_on_stderr_with_status_2(write: Callable[..., Path]) -> None:
    done = modlint(write(MODELS).parent, "trace", "net.py:Broken", "--input", "2x3")
    assert (done.returncode, done.stdout) == (2, "")
    assert "raised RuntimeError: no luck\n  net.py:26 in forward\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_configuration_is_read_for_a_configured_target(write: Callable[..., Path], tmp_path: Path) -> None:
    write(MODELS)
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.modlint.models]]\ntarget = "net.py:Net"\ninit = { width = 3 }\ninput = ["5x3"]\n'
    )
    done = modlint(tmp_path, "trace", "net.py:Net", "-o", "out.dot", "--output-format", "dot")
    assert (done.returncode, done.stdout) == (0, "")
    assert "BatchNorm1d" in (tmp_path / "out.dot").read_text()


def test_weights_that_do_not_fit_are_built_on_the_meta_device(write: Callable[..., Path]) -> None:
    """16 layers of 20,000 by 20,000 take 26 GB; the limit is 2."""
    graph = traced_target(Request(f"{write(MODELS)}:Wide"), Limits(120, 2 * 2**30))
    assert [len(graph.uses_of(f"layers.{n}")) for n in range(17)] == [1] * 17


GROWING = """
import copy

class Net(nn.Module):
    def __init__(self, copied=False, width=512):
        super().__init__()
        layer = nn.Linear(width, width)
        self.layers = nn.ModuleList()
        for one in (copy.deepcopy(layer) if copied else nn.Linear(width, width) for _ in range(24)):
            self.layers.append(one)
        self.drop = nn.Dropout(0.1)
    def forward(self, x):
        for layer in self.layers:
            x = self.drop(layer(x))
        return x

class Choosy(Net):
    def forward(self, x):
        return super().forward(x) if self.layers[0].weight.sum() < 1e30 else x
"""


@pytest.mark.parametrize("init", ['{"copied": false}', '{"copied": true}'], ids=["one by one", "copies of one"])
def test_weights_that_take_more_than_their_room_are_not_even_allocated(write: Callable[..., Path], init: str) -> None:
    """24 layers of 1 MiB, with room for 8 of them."""
    kept: list[str] = []

    def note(module: nn.Module, name: str, part: nn.Module) -> None:
        if isinstance(part, nn.Linear):
            kept.append(part.weight.device.type)

    hook = register_module_module_registration_hook(note)
    try:
        graph = trace_job(Request(f"{write(GROWING)}:Net", init, ("2x512",)), room=8 * 2**20)
    finally:
        hook.remove()
    assert 4 < kept.index("meta") <= 8 and kept.count("meta") == 24
    assert (len(graph.uses_of("drop")), graph.tracer) == (24, "fx")


def test_weights_that_the_forward_asks_for_are_built_after_all(write: Callable[..., Path]) -> None:
    target = f"{write(GROWING)}:Choosy"
    graph = trace_job(Request(target, "", ("2x512",)), room=8 * 2**20)
    assert (len(graph.uses_of("drop")), graph.tracer) == (24, "recorded")
    with pytest.raises(ModlintError, match=r"without its weights .* raised [\s\S]*do not fit into the memory limit"):
        traced_target(Request(target, '{"width": 8192}', ("2x8192",)), Limits(60, 2**30))


def test_one_target_that_kills_the_process_does_not_cost_the_others(write: Callable[..., Path]) -> None:
    file = write(MODELS)
    results = traced_all([Request(f"{file}:{name}") for name in ("Deadly", "Net")], Limits(60))
    assert isinstance(results[0], ModlintError) and "status 3" in results[0].message
    assert len(results[1].uses_of("bn")) == 2


@pytest.mark.parametrize("text", ["{", "3", '"a"'])
def test_init_must_be_an_object(text: str) -> None:
    with pytest.raises(ModlintError, match="--init"):
        parse_init(text)
