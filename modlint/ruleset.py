"""rules/*/rule.toml -> RuleSet: every rule as a frozen value, and which of them a selection names.

The rules are modlint's own files, so a fault in one (an unknown key, an empty text, a wrong word) is a LogicError that
names file and key. A selector comes from the user, so an unknown one is a ModlintError that names the near misses.
"""

from __future__ import annotations

import difflib
import string
import sys
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from modlint.errors import LogicError, ModlintError
from modlint.findings import Severity
from modlint.graph.model import Origin, StateClass
from modlint.resources import rules_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.abc import Traversable

ALL = "ALL"
_FAMILY_PREFIX = 3  # "ML1": the letters and the digit that a family's codes share
_E = TypeVar("_E", bound=Enum)


class Family(str, Enum):
    """What a rule is about; the first digit of its code."""

    INVENTORY = "inventory"
    STATE = "state"
    PARAMS = "params"
    CROSS_MODEL = "cross-model"
    NOISE = "noise"
    ANALYSIS = "analysis"


class Pass(str, Enum):
    """The pass that can see what a rule speaks of."""

    STATIC = "static"
    TRACE = "trace"
    CONFIRM = "confirm"


class Variant(str, Enum):
    """The cases of one rule that are worded differently. Every rule words `finding`, which stands in for the others."""

    FINDING = "finding"
    STATISTICS = "statistics"  # running statistics are written
    POWER_ITERATION = "power-iteration"  # the vectors of a spectral norm
    RANGE = "range"  # the range that an observer or fake-quantiser has seen
    ATTRIBUTE = "attribute"  # any other buffer or attribute kept between calls
    SUPPRESSION = "suppression"  # a suppression comment
    INTENT = "intent"  # an intent mark


# What a template may name. `report` fills the first group from a judgement; the passes fill the rest themselves.
FIELDS = frozenset(
    {"what", "times", "first", "both", "children", "writes", "slots", "carried", "why"}
    | {"reason", "comment", "operation", "path", "static", "traced"}
)


@dataclass(frozen=True, slots=True)
class Conditions:
    """When a rule may fire, in closed words. An empty set asks for nothing."""

    states: frozenset[StateClass] = frozenset()
    origins: frozenset[Origin] = frozenset()
    passes: frozenset[Pass] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it is called, how loud it is, when it fires and how it speaks."""

    code: str
    slug: str
    family: Family
    severity: Severity
    default: bool
    preview: bool
    summary: str
    tags: tuple[str, ...]
    conditions: Conditions
    messages: tuple[tuple[Variant, str], ...]

    @property
    def docs(self) -> str:
        """Where the rule's page stands, relative to the root of the project: the `url` of its findings."""
        return f"rules/{self.slug}/README.md"

    def message(self, variant: Variant = Variant.FINDING, **fields: str) -> str:
        """The sentence of a finding. Raises LogicError when the template names a field that is not given."""
        templates = dict(self.messages)
        template = templates.get(variant, templates[Variant.FINDING])
        try:
            return template.format_map(fields)
        except KeyError as missing:
            raise LogicError(f"{self.code}: the message needs a field {missing}") from missing


class RuleSet:
    """All rules, in the order of their codes."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(sorted(rules, key=lambda rule: rule.code))
        self._by_name = {name: rule for rule in self._rules for name in (rule.code, rule.slug)}

    def all(self) -> tuple[Rule, ...]:
        """Every rule."""
        return self._rules

    def rule(self, name: str) -> Rule:
        """The rule of that code or slug. Raises ModlintError, with the near misses."""
        found = self._by_name.get(name)
        if found is None:
            raise ModlintError(f"there is no rule {name!r}{_near(name, self._by_name)}")
        return found

    def selected(
        self,
        select: Sequence[str] | None = None,
        extend_select: Sequence[str] = (),
        ignore: Sequence[str] = (),
    ) -> frozenset[str]:
        """The codes that a selection names, as ruff resolves it: the more specific selector wins, `ignore` at a tie.

        A selector is a code or a prefix of codes, a slug, a family or ALL. `select` None means the rules that are on by
        default. A rule in preview is off by default and answers to every selector.
        """
        codes = set() if select is not None else {rule.code for rule in self._rules if rule.default}
        steps = [(*self._resolve(selector), True) for selector in (*(select or ()), *extend_select)]
        steps += [(*self._resolve(selector), False) for selector in ignore]
        for _, named, chosen in sorted(steps, key=lambda step: step[0]):  # stable: `ignore` stays last
            codes = codes | named if chosen else codes - named
        return frozenset(codes)

    def _resolve(self, selector: str) -> tuple[int, frozenset[str]]:
        """How specific a selector is, and the codes it names."""
        if selector == ALL:
            return 0, frozenset(rule.code for rule in self._rules)
        by_family = frozenset(rule.code for rule in self._rules if rule.family.value == selector)
        if by_family:
            return _FAMILY_PREFIX, by_family
        if selector in self._by_name:
            code = self._by_name[selector].code
            return len(code), frozenset({code})
        by_prefix = frozenset(rule.code for rule in self._rules if selector and rule.code.startswith(selector))
        if by_prefix:
            return len(selector), by_prefix
        raise ModlintError(f"unknown rule selector {selector!r}{_near(selector, self._selectors())}")

    def _selectors(self) -> list[str]:
        prefixes = {rule.code[:length] for rule in self._rules for length in range(_FAMILY_PREFIX, len(rule.code))}
        return [ALL, *(family.value for family in Family), *sorted(prefixes), *self._by_name]


def _near(name: str, known: Iterable[str]) -> str:
    """The end of an error message: what may have been meant."""
    words = {word.lower(): word for word in known}
    near = [words[word] for word in difflib.get_close_matches(name.lower(), words, n=3, cutoff=0.6)]
    return f"; did you mean {', '.join(near)}?" if near else "; give a code, the start of one, a slug, a family or ALL"


@cache
def load() -> RuleSet:
    """The rules that modlint is shipped with."""
    return read(rules_folder())


def read(folder: Traversable) -> RuleSet:
    """The rules of a folder: one subfolder with a rule.toml for each. Raises LogicError naming file and key."""
    rules = [_rule(child / "rule.toml", child.name) for child in folder.iterdir() if (child / "rule.toml").is_file()]
    if not rules:
        raise LogicError(f"{folder}: no rule.toml in any subfolder")
    for attribute in ("code", "slug"):
        twice = [name for name, n in Counter(getattr(rule, attribute) for rule in rules).items() if n > 1]
        if twice:
            raise LogicError(f"{folder}: two rules have the {attribute} {twice[0]!r}")
    return RuleSet(rules)


def page(rule: Rule) -> str:
    """The rule's page, Markdown."""
    return (rules_folder() / rule.slug / "README.md").read_text(encoding="utf-8")


def _rule(file: Traversable, folder: str) -> Rule:
    table = _Table.open(file)
    slug = table.text("slug")
    if slug != folder:
        raise table.fault("slug", f"{slug!r} is not the name of the folder")
    rule = Rule(
        code=table.text("code"),
        slug=slug,
        family=table.choice("family", Family),
        severity=table.choice("severity", Severity),
        default=table.flag("default"),
        preview=table.flag("preview"),
        summary=table.text("summary"),
        tags=table.texts("tags"),
        conditions=_conditions(table.table("conditions")),
        messages=_messages(table.table("messages")),
    )
    table.done()
    return rule


def _conditions(table: _Table) -> Conditions:
    conditions = Conditions(
        states=table.choices("states", StateClass),
        origins=table.choices("origins", Origin),
        passes=table.choices("passes", Pass),
    )
    table.done()
    if not conditions.passes:
        raise table.fault("passes", "must name at least one pass")
    return conditions


def _messages(table: _Table) -> tuple[tuple[Variant, str], ...]:
    messages = tuple((variant, table.text(variant.value)) for variant in Variant if variant.value in table.values)
    table.done()
    if not messages or messages[0][0] is not Variant.FINDING:
        raise table.fault(Variant.FINDING.value, "is missing")
    for variant, template in messages:
        unknown = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None} - FIELDS
        if unknown:
            raise table.fault(variant.value, f"names the unknown field {min(unknown)!r}")
    return messages


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of a TOML file, read key by key, so that what is left over in the end is unknown."""

    file: Traversable
    prefix: str
    values: dict[str, object]
    read: set[str]

    @staticmethod
    def open(file: Traversable) -> _Table:
        try:
            return _Table(file, "", tomllib.loads(file.read_text(encoding="utf-8")), set())
        except tomllib.TOMLDecodeError as error:
            raise LogicError(f"{file}: {error}") from error

    def fault(self, key: str, what: str) -> LogicError:
        return LogicError(f"{self.file}: {self.prefix}{key}: {what}")

    def _get(self, key: str) -> object:
        self.read.add(key)
        if key not in self.values:
            raise self.fault(key, "is missing")
        return self.values[key]

    def text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.fault(key, "must be a text that is not empty")
        return value

    def flag(self, key: str) -> bool:
        value = self._get(key)
        if not isinstance(value, bool):
            raise self.fault(key, "must be true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._get(key)
        if not isinstance(value, list) or not value:
            raise self.fault(key, "must be a list of texts that is not empty")
        texts = [item for item in value if isinstance(item, str) and item.strip()]
        if len(texts) < len(value):
            raise self.fault(key, "holds something that is not a text, or an empty one")
        return tuple(texts)

    def choice(self, key: str, words: type[_E]) -> _E:
        return self._word(key, self.text(key), words)

    def choices(self, key: str, words: type[_E]) -> frozenset[_E]:
        if key not in self.values:
            return frozenset()
        return frozenset(self._word(key, text, words) for text in self.texts(key))

    def _word(self, key: str, text: str, words: type[_E]) -> _E:
        for word in words:
            if word.value == text:
                return word
        raise self.fault(key, f"{text!r} is none of {', '.join(str(word.value) for word in words)}")

    def table(self, key: str) -> _Table:
        value = self._get(key)
        if not isinstance(value, dict):
            raise self.fault(key, "must be a table")
        return _Table(self.file, f"{self.prefix}{key}.", value, set())

    def done(self) -> None:
        """Raise for the first key that nobody asked for."""
        unknown = sorted(self.values.keys() - self.read)
        if unknown:
            raise self.fault(unknown[0], "unknown key")
