"""What really happens when a fixture runs: executions per instance, and whether sharing an instance changes the model.

In: a fixture (a file, or a folder with one file that has `example()`). Out: `Observed`, found by execution alone;
nothing here knows modlint. A fixture is loaded anew for every run, so no run sees what another one left behind.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
import importlib
import random
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import torch
import torch.utils.checkpoint
from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations
from torch.utils import _pytree as pytree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "models"
STEPS = 3
_MANY = 1000
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_EXPECT = re.compile(r"#\s*expect:\s*(ML\d{3}(?:\s*,\s*ML\d{3})*)")
_HEADER = re.compile(r"^#\s*(deliberate|handed over|not runnable|unfollowed|suppressed|select):\s*(.+)$")
_REAL_CHECKPOINT = torch.utils.checkpoint.checkpoint


@dataclass(frozen=True)
class Fixture:
    """A file, or a folder that is linted as one tree."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(FIXTURES).as_posix()

    @property
    def files(self) -> list[Path]:
        return [self.path] if self.path.is_file() else sorted(self.path.rglob("*.py"))

    @property
    def entry(self) -> Path | None:
        """The file with `example()`."""
        for file in self.files:
            if re.search(r"^def example\(", file.read_text(encoding="utf-8"), re.MULTILINE):
                return file
        return None

    @property
    def expected(self) -> list[tuple[str, int, str]]:
        """(file relative to the fixtures, line, code) of each `# expect`, sorted."""
        found = []
        for file in self.files:
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                for match in _EXPECT.finditer(line):
                    for code in match[1].split(","):
                        found.append((file.relative_to(FIXTURES).as_posix(), number, code.strip()))
        return sorted(found)

    @property
    def codes(self) -> set[str]:
        return {code for _, _, code in self.expected}

    @property
    def excused(self) -> bool:
        """Execution shows an effect of which modlint rightly says nothing."""
        return bool({"handed over", "unfollowed", "suppressed"} & set(self.header))

    @property
    def header(self) -> dict[str, str]:
        """The marks in the comments that open a file.

        `# deliberate: why` (tied parameters, on purpose), `# handed over: why` (one call leaves on the instance what
        another cannot run without, so that a copy for each does not run), `# unfollowed: why` (an effect that the
        static pass does not see), `# suppressed: why` (an effect that a comment silences), `# not runnable: why` (no
        `example()`), `# select: ML203` (codes that are off by default).
        """
        found = {}
        for file in self.files:
            for line in file.read_text(encoding="utf-8").splitlines():
                if not line.startswith("#"):
                    break
                if match := _HEADER.match(line):
                    found[match[1]] = match[2].strip()
        return found


def fixtures() -> list[Fixture]:
    """Every fixture: the files and folders that lie directly in a folder of `fixtures/models/`."""
    found = []
    for point in sorted(FIXTURES.iterdir()):
        if point.is_dir():
            for path in sorted(point.iterdir()):
                if path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py"))):
                    found.append(Fixture(path))
    return found


@dataclass(frozen=True)
class Execution:
    """One run of one instance: who ran it, and the innermost line of the fixture that led to it."""

    instance: int
    parent: int | None
    site: tuple[str, int] | None


@dataclass
class Watch:
    """Counts executions by `__call__` and by direct `.forward()`, and gives each use of one instance its own copy."""

    unshare: int | None = None
    modules: list[nn.Module] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    copies: list[nn.Module] = field(default_factory=list)
    pristine: nn.Module | None = None
    active: bool = False
    _index: dict[int, int] = field(default_factory=dict)
    _seen: dict[int, int] = field(default_factory=dict)
    _stack: list[int] = field(default_factory=list)
    _pending: nn.Module | None = None
    _patched: dict[type[nn.Module], Any] = field(default_factory=dict)
    _writes: list[tuple[nn.Module, str, Any]] = field(default_factory=list)
    _versions: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        call, assign = nn.Module._call_impl, nn.Module.__setattr__
        watch = self

        def noted(module: nn.Module, name: str, value: Any) -> None:
            assign(module, name, value)
            if watch.active and watch.pristine is not None and not watch._running_target():
                watch._writes.append((module, name, value))

        def counted(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            def run(target: nn.Module) -> Any:
                before, watch._pending = watch._pending, target  # a hook calls within a call that waits
                try:
                    return call(target, *args, **kwargs)
                finally:
                    watch._pending = before

            return watch.execute(module, run)

        nn.Module._call_impl, nn.Module.__setattr__ = counted, noted
        try:
            self.patch_classes()
            yield
        finally:
            nn.Module._call_impl, nn.Module.__setattr__ = call, assign
            for cls, forward in self._patched.items():
                cls.forward = forward

    def patch_classes(self) -> None:
        for cls in _subclasses(nn.Module):
            other = cls.__module__.startswith("torch.") and not cls.__module__.startswith("torch.nn.modules.")
            if not other and cls not in self._patched and callable(vars(cls).get("forward")):
                self._patched[cls] = vars(cls)["forward"]
                cls.forward = self._wrapped(self._patched[cls])

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            called, self._pending = self._pending is module, None
            if called or getattr(type(module), "forward", None) is not forward:
                return original(module, *args, **kwargs)
            return self.execute(module, lambda target: original(target, *args, **kwargs))

        return forward

    def begin(self) -> None:
        """A new forward pass starts: uses are numbered from the first again."""
        self._seen.clear()
        self._stack.clear()
        self.executions = []
        self.active = True

    def execute(self, module: nn.Module, run: Callable[[nn.Module], Any]) -> Any:
        if not self.active:
            return run(module)
        index = self._index.get(id(module))
        if index is None:
            index = self._index[id(module)] = len(self.modules)
            self.modules.append(module)
        use = self._seen.get(index, 0)
        self._seen[index] = use + 1
        self.executions.append(Execution(index, self._stack[-1] if self._stack else None, _site()))
        self._stack.append(len(self.executions) - 1)
        try:
            return run(self._copy(module, use) if index == self.unshare else module)
        finally:
            self._stack.pop()
            if index == self.unshare:
                self._writes.clear()
                self._versions = {key: now for key, _, now in _tensors(module)}

    def _running_target(self) -> bool:
        return any(self.executions[at].instance == self.unshare for at in self._stack)

    def _copy(self, module: nn.Module, use: int) -> nn.Module:
        if self.pristine is None:
            self.pristine = copy.deepcopy(module)
        while len(self.copies) < use:
            self.copies.append(copy.deepcopy(self.pristine))
        if use == 0:
            return module
        self._mirror(module, self.copies[use - 1])
        return self.copies[use - 1]

    def _mirror(self, module: nn.Module, copied: nn.Module) -> None:
        """What the caller did to the instance since its last use (a reset, say) is done to the copy that runs next."""
        counterpart = dict(zip(map(id, module.modules()), copied.modules(), strict=True))
        for theirs in module.modules():
            counterpart[id(theirs)].training = theirs.training
        for owner, name, value in self._writes:
            if id(owner) in counterpart and not isinstance(value, nn.Module):
                setattr(counterpart[id(owner)], name, value)
        for (at, name), value, now in _tensors(module):
            if self._versions.get((at, name), now) != now:
                with torch.no_grad():
                    getattr(counterpart[at], name).copy_(value)

    def executed(self, module: nn.Module) -> bool:
        return id(module) in self._index


@dataclass
class Run:
    """A model after K steps and one evaluation, and what it showed on the way."""

    watch: Watch
    model: nn.Module
    executions: list[Execution]
    outputs: list[torch.Tensor]
    checkpointed: bool


@dataclass(frozen=True)
class Reused:
    """One instance with two or more executions in one forward pass."""

    index: int
    type: str
    count: int
    slots: tuple[str, ...]
    owner: bool  # the reuse happens here, not at a module around it
    lines: tuple[tuple[str, int], ...]  # the call sites, each once, in the order of execution
    effect: str  # "state": differs with frozen parameters; "params": only once they are trained; "none"


@dataclass(frozen=True)
class Observed:
    """All that execution tells of one example."""

    model: str
    reused: tuple[Reused, ...]
    crossing: tuple[str, ...]  # types of the instances with parameters or buffers that two models share
    recompute: bool  # checkpointing changes the state after a step

    @property
    def owners(self) -> list[Reused]:
        return [one for one in self.reused if one.owner]

    def effects(self, kind: str) -> list[Reused]:
        return [one for one in self.owners if one.effect == kind]


@functools.cache
def observe(fixture: Fixture) -> tuple[Observed, ...]:
    """Run every example of a fixture."""
    with _one_thread():
        count = len(_build(fixture)[1])
        seen = tuple(_observe(fixture, number) for number in range(count))
    if len(_subclasses(nn.Module)) > _MANY:
        gc.collect()  # the classes of earlier runs are garbage in cycles, and each of them would be patched again
    return seen


def _observe(fixture: Fixture, number: int) -> Observed:
    plain = _run(fixture, number)
    again = _run(fixture, number)
    assert _same(plain.outputs, again.outputs), f"{fixture.name}: two identical runs differ; seed it"
    model = type_before_parametrizations(plain.model).__name__
    reused = tuple(_reused(fixture, number, plain, index) for index in _repeated(plain))
    recompute = plain.checkpointed and _recompute_matters(fixture, number, plain)
    return Observed(model, reused, _crossing(fixture, number), recompute)


def _repeated(run: Run) -> list[int]:
    """The instances that run twice or more, without those that live inside one of torch's own modules."""
    counts: dict[int, int] = {}
    for execution in run.executions:
        if not _inside_torch(run, execution):
            counts[execution.instance] = counts.get(execution.instance, 0) + 1
    return [index for index, count in counts.items() if count > 1]


def _inside_torch(run: Run, execution: Execution) -> bool:
    parent = execution.parent
    while parent is not None:
        module = run.watch.modules[run.executions[parent].instance]
        if type_before_parametrizations(module).__module__.startswith("torch.") and not isinstance(module, _CONTAINERS):
            return True
        parent = run.executions[parent].parent
    return False


def _reused(fixture: Fixture, number: int, plain: Run, index: int) -> Reused:
    module = plain.watch.modules[index]
    runs = [one for one in plain.executions if one.instance == index]
    parents = [one.parent for one in runs]
    callers = {plain.executions[parent].instance for parent in parents if parent is not None}
    owner = len(set(parents)) < len(parents) or len(callers) > 1
    slots = tuple(name for name, one in plain.model.named_modules(remove_duplicate=False) if one is module)
    lines = tuple(dict.fromkeys(one.site for one in runs if one.site is not None))
    effect = _effect(fixture, number, plain, index) if owner else ""
    return Reused(index, type_before_parametrizations(module).__name__, len(runs), slots, owner, lines, effect)


def _effect(fixture: Fixture, number: int, plain: Run, index: int) -> str:
    try:
        apart = _run(fixture, number, unshare=index)
    except AttributeError:
        if "handed over" in fixture.header:
            return "state"
        raise
    if not _same(plain.outputs, apart.outputs) or _state_differs(plain, apart, index):
        return "state"
    tied, untied = _run(fixture, number, rate=0.1), _run(fixture, number, unshare=index, rate=0.1)
    if not _same(tied.outputs, untied.outputs) or _parameters_differ(tied, untied, index):
        return "params"
    return "none"


def _state_differs(plain: Run, apart: Run, index: int) -> bool:
    """Buffers of the checkpoint, element by element where a copy wrote them, in the modules that the copy ran."""
    assert apart.watch.pristine is not None
    shared = list(plain.watch.modules[index].modules())
    pristine = list(apart.watch.pristine.modules())
    for unshared in (apart.watch.modules[index], *apart.watch.copies):
        for one, start, other in zip(shared, pristine, unshared.modules(), strict=True):
            if apart.watch.executed(other) and any(
                _written_otherwise(one._buffers[name], start._buffers[name], other._buffers[name])
                for name in other._buffers
                if name not in other._non_persistent_buffers_set
            ):
                return True
    return False


def _written_otherwise(shared: torch.Tensor | None, start: torch.Tensor | None, apart: torch.Tensor | None) -> bool:
    if shared is None or start is None or apart is None:
        return shared is not apart
    if not shared.shape == start.shape == apart.shape:
        return shared.shape != apart.shape
    return bool(((shared != apart) & (start != apart)).any())


def _parameters_differ(tied: Run, untied: Run, index: int) -> bool:
    ours = [p.detach() for p in tied.watch.modules[index].parameters()]
    return any(
        not _same(ours, [p.detach() for p in one.parameters()])
        for one in (untied.watch.modules[index], *untied.watch.copies)
    )


def _recompute_matters(fixture: Fixture, number: int, plain: Run) -> bool:
    again = _run(fixture, number, checkpoint=True)
    buffers = [list(run.model.state_dict().values()) for run in (plain, again)]
    return not _same(plain.outputs, again.outputs) or not _same(*buffers)


def _crossing(fixture: Fixture, number: int) -> tuple[str, ...]:
    """Build the example twice in one process: what runs in both models belongs to neither."""
    module, first = _build(fixture)
    second = _examples(module)
    ran = []
    for model, inputs in (first[number], second[number]):
        watch = Watch()
        with watch.installed(), torch.no_grad():
            watch.begin()
            model(*inputs)
        ran.append(watch.modules)
    both = [one for one in ran[0] if any(one is other for other in ran[1])]
    return tuple(type(one).__name__ for one in both if any(True for _ in (*one.parameters(), *one.buffers())))


def _run(
    fixture: Fixture, number: int, *, unshare: int | None = None, rate: float = 0.0, checkpoint: bool = False
) -> Run:
    """Train K steps of plain SGD at `rate`, then evaluate, each step under the same seed."""
    watch, outputs, used = Watch(unshare), [], []
    with _checkpointing(checkpoint, used), watch.installed():
        model, inputs = _build(fixture)[1][number]
        watch.patch_classes()
        model.train()
        first: list[Execution] = []
        for step in range(STEPS):
            _seed(step)
            watch.begin()
            result = _leaves(model(*copy.deepcopy(inputs)))
            watch.active = False
            first = first or watch.executions
            outputs += [leaf.detach().clone() for leaf in result]
            _descend(model, watch, result, rate)
        model.eval()
        _seed(STEPS)
        watch.begin()
        with torch.no_grad():
            outputs += [leaf.clone() for leaf in _leaves(model(*copy.deepcopy(inputs)))]
        watch.active = False
    return Run(watch, model, first, outputs, bool(used))


def _descend(model: nn.Module, watch: Watch, result: list[torch.Tensor], rate: float) -> None:
    terms = [leaf for leaf in result if leaf.requires_grad]
    if not terms:
        return
    sum((term * torch.arange(term.numel()).reshape(term.shape).cos()).sum() for term in terms).backward()
    trained = {id(parameter) for parameter in model.parameters()}
    parameters = list(model.parameters())
    if watch.copies and watch.unshare is not None:
        for one in watch.copies:
            pairs = zip(watch.modules[watch.unshare].parameters(), one.parameters(), strict=True)
            parameters += [mine for original, mine in pairs if id(original) in trained]
    with torch.no_grad():
        for parameter in parameters:
            if parameter.grad is not None:
                parameter -= rate * parameter.grad
                parameter.grad = None


@contextlib.contextmanager
def _checkpointing(enabled: bool, used: list[bool]) -> Iterator[None]:
    """Within, `checkpoint` is either the real one or a plain call; `used` tells whether anything called it."""

    def checkpoint(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        used.append(True)
        if enabled:
            return _REAL_CHECKPOINT(function, *args, **kwargs)
        options = {"use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug", "early_stop"}
        return function(*args, **{key: value for key, value in kwargs.items() if key not in options})

    torch.utils.checkpoint.checkpoint = checkpoint
    try:
        yield
    finally:
        torch.utils.checkpoint.checkpoint = _REAL_CHECKPOINT


def _build(fixture: Fixture) -> tuple[ModuleType, list[tuple[nn.Module, tuple[Any, ...]]]]:
    _seed(0)
    module = load(fixture)
    return module, _examples(module)


def _examples(module: ModuleType) -> list[tuple[nn.Module, tuple[Any, ...]]]:
    """`example()` returns (model, inputs), or a list of such pairs."""
    _seed(0)
    made = module.example()
    return made if isinstance(made, list) else [made]


def load(fixture: Fixture) -> ModuleType:
    """Import the fixture's entry anew; its modules are forgotten again afterwards."""
    entry = fixture.entry
    assert entry is not None, f"{fixture.name} has no example()"
    root = entry.parent if fixture.path.is_file() else fixture.path
    while (root / "__init__.py").exists():
        root = root.parent
    parts = entry.relative_to(root).with_suffix("").parts
    for name in {file.stem for file in root.glob("*.py")} - sys.stdlib_module_names:
        sys.modules.pop(name, None)  # a script of the same name that another test imported
    before = set(sys.modules)
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(".".join(part for part in parts if part != "__init__"))
    finally:
        sys.path.remove(str(root))
        for name in set(sys.modules) - before:
            if str(FIXTURES) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def _tensors(module: nn.Module) -> Iterator[tuple[tuple[int, str], torch.Tensor, tuple[int, int]]]:
    """Every buffer and tensor attribute below `module`, with what changes when it is written in place."""
    for one in module.modules():
        for name, value in (*one._buffers.items(), *vars(one).items()):
            if isinstance(value, torch.Tensor):
                yield (id(one), name), value, (id(value), value._version)


def _site() -> tuple[str, int] | None:
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(f"{FIXTURES}/"):
            return Path(frame.f_code.co_filename).relative_to(FIXTURES).as_posix(), frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _leaves(result: Any) -> list[torch.Tensor]:
    if not isinstance(result, (torch.Tensor, list, tuple, dict)) and hasattr(result, "__dict__"):
        result = vars(result)
    return [leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]


def _same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
        for a, b in zip(one, other, strict=True)
    )


def _subclasses(cls: type[nn.Module]) -> list[type[nn.Module]]:
    found = list(cls.__subclasses__())
    for child in found:
        found.extend(child.__subclasses__())
    return found


def _seed(number: int) -> None:
    random.seed(number)
    numpy.random.seed(number)
    torch.default_generator.manual_seed(number)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
