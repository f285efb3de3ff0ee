"""Calls as the documentation of torch and users write them, held to execution; not those that the proof runs."""

from __future__ import annotations

import fnmatch

import pytest
import torch
from torch import nn

from catalogue.measure import NAMESPACE, Case, build, measure
from catalogue.proof import claim

_SHAPES = {
    "rows": [(5, 4)],
    "image": [(2, 4, 8, 8)],
    "series": [(2, 4, 8)],
    "sequence": [(5, 2, 8)],
    "two": [(5, 2, 8)] * 2,
    "three": [(5, 2, 8)] * 3,
    "pair": [(5, 4)] * 2,
}
_CALLS = {
    "image": [
        "nn.BatchNorm2d(4, 1e-5, None)",
        "nn.BatchNorm2d(4, 1e-5, 0)",
        "nn.BatchNorm2d(4, 1e-5, 0.1, False, False)",
        "nn.BatchNorm2d(4, 1e-5, 0.1, False, None)",
        "nn.BatchNorm2d(4, momentum=-0.0, affine=0)",
        "nn.BatchNorm2d(4, track_running_stats=0)",
        "torch.nn.modules.batchnorm.BatchNorm2d(4)",
        "nn.InstanceNorm2d(4)",
        "nn.InstanceNorm2d(4, 1e-5, 0.1, True)",
        "nn.InstanceNorm2d(4, track_running_stats=True)",
        "nn.InstanceNorm2d(4, 1e-5, 0, False, True)",
        "nn.GroupNorm(2, 4)",
        "nn.GroupNorm(2, 4, affine=False)",
        "nn.GroupNorm(2, 4, 1e-5, False)",
        "nn.Dropout2d(0.3)",
        "nn.FeatureAlphaDropout(1)",
        "nn.LazyBatchNorm2d()",
        "nn.LazyConv2d(3, 2)",
        "nn.LazyInstanceNorm2d()",
        "nn.LazyInstanceNorm2d(affine=False, track_running_stats=False)",
        "nn.Conv2d(4, 4, (3, 1), padding=(1, 0), groups=2, bias=None)",
        "nn.ConvTranspose2d(4, 2, 3, 2)",
        "nn.FractionalMaxPool2d((2, 2), output_ratio=0.5)",
        "nn.MaxPool2d(2, 2, return_indices=False)",
        "nn.Upsample(scale_factor=(2, 2), mode='bilinear')",
        "nn.SyncBatchNorm(4, track_running_stats=False)",
        "nn.utils.fusion.fuse_conv_bn_eval(nn.Conv2d(4, 4, 1).eval(), nn.BatchNorm2d(4).eval())",
    ],
    "rows": [
        "torch.nn.modules.activation.ReLU(True)",
        "nn.LayerNorm(4, elementwise_affine=False)",
        "nn.LayerNorm([4], bias=False)",
        "nn.RMSNorm((4,), elementwise_affine=False)",
        "nn.RMSNorm(4, None, True)",
        "nn.Dropout(0)",
        "nn.Dropout(p=1)",
        "nn.Dropout(1.0)",
        "nn.Dropout(0.0, True)",
        "nn.AlphaDropout(0)",
        "nn.Dropout(True)",
        "nn.RReLU()",
        "nn.RReLU(0.2, 0.2)",
        "nn.RReLU(inplace=True)",
        "nn.RReLU(0.0, 0.0)",
        "nn.PReLU(4, 0.1)",
        "nn.LazyLinear(3)",
        "nn.LazyBatchNorm1d(affine=False)",
        "nn.LazyBatchNorm1d(1e-5, 0.1, False, False)",
        "nn.utils.parametrizations.orthogonal(nn.Linear(4, 4))",
        "nn.utils.parametrizations.weight_norm(nn.Linear(4, 4), dim=None)",
        "nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))",
        "nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4), 'weight', 3)",
        "nn.utils.spectral_norm(nn.Linear(4, 4), n_power_iterations=2)",
        "nn.utils.weight_norm(nn.Linear(4, 4), name='weight', dim=0)",
        "nn.utils.weight_norm(nn.utils.spectral_norm(nn.Linear(4, 4)), 'bias')",
        "nn.utils.parametrize.register_parametrization(nn.Linear(4, 4), 'weight', nn.Tanh())",
        "nn.utils.prune.l1_unstructured(nn.Linear(4, 4), name='weight', amount=2)",
        "nn.utils.prune.random_unstructured(nn.BatchNorm1d(4), 'weight', 0.3)",
        "torch.ao.quantization.MovingAverageMinMaxObserver(0.1)",
        "torch.ao.quantization.PlaceholderObserver()",
        "torch.ao.quantization.NoopObserver()",
        "torch.ao.quantization.FakeQuantize()",
        "torch.ao.quantization.PerChannelMinMaxObserver(1)",
        "torch.ao.quantization.QuantStub()",
        "torch.ao.quantization.FixedQParamsObserver(0.1, 0)",
        "torch.ao.quantization.RecordingObserver()",
        "torch.ao.quantization.MovingAverageMinMaxObserver.with_args(averaging_constant=0.5)()",
        "nn.Sequential()",
        "nn.Sequential(nn.Linear(4, 4), nn.Dropout(0), nn.BatchNorm1d(4, affine=False))",
        "nn.Sequential(*[nn.Linear(4, 4) for _ in range(2)], nn.BatchNorm1d(4))",
        "nn.Sequential(*([nn.ReLU()] * 3))",
        "nn.Sequential(nn.Linear(4, 4)).append(nn.BatchNorm1d(4))",
        "nn.Sequential(nn.Linear(4, 4)).requires_grad_(False)",
        "nn.BatchNorm1d(4).requires_grad_(False)",
        "nn.BatchNorm1d(4).eval()",
        "nn.Identity(54, x=3)",
        "nn.Linear(4, 2, False)",
        "nn.GLU(-1)",
        "nn.DataParallel(nn.BatchNorm1d(4))",
        "nn.Dropout(p=2 - 1)",
        "nn.BatchNorm1d(*(4,), **dict(affine=False))",
        "nn.utils.remove_weight_norm(nn.utils.weight_norm(nn.BatchNorm1d(4)))",
    ],
    "series": [
        "nn.InstanceNorm1d(4, affine=True, track_running_stats=True)",
    ],
    "sequence": [
        "nn.LSTM(8, 4, 1, dropout=0.5)",
        "nn.LSTM(8, 4, 2, dropout=0.5)",
        "nn.LSTM(8, 4, 2, True, False, 0.5)",
        "nn.LSTM(8, 4, num_layers=2, dropout=0)",
        "nn.GRU(input_size=8, hidden_size=4, num_layers=3, dropout=1)",
        "nn.LSTM(8, 4, proj_size=2)",
        "nn.RNN(8, 4, 2, 'relu', dropout=0.1)",
        "nn.RNN(8, 4, 2, 'relu', True, False, 0.1)",
        "nn.TransformerEncoderLayer(8, 2, 16)",
        "nn.TransformerEncoderLayer(8, 2, 16, 0.0)",
        "nn.TransformerEncoderLayer(8, 2, 16, 0, activation='gelu', norm_first=True)",
        "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.0), 2, nn.BatchNorm1d(2))",
    ],
    "three": [
        "nn.MultiheadAttention(8, 2, 0.1)",
        "nn.MultiheadAttention(8, 2, dropout=0)",
        "nn.MultiheadAttention(8, 2, 0.0, False, True, True)",
    ],
    "two": [
        "nn.TransformerDecoderLayer(8, 2, 16, 0.0)",
        "nn.Transformer(8, 2, 1, 1, 16, 0.0)",
    ],
    "indices": [
        "nn.Embedding(10, 3, 0)",
        "nn.Embedding(10, 3, _freeze=True)",
        "nn.Embedding.from_pretrained(torch.randn(10, 3))",
        "nn.Embedding.from_pretrained(embeddings=torch.randn(10, 3), freeze=False)",
    ],
    "pair": [
        "nn.Bilinear(4, 4, 3, bias=False)",
    ],
}
_CASES = [(call, kind) for kind, calls in _CALLS.items() for call in calls]


def _inputs(kind: str, number: int) -> tuple[torch.Tensor, ...]:
    if kind == "indices":
        return (torch.randint(0, 10, (3, 4)),)
    return tuple(torch.randn(shape) for shape in _SHAPES[kind])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("call", "kind"), _CASES, ids=[call for call, _ in _CASES])
def test_the_answer_is_what_execution_shows(call: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NAMESPACE, "nn", nn)
    case = Case(call, lambda number: _inputs(kind, number))
    said, seen = claim(case), measure(case, build(case))
    assert (said.traits, said.certain) == (seen.traits, True)
    assert [name for name in seen.state if not any(fnmatch.fnmatch(name, claimed) for claimed in said.writes)] == []
    assert [claimed for claimed in said.writes if not fnmatch.filter(seen.state, claimed)] == []
