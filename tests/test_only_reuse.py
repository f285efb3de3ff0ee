"""The static pass looks at what state models keep only where an instance can be reused: no judgement may miss it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from oracle import FIXTURES

from modlint.catalogue import Catalogue
from modlint.interpreter import Analysis
from modlint.sources import Mentions, Setup, Sources
from modlint.syntax.tree import SourceTree
from modlint.verdicts import judge

if TYPE_CHECKING:
    from modlint.interpreter import ModelResult
    from modlint.verdicts import Judgement

FILES = tuple(sorted(path.relative_to(FIXTURES).as_posix() for path in Path(FIXTURES).rglob("*.py")))


def analysed(only_reuse: bool) -> list[ModelResult]:
    sources = Sources(Setup(str(FIXTURES), FILES, None, ""))
    tree = SourceTree(sources.representation, (), Mentions(sources).of, sources.exists)
    analysis = Analysis(tree, Catalogue.load(), only_reuse=only_reuse)
    return [model for file in FILES for model in analysis.models(file)]


def told(judgement: Judgement) -> tuple[object, ...]:
    instance = judgement.instance
    state = instance.state.kind, instance.state.traits, instance.state.writes
    return judgement.code, judgement.verdict, judgement.count, judgement.primary, instance.created, state


def test_the_fixtures_are_judged_alike_with_the_graphs_of_all_models_and_with_those_of_reuse_alone() -> None:
    every, reused = analysed(False), analysed(True)
    assert [[told(one) for one in judge(model.graph)] for model in reused] == [
        [told(one) for one in judge(model.graph)] for model in every
    ]
    assert [model.instances for model in reused] == [model.instances for model in every]
    empty = sum(not model.graph.instances() for model in reused)
    assert 0 < empty < len(reused)
