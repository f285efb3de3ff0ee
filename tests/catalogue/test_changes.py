"""What is written down of another release: every kind of difference is seen, and a release without a file has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from torch import nn

from catalogue import changes, installed

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """What is remembered of the installed torch is asked again, before and after."""
    changes.absent.cache_clear()
    yield
    changes.absent.cache_clear()


def _without_bias(
    num_features: int,
    eps: float = 1e-05,
    momentum: float = 0.2,
    affine: bool = True,
    track_running_stats: bool = True,
    device: None = None,
    dtype: None = None,
    shape: int = 1,
) -> None:
    """A constructor of another release."""  # fmt: skip


def test_a_parameter_that_is_gone_new_or_different_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "resolve", lambda name: _without_bias)
    assert changes.of_signature("torch.nn.BatchNorm2d") == (
        "without bias; with shape; another default or kind of momentum"
    )


def test_a_class_that_is_not_there_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = changes.absent()
    changes.absent.cache_clear()
    monkeypatch.delattr(nn, "LeakyReLU")
    assert set(changes.absent()) - set(before) == {"torch.nn.LeakyReLU"}


def test_a_class_that_nobody_described_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = changes.uncatalogued()
    new = type("Novelty", (nn.Module,), {"__module__": "torch.nn.modules.novelty"})
    monkeypatch.setattr(nn, "Novelty", new, raising=False)
    assert set(changes.uncatalogued()) - set(before) == {"torch.nn.modules.novelty.Novelty"}


def test_a_release_without_a_file_has_no_differences() -> None:
    assert changes.recorded("0.0.1") == changes.Changes()


def test_the_files_are_read_in_the_order_of_the_releases() -> None:
    assert changes.releases() == sorted(changes.releases(), key=lambda name: [int(part) for part in name.split(".")])
    for release in changes.releases():
        assert changes.recorded(release) != changes.Changes()
