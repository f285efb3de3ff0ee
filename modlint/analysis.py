"""One file -> what was judged in its models: interpret and judge, and say what that depends on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from modlint.graph import Site
from modlint.syntax.lookups import RecordingTree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modlint.catalogue import Catalogue
    from modlint.graph import Place, UseGraph
    from modlint.interpreter import Analysis
    from modlint.sources import Mentions, Sources
    from modlint.syntax.ir import FileIR
    from modlint.syntax.units import Change
    from modlint.verdicts import Judgement

    Read = tuple[str, str | None, str | None]  # a file's name, digest and meaning

INVENTORY = frozenset({"ML001", "ML002", "ML003"})
_SEVERAL = ("*",)
_MANY_FILES = 400  # that are held; with so many, those that all others need are sooner run again


@dataclass(frozen=True, slots=True)
class Options:
    """What decides the outcome for a file besides the files it reads."""

    search_path: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    inventory: bool = False  # keep what is safe or deliberate too


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement, the model in which it was made and that model's file."""

    judgement: Judgement
    model: str
    file: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What `--statistics` adds up."""

    models: int = 0
    instances: int = 0
    reused: tuple[tuple[tuple[str, str], int], ...] = ()
    unknowns: tuple[tuple[str, int], ...] = ()
    without_entry: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FileResult:
    """What the models of one file gave, and what that depends on."""

    file: str
    judged: tuple[Judged, ...] = ()
    reused_at: tuple[Site, ...] = ()  # places of reused instances, in files that have directives
    counts: Counts = Counts()
    read: tuple[Read, ...] = ()  # files that were looked at
    asked: tuple[tuple[str, tuple[str, ...]], ...] = ()  # names, and which files mention them
    absent: tuple[tuple[str, frozenset[str]], ...] = ()  # folders, and which modules were not in them
    fault: str = ""


class Analyst:
    """One process's interpreter of models."""

    def __init__(self, sources: Sources, options: Options, mentions: Mentions, stays: bool = False) -> None:
        """`stays`: keep every file that was run, for a next round; else only those that others need."""
        self._sources = sources
        self._stays = stays
        self._done: set[str] = set()
        self._options = options
        self._mentions = mentions
        self._asked: dict[str, tuple[str, ...]] = {}
        self._tree = RecordingTree(
            sources.representation,
            options.search_path,
            self._mentioning,
            sources.exists,
            sources.roots(),
            gap=None if stays else sources.gap,
        )
        self._analysis: Analysis | None = None
        self._known: Catalogue | None = None
        self._marked: dict[str, bool] = {}
        self._judgements: WeakKeyDictionary[UseGraph, list[Judgement]] = WeakKeyDictionary()

    def forget(self, file: str) -> None:
        """Take notice that a file has changed: it and all that have looked it up are interpreted anew."""
        files = self._tree.before(file)
        if self._analysis is not None and not self._analysis.forget_all(files):
            self._analysis = None
        for name in files:
            self._tree.reset(name)
        self._marked.pop(file, None)
        self._tree.forget(file)

    def edited(self, file: str, now: FileIR, change: Change) -> None:
        """Take notice that a file has been edited, which may leave most of what is known as it is."""
        self._marked.pop(file, None)
        if self._analysis is not None and not self._analysis.imports_alike(file, now):
            self._analysis = None
        if change.anew or self._analysis is None:
            self.forget(file)
            return
        again = self._analysis.exchange(file, now, change)
        if not again:
            self._tree.exchange(file, now)
            return
        if not set(again) <= set(self._tree.before(file)):
            self._analysis = None
        self.forget(file)

    def behind(self, file: str) -> list[str]:
        """The files from which what is known of a file may have come."""
        return self._tree.behind(file)

    def analyse(self, file: str) -> FileResult:
        """Every model of one file, judged. A fault of modlint's own is kept as `fault`; the other files go on."""
        self._asked.clear()
        models = self._models()
        try:
            result = self._judged(models, file)
        except Exception as error:  # one of the two places where anything may be caught: see style.md
            result = FileResult(file, fault=f"{type(error).__name__}: {error}")
        complete = FileResult(
            file,
            result.judged,
            result.reused_at,
            result.counts,
            () if self._stays else self._read(file),
            tuple((name, summary(files)) for name, files in self._asked.items()),
            () if self._stays else self._absent(file),
            result.fault,
        )
        self._done.add(file)
        if not self._stays:
            for name in self._tree.release(file, self._done):
                models.forget(name)
            if self._tree.held > _MANY_FILES:
                self._tree.start_anew()
                self._analysis = None
        return complete

    def _read(self, file: str) -> tuple[Read, ...]:
        names = self._tree.behind(file)
        return tuple((name, self._sources.digest(name), self._sources.meaning(name)) for name in names)

    def _absent(self, file: str) -> tuple[tuple[str, frozenset[str]], ...]:
        found = self._tree.absent(self._tree.behind(file))
        return tuple((folder, frozenset(names)) for folder, names in sorted(found.items()))

    def _judged(self, models_of: Analysis, file: str) -> FileResult:
        judged: list[Judged] = []
        reused_at: dict[Site, None] = {}
        reused: Counter[tuple[str, str]] = Counter()
        unknowns: Counter[str] = Counter()
        without: Counter[str] = Counter()
        models = instances = 0
        for model in models_of.models(file):
            models += 1
            instances += model.instances
            unknowns.update(dict(model.unknowns))
            without.update(dict(model.without_entry))
            for judgement in self._judgements_of(model.graph):
                reused[judgement.instance.state.kind.value, judgement.verdict.value] += 1
                reused_at.update(dict.fromkeys(self._in_marked(judgement)))
                if judgement.code and (self._options.inventory or judgement.code not in INVENTORY):
                    judged.append(Judged(judgement, model.graph.model, file))
        counts = Counts(models, instances, _frozen(reused), _frozen(unknowns), _frozen(without))
        return FileResult(file, tuple(judged), tuple(reused_at), counts)

    def _judgements_of(self, graph: UseGraph) -> list[Judgement]:
        """What is judged in a graph; kept, because a model that an edit leaves as it is gives the same one again."""
        from modlint.verdicts import judge

        if not self._stays:
            return judge(graph)
        if graph not in self._judgements:
            self._judgements[graph] = judge(graph)
        return self._judgements[graph]

    def _models(self) -> Analysis:
        if self._analysis is None:
            from pathlib import Path

            from modlint.catalogue import Catalogue
            from modlint.interpreter import Analysis

            self._known = self._known or Catalogue.load([Path(file) for file in self._options.states])
            self._analysis = Analysis(self._tree, self._known, only_reuse=True, recalls=self._stays)
        return self._analysis

    def _mentioning(self, name: str) -> tuple[str, ...]:
        files = self._mentions.of(name)
        self._asked[name] = files
        return files

    def _in_marked(self, judgement: Judgement) -> Iterator[Site]:
        for place in places_of(judgement):
            if isinstance(place, Site) and self._has_directives(place.filename):
                yield place

    def _has_directives(self, file: str) -> bool:
        from modlint.syntax.suppressions import might_have_directives

        if file not in self._marked:
            self._marked[file] = might_have_directives(self._sources.source(file))
        return self._marked[file]


def places_of(judgement: Judgement) -> Iterator[Place]:
    """Every place at which an intent mark can stand: creation, slots, uses, and what makes it reuse."""
    instance = judgement.instance
    candidates = [instance.created, judgement.primary]
    candidates += [slot.place for slot in instance.slots]
    candidates += [use.place for use in judgement.uses]
    return (place for place in candidates if place is not None)


def summary(files: tuple[str, ...]) -> tuple[str, ...]:
    """Which files mention a name, as far as it matters: none, one, or several."""
    return files if len(files) < 2 else _SEVERAL


def is_current(result: FileResult, sources: Sources, mentions: Mentions) -> bool:
    """Whether everything that a cached result depends on is as it was."""
    return (
        all(sources.is_without(*absent) for absent in result.absent)
        and all(sources.is_same(*read) for read in result.read)
        and all(summary(mentions.of(name)) == files for name, files in result.asked)
    )


def _frozen(counter: Counter[str] | Counter[tuple[str, str]]) -> tuple:  # type: ignore[type-arg]
    return tuple(sorted(counter.items()))


def add_up(results: Iterable[FileResult]) -> Counts:
    """The counts of all results together."""
    models = instances = 0
    reused: Counter[tuple[str, str]] = Counter()
    unknowns: Counter[str] = Counter()
    without: Counter[str] = Counter()
    for result in results:
        models += result.counts.models
        instances += result.counts.instances
        reused.update(dict(result.counts.reused))
        unknowns.update(dict(result.counts.unknowns))
        without.update(dict(result.counts.without_entry))
        if result.fault:
            unknowns[f"fault of modlint's own: {result.fault}"] += 1
    return Counts(models, instances, _frozen(reused), _frozen(unknowns), _frozen(without))
