"""Some metrics of each kind: torchmetrics has one entry for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from catalogue.measure import Case

if TYPE_CHECKING:
    from collections.abc import Iterator


def cases() -> Iterator[Case]:
    """Every case of torchmetrics."""
    for method in ("__call__", "update"):
        for name in ("MeanSquaredError", "PearsonCorrCoef", "R2Score", "MetricCollection"):
            argument = "[torchmetrics.MeanSquaredError()]" if name == "MetricCollection" else ""
            yield Case(f"torchmetrics.{name}({argument})", _regression, method=method)
        for name in ("MeanMetric", "SumMetric", "MaxMetric", "CatMetric"):
            yield Case(f"torchmetrics.{name}()", lambda n: (torch.randn(3) + 5 / n,), method=method)
        for name in ("Accuracy", "AUROC", "F1Score", "ConfusionMatrix", "CalibrationError"):
            yield Case(f"torchmetrics.{name}('multiclass', num_classes=3)", _classification, method=method)
        yield Case("torchmetrics.classification.BinaryAccuracy()", _binary, method=method)
        yield Case("torchmetrics.image.PeakSignalNoiseRatio(data_range=1.0)", _regression, method=method)


def _regression(n: int) -> tuple[torch.Tensor, ...]:
    return torch.randn(6) + n, torch.randn(6) - n


def _classification(n: int) -> tuple[torch.Tensor, ...]:
    return torch.randn(6, 3).softmax(1), torch.randint(3, (6,))


def _binary(n: int) -> tuple[torch.Tensor, ...]:
    return torch.rand(6), torch.randint(2, (6,))
