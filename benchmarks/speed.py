"""How fast modlint is, beside what bounds it: `python benchmarks/speed.py FOLDER [--only NAME]... [--quick]`.

FOLDER holds the packages timm and transformers, as pip installs them with --no-deps --target, and is not changed. P is
the CPU time of `libcst.parse_module` alone on the same files. Every figure is a median of paired runs: what is compared
runs in turn, and ratios are taken within a round; all of transformers is run once, in one process, for growth, memory
and the warm run. Prints a Markdown table, and writes what it measured to benchmarks/results/speed.json, where rows
that were not asked for stay as they are. `--quick` takes one round, and torchvision in the place of transformers; its
figures say whether the script works, and are not kept. torchfix is to be installed somewhere (it needs no torch):
`--torchfix PATH/bin/torchfix`; without it that row is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PYTHON = sys.executable
MODLINT = str(Path(PYTHON).with_name("modlint"))
EDITED = "super().__init__()"
SETTLED = 2.2  # seconds after which the cache trusts a file
PARSE = """
import gc, sys, time
import libcst
sources = [open(name, 'rb').read() for name in open(sys.argv[1]).read().split('\\0')]
gc.disable()
start = time.process_time()
for source in sources:
    libcst.parse_module(source)
print(time.process_time() - start)
"""


class Cost(NamedTuple):
    """What a process took: CPU and wall-clock seconds, and its largest memory in MiB."""

    cpu: float
    wall: float
    memory: float


@dataclass
class Row:
    """A line of the table; `value` is the figure that `met` was decided by."""

    what: str
    goal: str
    measured: str
    met: bool
    value: float


def cost(command: list[str], cwd: Path | None = None, statuses: tuple[int, ...] = (0, 1)) -> Cost:
    """Run a command to its end, children included."""
    before = time.perf_counter()
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    assert process.stderr is not None
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in statuses:
        raise SystemExit(f"{command} exited with {process.returncode}: {error.decode()[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - before, usage.ru_maxrss / 1024)


class Packages:
    """The packages in a folder, with their files and lines."""

    def __init__(self, folder: Path, scratch: Path, large: str = "transformers", torchfix: str | None = None) -> None:
        self.folder = folder
        self.scratch = scratch
        self.large = large  # the package with ten times the lines
        self.torchfix = torchfix
        self._filled: tuple[Path, Cost] | None = None

    def files(self, name: str) -> list[Path]:
        return sorted((self.folder / name).rglob("*.py"))

    def lines(self, name: str) -> int:
        return sum(file.read_bytes().count(b"\n") for file in self.files(name))

    def parse(self, name: str) -> float:
        """P of a package."""
        return self.parse_of(self.files(name))

    def parse_of(self, files: list[Path]) -> float:
        """CPU time of parsing files, and of nothing else."""
        listing = self.scratch / "listing.txt"
        listing.write_text("\0".join(map(str, files)))
        done = subprocess.run([PYTHON, "-c", PARSE, str(listing)], capture_output=True, text=True, check=True)
        return float(done.stdout)

    def cold(self, name: str, *arguments: str) -> Cost:
        """A run that has nothing to start from, and fills a cache."""
        with self.place() as folder:
            return cost([MODLINT, str(self.folder / name), "--exit-zero", *(arguments or ("-j1",))], folder)

    def filled(self) -> tuple[Path, Cost]:
        """The cold run on the large package, of which there is one: where it left its cache, and its cost."""
        if self._filled is None:
            folder = self.scratch / "filled"
            folder.mkdir()
            self._filled = folder, cost([MODLINT, str(self.folder / self.large), "--exit-zero", "-j1"], folder)
        return self._filled

    def place(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(dir=self.scratch)


def ratios(one: Callable[[], float], other: Callable[[], float], rounds: int) -> float:
    """The median of one/other over rounds in which both run."""
    return statistics.median([one() / other() for _ in range(rounds)])


def bare() -> float:
    return cost([PYTHON, "-I", "-c", "pass"]).cpu


def import_libcst() -> float:
    return cost([PYTHON, "-c", "import libcst"]).cpu


def cold(packages: Packages, rounds: int) -> Iterator[Row]:
    """Against parsing alone, and the memory at the peak."""
    pairs = [(packages.parse("timm"), packages.cold("timm")) for _ in range(rounds)]
    ratio = statistics.median(run.cpu / parse for parse, run in pairs)
    rest = statistics.median((run.cpu - parse) / parse for parse, run in pairs)
    parse = statistics.median(parse for parse, _ in pairs)
    yield Row(f"cold full run on timm (P = {parse:.2f} s)", "<= 1.6 P", f"{ratio:.2f} P", ratio <= 1.6, ratio)
    yield Row("everything but parsing", "<= 0.6 P", f"{rest:.2f} P", rest <= 0.6, rest)
    yield _memory("timm", packages, statistics.median(run.memory for _, run in pairs))


def memory(packages: Packages, rounds: int) -> Iterator[Row]:
    """The peak on the large package, once: it differs little from run to run."""
    yield _memory(packages.large, packages, packages.filled()[1].memory)


def _memory(name: str, packages: Packages, peak: float) -> Row:
    allowed = 150 + 0.3 * packages.lines(name) / 1024
    return Row(f"peak memory, cold, {name}", f"<= {allowed:.0f} MiB", f"{peak:.0f} MiB", peak <= allowed, peak)


def cores(packages: Packages, rounds: int) -> Iterator[Row]:
    """Two processes against one, in wall-clock time."""
    faster = ratios(lambda: packages.cold("timm", "-j1").wall, lambda: packages.cold("timm", "-j2").wall, rounds)
    yield Row("two cores, cold, timm, wall clock", ">= 1.6x faster than one", f"{faster:.2f}x", faster >= 1.6, faster)


def growth(packages: Packages, rounds: int) -> Iterator[Row]:
    """Time for a line where there are ten times as many: one large run, small ones before and after it."""
    few, many = packages.lines("timm"), packages.lines(packages.large)
    before = [packages.cold("timm").cpu for _ in range(rounds)]
    large = packages.filled()[1].cpu / many
    small = statistics.median([*before, *(packages.cold("timm").cpu for _ in range(rounds))]) / few
    what = f"growth: time per line, {few:,} -> {many:,} lines"
    told = f"{large / small:.2f}x ({small * 1000:.2f} and {large * 1000:.2f} ms)"
    yield Row(what, "<= 1.2x", told, large / small <= 1.2, large / small)


def torchfix(packages: Packages, rounds: int) -> Iterator[Row]:
    """Against the other linter for torch: CPU time on the same files, all of its rules, nothing cached."""
    if packages.torchfix is None:
        return
    command = [packages.torchfix, "--select", "ALL", str(packages.folder / "timm")]
    faster = ratios(lambda: cost(command).cpu, lambda: packages.cold("timm").cpu, rounds)
    yield Row("against torchfix on timm", ">= 10x faster", f"{faster:.1f}x", faster >= 10, faster)


def warm(packages: Packages, rounds: int) -> Iterator[Row]:
    """A run in which nothing has changed."""
    folder, _ = packages.filled()
    command = [MODLINT, str(packages.folder / packages.large), "--exit-zero"]
    time.sleep(SETTLED)
    cost(command, folder)
    ratio = ratios(lambda: cost(command, folder).cpu, bare, 10 * rounds)
    imported = subprocess.run([PYTHON, "-X", "importtime", *command], cwd=folder, capture_output=True, text=True).stderr
    heavy = [name for name in ("libcst", "networkx", "torch") if f" {name}\n" in imported]
    what = f"warm, unchanged, {packages.large} ({len(packages.files(packages.large)):,} files)"
    yield Row(what, "<= 6x bare Python", f"{ratio:.1f}x", ratio <= 6, ratio)
    told = ", ".join(heavy) or "none"
    yield Row("imported then, of libcst, networkx and torch", "none", told, not heavy, len(heavy))


def hook(packages: Packages, rounds: int) -> Iterator[Row]:
    """What pre-commit asks for: three changed files, the rest of the tree known.

    The files are drawn from those of timm that hold models, with a fixed seed; in each a constructor gains a statement.
    """
    with packages.place() as folder:
        where = Path(folder)
        shutil.copytree(packages.folder / "timm", where / "timm")
        (where / "pyproject.toml").write_text("[tool.modlint]\n")
        cost([MODLINT, "timm", "--exit-zero"], where)
        models = with_models(where)
        drawn = random.Random(0)
        parsing = []

        def run() -> float:
            changed = drawn.sample(models, 3)
            for number, file in enumerate(changed):
                file.write_text(edited(file.read_text(), number))
            parsing.append(packages.parse_of(changed) / import_libcst())
            return cost([MODLINT, "check", "--exit-zero", "-j1", *map(str, changed)], where).cpu

        ratio = ratios(run, import_libcst, 5 * rounds)
    told = f"{ratio:.1f}x, of which parsing the files {statistics.median(parsing):.1f}x"
    yield Row("pre-commit on 3 changed files of timm, warm", "<= 2x import libcst", told, ratio <= 2, ratio)


def start(packages: Packages, rounds: int) -> Iterator[Row]:
    """What only prints a text."""
    for argument in ("--version", "--help"):
        ratio = ratios(lambda argument=argument: cost([MODLINT, argument]).cpu, bare, 10 * rounds)
        yield Row(f"modlint {argument}", "<= 3x bare Python", f"{ratio:.1f}x", ratio <= 3, ratio)


def state(packages: Packages, rounds: int) -> Iterator[Row]:
    """What the catalogue answers: one class, nested expressions, and every entry of torch.nn in one command."""
    entries = Path(__file__).parents[1] / "rules" / "states" / "torch.toml"
    headers = [line[2:-2] for line in entries.read_text().splitlines() if line.startswith('["torch.nn.')]
    every = [f"{name}(*arguments)" for name in headers if name.count(".") == 2]
    asked = {
        "nn.BatchNorm2d(8)": ["nn.BatchNorm2d(8)"],
        "of three nested modules": [
            "nn.Sequential(nn.ReLU(), nn.Linear(3, 4))",
            "nn.utils.spectral_norm(nn.Conv2d(3, 8, 3))",
            "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 2)",
        ],
        f"of {len(every)} classes of torch.nn": every,
    }
    with packages.place() as folder:
        for what, expressions in asked.items():
            command = [MODLINT, "state", *expressions]
            times = 3 if len(expressions) <= 3 else None  # for the whole of torch.nn there is no goal
            ratio = ratios(lambda command=command: cost(command, Path(folder)).cpu, bare, max(15, 5 * rounds))
            goal = f"<= {times}x bare Python" if times else "none set"
            yield Row(f"modlint state {what}", goal, f"{ratio:.1f}x", times is None or ratio <= times, ratio)


def editor(packages: Packages, rounds: int) -> Iterator[Row]:
    """From a change of one file to its diagnostics, the pause for typing not counted: wall clock, a client over stdio.

    The files are drawn from those of timm that hold models, with a fixed seed; what is done to each is in `edits_of`.
    """
    with packages.place() as folder:
        where = Path(folder)
        shutil.copytree(packages.folder / "timm", where / "timm")
        (where / "pyproject.toml").write_text("[tool.modlint]\n")
        cost([MODLINT, "timm", "--exit-zero"], where)
        drawn = random.Random(0)
        files = drawn.sample(with_models(where), 8 * rounds)
        taken: dict[str, list[float]] = {}
        for file in files:
            edits = list(edits_of(file.read_text(encoding="utf-8"), drawn))
            for (kind, _), seconds in zip(edits, asyncio.run(_answers(file, edits)), strict=True):
                taken.setdefault(kind, []).append(seconds)
    every = [seconds for kind in taken.values() for seconds in kind]
    what = f"language server: p95 after an edit of one file of timm ({len(files)} files, {len(every)} edits)"
    yield _answered(what, "<= 150 ms", every)
    for kind, seconds in taken.items():
        yield _answered(f"the same, {kind}", "none set", seconds)


def _answered(what: str, goal: str, taken: list[float]) -> Row:
    worst, middle = statistics.quantiles(taken, n=20)[-1], statistics.median(taken)
    told = f"{worst * 1000:.0f} ms (median {middle * 1000:.0f})"
    return Row(what, goal, told, goal == "none set" or worst <= 0.150, worst)


def edits_of(text: str, drawn: random.Random) -> Iterator[tuple[str, str]]:
    """Kinds of edits of a file, and the text that each leaves; every other one takes back what was done before it."""
    numbers = list(re.finditer(r"(?m)^        self\.\w+ = .*?\b(\d+)\b", text))
    forwards = list(re.finditer(r"(?m)^    def forward\(self[^)]*\)[^:]*:\n", text))
    starts = [found.end() for found in re.finditer(re.escape(EDITED), text)]
    for turn in range(2):
        start = drawn.choice(starts)
        yield "a comment at the top", f"# {turn}\n{text}"
        yield "a statement in a constructor", f"{text[:start]}; self.edited = {turn}{text[start:]}"
        yield "taken back", text
        if numbers:
            number = drawn.choice(numbers)
            other = int(number[1]) + 1 + turn
            yield "a number in a constructor", f"{text[: number.start(1)]}{other}{text[number.end(1) :]}"
            yield "taken back", text
        if forwards:
            forward = drawn.choice(forwards)
            at, after = forward.span()
            yield "a line in a forward", f"{text[:after]}        edited = {turn}\n{text[after:]}"
            yield "taken back", text
            yield "a method added", f"{text[:at]}    def edited{turn}(self):\n        pass\n\n{text[at:]}"
        yield "a bracket left open", f"{text[:start]}; edited = ({turn}{text[start:]}"
        yield "taken back", text


def with_models(where: Path) -> list[Path]:
    """The files of timm in a folder that hold models."""
    return [file for file in sorted((where / "timm").rglob("*.py")) if EDITED in file.read_text(encoding="utf-8")]


def edited(text: str, number: int) -> str:
    """The text with one statement more in one of its constructors."""
    places = [found.end() for found in re.finditer(re.escape(EDITED), text)]
    at = places[number % len(places)]
    return f"{text[:at]}; edited = {number}{text[at:]}"


async def _answers(file: Path, edits: list[tuple[str, str]]) -> list[float]:
    """Seconds from each edit to the diagnostics, less the pause."""
    from lsprotocol import types
    from pygls.lsp.client import LanguageClient

    from modlint.server.server import QUIET_SECONDS

    client = LanguageClient("speed", "1")
    heard: asyncio.Queue[int | None] = asyncio.Queue()

    @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def published(params: types.PublishDiagnosticsParams) -> None:
        heard.put_nowait(params.version)

    await client.start_io(MODLINT, "server")
    await client.initialize_async(types.InitializeParams(capabilities=types.ClientCapabilities()))
    uri, text = file.as_uri(), file.read_text()
    client.text_document_did_open(types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "python", 0, text)))
    await heard.get()
    taken = []
    for version, (_, changed) in enumerate(edits, start=1):
        before = time.perf_counter()
        document = types.VersionedTextDocumentIdentifier(version=version, uri=uri)
        whole = types.TextDocumentContentChangeWholeDocument(text=changed)
        client.text_document_did_change(types.DidChangeTextDocumentParams(document, [whole]))
        await heard.get()
        taken.append(time.perf_counter() - before - QUIET_SECONDS)
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()
    return taken


BENCHMARKS = {f.__name__: f for f in (start, state, hook, editor, cold, cores, torchfix, growth, memory, warm)}
RESULTS = Path(__file__).with_name("results") / "speed.json"


def main() -> None:
    """Run the benchmarks that are asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", action="append", choices=list(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round, torchvision for transformers, nothing kept")
    parser.add_argument("--torchfix", metavar="EXECUTABLE")
    asked = parser.parse_args()
    print("| what | goal | measured | met |\n|---|---|---|---|", flush=True)
    large, rounds = ("torchvision", 1) if asked.quick else ("transformers", asked.rounds)
    with tempfile.TemporaryDirectory() as scratch:
        packages = Packages(asked.folder.resolve(), Path(scratch), large, asked.torchfix)
        for name in asked.only or BENCHMARKS:
            rows = []
            for row in BENCHMARKS[name](packages, rounds):
                print(f"| {row.what} | {row.goal} | {row.measured} | {'yes' if row.met else 'no'} |", flush=True)
                rows.append(row)
            if rows and not asked.quick:
                keep(name, rows, rounds)


def keep(name: str, rows: list[Row], rounds: int) -> None:
    """Write the rows of one benchmark, with when and on what they were measured, beside those of the others."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known[name] = {
        "date": time.strftime("%Y-%m-%d"),
        "rounds": rounds,
        "python": sys.version.split()[0],
        "libcst": importlib.metadata.version("libcst"),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "rows": [asdict(row) for row in rows],
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    main()
