"""Judgement -> Finding: the words, the places and the fingerprint of what a verdict says.

Places come in as the front end knows them and are located here, for reported instances alone. A judgement that no rule
speaks for (verdict unknown) makes no finding.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from modlint.findings import Finding, ModuleFacts, UseSite
from modlint.graph import Location, Origin, StateClass, Trait
from modlint.ruleset import Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from modlint.graph import Instance, Place
    from modlint.ruleset import Rule, RuleSet
    from modlint.verdicts import Judgement

NAMED = 4  # as many children, slots or attributes are named in a message
_NOWHERE = Location("<unknown>", 1, 1, 1, 2)

_STATISTICS = frozenset({"running_mean", "running_var", "num_batches_tracked"})
_RANGE = frozenset({"min_val", "max_val", "min_vals", "max_vals", "histogram"})
_SCALE = frozenset({"scale", "zero_point"})  # of a fake-quantiser; elsewhere the names mean anything


def finding_of(
    judgement: Judgement,
    model: str,
    rules: RuleSet,
    locate: Callable[[Place], Location],
    shown: Callable[[Location], Location] = lambda location: location,
) -> Finding | None:
    """The finding of one judgement of the model's graph; None where no rule speaks.

    `shown` says how its message names a place (in a notebook by cell); its locations stay as `locate` gives them.
    """
    if not judgement.code:
        return None
    rule = rules.rule(judgement.code)
    instance = judgement.instance
    sites = _sites(judgement, locate)
    created = None if instance.created is None else locate(instance.created)
    location = _location(judgement, sites, created, locate)
    fields = _fields(judgement, _first(sites, location, shown))
    finding = _finding(rule, location, rule.message(_variant(judgement), **fields), model)
    return replace(
        finding,
        module=_facts(instance),
        children=tuple(_facts(child) for child in judgement.children),
        created=created,
        uses=sites,
        fingerprint=fingerprint(finding.code, location.filename, model, instance.path or instance.type),
    )


def finding_at(
    rule: Rule, location: Location, variant: Variant = Variant.FINDING, model: str = "", **fields: str
) -> Finding:
    """A finding about a place rather than an instance (ML601, ML901, ML902, ML903), worded by the rule."""
    finding = _finding(rule, location, rule.message(variant, **fields), model)
    subject = "\0".join(fields[name] for name in ("comment", "operation", "path", "what") if name in fields)
    return replace(finding, fingerprint=fingerprint(rule.code, location.filename, model, subject))


def fingerprint(code: str, filename: str, model: str, subject: str, ordinal: int = 0) -> str:
    """A name of the finding that stays when lines move: 32 hex digits of SHA-256."""
    text = "\0".join((code, filename, model, subject, str(ordinal)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def distinct(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings in the order of a report, with fingerprints that differ: equal ones get an ordinal hashed in."""
    seen: Counter[str] = Counter()
    result = []
    for finding in sorted(findings, key=lambda finding: finding.sort_key):
        ordinal = seen[finding.fingerprint]
        seen[finding.fingerprint] += 1
        if ordinal:
            changed = fingerprint(finding.code, finding.location.filename, finding.model, finding.fingerprint, ordinal)
            finding = replace(finding, fingerprint=changed)
        result.append(finding)
    return tuple(result)


def name_of(instance: Instance) -> str:
    """How a message calls an instance: `BatchNorm2d 'self.bn'`, or by its name in the source when it has no slot."""
    kind = _kind(instance)
    if instance.origin is not Origin.CONSTRUCTOR and instance.name:
        return f"{kind} '{instance.name}'"
    if instance.slots and instance.slots[0].path:
        return f"{kind} '{_as_attribute(instance.slots[0].path)}'"
    return f"{kind} '{instance.name}'" if instance.name else kind


def _finding(rule: Rule, location: Location, message: str, model: str) -> Finding:
    return Finding(
        code=rule.code,
        name=rule.slug,
        family=rule.family.value,
        severity=rule.severity,
        message=message,
        url=rule.docs,
        location=location,
        model=model,
    )


def _facts(instance: Instance) -> ModuleFacts:
    return ModuleFacts(instance.type, instance.path, instance.state.kind, instance.own.writes or instance.state.writes)


def _sites(judgement: Judgement, locate: Callable[[Place], Location]) -> tuple[UseSite, ...]:
    """Where the instance is used, in order; a call site that a loop repeats stands there once."""
    sites = [UseSite(locate(use.place), use.within) for use in judgement.uses if use.place is not None]
    return tuple(dict.fromkeys(sites))


def _location(
    judgement: Judgement, sites: tuple[UseSite, ...], created: Location | None, locate: Callable[[Place], Location]
) -> Location:
    if judgement.primary is not None:
        return locate(judgement.primary)
    if sites:
        return sites[0].location
    return created or _NOWHERE


def _fields(judgement: Judgement, first: str) -> dict[str, str]:
    instance = judgement.instance
    names = dict.fromkeys(name for writer in _writers(judgement) for name in writer.own.writes)
    written = _listed([f"'{name}'" for name in names]) or "its attributes"
    return {
        "what": name_of(instance),
        "times": f"at least {judgement.count} times" if judgement.at_least else f"{judgement.count} times",
        "first": first,
        "both": "both" if judgement.count == 2 and not judgement.at_least else "all",
        "children": _children(instance, judgement.children),
        "writes": written,
        "slots": _slots(instance),
        "carried": _carried(judgement, written),
        "why": instance.shared or _why(judgement),
    }


def _why(judgement: Judgement) -> str:
    """What makes a shared parametric instance look meant, where no word in the source says so."""
    looped = any(use.loop is not None or use.times > 1 for use in judgement.uses)
    return "a loop calls it" if looped else "one name, called again"


def _first(sites: tuple[UseSite, ...], location: Location, shown: Callable[[Location], Location]) -> str:
    if not sites:
        return ""
    first = shown(sites[0].location)
    here = first.filename == shown(location).filename
    line = f"line {first.row}" if here else f"{first.filename}:{first.row}"
    return f" (first at {line})" if len(sites) > 1 else f" (at {line})"


def _slots(instance: Instance) -> str:
    paths = [f"'{_as_attribute(slot.path)}'" for slot in instance.slots[1:]]
    others = f", also as {_listed(paths)}" if paths else ""
    return f"{len(instance.slots)} slots{others}"


def _as_attribute(path: str) -> str:
    return f"self.{path}"


def _children(container: Instance, children: tuple[Instance, ...]) -> str:
    """The children by their paths inside the container, a type once for all in a row: `BatchNorm2d 'a' and 'b'`."""
    prefixes = [f"{slot.path}." for slot in container.slots if slot.path]
    names = []
    for before, child in zip((None, *children), children, strict=False):
        name = _within(child, prefixes) or name_of(child)
        if before is not None and _kind(before) == _kind(child):
            name = name.removeprefix(f"{_kind(child)} ")
        names.append(name)
    return _listed(names)


def _within(child: Instance, prefixes: list[str]) -> str | None:
    for slot in child.slots:
        for prefix in prefixes:
            if slot.path.startswith(prefix):
                return f"{_kind(child)} '{slot.path[len(prefix) :]}'"
    return None


def _kind(instance: Instance) -> str:
    return instance.type.rpartition(".")[2]


def _listed(names: list[str]) -> str:
    if len(names) > NAMED:
        return f"{', '.join(names[: NAMED - 1])} and {len(names) - NAMED + 1} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _carried(judgement: Judgement, written: str) -> str:
    """What the models share (ML30x), or what a recomputation updates a second time."""
    instance, children = judgement.instance, judgement.children
    kept = _NOUNS.get(_variant(judgement)) or written
    if instance.origin is Origin.CONSTRUCTOR or judgement.code == "ML103":
        return (
            f"its {kept}" if _own_state(instance) or not children else f"the {kept} of {_children(instance, children)}"
        )
    stateful = bool(children) or instance.state.kind is StateClass.STATEFUL
    learnable = not stateful or Trait.LEARNABLE in instance.state.traits
    return "its " + " and ".join(word for word, there in (("weights", learnable), (kept, stateful)) if there)


_NOUNS = {
    Variant.FINDING: "state",
    Variant.STATISTICS: "running statistics",
    Variant.POWER_ITERATION: "power iteration",
    Variant.RANGE: "range",
}


def _own_state(instance: Instance) -> bool:
    return instance.own.kind is StateClass.STATEFUL


def _writers(judgement: Judgement) -> tuple[Instance, ...]:
    """Whose state the message speaks of: the instance's own, else that of the children."""
    return (judgement.instance,) if _own_state(judgement.instance) else judgement.children or (judgement.instance,)


def _variant(judgement: Judgement) -> Variant:
    """The kind of state that is written, when it is one kind."""
    kinds = {_kind_of(name, writer.type) for writer in _writers(judgement) for name in writer.own.writes}
    return kinds.pop() if len(kinds) == 1 else Variant.FINDING


def _kind_of(written: str, module: str) -> Variant:
    last = written.rpartition(".")[2]
    if last in _STATISTICS:
        return Variant.STATISTICS
    if last.endswith(("_u", "_v")):
        return Variant.POWER_ITERATION
    if last in _RANGE or (last in _SCALE and module.startswith("torch.")):
        return Variant.RANGE
    return Variant.ATTRIBUTE
