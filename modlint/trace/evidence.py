"""Static findings and a trace of every model of the tree -> the findings with what the trace showed.

What both passes see becomes `traced`; what only the trace saw is added; where they disagree ML902 says so and the
findings follow the trace. A model that cannot be traced is a note, and its findings stay as they are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from modlint import ruleset
from modlint.analysis import INVENTORY, Judged
from modlint.catalogue import Catalogue
from modlint.errors import ModlintError
from modlint.findings import Evidence, Finding, Level
from modlint.graph import Location, StateClass
from modlint.interpreter import Analysis
from modlint.report import finding_at, finding_of, name_of
from modlint.sources import Mentions, Setup, Sources
from modlint.sources import name_of as file_name
from modlint.suppress import Suppressor
from modlint.syntax.files import find
from modlint.syntax.tree import SourceTree
from modlint.trace.matching import Pair, Places, pairs_of
from modlint.trace.session import Request, half_of_memory, traced_all
from modlint.trace.worker import Limits
from modlint.verdicts import Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modlint.config import Config
    from modlint.graph import Instance, Place
    from modlint.interpreter import ModelResult
    from modlint.ruleset import RuleSet
    from modlint.trace.traced import TracedGraph
    from modlint.verdicts import Judgement

DISAGREEMENT = "ML902"
_SECONDS = 60.0  # for each model: nobody has said that it can be run


@dataclass(frozen=True, slots=True)
class TraceEvidence:
    """The merged findings (unsorted), a note for every model that could not be traced, how many could, and which."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    traced: int
    requests: tuple[Request, ...] = ()


def trace_tree(
    findings: Sequence[Finding], files: Sequence[str], config: Config, limits: Limits | None = None
) -> TraceEvidence:
    """Trace every configured model and every model class of `files` that needs no arguments; merge the evidence.

    `findings` are those of the static pass, with file names relative to `config.root` (`modlint.linter.lint`); `files`
    the absolute paths that were linted (`Outcome.files`). Runs the user's code, in worker processes within `limits`
    (for each model; else a minute and half of the machine's memory). Raises ModlintError only for a configuration that
    is wrong; what a model raises becomes a note.
    """
    limits = limits or Limits(_SECONDS, half_of_memory())
    tree = _Tree(files, config)
    merger = _Merger(list(findings), tree)
    notes: list[str] = []
    traced: list[Request] = []
    for file, requests in _requests(tree, config).items():
        for request, result in zip(requests, traced_all(requests, limits), strict=True):
            if isinstance(result, ModlintError):
                if not _needs_arguments(result) or request in tree.configured:
                    notes.append(f"{_shown(request, config)} was not traced: {result.message.splitlines()[0]}")
                continue
            traced.append(request)
            result.target = _shown(request, config)
            merger.merge(result, tree.model(result, file))
    return TraceEvidence(tuple(merger.result()), tuple(notes), len(traced), tuple(traced))


def _needs_arguments(error: ModlintError) -> bool:
    return "cannot be built without" in error.message


def _shown(request: Request, config: Config) -> str:
    place, _, name = request.target.rpartition(":")
    return f"{file_name(config.root, place)}:{name}" if os.path.isabs(place) else request.target


def _requests(tree: _Tree, config: Config) -> dict[str, list[Request]]:
    """What to trace, by the file that is traced in one process; a configured model comes instead of its bare class."""
    found: dict[str, list[Request]] = {}
    for model in config.models:
        place, _, name = model.target.rpartition(":")
        if place.endswith(".py"):
            place = os.path.join(config.root, place)
        request = Request(f"{place}:{name}", model.init, model.input, model.inputs, states=config.states)
        tree.configured.add(request)
        found.setdefault(place, []).append(request)
    named = {request.target for requests in found.values() for request in requests}
    for file in tree.linted:
        path = tree.sources.path(file)
        for name in tree.classes(file):
            if f"{path}:{name}" not in named:
                found.setdefault(path, []).append(Request(f"{path}:{name}", states=config.states))
    return found


class _Tree:
    """The linted tree as the static pass reads it, for its graphs."""

    def __init__(self, files: Sequence[str], config: Config) -> None:
        self.config = config
        self.rules: RuleSet = ruleset.load()
        self.selected = self.rules.selected(config.select or None, config.extend_select, config.ignore)
        self.linted = [file_name(config.root, file) for file in files]
        everything = sorted({*files, *find([config.root], config).files})
        names = tuple(file_name(config.root, file) for file in everything)
        self.sources = Sources(Setup(config.root, names, None, "", package=config.package))
        self.places = Places(self.sources, {os.path.realpath(f): n for f, n in zip(everything, names, strict=True)})
        self.configured: set[Request] = set()
        mentions = Mentions(self.sources)
        roots = self.sources.roots()
        tree = SourceTree(self.sources.representation, config.search_path, mentions.of, self.sources.exists, roots)
        self._analysis = Analysis(tree, Catalogue.load([Path(path) for path in config.states]))
        self._models: dict[str, list[ModelResult]] = {}

    def models(self, file: str) -> list[ModelResult]:
        """What the static pass finds in a file."""
        if file not in self._models:
            self._models[file] = self._analysis.models(file)
        return self._models[file]

    def classes(self, file: str) -> list[str]:
        """The model classes of a file, by the name that a target gives them."""
        names = dict.fromkeys(_class_name(model) for model in self.models(file))
        return [name for name in names if name and "<" not in name and name in self._defined(file)]

    def _defined(self, file: str) -> set[str]:
        source = self.sources.source(file).decode("utf-8", "replace")
        return {
            line.split("(")[0].split(":")[0].split()[1] for line in source.splitlines() if line.startswith("class ")
        }

    def model(self, graph: TracedGraph, path: str) -> ModelResult | None:
        """The static result of a traced model: the class in its own file."""
        file = self.places._names.get(os.path.realpath(graph.file or path), "")
        if file not in self.linted:
            return None
        return next((model for model in self.models(file) if _class_name(model) == graph.model), None)


def _class_name(model: ModelResult) -> str:
    return model.graph.model.rpartition(".")[2]


@dataclass(slots=True)
class _Merger:
    """The findings so far. A finding is met by the traces of its own model."""

    findings: list[Finding]
    tree: _Tree
    dropped: set[int] = field(default_factory=set)
    added: list[Finding] = field(default_factory=list)

    def result(self) -> list[Finding]:
        """What remains and what was added, each place and code once."""
        kept = [finding for index, finding in enumerate(self.findings) if index not in self.dropped]
        seen = {(f.code, f.location, f.created) for f in kept}
        fresh = []
        for finding in self.added:
            key = (finding.code, finding.location, finding.created)
            if key not in seen:
                seen.add(key)
                fresh.append(finding)
        selected = self.tree.selected - {"ML903"}
        suppressor = Suppressor(self.tree.sources, self.tree.linted, self.tree.rules, self.tree.config, selected)
        remaining = suppressor.applied(fresh, lambda _: [])
        return [*suppressor.still_unused(kept), *remaining]

    def merge(self, graph: TracedGraph, static: ModelResult | None) -> None:
        """Take in one traced model; `static` is the same model from the source, where it was found."""
        place = self.tree.places
        judged = {j.instance.key: j for j in judge(graph)}
        pairs: dict[str, Pair] = {}
        read: dict[str, Judgement] = {}
        name = graph.model
        if static is not None:
            place.prepare([i.created for i in static.graph.instances()])
            pairs = {pair.traced.key: pair for pair in pairs_of(static.graph, graph, place)}
            read = {j.instance.key: j for j in judge(static.graph)}
            name = static.graph.model
        for key, pair in pairs.items():
            self._met(graph, pair, judged.get(key), name, static)
        for key, judgement in judged.items():
            if not _known(pairs.get(key), read):
                self._add(judgement, name, graph)

    def _met(
        self, graph: TracedGraph, pair: Pair, judgement: Judgement | None, name: str, static: ModelResult | None
    ) -> None:
        """What the trace says of the findings on one instance."""
        differs = not pair.agrees and not (static is not None and static.unknowns and pair.runs > pair.reads_as)
        if differs:
            self._disagree(graph, pair, name, f"{pair.runs} times", _reading(pair))
        for index, finding in self._findings_on(pair.static, name):
            if judgement is not None and judgement.code == finding.code:
                evidence = Evidence(Level.TRACED, note=f"runs {pair.runs} times in {graph.target} ({graph.tracer})")
                self.findings[index] = replace(finding, evidence=evidence)
            elif pair.conditional and pair.runs < 2:
                note = f"the path on which it is reused was not taken by the trace of {graph.target}"
                self.findings[index] = replace(finding, evidence=replace(finding.evidence, note=note))
            elif differs and pair.runs < 2:
                self.dropped.add(index)
            elif _contradicted(finding, pair):
                state = pair.traced.own.kind.value
                self._disagree(
                    graph,
                    pair,
                    name,
                    f"{pair.runs} times and is {state}",
                    f"{finding.module and finding.module.state.value}",
                )
                self.dropped.add(index)

    def _findings_on(self, instance: Instance, name: str) -> list[tuple[int, Finding]]:
        created = None if instance.created is None else self.tree.places(instance.created)
        return [
            (index, finding)
            for index, finding in enumerate(self.findings)
            if finding.model == name
            and finding.created == created
            and finding.module is not None
            and finding.module.path == instance.path
        ]

    def _disagree(self, graph: TracedGraph, pair: Pair, name: str, traced: str, static: str) -> None:
        if DISAGREEMENT not in self.tree.selected:
            return
        spots: list[Place | None] = [use.place for use in graph.uses_of(pair.traced.key)[1:2]]
        spots += [pair.static.created, pair.traced.created]
        spot = next((spot for spot in spots if spot is not None), None)
        if spot is not None:
            location = self.tree.places(spot)
            if location.filename in self.tree.linted:
                rule = self.tree.rules.rule(DISAGREEMENT)
                what = name_of(pair.traced)
                found = finding_at(rule, location, model=name, what=what, traced=traced, static=static)
                self.added.append(found)

    def _add(self, judgement: Judgement, name: str, graph: TracedGraph) -> None:
        """A finding that only the trace makes, unless an intent mark speaks for the instance."""
        if judgement.code not in self.tree.selected or judgement.instance.key == ".":
            return
        place = self.tree.places
        suppressor = Suppressor(
            self.tree.sources, self.tree.linted, self.tree.rules, self.tree.config, self.tree.selected
        )
        judgement = suppressor.by_intent(place)(Judged(_renamed(judgement, place), name, "")).judgement
        if judgement.code in INVENTORY and judgement.code not in self.tree.selected:
            return
        finding = finding_of(judgement, name, self.tree.rules, place)
        if finding is not None and finding.location.filename in self.tree.linted:
            note = f"runs {judgement.count} times in {graph.target} ({graph.tracer})"
            self.added.append(replace(finding, evidence=Evidence(Level.TRACED, note=note)))


def _renamed(judgement: Judgement, place: Places) -> Judgement:
    """The judgement with the names of files that the findings have."""

    def at(spot: Place | None) -> Location | None:
        return None if spot is None else place(spot)

    instance = judgement.instance
    slots = tuple(replace(slot, place=at(slot.place)) for slot in instance.slots)
    return replace(
        judgement,
        instance=replace(instance, created=at(instance.created), slots=slots),
        primary=at(judgement.primary),
        uses=tuple(replace(use, place=at(use.place)) for use in judgement.uses),
    )


def _known(pair: Pair | None, read: dict[str, Judgement]) -> bool:
    """Whether the static pass has judged that very reuse: it knows intent and suppressions, the trace does not."""
    if pair is None or not pair.agrees:
        return False
    judgement = read.get(pair.static.key)
    return judgement is not None and judgement.verdict is not Verdict.UNKNOWN


def _contradicted(finding: Finding, pair: Pair) -> bool:
    """Whether the live instance certainly keeps no state where the source was read as if it did."""
    return (
        finding.code == "ML101"
        and pair.traced.own.certain
        and pair.traced.own.kind not in {StateClass.STATEFUL, StateClass.UNKNOWN}
    )


def _reading(pair: Pair) -> str:
    return f"at least {pair.reads_as}" if pair.at_least else str(pair.reads_as)


__all__ = ["TraceEvidence", "trace_tree"]
