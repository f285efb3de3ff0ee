"""The static pass from end to end, in the order of the data: find, read, interpret and judge, merge, locate, suppress.

paths -> representations -> judgements -> findings. Start reading here.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from modlint import ruleset
from modlint.analysis import FileResult, Options, add_up, is_current, places_of
from modlint.cache import loads, package_stamp
from modlint.errors import ModlintError
from modlint.findings import Report, Statistics
from modlint.graph import Location, Site
from modlint.processes import analyse_all, prepare_all, rare_collections
from modlint.projects import common_folder, is_project, upwards
from modlint.report import distinct, finding_at, finding_of
from modlint.sources import Mentions, Setup, Sources, digest_of, name_of
from modlint.suppress import Suppressor
from modlint.syntax.files import Found, find, is_excluded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modlint.analysis import Judged
    from modlint.config import Config
    from modlint.findings import Finding
    from modlint.graph import Place
    from modlint.ruleset import RuleSet

    Codes = frozenset[str]

_RESULT = "result"
_SPANS = "spans"


@dataclass(frozen=True, slots=True)
class Request:
    """One run. `overlays` holds text that is not on disk, by absolute path."""

    paths: tuple[str, ...]
    config: Config
    jobs: int = 1
    cache_folder: str | None = None
    overlays: Mapping[str, bytes] = field(default_factory=dict)
    whole_tree: bool = True  # look at the project's other files too, to know which classes they build


@dataclass(frozen=True, slots=True)
class Outcome:
    """The report, and every path whose change could change it."""

    report: Report
    watched: tuple[str, ...]
    files: tuple[str, ...]  # absolute paths of the linted files
    faults: tuple[str, ...] = ()
    closed: tuple[tuple[str, str], ...] = ()  # folders that could not be looked into, and why
    absent: tuple[str, ...] = ()  # what is wrong with paths at which there is nothing to lint


def lint(request: Request) -> Outcome:
    """Lint the files of a request. Raises ModlintError for what the user has to mend first."""
    started = time.perf_counter()
    config = request.config
    rules = ruleset.load()
    selected = rules.selected(config.select or None, config.extend_select, config.ignore)
    found, around = find_files(request)
    sources = sources_of(request, found, around)
    linted = [name_of(config.root, file) for file in found.files]
    results = analysed(sources, linted, request, selected)
    with rare_collections():
        reported = findings_of(sources, linted, results, config, rules, selected)
    sources.save()
    statistics = statistics_of(results, len(linted), time.perf_counter() - started)
    report = Report(reported, statistics, lines_at(sources, reported))
    faults = tuple(f"{result.file}: {result.fault}" for result in results if result.fault)
    seen = watched(request, sources, found, around, results)
    return Outcome(report, seen, found.files, faults, found.closed, found.absent)


def findings_of(
    sources: Sources, linted: list[str], results: Sequence[FileResult], config: Config, rules: RuleSet, selected: Codes
) -> tuple[Finding, ...]:
    """What the results say of the linted files: merged, located, suppressed, in the order of a report."""
    locator = Locator(sources)
    suppressor = Suppressor(sources, linted, rules, config, selected)
    chosen = set(linted)
    here = [item for item in merged(results) if file_of(item) in chosen]
    locator.prepare({place for item in here for place in places_of(item.judgement) if isinstance(place, Site)})
    judged = map(suppressor.by_intent(locator), here)
    speaking = [item for item in judged if item.judgement.code in selected]
    findings = [*unreadable(sources, linted, rules, selected), *located(speaking, rules, locator, sources)]
    findings = suppressor.applied(findings, reused_rows(results, locator))
    return presented(sources, distinct(findings))


def find_files(request: Request) -> tuple[Found, Found]:
    """The files to lint, and those of the whole project, which tell what is built where."""
    config = request.config
    unsaved = tuple(path for path in request.paths if path in request.overlays)
    found = find([path for path in request.paths if path not in unsaved], config)
    taken = {path for path in unsaved if not (config.force_exclude and is_excluded(path, config))}
    found = replace(found, files=tuple(sorted({*found.files, *taken})))
    inside = all(name_of(config.root, file) != file for file in found.files)
    if request.whole_tree and inside and is_project(config.root):
        return found, find([config.root], config)
    return found, found


def sources_of(request: Request, found: Found, around: Found, unsaved: dict[str, bytes] | None = None) -> Sources:
    """The tree, ready to be read. An editor keeps its own `unsaved` texts, by name."""
    root = request.config.root
    overlays = {name_of(root, path): data for path, data in request.overlays.items()} if unsaved is None else unsaved
    files = {name_of(root, file) for file in (*found.files, *around.files)} | set(overlays)
    given = (os.path.abspath(path) for path in request.paths)
    walked = [""] if around is not found else ["" if path == root else name_of(root, path) for path in given]
    names, package = tuple(sorted(files)), request.config.package
    setup = Setup(root, names, request.cache_folder, package_stamp(), overlays, tuple(walked), package)
    return Sources(setup)


def analysed(sources: Sources, linted: list[str], request: Request, selected: frozenset[str]) -> list[FileResult]:
    """What the models of each linted file give: from the cache where nothing it depends on has changed, else anew."""
    config = request.config
    inventory = bool(selected & {"ML001", "ML002", "ML003"})
    options = Options(config.search_path, config.states, inventory)
    stamp = _options_stamp(sources, options)
    rows = sources.cache.all(_RESULT)
    cached = {file: rows[file][1] for file in linted if file in rows and rows[file][0] == stamp}
    known = {file: result for file, blob in cached.items() if isinstance(result := loads(blob), FileResult)}
    changed = [f for f, result in known.items() if not all(sources.is_same(*read) for read in result.read)]
    for file in changed:
        del known[file]
    prepare_all(sources, [file for file in linted if file not in known], request.jobs)
    mentions = Mentions(sources)
    known = {file: result for file, result in known.items() if is_current(result, sources, mentions)}
    missing = [file for file in linted if file not in known and file not in sources.unreadable]
    for result in analyse_all(sources, missing, options, mentions, request.jobs):
        known[result.file] = result
        if not result.fault:
            sources.remember(_RESULT, result.file, stamp, result)
    return [known[file] for file in linted if file in known]


def _options_stamp(sources: Sources, options: Options) -> str:
    setup = sources.setup
    states = [str(sources.digest(file)) for file in options.states]
    tree = digest_of("\0".join(setup.tree).encode("utf-8", "surrogateescape"))
    return "\0".join([setup.stamp, setup.root, tree, repr(options), *states])


def merged(results: Sequence[FileResult]) -> list[Judged]:
    """One judgement for each code, instance and place, however many models reach it.

    A model in the file of the finding is preferred, else the first by file and order.
    """
    best: dict[tuple[str, Place | None, Place | None], tuple[tuple[bool, str, int], Judged]] = {}
    for result in results:
        for order, item in enumerate(result.judged):
            judgement = item.judgement
            key = (judgement.code, judgement.instance.created, judgement.primary)
            elsewhere = judgement.primary is not None and judgement.primary.filename != item.file
            rank = (elsewhere, item.file, order)
            if key not in best or rank < best[key][0]:
                best[key] = (rank, item)
    return [item for _, item in sorted(best.values(), key=lambda ranked: ranked[0])]


class Locator:
    """Sites -> lines and columns: what holds sites that are prepared together is parsed once more."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._spans: dict[str, dict[int, tuple[int, int, int, int]]] = {}

    def prepare(self, sites: set[Site]) -> None:
        """Locate many sites at once."""
        wanted: dict[str, set[int]] = {}
        for site in sites:
            wanted.setdefault(site.filename, set()).add(site.number)
        for file, numbers in wanted.items():
            spans = self._known(file)
            missing = numbers - spans.keys()
            if missing:
                found = self._sources.locate(file, sorted(missing))
                spans.update((number, (s.row, s.column, s.end_row, s.end_column)) for number, s in found.items())
                self._sources.remember(_SPANS, file, self._sources.stamp(file), spans)

    def __call__(self, place: Place) -> Location:
        if isinstance(place, Location):
            return place
        self.prepare({place})
        return Location(place.filename, *self._spans[place.filename][place.number])

    def _known(self, file: str) -> dict[int, tuple[int, int, int, int]]:
        if file not in self._spans:
            blob = self._sources.cache.get(_SPANS, file, self._sources.stamp(file))
            self._spans[file] = (None if blob is None else loads(blob)) or {}
        return self._spans[file]


def located(judged: list[Judged], rules: RuleSet, locator: Locator, sources: Sources) -> list[Finding]:
    """The findings, with lines and columns in the place of sites."""
    shown = partial(_shown, sources)
    findings = (finding_of(item.judgement, item.model, rules, locator, shown) for item in judged)
    return [finding for finding in findings if finding is not None]


def file_of(item: Judged) -> str:
    """The file in which the finding of a judgement will stand."""
    places = (item.judgement.primary, *(use.place for use in item.judgement.uses), item.judgement.instance.created)
    return next((place.filename for place in places if place is not None), "")


def unreadable(sources: Sources, linted: list[str], rules: RuleSet, selected: frozenset[str]) -> list[Finding]:
    """ML901 for each linted file that has no representation."""
    if "ML901" not in selected:
        return []
    rule = rules.rule("ML901")
    return [
        finding_at(rule, Location(file, why.line, why.column, why.line, why.column + 1), reason=why.reason)
        for file in linted
        if (why := sources.unreadable.get(file)) is not None
    ]


def reused_rows(results: Sequence[FileResult], locator: Locator) -> Callable[[str], list[Location]]:
    """A function that gives the places of reused instances in a file that has directives."""
    sites: dict[str, set[Site]] = {}
    for result in results:
        for site in result.reused_at:
            sites.setdefault(site.filename, set()).add(site)

    def of(file: str) -> list[Location]:
        locator.prepare(sites.get(file, set()))
        return [locator(site) for site in sorted(sites.get(file, set()))]

    return of


def presented(sources: Sources, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings with cells instead of rows in notebooks."""
    return tuple(_presented(sources, finding) for finding in findings)


def _shown(sources: Sources, location: Location) -> Location:
    try:
        notebook = sources.notebook(location.filename)
    except (OSError, ModlintError):
        return location
    return location if notebook is None else notebook.located(location)


def _presented(sources: Sources, finding: Finding) -> Finding:
    shown = partial(_shown, sources)
    return replace(
        finding,
        location=shown(finding.location),
        created=None if finding.created is None else shown(finding.created),
        uses=tuple(replace(use, location=shown(use.location)) for use in finding.uses),
    )


def lines_at(sources: Sources, findings: Sequence[Finding]) -> dict[tuple[str, int], str]:
    """The lines of source at which findings point, by file and row."""
    rows: dict[str, set[int]] = {}
    for finding in findings:
        for place in (finding.location, finding.created, *(use.location for use in finding.uses)):
            if place is not None:
                rows.setdefault(place.filename, set()).update((place.row, place.end_row))
    found = {}
    for file, wanted in rows.items():
        lines = sources.lines(file)
        found.update({(file, row): lines[row - 1] for row in wanted if row <= len(lines)})
    return found


def statistics_of(results: Sequence[FileResult], files: int, seconds: float) -> Statistics:
    """The counts of the run."""
    counts = add_up(results)
    reused = tuple((state, verdict, count) for (state, verdict), count in counts.reused)
    return Statistics(files, counts.models, counts.instances, reused, counts.unknowns, counts.without_entry, seconds)


def watched(
    request: Request, sources: Sources, found: Found, around: Found, results: Sequence[FileResult]
) -> tuple[str, ...]:
    """Every path whose change could change the report, for a later run to look at."""
    config = request.config
    read = {sources.path(name) for result in results for name, *_ in result.read}
    above = upwards(common_folder(list(request.paths)))
    configured = [os.path.join(folder, "pyproject.toml") for folder in above]
    marks = (os.path.join(folder, ".git") for folder in above)  # one that comes tells the root; inside it all moves
    configured += [mark for mark in marks if not os.path.exists(mark)]
    configured += [*config.states, *config.search_path]
    vain = {path for result in results for absent in result.absent for path in _vain(sources, *absent)}
    return tuple(sorted({*found.files, *around.files, *found.watched, *around.watched, *read, *vain, *configured}))


def _vain(sources: Sources, folder: str, names: frozenset[str]) -> list[str]:
    """What tells whether names that a folder lacks have come: the folder, or, outside of the project, the paths."""
    if not os.path.isabs(folder):
        return [sources.path(folder)]
    return [os.path.join(folder, name + ending) for name in names for ending in ("", ".py")]
