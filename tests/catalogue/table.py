"""Writes `rules/README.md`: the vocabulary of the catalogue and what of it is proven. Run: `python -m catalogue.table`.

In: the entries, and the cases of every library, installed or not. Out: the page.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from catalogue.cases import LIBRARIES
from catalogue.changes import recorded, releases
from catalogue.exempt import BY_HAND, UNMEASURED, WITHOUT_ENTRY
from modlint.catalogue import Catalogue, Entry, Wrapper
from modlint.graph import Trait

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modlint.catalogue import Facts

PAGE = Path(__file__).parents[2] / "rules" / "README.md"

# The release that each file was measured on.
MEASURED_ON = {
    "torch": "torch 2.13.0",
    "torch.ao": "torch 2.13.0",
    "torchvision": "torchvision 0.29.1",
    "timm": "timm 1.0.31",
    "transformers": "transformers 5.24.0",
    "torchmetrics": "torchmetrics 1.9.0",
    "einops": "einops 0.8.2",
}

_INTRODUCTION = Path(__file__).with_name("introduction.md")


def page() -> str:
    """The whole page."""
    catalogue = Catalogue.load()
    return "\n".join(
        [
            _INTRODUCTION.read_text(encoding="utf-8").rstrip(),
            "",
            *_summary(catalogue),
            "",
            *_releases(),
            *_excuses(),
            *_listing(catalogue),
        ]
    )


def _summary(catalogue: Catalogue) -> Iterator[str]:
    yield "## What is proven"
    yield ""
    yield "| file | measured on | classes | functions | configurations run | entries not run |"
    yield "|---|---|---:|---:|---:|---:|"
    for stem, release in MEASURED_ON.items():
        made = [_made(catalogue, name) for name in _names(catalogue, stem)]
        classes = sum(isinstance(one, Entry) for one in made)
        cases = sum(1 for library in LIBRARIES[stem] for _ in library.cases())
        skipped = sum(one.name in UNMEASURED for one in made)
        counts = f"{classes} | {len(made) - classes} | {cases} | {skipped}"
        yield f"| `states/{stem}.toml` | {release} | {counts} |"


def _releases() -> Iterator[str]:
    yield "The entries of torch were run on other releases (`python -m catalogue.changes`). What is different there:"
    yield ""
    yield "| release | without | other parameters | another behaviour |"
    yield "|---|---|---|---|"
    for release in releases():
        found = recorded(release)
        signatures: dict[str, list[str]] = {}
        for name, text in found.signatures.items():
            signatures.setdefault(text, []).append(f"`{name}`")
        others = "; ".join(f"{', '.join(names)}: {text}" for text, names in signatures.items())
        news = [f"no entry for `{name}`" for name in found.uncatalogued]
        contradicted = "; ".join([*news, *(f"`{name}`: {', '.join(texts)}" for name, texts in found.behaviour.items())])
        gone = ", ".join(f"`{name}`" for name in found.absent)
        yield f"| torch {release} | {gone or 'nothing'} | {others or 'none'} | {contradicted or 'none'} |"
    yield ""


def _excuses() -> Iterator[str]:
    yield "Entries that have a test of their own (`tests/catalogue/test_by_hand.py`):"
    yield ""
    yield from _by_reason(BY_HAND)
    yield ""
    yield "Entries that are not run, and public classes of torch without an entry, each with the reason:"
    yield ""
    yield from _by_reason({**UNMEASURED, **WITHOUT_ENTRY})
    yield ""


def _by_reason(names: Mapping[str, str]) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for name, reason in names.items():
        reasons.setdefault(reason, []).append(f"`{name}`")
    for reason, alike in reasons.items():
        yield f"- {reason}: {', '.join(alike)}"


def _listing(catalogue: Catalogue) -> Iterator[str]:
    yield "## The entries"
    yield ""
    yield "A condition names the constructor arguments on which a trait depends; `always` needs none."
    for stem in MEASURED_ON:
        made = [_made(catalogue, name) for name in _names(catalogue, stem)]
        yield ""
        yield f"### {stem}"
        yield ""
        plain = [
            f"`{one.name}`" for one in made if isinstance(one, Entry) and not one.facts.traits and not one.container
        ]
        if plain:
            yield f"Stateless: {', '.join(plain)}."
            yield ""
        yield "| entry | learnable | draws | writes |"
        yield "|---|---|---|---|"
        for one in made:
            if one.name not in plain:
                yield _row(one)
    yield ""


def _row(made: Entry | Wrapper) -> str:
    facts = made.facts
    draws = _modes(facts, Trait.DRAWS_TRAIN, Trait.DRAWS_EVAL)
    writes = _modes(facts, Trait.WRITES_TRAIN, Trait.WRITES_EVAL)
    if facts.writes:
        writes = f"{', '.join(f'`{name}`' for name, _ in facts.writes)}: {writes}"
    learnable = _condition(facts, Trait.LEARNABLE)
    if isinstance(made, Wrapper):
        learnable = made.unknown or ("as its module, which writes no more" if made.restores else "as its module")
    elif made.container and not facts.traits:
        learnable = "as what it holds"
    return f"| `{made.name}` | {learnable} | {draws} | {writes} |"


def _modes(facts: Facts, train: Trait, evaluation: Trait) -> str:
    found = {mode: _condition(facts, trait) for mode, trait in (("train", train), ("eval", evaluation))}
    if found["train"] == found["eval"]:
        return f"{found['train']}, in eval too" if found["train"] else ""
    return "; ".join(f"{text} in {mode}" for mode, text in found.items() if text)


def _condition(facts: Facts, trait: Trait) -> str:
    for one, condition in facts.traits:
        if one == trait.value:
            return "always" if condition.text == "True" else f"`{condition.text}`"
    return ""


def _names(catalogue: Catalogue, stem: str) -> list[str]:
    longer = [other for other in MEASURED_ON if other.startswith(f"{stem}.")]
    inside = [name for name in catalogue.names() if name.startswith(f"{stem}.")]
    return [name for name in inside if not any(name.startswith(f"{other}.") for other in longer)]


def _made(catalogue: Catalogue, name: str) -> Entry | Wrapper:
    made = catalogue.entry(name) or catalogue.wrapper(name)
    assert made is not None
    return made


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
