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
import torch
from numpy.typing import NDArray

from modlint.confirm.observables import Record, distances, gaps, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modlint.confirm.observables import Key, Quantity

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
    for key in dict.fromkeys(key for run in runs for key in run.tensors):
        group = result.setdefault((key.quantity, key.step), numpy.zeros((len(runs), len(runs))))
        numpy.maximum(group, _pairwise(key, [run.tensors.get(key) for run in runs]), out=group)
    return result


def _pairwise(key: Key, held: Sequence[tuple[torch.Tensor, ...] | None]) -> Matrix:
    """The distances of every two runs in one thing observed."""
    if all(held) and len({tensor.shape for copies in held if copies for tensor in copies}) == 1:
        most = max(len(copies) for copies in held if copies)
        if all(len(copies) in {1, most} for copies in held if copies):
            stacked = torch.stack([spread(copies, most) for copies in held if copies])
            return numpy.asarray(distances(stacked).cpu().numpy())
    result = numpy.zeros((len(held), len(held)))
    for i, j in combinations(range(len(held)), 2):
        pair = [Record({} if tensors is None else {key: tensors}) for tensors in (held[i], held[j])]
        result[i, j] = result[j, i] = max((gap.difference for gap in gaps(*pair).values()), default=0.0)
    return result


def permutation_test(matrices: Sequence[Matrix], labels: NDArray[numpy.bool_]) -> float:
    """The share of all relabellings whose statistic is at least that of `labels`; exact, not sampled."""
    ranked = [ranks(matrix) for matrix in matrices if matrix.any()]
    if not ranked:
        return 1.0
    chosen = list(combinations(range(len(labels)), int(labels.sum())))
    every = numpy.zeros((len(chosen) + 1, len(labels)))
    every[0] = labels
    for row, members in enumerate(chosen, start=1):
        every[row, list(members)] = 1
    statistic = numpy.max([_energy(matrix, every) for matrix in ranked], axis=0)
    return float((statistic[1:] >= statistic[0] - 1e-12).mean())


def ranks(matrix: Matrix) -> Matrix:
    """The distances replaced by their mean ranks, scaled to at most 1; equal distances get equal ranks."""
    upper = numpy.triu_indices(len(matrix), 1)
    values = matrix[upper]
    _, places, counts = numpy.unique(values, return_inverse=True, return_counts=True)
    mean = (numpy.cumsum(counts) - (counts - 1) / 2) / len(values)
    result = numpy.zeros_like(matrix)
    result[upper] = mean[places]
    return result + result.T


def _energy(matrix: Matrix, labels: Matrix) -> Matrix:
    """The energy distance of the two groups for every row of 0/1 labels."""
    ones, zeros = labels.sum(axis=1), (1 - labels).sum(axis=1)
    between = ((labels @ matrix) * (1 - labels)).sum(axis=1) / (ones * zeros)
    within = [
        ((group @ matrix) * group).sum(axis=1) / numpy.maximum(size * (size - 1), 1)
        for group, size in ((labels, ones), (1 - labels, zeros))
    ]
    return numpy.asarray(2 * between - within[0] - within[1])


def _separated(matrix: Matrix, labels: NDArray[numpy.bool_]) -> bool:
    """Whether every A-B distance exceeds every distance between equal runs by the margin."""
    between = float(matrix[numpy.ix_(labels, ~labels)].min())
    within = max(float(matrix[numpy.ix_(own, own)].max(initial=0.0)) for own in (labels, ~labels))
    return between > MARGIN * within and between > 0 and not math.isinf(within)
