"""The numeric pass on the models that the thread is about, on a CUDA device (or, to see that it works, on the CPU).

    python benchmarks/cuda.py                           all cases on CUDA; writes benchmarks/results/cuda-DEVICE.json
    python benchmarks/cuda.py --device cpu --size tiny --out /tmp/cpu.json
    python benchmarks/cuda.py --case resnet50-shared-batchnorm --repeats 5

Each case runs in a process of its own, which the environment for deterministic kernels is set for before CUDA starts.
The JSON holds device, driver and library versions, and for each case every observable with its noise floor, what was
found nondeterministic, the verdict beside the expected one, the number of model executions, and times: of the
experiment, of the bare training runs that its protocol consists of, and their ratio.

Exit status: 0 when every case gives an expected answer, 1 when one does not, 2 where there is no such device.
"""

# ruff: noqa: E402  (the search path is set before torch is imported)
from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

# torch looks for a package `cuda` (its bindings): from this folder it would find this very file, and must not.
if __name__ == "cuda":
    raise ModuleNotFoundError("benchmarks/cuda.py is a script, not the package `cuda`", name="cuda")
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch
import torch.nn.functional as F
from torch import nn

from modlint.confirm import confirm_model
from modlint.confirm.compare import compare_models
from modlint.confirm.determinism import Settings, applied
from modlint.confirm.library import settings_of
from modlint.confirm.report import comparison_json, nondeterministic_json, outcome_json
from modlint.errors import ModlintError
from modlint.trace.inputs import Inputs, seeded

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent


class ConvBlock(nn.Sequential):
    """The block of the thread's models."""

    def __init__(self, channels_in: int, channels_out: int, act: nn.Module) -> None:
        super().__init__(nn.Conv2d(channels_in, channels_out, 3, 1, 1, bias=False), nn.BatchNorm2d(channels_out), act)


class Thread(nn.Module):
    """NormalModel and ReusedModel of the thread: separate ReLUs, or one."""

    def __init__(self, reused: bool) -> None:
        super().__init__()
        act = nn.ReLU(inplace=True)
        self.conv1 = ConvBlock(3, 64, act)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = ConvBlock(64, 1, act if reused else nn.ReLU(inplace=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2(self.pool(self.conv1(x)))


class MyModel(nn.Module):
    """The model of the thread's comparison: one ReLU module, or `F.relu`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, 1, 1)
        self.conv2 = nn.Conv2d(6, 12, 3, 1, 1)
        self.linear = nn.Linear(12 * 24 * 24, 100)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor, use_act: bool) -> torch.Tensor:
        act = self.act if use_act else F.relu
        return self.linear(act(self.conv2(act(self.conv1(x)))).flatten(1))


class UNet(nn.Module):
    """What the author of the thread trained: convolutions down, transposed convolutions up, one ReLU throughout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.act = nn.ReLU()
        self.down1 = nn.Conv2d(3, width, 3, 2, 1)
        self.down2 = nn.Conv2d(width, 2 * width, 3, 2, 1)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 4, 2, 1)
        self.up2 = nn.ConvTranspose2d(width, 3, 4, 2, 1)
        self.pool = nn.MaxPool2d(3, 1, 1)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.bn(self.down1(x)))
        x = self.pool(self.act(self.down2(x)))
        return self.up2(self.act(self.up1(x)))


class Bottleneck(nn.Module):
    """The residual block of ResNet-50 (He et al., 2016), in which the norms of equal width may be one."""

    def __init__(self, inside: int, width: int, stride: int, act: nn.Module, share_norm: bool) -> None:
        super().__init__()
        outside = 4 * width
        self.conv1 = nn.Conv2d(inside, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = self.bn1 if share_norm else nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outside, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        self.act = act
        self.shortcut = nn.Sequential()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.act(self.bn1(self.conv1(x)))
        y = self.act(self.bn2(self.conv2(y)))
        return self.act(self.bn3(self.conv3(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """ResNet-50 with one ReLU for all its activations; in the first block one BatchNorm may serve two convolutions."""

    def __init__(self, width: int, depths: tuple[int, ...], share_norm: bool) -> None:
        super().__init__()
        act = nn.ReLU()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), act)
        self.pool = nn.MaxPool2d(3, 2, 1)
        layers, inside = [], width
        for stage, depth in enumerate(depths):
            for block in range(depth):
                stride = 2 if stage and not block else 1
                shared = share_norm and not layers
                layers.append(Bottleneck(inside, width * 2**stage, stride, act, shared))
                inside = 4 * width * 2**stage
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(inside, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layers(self.pool(self.stem(x))).mean(dim=(2, 3)))


class TransformerLayer(nn.Module):
    """A pre-norm encoder layer with one LayerNorm and one Dropout for both halves."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.drop = nn.Dropout(0.1)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.inner = nn.Linear(width, 4 * width)
        self.outer = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        x = x + self.drop(self.attention(y, y, y, need_weights=False)[0])
        return x + self.drop(self.outer(F.gelu(self.inner(self.norm(x)))))


class Critic(nn.Module):
    """A GAN's discriminator with BatchNorm, called on real and on fake images in one step."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.discriminator = nn.Sequential(
            nn.Conv2d(3, width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.LazyLinear(1),
        )

    def forward(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        return self.discriminator(real) - self.discriminator(fake)


@dataclass(frozen=True)
class Case:
    """One experiment. `expected` are the measured verdicts that are right, by instance.

    `or_noise` allows `inconclusive` besides, where the settings leave the machine its noise.
    """

    build: Callable[[bool], nn.Module]  # argument: tiny
    inputs: Callable[[bool], tuple[Any, ...]]
    expected: dict[str, tuple[str, ...]]
    deterministic: bool = True
    or_noise: bool = False


def images(size: int, tiny: bool, batch: int = 16) -> torch.Tensor:
    """Random images."""
    batch, size = (4, max(16, size // 8)) if tiny else (batch, size)
    return torch.randn(batch, 3, size, size, generator=seeded(1))


def resnet(share_norm: bool) -> Callable[[bool], nn.Module]:
    """ResNet-50, or the same shape in small."""
    return lambda tiny: ResNet(8 if tiny else 64, (1, 1) if tiny else (3, 4, 6, 3), share_norm)


HARM, SAFE = ("changes-semantics",), ("safe",)
TIED = ("deliberate", "changes-semantics")  # the numbers show the tie; whether it is meant is for the rules
CASES = {
    "thread-reused-relu": Case(lambda tiny: Thread(True), lambda tiny: (images(64, tiny, 64),), {"conv1.2": SAFE}),
    "conv-transpose-as-is": Case(
        lambda tiny: UNet(8 if tiny else 64),
        lambda tiny: (images(128, tiny, 32),),
        {"act": SAFE},
        deterministic=False,
        or_noise=True,
    ),
    "conv-transpose-deterministic": Case(
        lambda tiny: UNet(8 if tiny else 64), lambda tiny: (images(128, tiny, 32),), {"act": SAFE}, or_noise=True
    ),
    "resnet50-shared-relu": Case(resnet(False), lambda tiny: (images(224, tiny),), {"stem.2": SAFE}),
    "resnet50-shared-batchnorm": Case(
        resnet(True), lambda tiny: (images(224, tiny),), {"stem.2": SAFE, "layers.0.bn1": HARM}
    ),
    "transformer-shared-layernorm-dropout": Case(
        lambda tiny: TransformerLayer(32 if tiny else 512, 4 if tiny else 8),
        lambda tiny: (torch.randn(4 if tiny else 16, 8 if tiny else 256, 32 if tiny else 512, generator=seeded(1)),),
        {"norm": TIED, "drop": SAFE},
    ),
    "gan-discriminator-real-and-fake": Case(
        lambda tiny: Critic(8 if tiny else 64),
        lambda tiny: (images(64, tiny, 64), 0.5 + 0.1 * images(64, tiny, 64)),
        {"discriminator": HARM},
    ),
}
COMPARISONS: dict[str, Callable[[bool], tuple[nn.Module, nn.Module, Inputs, Any]]] = {
    "thread-normal-against-reused": lambda tiny: (
        Thread(False),
        Thread(True),
        Inputs.of([images(64, tiny, 64)]),
        ({}, {}),
    ),
    "thread-module-against-function": lambda tiny: (
        MyModel(),
        MyModel(),
        Inputs.of([torch.randn(4 if tiny else 64, 3, 24, 24, generator=seeded(1))]),
        ({"use_act": True}, {"use_act": False}),
    ),
}


def main() -> int:
    """Run the cases that are asked for and write the report."""
    options = _options()
    if options.inside:
        print(json.dumps(run_case(options.inside, options), allow_nan=False))
        return 0
    try:
        settings_of(options.device)
    except ModlintError as error:
        print(f"benchmarks/cuda.py: {error}", file=sys.stderr)
        return 2
    out = Path(options.out) if options.out else _default_file(options)
    report: dict[str, Any] = {"machine": machine(options.device), "size": options.size, "cases": {}}
    for name in options.case or [*CASES, *COMPARISONS]:
        report["cases"][name] = _in_process(name, options)
        print(summary(name, report["cases"][name]), flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", "utf-8")
    print(f"written to {out}")
    return 0 if all(case.get("as_expected") for case in report["cases"].values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", choices=["full", "tiny"], default="full")
    parser.add_argument("--case", action="append", choices=[*CASES, *COMPARISONS], help="repeatable [default: all]")
    parser.add_argument("--repeats", type=int, default=3, help="times of each measurement; the least is kept")
    parser.add_argument("--out", help="the JSON file")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser.parse_args()


def _default_file(options: argparse.Namespace) -> Path:
    if options.device == "cpu":
        raise SystemExit("give --out for a run on the CPU: benchmarks/results holds what CUDA devices gave")
    name = "".join(c if c.isalnum() else "-" for c in machine(options.device)["device"].lower()).strip("-")
    return HERE / "results" / f"cuda-{name}.json"


def _in_process(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One case in a process of its own: nothing that it leaves behind reaches the next."""
    command = [sys.executable, __file__, "--inside", name, "--device", options.device, "--size", options.size]
    done = subprocess.run([*command, "--repeats", str(options.repeats)], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1:], "as_expected": False}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def run_case(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """The report of one case."""
    tiny = options.size == "tiny"
    torch.manual_seed(0)
    if name in COMPARISONS:
        one, other, inputs, calls = COMPARISONS[name](tiny)
        comparison = compare_models(one, other, inputs, settings_of(options.device), calls)
        return {**comparison_json(comparison), "as_expected": comparison.same is True}
    case = CASES[name]
    model, inputs = case.build(tiny), Inputs.of(case.inputs(tiny))
    settings = settings_of(options.device, deterministic=case.deterministic)
    results = [confirm_model(model, inputs, settings) for _ in range(options.repeats)]
    result = min(results, key=lambda result: result.experiment_seconds)
    found = {o.reused.name: None if o.measured is None else o.measured.value for o in result.outcomes}
    return {
        "settings": result.settings,
        "seeds": list(result.seeds),
        "steps": result.steps,
        "inputs": list(result.inputs),
        "noise": {quantity.value: value for quantity, value in result.noise},
        "deterministic": result.deterministic,
        "nondeterministic": nondeterministic_json(result.nondeterministic),
        "notes": list(result.notes),
        "instances": [outcome_json(outcome) for outcome in result.outcomes],
        "found": found,
        "expected": case.expected,
        "as_expected": all(as_expected(found.get(key, "-"), want, case) for key, want in case.expected.items()),
        "verdicts_of_repeats": [[o.level.value for o in r.outcomes] for r in results],
        "cost": cost(model, inputs, settings, result, options.repeats),
    }


def as_expected(found: str | None, wanted: tuple[str, ...], case: Case) -> bool:
    """Whether a verdict is one of those expected."""
    return found in wanted or (found is None and case.or_noise)


def cost(model: nn.Module, inputs: Inputs, settings: Settings, result: Any, repeats: int) -> dict[str, Any]:
    """Executions and time of the experiment beside those that its protocol needs: 2 + 1 + one per warned instance.

    The ratio is that of the experiment alone; tracing the model first has its own benchmark.
    """
    warned = sum(o.reused.aim.value in {"state", "parameters"} for o in result.outcomes)
    runs = 2 + 1 + warned
    bare = min(bare_run(model, inputs, settings) for _ in range(repeats))
    executions = runs * (settings.steps + 1)
    return {
        "runs": runs,
        "executions": result.executions,
        "executions_needed": executions,
        "executions_ratio": round(result.executions / executions, 3),
        "seconds": round(result.seconds, 3),
        "seconds_without_trace": round(result.experiment_seconds, 3),
        "seconds_of_bare_runs": round(runs * bare, 3),
        "seconds_ratio": round(result.experiment_seconds / (runs * bare), 3),
        "peak_memory": torch.cuda.max_memory_allocated(settings.device) if settings.device.type == "cuda" else None,
    }


def bare_run(model: nn.Module, inputs: Inputs, settings: Settings) -> float:
    """Seconds of one plain training run and eval pass under the same settings."""
    import copy

    device = settings.device
    twin = copy.deepcopy(model).to(device)
    args = [value.to(device) for value in inputs.args]
    with applied(settings):
        twin(*args)
        _wait(device)
        began = time.perf_counter()
        for _ in range(settings.steps):
            twin.train()
            twin(*args).square().mean().backward()
            with torch.no_grad():
                for parameter in twin.parameters():
                    if parameter.grad is not None:
                        parameter.sub_(settings.rate * parameter.grad)
            twin.zero_grad()
        twin.eval()
        with torch.no_grad():
            twin(*args)
        _wait(device)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def machine(device: str) -> dict[str, Any]:
    """What the figures depend on besides the code."""
    found: dict[str, Any] = {
        "device": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "date": time.strftime("%Y-%m-%d"),
    }
    if device != "cpu":
        properties = torch.cuda.get_device_properties(device)
        found.update(
            device=properties.name,
            capability=f"{properties.major}.{properties.minor}",
            memory=properties.total_memory,
            cuda=torch.version.cuda,
            cudnn=torch.backends.cudnn.version(),
            driver=_driver(),
        )
    return found


def _driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


def summary(name: str, case: dict[str, Any]) -> str:
    """One line for a person."""
    mark = "as expected" if case.get("as_expected") else "NOT AS EXPECTED"
    if "error" in case:
        return f"{name}: {mark}: {case['error']}"
    if "same" in case:
        return f"{name}: {mark}: same function {case['same']}, noise {max(case['noise'].values(), default=0):.3g}"
    noise = max(case["noise"].values(), default=0)
    ratio = case["cost"]["seconds_ratio"]
    sources = ", ".join(sorted({n["path"] for n in case["nondeterministic"]})) or "none"
    return f"{name}: {mark}: {case['found']}, noise {noise:.3g} (from: {sources}), {ratio} of the bare runs' time"


if __name__ == "__main__":
    sys.exit(main())
