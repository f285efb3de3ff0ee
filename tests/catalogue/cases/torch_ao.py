"""Configurations and inputs of torch.ao: observers, fake-quantisation, layers of every stage of quantisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from catalogue.cases.torch_nn import tensors
from catalogue.measure import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalogue.cases.torch_nn import Inputs

_AO, _Q = "torch.ao.nn", "torch.ao.quantization"
_QCONFIG = f"qconfig={_Q}.get_default_qat_qconfig('x86', version=1)"
_AFFINE = "torch.nn.Parameter(torch.ones(4)), torch.nn.Parameter(torch.zeros(4))"
_ROWS, _LINE = tensors((5, 4)), tensors((2, 4, 6))
_IMAGE, _VOLUME = tensors((2, 4, 6, 6)), tensors((2, 4, 6, 6, 6))
_BY_DIMENSION = {1: _LINE, 2: _IMAGE, 3: _VOLUME}


def cases() -> Iterator[Case]:
    """Every case of torch.ao."""
    for part in (
        _observers,
        _functional,
        _fused,
        _aware,
        _quantized,
        _dynamic,
        _fused_quantized,
        _recurrent,
        _reference,
    ):
        yield from part()


def cases_of(package: str, names: str, inputs: Inputs, *arguments: str, **more: Any) -> Iterator[Case]:
    """One case for each class and each text of arguments."""
    for name in names.split():
        for text in arguments or ("",):
            yield Case(f"{package}.{name}({text})", inputs, **more)


def narrowing(n: int) -> tuple[torch.Tensor, ...]:
    """Each call has a smaller range than the one before, so that what the first left in a minimum stays visible."""
    return (torch.randn(5, 4) * 6 / (1 + n) ** 2,)


def quantized(inputs: Inputs) -> Inputs:
    """The first argument as unsigned 8-bit integers."""

    def given(n: int) -> tuple[Any, ...]:
        first, *rest = inputs(n)
        return (torch.quantize_per_tensor(first, 0.1, 64, torch.quint8), *rest)

    return given


def _observers() -> Iterator[Case]:
    minimal = (
        "MinMaxObserver PerChannelMinMaxObserver MovingAverageMinMaxObserver MovingAveragePerChannelMinMaxObserver"
    )
    yield from cases_of(_Q, minimal, narrowing, "", "is_dynamic=False, reduce_range=True")
    yield from cases_of(_Q, "HistogramObserver", narrowing, "", "bins=64")
    yield from cases_of(_Q, "RecordingObserver PlaceholderObserver NoopObserver ReuseInputObserver", narrowing)
    yield from cases_of(_Q, "FixedQParamsObserver", narrowing, "0.1, 0")
    yield from cases_of(_Q, "FakeQuantize FusedMovingAvgObsFakeQuantize", narrowing, "", "quant_min=0, quant_max=127")
    yield from cases_of(
        _Q, "FixedQParamsFakeQuantize", narrowing, f"{_Q}.FixedQParamsObserver.with_args(scale=0.1, zero_point=0)"
    )
    yield from cases_of(_Q, "QuantStub DeQuantStub", narrowing, "", "torch.ao.quantization.default_qconfig")
    yield from cases_of(
        _Q, "QuantWrapper", _ROWS, "torch.nn.Linear(4, 3)", "torch.nn.BatchNorm1d(4)", "torch.nn.ReLU()"
    )


def _functional() -> Iterator[Case]:
    two, package = tensors((5, 4), (5, 4)), f"{_AO}.quantized"
    for name in ("FloatFunctional", "FXFloatFunctional"):
        for method in ("add", "mul", "add_relu"):
            yield from cases_of(package, name, two, method=method)
        yield from cases_of(package, name, tensors((5, 4), (4, 5)), method="matmul")
        for method in ("add_scalar", "mul_scalar"):
            yield from cases_of(package, name, lambda n: (*_ROWS(n), 0.7), method=method)
        yield from cases_of(package, name, lambda n: (two(n),), method="cat")
    both = lambda n: tuple(quantized(_ROWS)(n) + quantized(_ROWS)(n + 5))  # noqa: E731
    for method in ("add", "mul", "add_relu"):
        yield from cases_of(package, "QFunctional", both, method=method)


def _fused() -> Iterator[Case]:
    package, kinds = f"{_AO}.intrinsic", {d: f"torch.nn.Conv{d}d(4, 4, 3)" for d in (1, 2, 3)}
    for d, inputs in _BY_DIMENSION.items():
        norm = f"torch.nn.BatchNorm{d}d(4)"
        yield from cases_of(package, f"ConvBn{d}d", inputs, f"{kinds[d]}, {norm}")
        yield from cases_of(package, f"ConvBnReLU{d}d", inputs, f"{kinds[d]}, {norm}, torch.nn.ReLU()")
        yield from cases_of(package, f"ConvReLU{d}d", inputs, f"{kinds[d]}, torch.nn.ReLU()")
        if d > 1:
            yield from cases_of(package, f"BNReLU{d}d", inputs, f"{norm}, torch.nn.ReLU()")
    linear = "torch.nn.Linear(4, 3)"
    yield from cases_of(package, "LinearBn1d", _ROWS, f"{linear}, torch.nn.BatchNorm1d(3)")
    for name in ("ReLU", "LeakyReLU", "Tanh"):
        yield from cases_of(package, f"Linear{name}", _ROWS, f"{linear}, torch.nn.{name}()")
    added = lambda n: (*_IMAGE(n), torch.randn(2, 4, 4, 4))  # noqa: E731
    yield from cases_of(package, "ConvAdd2d", added, f"{kinds[2]}, torch.add")
    yield from cases_of(package, "ConvAddReLU2d", added, f"{kinds[2]}, torch.add, torch.nn.ReLU()")


def _aware() -> Iterator[Case]:
    rows = lambda n: (torch.randint(10, (3, 4)),)  # noqa: E731
    yield from cases_of(f"{_AO}.qat", "Linear", _ROWS, f"4, 3, {_QCONFIG}")
    yield from cases_of(
        f"{_AO}.qat.dynamic", "Linear", _ROWS, f"4, 3, qconfig={_Q}.qconfig.default_dynamic_qat_qconfig"
    )
    yield from cases_of(
        f"{_AO}.qat", "Embedding EmbeddingBag", rows, f"10, 6, qconfig={_Q}.default_embedding_qat_qconfig"
    )
    fused = f"{_AO}.intrinsic.qat"
    yield from cases_of(fused, "LinearReLU", _ROWS, f"4, 3, {_QCONFIG}")
    yield from cases_of(fused, "LinearBn1d", _ROWS, f"4, 3, {_QCONFIG}", f"4, 3, freeze_bn=True, {_QCONFIG}")
    for d, inputs in _BY_DIMENSION.items():
        yield from cases_of(f"{_AO}.qat", f"Conv{d}d", inputs, f"4, 3, 3, {_QCONFIG}")
        yield from cases_of(fused, f"ConvReLU{d}d", inputs, f"4, 3, 3, {_QCONFIG}")
        both = (f"4, 3, 3, {_QCONFIG}", f"4, 3, 3, freeze_bn=True, {_QCONFIG}")
        yield from cases_of(fused, f"ConvBn{d}d ConvBnReLU{d}d", inputs, *both)


def _quantized() -> Iterator[Case]:
    package = f"{_AO}.quantized"
    for d, inputs in _BY_DIMENSION.items():
        yield from cases_of(package, f"Conv{d}d", quantized(inputs), "4, 3, 3")
        # Only qnnpack has transposed convolutions of one output channel per group and of several.
        yield from cases_of(
            package, f"ConvTranspose{d}d", quantized(inputs), "4, 3, 3", engine="qnnpack" if d < 3 else ""
        )
        yield from cases_of(
            package, f"InstanceNorm{d}d", quantized(inputs), f"4, {_AFFINE}, 0.1, 0", "4, None, None, 0.1, 0"
        )
        if d > 1:
            yield from cases_of(package, f"BatchNorm{d}d", quantized(inputs), "4")
    rows = quantized(_ROWS)
    yield from cases_of(package, "Linear", rows, "4, 3")
    yield from cases_of(package, "Quantize", _ROWS, "0.1, 0, torch.quint8")
    yield from cases_of(package, "DeQuantize ReLU6 Dropout", rows)
    yield from cases_of(package, "ELU Hardswish LeakyReLU Sigmoid PReLU", rows, "0.1, 0")
    yield from cases_of(package, "Softmax", rows, "-1")
    yield from cases_of(package, "LayerNorm", rows, f"4, {_AFFINE}, 0.1, 0", "4, None, None, 0.1, 0")
    yield from cases_of(package, "GroupNorm", quantized(_IMAGE), f"2, 4, {_AFFINE}, 0.1, 0", "2, 4, None, None, 0.1, 0")
    yield from cases_of(package, "Embedding", lambda n: (torch.randint(10, (3, 4)),), "10, 12")
    yield from cases_of(package, "EmbeddingBag", lambda n: (torch.randint(10, (12,)), torch.tensor([0, 5])), "10, 12")


def _dynamic() -> Iterator[Case]:
    package = f"{_AO}.quantized.dynamic"
    yield from cases_of(package, "Linear", _ROWS, "4, 3")
    for d, inputs in _BY_DIMENSION.items():
        yield from cases_of(package, f"Conv{d}d ConvTranspose{d}d", inputs, "4, 3, 3")
    yield from cases_of(package, "RNNCell LSTMCell GRUCell", _ROWS, "4, 3")
    settings = ("", ", 2", ", 2, dropout=0.4", ", 2, dropout=1.0")
    yield from cases_of(package, "LSTM GRU", tensors((5, 2, 4)), *(f"4, 3{text}" for text in settings))


def _fused_quantized() -> Iterator[Case]:
    package = f"{_AO}.intrinsic.quantized"
    for d, inputs in _BY_DIMENSION.items():
        yield from cases_of(package, f"ConvReLU{d}d", quantized(inputs), "4, 3, 3")
        if d > 1:
            yield from cases_of(package, f"BNReLU{d}d", quantized(inputs), "4")
    added = lambda n: (*quantized(_IMAGE)(n), *quantized(tensors((2, 3, 4, 4)))(n))  # noqa: E731
    yield from cases_of(package, "ConvAdd2d ConvAddReLU2d", added, "4, 3, 3", engine="onednn")
    yield from cases_of(package, "LinearReLU", quantized(_ROWS), "4, 3")
    yield from cases_of(package, "LinearLeakyReLU", quantized(_ROWS), "4, 3, 0.1", engine="onednn")
    yield from cases_of(package, "LinearTanh", quantized(_ROWS), "4, 3", engine="onednn")
    yield from cases_of(f"{package}.dynamic", "LinearReLU", _ROWS, "4, 3")


def _recurrent() -> Iterator[Case]:
    for package in (f"{_AO}.quantizable", f"{_AO}.quantized"):
        settings = ("", ", 2", ", 2, dropout=0.4")
        yield from cases_of(package, "LSTM", tensors((5, 2, 4)), *(f"4, 3{text}" for text in settings))
        three = tensors((5, 2, 8), (5, 2, 8), (5, 2, 8))
        dropouts = ("", ", dropout=0.3", ", dropout=1.0")
        yield from cases_of(package, "MultiheadAttention", three, *(f"8, 2{text}" for text in dropouts))
    yield from cases_of(f"{_AO}.quantizable", "LSTMCell", _ROWS, "4, 3")


def _reference() -> Iterator[Case]:
    package = f"{_AO}.quantized.reference"
    yield from cases_of(package, "Linear", _ROWS, "4, 3")
    for d, inputs in _BY_DIMENSION.items():
        yield from cases_of(package, f"Conv{d}d ConvTranspose{d}d", inputs, "4, 3, 3")
    rows = lambda n: (torch.randint(10, (3, 4)),)  # noqa: E731
    yield from cases_of(package, "Embedding EmbeddingBag", rows, "10, 6")
    yield from cases_of(package, "RNNCell LSTMCell GRUCell", _ROWS, "4, 3")
    settings = ("", ", 2", ", 2, dropout=0.4")
    yield from cases_of(package, "LSTM GRU", tensors((5, 2, 4)), *(f"4, 3{text}" for text in settings))
