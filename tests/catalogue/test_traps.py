"""What rules/README.md says that the documentation of torch does not, each seen on the installed torch."""

from __future__ import annotations

import copy
import inspect
import warnings

import pytest
import torch
from torch import nn

from catalogue.measure import Case, build, measure, snapshot


def test_instance_norm_never_counts_its_batches() -> None:
    norm = nn.InstanceNorm1d(3, track_running_stats=True)
    norm(torch.randn(2, 3, 5))
    assert norm.num_batches_tracked is not None
    assert norm.num_batches_tracked.item() == 0
    assert norm.running_mean is not None
    assert norm.running_mean.abs().sum() > 0


def test_the_lazy_instance_norm_has_other_defaults_than_what_it_becomes() -> None:
    defaults = [
        {name: inspect.signature(cls).parameters[name].default for name in ("affine", "track_running_stats")}
        for cls in (nn.LazyInstanceNorm1d, nn.InstanceNorm1d)
    ]
    assert defaults == [
        {"affine": True, "track_running_stats": True},
        {"affine": False, "track_running_stats": False},
    ]


@pytest.mark.parametrize("seed", range(8))
def test_a_max_norm_is_applied_to_the_rows_that_are_read_and_once_is_enough_but_for_rounding(seed: int) -> None:
    torch.manual_seed(seed)
    table = nn.Embedding(4, 3, max_norm=0.1).eval()
    before = table.weight.detach().clone()
    first = table(torch.tensor([1, 2])).detach().clone()
    once = table.weight.detach().clone()
    assert torch.equal(once[[0, 3]], before[[0, 3]])
    assert not torch.equal(once[[1, 2]], before[[1, 2]])
    assert torch.allclose(table(torch.tensor([1, 2])), first, rtol=0, atol=1e-6)
    assert torch.allclose(table.weight, once, rtol=0, atol=1e-6)


def test_a_copied_decoder_layer_loses_a_module_given_as_activation() -> None:
    layer = nn.TransformerDecoderLayer(8, 2, 12, 0.0, activation=nn.Tanh())
    assert isinstance(layer.activation, nn.Tanh)
    assert copy.deepcopy(layer).activation is nn.functional.relu


def test_a_new_spectral_norm_is_at_its_fixed_point_until_the_weight_moves() -> None:
    torch.manual_seed(0)
    layer = nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 3, 2), n_power_iterations=3)
    settled = snapshot(layer)
    layer(torch.randn(2, 4, 6, 6))
    buffers = [name for name, _ in layer.named_buffers()]
    assert {name: snapshot(layer)[name] for name in buffers} == {name: settled[name] for name in buffers}
    with torch.no_grad():
        layer.parametrizations["weight"].original.add_(torch.randn(3, 4, 2, 2))  # type: ignore[index, union-attr]
    layer(torch.randn(2, 4, 6, 6))
    assert {name: snapshot(layer)[name] for name in buffers} != {name: settled[name] for name in buffers}


def test_quantizable_lstm_never_applies_its_dropout() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao.quantization is deprecated
        layer = torch.ao.nn.quantizable.LSTM(4, 3, 2, dropout=0.9)
    inputs = torch.randn(5, 2, 4)
    assert torch.equal(layer(inputs)[0], layer(inputs)[0])


class _Cache(nn.Module):
    """Writes attributes in every way that the measurement has to tell apart."""

    def __init__(self) -> None:
        super().__init__()
        self.last: torch.Tensor | None = None  # only ever written
        self.table: torch.Tensor | None = None  # a memo that depends on no input
        self.mask: torch.Tensor | None = None  # a memo of a draw
        self.mean = 0.0  # read before it is written
        self.history: list[float] = []  # grows
        self.register_buffer("count", torch.zeros(()), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.last = x
        if self.table is None:
            self.table = torch.arange(3.0)
        if self.mask is None:
            self.mask = torch.rand(3)
        self.mean = 0.9 * self.mean + 0.1 * float(x.mean())
        self.history.append(float(x.sum()))
        assert isinstance(self.count, torch.Tensor)
        self.count += 1
        return x * self.mask + self.table


def test_the_measurement_tells_kept_state_from_what_is_only_written() -> None:
    case = Case("", lambda n: (torch.randn(3) + n,))
    seen = measure(case, _Cache())
    assert seen.state == {"mask", "mean", "history", "count"}
    assert seen.written == {"last", "table", "mask", "mean", "history", "count"}
    assert "count" not in seen.replaced


def test_building_moves_the_parameters_off_their_initial_values() -> None:
    built = build(Case("torch.nn.LayerNorm(4)", lambda n: (torch.randn(2, 4),)))
    assert not torch.equal(dict(built.named_parameters())["weight"], torch.ones(4))
