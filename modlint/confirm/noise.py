"""Runs of A and runs of B on a machine where equal runs differ: does A against B differ by more than A against A?

A permutation test on ranks of distances, with a margin on top: labels are permuted, the statistic is the largest
energy distance (Szekely & Rizzo, 2004: twice the mean between the groups minus the means within) over the groups of
observables, each on the ranks of its pairwise distances, so that scale and outliers do not matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

import numpy
from numpy.typing import NDArray

from modlint.confirm.observables import Key, gaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modlint.confirm.observables import Quantity, Record

Matrix: TypeAlias = NDArray[numpy.float64]

LEVEL = 0.005  # with 6 runs of each, the smallest possible p is 2/924
MARGIN = 2.0  # and the groups must lie this many noise diameters apart in some observable

Group = tuple["Quantity", int]  # a quantity at one step: noise that grows with the steps leaves the first ones clear


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer of the test. `apart` is the decision: B differs from A beyond the noise."""

    p: float
    separated: tuple[Group, ...]

    @property
    def apart(self) -> bool:
        return self.p <= LEVEL and bool(self.separated)


def compare(a: Sequence[Record], b: Sequence[Record]) -> Comparison:
    """Test runs of A against runs of B; interleave them in time, so that a drift of the machine is not taken for B."""
    matrices = distance_matrices([*a, *b])
    labels = numpy.array([True] * len(a) + [False] * len(b))
    return Comparison(
        permutation_test(list(matrices.values()), labels),
        tuple(group for group, matrix in matrices.items() if _separated(matrix, labels)),
    )


def distance_matrices(runs: Sequence[Record]) -> dict[Group, Matrix]:
    """For each group of observables the distance of every two runs: the largest gap of anything in it."""
    result: dict[Group, Matrix] = {}
    for i, j in combinations(range(len(runs)), 2):
        for key, gap in gaps(runs[i], runs[j]).items():
            matrix = result.setdefault(_group(key), numpy.zeros((len(runs), len(runs))))
            matrix[i, j] = matrix[j, i] = max(matrix[i, j], gap.difference)
    return result


def permutation_test(matrices: Sequence[Matrix], labels: NDArray[numpy.bool_]) -> float:
    """The share of all relabellings whose statistic is at least that of `labels`; exact, not sampled."""
    ranked = [ranks(matrix) for matrix in matrices if matrix.any()]
    if not ranked:
        return 1.0
    observed = _statistic(ranked, labels)
    size, first = len(labels), int(labels.sum())
    reached = [_statistic(ranked, _labelled(size, chosen)) for chosen in combinations(range(size), first)]
    return sum(value >= observed - 1e-12 for value in reached) / len(reached)


def ranks(matrix: Matrix) -> Matrix:
    """The distances replaced by their mean ranks, scaled to at most 1; equal distances get equal ranks."""
    upper = numpy.triu_indices(len(matrix), 1)
    values = matrix[upper]
    _, places, counts = numpy.unique(values, return_inverse=True, return_counts=True)
    mean = (numpy.cumsum(counts) - (counts - 1) / 2) / len(values)
    result = numpy.zeros_like(matrix)
    result[upper] = mean[places]
    return result + result.T


def _group(key: Key) -> Group:
    return key.quantity, key.step


def _labelled(size: int, chosen: tuple[int, ...]) -> NDArray[numpy.bool_]:
    labels: NDArray[numpy.bool_] = numpy.zeros(size, dtype=bool)
    labels[list(chosen)] = True
    return labels


def _statistic(ranked: Sequence[Matrix], labels: NDArray[numpy.bool_]) -> float:
    return max(_energy(matrix, labels) for matrix in ranked)


def _energy(matrix: Matrix, labels: NDArray[numpy.bool_]) -> float:
    between = matrix[numpy.ix_(labels, ~labels)].mean()
    return float(2 * between - _within(matrix, labels) - _within(matrix, ~labels))


def _within(matrix: Matrix, labels: NDArray[numpy.bool_]) -> float:
    inner = matrix[numpy.ix_(labels, labels)]
    pairs = len(inner) * (len(inner) - 1)
    return float(inner.sum() / pairs) if pairs else 0.0


def _separated(matrix: Matrix, labels: NDArray[numpy.bool_]) -> bool:
    """Whether every A-B distance exceeds every distance between equal runs by the margin."""
    between = float(matrix[numpy.ix_(labels, ~labels)].min())
    within = max(float(matrix[numpy.ix_(own, own)].max(initial=0.0)) for own in (labels, ~labels))
    return between > MARGIN * within and between > 0 and not math.isinf(within)
