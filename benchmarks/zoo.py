"""The zoo: does the trace pass count right on real architectures, what does it cost, does the static pass agree?

    python benchmarks/zoo.py run torchvision --graphs GRAPHS
    python benchmarks/zoo.py static torchvision --graphs GRAPHS
    python benchmarks/zoo.py table

`--results FOLDER` keeps the lines elsewhere than in results/.

`run` traces a family and appends a line a model to results/zoo-FAMILY.jsonl; what has a line is skipped, so that it
can be stopped and started again. The graphs go into the folder GRAPHS. `static` reads them from there and compares them
with the static pass; it adds to results/static-FAMILY.jsonl what has no line there. `table` prints both as Markdown.

Needs torch (CPU) and, each with `pip install --no-deps`: torchvision, timm, transformers, monai and what they import
(safetensors, huggingface_hub, tokenizers, einops, regex, requests, pillow, ...). No weights are downloaded: models are
built on the meta device where they allow it, else on the CPU, transformers in tiny configurations.

A torchvision whose compiled operators do not load beside this torch is given a Python `nms`; nothing else is replaced.

For each model: an independent count of executions by forward hooks; the fx pass and the recorded pass of modlint, each
on its own; the times of both, of one plain forward and of plain `torch.fx.symbolic_trace`; then the static pass's graph
of the same class or factory with the same arguments, instance by instance.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import functools
import importlib
import importlib.util
import inspect
import json
import os
import pickle
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

sys.path.pop(0)  # this folder, whose `cuda.py` torch would import for its own
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # torchvision compiles the Python stand-ins of its operators

import torch
from torch import nn

from modlint.catalogue import Catalogue
from modlint.interpreter import Analysis
from modlint.interpreter.scope import attribute, load
from modlint.interpreter.values import CallArgs, ClassV, ExtV, Obj
from modlint.sources import Mentions, Setup, Sources
from modlint.syntax.tree import SourceTree
from modlint.trace.copies import copy_of
from modlint.trace.corridor import Pass, trace_model
from modlint.trace.inputs import Inputs
from modlint.trace.isolate import same_random_state
from modlint.trace.live import LiveModel
from modlint.trace.matching import Places, pairs_of
from modlint.trace.recorded import record
from modlint.trace.symbolic import trace_symbolically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modlint.graph import UseGraph
    from modlint.interpreter.interpreter import Interpreter
    from modlint.interpreter.values import Value
    from modlint.trace.matching import Pair
    from modlint.trace.traced import TracedGraph

RESULTS = Path(__file__).resolve().parent / "results"
SECONDS = 180  # of CPU time, for each step of one model
STATIC_SECONDS = 60  # of CPU time, for one file of the static pass


@dataclass(frozen=True)
class Made:
    """A model as it is built: the class or function, its arguments, and whether on the meta device where it can be."""

    by: Callable[..., Any]
    kwargs: dict[str, Any]
    meta: bool = False
    args: tuple[Any, ...] = ()

    def __call__(self) -> nn.Module:
        if self.meta:
            with contextlib.suppress(RuntimeError, NotImplementedError, ValueError, TypeError), torch.device("meta"):
                return self.by(*self.args, **self.kwargs)  # type: ignore[no-any-return]
        return self.by(*self.args, **self.kwargs)  # type: ignore[no-any-return]


Entry = tuple[str, "Callable[[], nn.Module]", "Callable[..., Inputs]"]  # name, builder, inputs


def operators() -> None:
    """Let torchvision import where its compiled operators do not load: an `nms` in Python, and no check for them."""
    try:
        importlib.import_module("torchvision")
        return
    except RuntimeError:
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", _nms, "CPU")
    globals()["_library"] = library
    extension = importlib.import_module("torchvision.extension")
    extension._assert_has_ops = lambda: None  # type: ignore[attr-defined]
    importlib.import_module("torchvision.ops.boxes")._assert_has_ops = lambda: None  # type: ignore[attr-defined]


def _nms(boxes: torch.Tensor, scores: torch.Tensor, threshold: float) -> torch.Tensor:
    from torchvision.ops import box_iou

    order = scores.argsort(descending=True)
    kept = []
    while order.numel():
        kept.append(order[0])
        order = order[1:][box_iou(boxes[order[0]][None], boxes[order[1:]])[0] <= threshold]
    return torch.stack(kept) if kept else torch.empty(0, dtype=torch.int64)


# The families ---------------------------------------------------------------------------------------------------------


def torchvision_entries() -> Iterator[Entry]:
    """Every classification, segmentation, detection, video and optical-flow builder but quantised ones."""
    operators()
    import torchvision

    for name in torchvision.models.list_models():
        builder = torchvision.models.get_model_builder(name)
        module = builder.__module__
        if "quantization" in module:
            continue
        kwargs: dict[str, Any] = {"weights": None}
        if "weights_backbone" in inspect.signature(builder).parameters:
            kwargs["weights_backbone"] = None
        if "detection" in module:
            if "ssd" not in name:
                kwargs |= {"min_size": 96, "max_size": 96}
            if "rcnn" in name:
                kwargs |= {f"rpn_{when}_nms_top_n_{mode}": 16 for when in ("pre", "post") for mode in ("train", "test")}
            yield name, _on_cpu(builder, kwargs), _detection_inputs
        elif "optical_flow" in module:
            yield name, _on_meta(builder, kwargs), _two_images
        elif "video" in module:
            yield name, _on_meta(builder, kwargs), _clip(name)
        else:
            yield name, _on_meta(builder, kwargs), _image(299 if "inception" in name else 224)


def timm_entries() -> Iterator[Entry]:
    """Every fourth of timm's models over the sorted list: of four neighbours the first that is not large."""
    operators()
    import timm

    names = timm.list_models()
    for four in (names[at : at + 4] for at in range(0, len(names), 4)):
        name = min(four, key=lambda name: any(word in name for word in _LARGE))
        yield name, _on_meta(timm.create_model, {"model_name": name, "pretrained": False}), _timm_inputs(name)


def transformers_entries() -> Iterator[Entry]:
    """Every architecture of AutoModel that takes a tiny configuration by the usual attribute names."""
    operators()
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    for kind in sorted(MODEL_MAPPING_NAMES):
        yield f"transformers/{kind}", _tiny(transformers, kind), _hf_inputs


def monai_entries() -> Iterator[Entry]:
    """MONAI's networks, with arguments as its documentation and tests build them."""
    operators()
    nets = importlib.import_module("monai.networks.nets")
    for row in json.loads(Path(__file__).with_name("zoo_monai.json").read_text(encoding="utf-8")):
        builder = getattr(nets, row["name"], None)
        if builder is not None:
            yield f"monai/{row['name']}", _on_cpu(builder, row["arguments"]), _shaped(tuple(row["input"]))


FAMILIES: dict[str, Callable[[], Iterator[Entry]]] = {
    "torchvision": torchvision_entries,
    "timm": timm_entries,
    "transformers": transformers_entries,
    "monai": monai_entries,
}


def _on_cpu(builder: Callable[..., Any], kwargs: dict[str, Any]) -> Callable[[], nn.Module]:
    return Made(builder, kwargs)


def _on_meta(builder: Callable[..., Any], kwargs: dict[str, Any]) -> Callable[[], nn.Module]:
    """Built on the meta device; on the CPU where the constructor needs values."""
    return Made(builder, kwargs, meta=True)


def _image(size: int) -> Callable[[], Inputs]:
    return _shaped((2, 3, size, size))


def _shaped(shape: tuple[int, ...]) -> Callable[[], Inputs]:
    return lambda: Inputs.of([torch.randn(shape, generator=torch.Generator().manual_seed(0))])


def _clip(name: str) -> Callable[[], Inputs]:
    size = 224 if "mvit" in name or "swin" in name else 112
    return _shaped((2, 3, 16, size, size))


def _two_images() -> Inputs:
    return Inputs.of([torch.rand(1, 3, 128, 128), torch.rand(1, 3, 128, 128)])


def _detection_inputs() -> Inputs:
    images = [torch.rand(3, 96, 96), torch.rand(3, 96, 96)]
    box = torch.tensor([[10.0, 10.0, 60.0, 60.0]])
    target = {"boxes": box, "labels": torch.tensor([1]), "masks": torch.ones(1, 96, 96, dtype=torch.uint8)}
    target["keypoints"] = torch.tensor([[[20.0, 20.0, 1.0]] * 17])
    return Inputs.of([images, [dict(target), dict(target)]])


def _timm_inputs(name: str) -> Callable[[], Inputs]:
    def make() -> Inputs:
        import timm

        config = timm.get_pretrained_cfg(name)
        return _shaped((2, *(config.input_size if config is not None else (3, 224, 224))))()

    return make


_LARGE = (
    "large",
    "huge",
    "giant",
    "gigantic",
    "xl",
    "so400m",
    "so150m",
    "_1b",
    "_7b",
    "l2",
    "_b7",
    "_b8",
    "_384",
    "_512",
)

_TINY = {
    "hidden_size": 32, "d_model": 32, "dim": 32, "n_embd": 32, "embed_dim": 32, "embedding_size": 32, "d_embed": 32,
    "num_hidden_layers": 2, "n_layer": 2, "n_layers": 2, "num_layers": 2, "encoder_layers": 2, "decoder_layers": 2,
    "num_decoder_layers": 2, "num_encoder_layers": 2,
    "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "num_heads": 4, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "d_kv": 8,
    "intermediate_size": 37, "ffn_dim": 37, "d_ff": 37, "encoder_ffn_dim": 37, "decoder_ffn_dim": 37, "hidden_dim": 37,
    "vocab_size": 99, "max_position_embeddings": 64, "n_positions": 64, "image_size": 32, "patch_size": 8,
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4,
}  # fmt: skip
_PLAIN = (int, float)


def _tiny(transformers: Any, kind: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING

        default = CONFIG_MAPPING[kind]()
        changes = {k: v for k, v in _TINY.items() if isinstance(getattr(default, k, None), _PLAIN)}
        config = CONFIG_MAPPING[kind](**changes)
        for name in ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"):
            if isinstance(getattr(config, name, None), int) and getattr(config, name) >= 99:
                setattr(config, name, 1)
        with torch.device("meta"):
            model: nn.Module = transformers.AutoModel.from_config(config)
        parameters = sum(p.numel() for p in model.parameters())
        if parameters > 30_000_000:
            raise NotTiny(f"{parameters / 1e6:.0f} million parameters are left in the tiny configuration")
        torch.manual_seed(0)
        return transformers.AutoModel.from_config(config)  # type: ignore[no-any-return]

    return build


class NotTiny(Exception):
    """The usual attribute names did not shrink the configuration."""


def _hf_inputs(model: Any = None) -> Inputs:
    ids = torch.arange(16).reshape(2, 8) % 90 + 2
    main = getattr(model, "main_input_name", "input_ids")
    size = getattr(model.config, "image_size", 32)
    side = size if isinstance(size, int) else 32
    given: dict[str, Any] = {"input_ids": ids}
    if main == "pixel_values":
        given = {"pixel_values": torch.randn(2, getattr(model.config, "num_channels", 3), side, side)}
    elif main == "input_values":
        given = {"input_values": torch.randn(2, 4000)}
    elif main == "input_features":
        given = {"input_features": torch.randn(2, getattr(model.config, "num_mel_bins", 80), 3000)}
    names = inspect.signature(model.forward).parameters
    if "decoder_input_ids" in names:
        given["decoder_input_ids"] = ids
    if "pixel_values" in names and main == "input_ids" and hasattr(model.config, "vision_config"):
        given["pixel_values"] = torch.randn(2, 3, 32, 32)
    return Inputs.of((), given)


# One model ------------------------------------------------------------------------------------------------------------


def examined(entry: Entry) -> tuple[dict[str, Any], TracedGraph | None]:
    """Everything that is measured of one model, and its graph."""
    name, build, make_inputs = entry
    row: dict[str, Any] = {"name": name}
    began = time.perf_counter()
    try:
        with _alarm(SECONDS):
            model = build()
            inputs = _hf_inputs(model) if make_inputs is _hf_inputs else make_inputs()
    except (Exception, Late) as error:  # the model's own constructor, in a benchmark
        return {**row, "not_built": _said(error)}, None
    meta = any(p.is_meta for p in model.parameters())
    inputs = inputs.to("meta") if meta else inputs
    row |= {"device": "meta" if meta else "cpu", "parameters": sum(p.numel() for p in model.parameters())}
    try:
        with _alarm(SECONDS), same_random_state():
            hooks = _hook_counts(model, inputs)
    except (Exception, Late) as error:
        return {**row, "not_run": _said(error)}, None
    row["hooks"] = sum(hooks.values())
    try:
        with _alarm(SECONDS):
            graph, found = _traced(model, inputs, hooks)
        with _alarm(SECONDS):
            row |= {**found, **_times(model, inputs, graph.tracer == "fx")}
    except (Exception, Late) as error:
        return row | {"failed": _said(error), "where": traceback.format_exc()[-600:]}, None
    row |= {"class": type(model).__name__, "file": _short(inspect.getsourcefile(type(model)) or "")}
    row["seconds"] = round(time.perf_counter() - began, 2)
    return row, graph


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


class Late(KeyboardInterrupt):
    """Time is up. An interrupt, because modlint takes anything else for an exception of the model's."""


@contextlib.contextmanager
def _alarm(seconds: int) -> Iterator[None]:
    def late(*_: Any) -> None:
        raise Late(f"more than {seconds} s")

    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)  # CPU time: the machine may be busy with something else
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _hook_counts(model: nn.Module, inputs: Inputs) -> Counter[str]:
    """Executions by path, from forward hooks on a copy: independent of everything in modlint's tracers."""
    twin = copy_of(model)
    assert twin is not None
    counts: Counter[str] = Counter()
    for path, module in twin.named_modules():
        if "parametrizations" not in path.split("."):
            module.register_forward_hook(lambda *_, path=path or ".": counts.update([path]))
    twin.train()
    with torch.no_grad():
        twin(*inputs.args, **inputs.named)
    return counts


def _traced(model: nn.Module, inputs: Inputs, hooks: Counter[str]) -> tuple[TracedGraph, dict[str, Any]]:
    """The graph as `modlint trace` gives it; where fx traced it, the recorded forward's counts beside it."""
    began = time.perf_counter()
    graph = trace_model(model, inputs)
    seconds = round(time.perf_counter() - began, 5)
    counts = Counter({i.key: len(graph.uses_of(i.key)) for i in graph.instances()})
    row: dict[str, Any] = {
        "tracer": graph.tracer,
        "why_not_fx": graph.why_not_fx,
        "instances": len(graph.instances()),
        "reused": len(graph.reused()),
        "differs": _difference(counts, hooks),
        "trace_s": seconds,
    }
    if graph.tracer == "fx":
        twin = copy_of(model)
        assert twin is not None
        live = LiveModel(twin)
        with same_random_state():
            row["recorded_differs"] = _difference(Pass(live, record(twin.train(), inputs)).counts(), hooks)
    return graph, row


def _difference(counts: Counter[str], hooks: Counter[str]) -> list[list[Any]]:
    """[path, ours, hooks] wherever they differ; an instance that is registered nowhere has no hook."""
    keys = {key for key in (*counts, *hooks) if not key.startswith("<") and counts[key] != hooks[key]}
    return [[key, counts[key], hooks[key]] for key in sorted(keys)]


def _times(model: nn.Module, inputs: Inputs, fx: bool) -> dict[str, Any]:
    """Seconds of one plain forward, of the first recorded forward, of plain symbolic_trace and of modlint's."""
    twins = [copy_of(model) for _ in range(4)]
    for twin in twins:
        assert twin is not None
        twin.train()
    row = {}
    with torch.no_grad():
        row["forward_s"] = _clocked(lambda: twins[0](*inputs.args, **inputs.named))  # type: ignore[misc]
        row["recorded_s"] = _clocked(lambda: record(twins[1], inputs))  # type: ignore[arg-type]
    if fx:
        with contextlib.suppress(Exception):
            row["symbolic_trace_s"] = _clocked(lambda: torch.fx.symbolic_trace(twins[2]))
        row["ours_s"] = _clocked(lambda: trace_symbolically(twins[3], inputs))  # type: ignore[arg-type]
    return row


def _clocked(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    action()
    return round(time.perf_counter() - began, 5)


# The static pass ------------------------------------------------------------------------------------------------------


class StaticPass:
    """The static graphs of a package, file by file."""

    def __init__(self, package: str) -> None:
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.origin is not None
        self.root = str(Path(spec.origin).resolve().parents[1])
        self._package = str(Path(spec.origin).resolve().parent) + os.sep  # beside it stands torch, which is no source
        files = sorted(str(path) for path in Path(spec.origin).resolve().parent.rglob("*.py"))
        names = tuple(os.path.relpath(file, self.root) for file in files)
        self.sources = Sources(Setup(self.root, names, None, ""))
        self._tree = SourceTree(self.sources.representation, (), Mentions(self.sources).of, self.sources.exists)
        self._analysis = Analysis(self._tree, Catalogue.load())
        self.places = Places(self.sources, dict(zip(files, names, strict=True)))
        self._models: dict[str, Any] = {}

    def pairs(self, cls: str, file: str, graph: TracedGraph) -> list[Pair]:
        """The instances that both passes know, of the static graph of the class that has most of them.

        A class has a graph of its own and one for each factory that builds it with other arguments.
        """
        read = [r.graph for r in self._read(os.path.relpath(file, self.root)) if _class_of(r.graph) == cls]
        self.places.prepare([instance.created for one in read for instance in one.instances()])
        found = [[p for p in pairs_of(g, graph, self.places) if p.reads_as or p.runs] for g in read]
        return max(found, key=lambda pairs: (len(pairs), sum(p.agrees for p in pairs)), default=[])

    def configured(self, made: Made, graph: TracedGraph) -> list[Pair]:
        """As `pairs`, of what the class or function builds of the arguments of the traced model."""

        def abstract(m: Interpreter) -> CallArgs:
            named = {key: self._abstract(m, value) for key, value in made.kwargs.items()}
            return CallArgs(tuple(self._abstract(m, value) for value in made.args), named)

        file = inspect.getsourcefile(inspect.unwrap(made.by)) or ""
        if not file.startswith(self._package):
            return []
        try:
            with _alarm(STATIC_SECONDS):
                read = self._analysis.configured(os.path.relpath(file, self.root), made.by.__name__, abstract)
        except Late:
            self._analysis = Analysis(self._tree, Catalogue.load())  # what it was reading is read in part
            raise
        if read is None:
            return []
        self.places.prepare([instance.created for instance in read.graph.instances()])
        return [p for p in pairs_of(read.graph, graph, self.places) if p.reads_as or p.runs]

    def _abstract(self, m: Interpreter, value: Any) -> Value:
        """An argument as the static pass has it: constants, containers, classes, functions, records; else unknown."""
        if value is None or type(value) in {bool, int, float, str}:
            return value  # type: ignore[no-any-return]
        if type(value) is tuple:
            return tuple(self._abstract(m, item) for item in value)
        if type(value) is list:
            return m.new_list(tuple(self._abstract(m, item) for item in value))
        if type(value) is dict and all(type(key) in {str, int} for key in value):
            return m.new_dict({key: self._abstract(m, item) for key, item in value.items()})
        if isinstance(value, functools.partial):
            inner = (self._abstract(m, value.func), *(self._abstract(m, arg) for arg in value.args))
            named = {key: self._abstract(m, item) for key, item in value.keywords.items()}
            return m.call(ExtV("functools.partial"), CallArgs(inner, named, None))
        if inspect.isclass(value) or inspect.isfunction(value):
            return self._named(m, value)
        cls = self._named(m, type(value))
        if isinstance(cls, ClassV) and not cls.is_module and hasattr(value, "__dict__"):
            record = Obj(m.fresh(), cls)
            record.cells.update({key: self._abstract(m, item) for key, item in vars(value).items()})
            return record
        return m.unknown("an argument that the comparison does not carry over")

    def _named(self, m: Interpreter, value: Any) -> Value:
        """A class or a function, by its name."""
        if not value.__qualname__.replace(".", "").isidentifier():
            return m.unknown("a local class or function")
        try:
            file = inspect.getsourcefile(value) or ""
        except TypeError:  # a built-in one
            file = ""
        module = load(m, os.path.relpath(file, self.root)) if file.startswith(self._package) else None
        if module is None:
            return ExtV(f"{value.__module__}.{value.__qualname__}")
        nested = "." in value.__qualname__
        return m.unknown("a nested name") if nested else attribute(m, module, value.__name__)

    def _read(self, name: str) -> Any:
        """The static models of one file. Raises TimeoutError, again for every model of a file that took too long."""
        if name not in self._models:
            try:
                with _alarm(STATIC_SECONDS):
                    self._models[name] = self._analysis.models(name)
            except Late as late:
                self._models[name] = late
        if isinstance(self._models[name], Late):
            raise TimeoutError(f"{name}: {self._models[name]}")
        return self._models[name]


def _class_of(graph: UseGraph) -> str:
    return graph.model.rpartition(".")[2]


def compared(row: dict[str, Any], graph: TracedGraph, static: StaticPass, entry: Entry) -> dict[str, Any]:
    """How many instances both passes know, how many of them the static pass does not see run (its reading stopped at
    something unknown, so it claims nothing), and where counts or state classes differ.

    The static pass builds the model of the same arguments; where it cannot, its own graph of the class that has most
    instances in common is compared, which may be one of another configuration (`same_arguments` is false).
    """
    try:
        pairs = max((static.configured(made, graph) for made in _ways(row, entry[1])), key=len, default=[])
        same = bool(pairs)
        return {"same_arguments": same, **_differences(pairs or static.pairs(row["class"], _long(row["file"]), graph))}
    except (Exception, Late) as error:  # a crash of the static pass is a result here
        return {"static_failed": _said(error)}


def _ways(row: dict[str, Any], build: Callable[[], nn.Module]) -> list[Made]:
    """How the traced model is made: its builder with arguments, and the constructor that this calls."""
    ways = [build] if isinstance(build, Made) else []
    dotted = row["file"].removesuffix(".py").replace("/", ".")
    cls = getattr(importlib.import_module(dotted), row["class"], None)
    if cls is None:
        return ways
    initialise = cls.__init__

    @functools.wraps(initialise)
    def noting(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        ways.append(Made(cls, copy.deepcopy(kwargs), args=copy.deepcopy(args)))  # it may change what it is given
        initialise(self, *args, **kwargs)

    cls.__init__ = noting
    try:
        with _alarm(SECONDS):
            build()
    finally:
        cls.__init__ = initialise
    return ways[:2]


def _short(file: str) -> str:
    """A file's path below the folder that its package was imported from."""
    for folder in sys.path:
        if folder and file.startswith(folder.rstrip("/") + "/"):
            return file[len(folder.rstrip("/")) + 1 :]
    return file


def _long(file: str) -> str:
    """The file that `_short` made short."""
    return next((f"{folder}/{file}" for folder in sys.path if os.path.isfile(f"{folder}/{file}")), file)


def _differences(pairs: list[Pair]) -> dict[str, Any]:
    """Counts and lists of one comparison."""
    unseen = [p for p in pairs if p.runs and not p.reads_as]
    wrong = [[p.traced.key, p.reads_as, p.runs] for p in pairs if not p.agrees and p.reads_as]
    seen = [p for p in pairs if p.runs and p.reads_as and p.static.own.certain and p.traced.own.certain]
    states = [
        [p.traced.key, p.static.own.kind.value, p.traced.own.kind.value, p.traced.type, p.static.type]
        for p in seen
        if p.static.own.kind is not p.traced.own.kind
    ]
    return {
        "pairs": len(pairs),
        "static_unseen": len(unseen),
        "static_differ": len(wrong),
        "static_differs": wrong,
        "states_differ": len(states),
        "states": states,
    }


# Command line ---------------------------------------------------------------------------------------------------------


def run(family: str, graphs: Path, part: str, limit: int | None) -> None:
    """Examine a family, or the part `i/n` of it, appending one JSON line a model; what has a line is skipped."""
    torch.set_num_threads(1)
    index, count = map(int, part.split("/"))
    out = RESULTS / f"zoo-{family}.jsonl"
    done = Counter(row["name"] for row in _lines(out))
    graphs.mkdir(parents=True, exist_ok=True)
    for number, entry in list(enumerate(FAMILIES[family]()))[index::count][:limit]:
        if done[entry[0]]:
            done[entry[0]] -= 1
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            row, graph = examined(entry)
        row = {"family": family, "number": number, **row}
        if graph is not None:
            graph.inputs = None
            _pickle_of(row, graphs).write_bytes(pickle.dumps(graph))
        with out.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        said = row.get("tracer") or row.get("not_built") or row.get("not_run") or row.get("failed")
        print(row["name"], said, row.get("seconds"), row.get("differs") or "", flush=True)


def compare(family: str, graphs: Path) -> None:
    """Compare the kept graphs of a family with the static pass as it is now; what has a line is skipped."""
    static = StaticPass(family)
    entries = list(FAMILIES[family]())
    out = RESULTS / f"static-{family}.jsonl"
    done = {row["number"] for row in _lines(out)}
    with out.open("a", encoding="utf-8") as stream:
        for row in _lines(RESULTS / f"zoo-{family}.jsonl"):
            kept = _pickle_of(row, graphs)
            if "tracer" in row and kept.exists() and row["number"] not in done:
                found = {"family": family, "name": row["name"], "number": row["number"]}
                found |= compared(row, pickle.loads(kept.read_bytes()), static, entries[row["number"]])
                stream.write(json.dumps(found) + "\n")
                stream.flush()


def _pickle_of(row: dict[str, Any], graphs: Path) -> Path:
    return graphs / f"{row['family']}-{row['number']}.pickle"


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def table() -> str:
    """The results as Markdown."""
    rows = [row for family in FAMILIES for row in _lines(RESULTS / f"zoo-{family}.jsonl")]
    read = [row for family in FAMILIES for row in _lines(RESULTS / f"static-{family}.jsonl")]
    lines = [
        "| family | built and run | fx | recorded | failed | counts equal hooks | instances | reused |",
        "|---|---|---|---|---|---|---|---|",
        *(_table_row(family, [row for row in rows if row["family"] == family]) for family in FAMILIES),
        "",
        "| family | models compared | failed | instances both see run | counts differ | unseen | states differ |",
        "|---|---|---|---|---|---|---|",
        *(_static_row(family, [row for row in read if row["family"] == family]) for family in FAMILIES),
    ]
    return "\n".join(lines) + "\n\n" + _costs(rows) + "\n" + _reasons(rows + read)


def _static_row(family: str, rows: list[dict[str, Any]]) -> str:
    known = [row for row in rows if row.get("pairs")]
    unseen = sum(row["static_unseen"] for row in known)
    return (
        f"| {family} | {len(known)} of {len(rows)} | {sum('static_failed' in row for row in rows)} | "
        f"{sum(row['pairs'] for row in known) - unseen} | {sum(row['static_differ'] for row in known)} | {unseen} | "
        f"{sum(row['states_differ'] for row in known)} |"
    )


def _table_row(family: str, rows: list[dict[str, Any]]) -> str:
    ran = [row for row in rows if "not_built" not in row and "not_run" not in row]
    traced = [row for row in ran if "failed" not in row]
    fx = sum(row["tracer"] == "fx" for row in traced)
    equal = sum(not row["differs"] for row in traced)
    return (
        f"| {family} | {len(ran)} of {len(rows)} | {fx} ({fx / max(len(ran), 1):.0%}) | {len(traced) - fx} | "
        f"{len(ran) - len(traced)} | {equal} of {len(traced)} | {sum(row['instances'] for row in traced)} | "
        f"{sum(row['reused'] for row in traced)} |"
    )


def _costs(rows: list[dict[str, Any]]) -> str:
    lines = []
    for device in ("cpu", "meta"):
        here = [row for row in rows if row.get("device") == device]
        recorded = [row["recorded_s"] / row["forward_s"] for row in here if row.get("recorded_s") and row["forward_s"]]
        symbolic = [
            row["ours_s"] / row["symbolic_trace_s"] for row in here if row.get("ours_s") and row.get("symbolic_trace_s")
        ]
        if recorded:
            lines.append(
                f"{device}: recorded forward / plain forward: median {median(recorded):.2f}, "
                f"90th percentile {sorted(recorded)[int(len(recorded) * 0.9)]:.2f} ({len(recorded)} models)"
            )
        if symbolic:
            lines.append(
                f"{device}: modlint's fx pass / torch.fx.symbolic_trace: median {median(symbolic):.2f}, "
                f"90th percentile {sorted(symbolic)[int(len(symbolic) * 0.9)]:.2f} ({len(symbolic)} models)"
            )
    return "\n".join(lines) + "\n"


def _reasons(rows: list[dict[str, Any]]) -> str:
    why = Counter(row["why_not_fx"].split("(")[0][:70] for row in rows if row.get("why_not_fx"))
    lines = ["why not fx:", *(f"  {count:4} {reason}" for reason, count in why.most_common(15))]
    for key in ("failed", "static_failed", "not_run", "not_built"):
        lines += [f"{key}:", *(f"  {row['name']}: {row[key][:140]}" for row in rows if key in row)]
    lines += ["counts that differ from the hooks:"]
    lines += [f"  {row['name']}: {row['differs'][:4]}" for row in rows if row.get("differs")]
    lines += ["static against traced:"]
    lines += [f"  {row['name']}: {row['static_differs'][:6]}" for row in rows if row.get("static_differs")]
    lines += ["states, static against traced:"]
    lines += [f"  {row['name']}: {row['states'][:4]}" for row in rows if row.get("states")]
    return "\n".join(lines)


def main() -> None:
    """See the module's docstring."""
    global RESULTS
    parser = argparse.ArgumentParser(description="Trace a zoo of models and compare.")
    parser.add_argument("--results", type=Path, default=RESULTS)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument("--part", default="0/1")
    running.add_argument("--limit", type=int)
    comparing = commands.add_parser("static")
    for command in (running, comparing):
        command.add_argument("family", choices=list(FAMILIES))
        command.add_argument("--graphs", type=Path, required=True)
    commands.add_parser("table")
    options = parser.parse_args()
    RESULTS = options.results
    if options.command == "run":
        run(options.family, options.graphs, options.part, options.limit)
    elif options.command == "static":
        compare(options.family, options.graphs)
    else:
        print(table())


if __name__ == "__main__":
    main()
