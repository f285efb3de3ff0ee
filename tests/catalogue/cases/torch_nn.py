"""Configurations and inputs of torch.nn: for every class the calls that its entry tells apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from catalogue.measure import Case

Inputs = Callable[[int], tuple[Any, ...]]


def tensors(*shapes: tuple[int, ...]) -> Inputs:
    """Normal tensors, shifted and scaled by the number of the call, so that no two calls have equal statistics."""
    return lambda n: tuple(torch.randn(shape) * (1 + n % 3) + n for shape in shapes)


def cases_of(names: str, inputs: Inputs, *arguments: str, **more: Any) -> Iterator[Case]:
    """One case for each class and each text of arguments."""
    for name in names.split():
        for text in arguments or ("",):
            yield Case(f"torch.nn.{name}({text})", inputs, **more)


LINE, ROWS = tensors((2, 4, 6)), tensors((5, 4))
IMAGE, VOLUME = tensors((2, 4, 6, 6)), tensors((2, 4, 6, 6, 6))
BY_DIMENSION = {1: LINE, 2: IMAGE, 3: VOLUME}
FLAGS = ("", "inplace=True")


def cases() -> Iterator[Case]:
    """Every case of torch.nn."""
    for part in (_activations, _pooling, _reshaping, _dropout, _losses, _linear, _tables, _recurrent, _attention):
        yield from part()
    for part in (_norms, _containers):
        yield from part()


def _activations() -> Iterator[Case]:
    yield from cases_of("CELU ELU Hardsigmoid Hardswish Hardtanh LeakyReLU Mish ReLU ReLU6 SELU SiLU", ROWS, *FLAGS)
    yield from cases_of("Hardshrink LogSigmoid Sigmoid Softplus Softshrink Softsign Tanh Tanhshrink", ROWS)
    yield from cases_of("Softmax LogSoftmax Softmin", ROWS, "-1")
    yield from cases_of("GELU", ROWS, "", "'tanh'")
    yield from cases_of("GLU", ROWS)
    yield from cases_of("Softmax2d", IMAGE)
    yield from cases_of("Threshold", ROWS, "0.1, 20.0", "0.1, 20.0, True")
    yield from cases_of("PReLU", ROWS, "", "4")
    yield from cases_of("RReLU", ROWS, "", "0.1, 0.3, True", "0.2, 0.2")


def _pooling() -> Iterator[Case]:
    for d, inputs in BY_DIMENSION.items():
        yield from cases_of(f"AdaptiveAvgPool{d}d AvgPool{d}d", inputs, "2")
        yield from cases_of(f"AdaptiveMaxPool{d}d MaxPool{d}d", inputs, "2", "2, return_indices=True")
        yield from cases_of(f"LPPool{d}d", _positive(inputs), "2, 2")
        yield from cases_of(f"MaxUnpool{d}d", _pooled(d, inputs), "2")
    for d in (2, 3):
        yield from cases_of(
            f"FractionalMaxPool{d}d", BY_DIMENSION[d], "2, output_size=3", "2, output_ratio=0.6",
            f"2, output_size=3, _random_samples=torch.rand(2, 4, {d})",
        )  # fmt: skip


def _positive(inputs: Inputs) -> Inputs:
    return lambda n: tuple(tensor.abs() + 0.1 for tensor in inputs(n))


def _pooled(d: int, inputs: Inputs) -> Inputs:
    pool = getattr(nn, f"MaxPool{d}d")(2, return_indices=True)
    return lambda n: pool(*inputs(n))


def _reshaping() -> Iterator[Case]:
    for d, inputs in BY_DIMENSION.items():
        for kind in ("Circular", "Reflection", "Replication", "Zero"):
            yield from cases_of(f"{kind}Pad{d}d", inputs, "1")
        yield from cases_of(f"ConstantPad{d}d", inputs, "1, 3.5")
    yield from cases_of("ChannelShuffle Unfold PixelShuffle PixelUnshuffle LocalResponseNorm", IMAGE, "2")
    yield from cases_of("CrossMapLRN2d", IMAGE, "3")
    yield from cases_of("Flatten", IMAGE)
    yield from cases_of("Unflatten", ROWS, "1, (2, 2)")
    yield from cases_of("Fold", tensors((2, 16, 25)), "6, 2")
    yield from cases_of("Upsample UpsamplingBilinear2d UpsamplingNearest2d", IMAGE, "scale_factor=2")
    yield from cases_of("Upsample", IMAGE, "9, mode='bilinear'")
    yield from cases_of("Identity", ROWS, "", "54, unused=1")
    yield from cases_of("CosineSimilarity PairwiseDistance", tensors((5, 4), (5, 4)))


def _dropout() -> Iterator[Case]:
    settings = ("", "0.3, True", "0.0", "1.0")
    yield from cases_of("Dropout AlphaDropout", ROWS, *settings)
    yield from cases_of("FeatureAlphaDropout Dropout2d", IMAGE, *settings)
    yield from cases_of("Dropout1d", LINE, *settings)
    yield from cases_of("Dropout3d", VOLUME, *settings)


def _losses() -> Iterator[Case]:
    def pair(make: Callable[[torch.Tensor], torch.Tensor], positive: bool = False) -> Inputs:
        def inputs(n: int) -> tuple[torch.Tensor, ...]:
            x = torch.randn(5, 4) + 0.1 * n
            return (x.sigmoid() if positive else x), make(torch.randn(5, 4)).detach()

        return inputs

    classes = pair(lambda x: x.argmax(1))
    signs = pair(torch.sign)
    yield from cases_of("L1Loss MSELoss SmoothL1Loss HuberLoss", pair(torch.exp), "", "reduction='none'")
    yield from cases_of("BCELoss", pair(torch.sigmoid, True))
    yield from cases_of("BCEWithLogitsLoss", pair(torch.sigmoid), "", "pos_weight=torch.ones(4)")
    yield from cases_of("CrossEntropyLoss", classes, "", "torch.rand(4), label_smoothing=0.1")
    yield from cases_of("NLLLoss", classes, "", "torch.rand(4)")
    yield from cases_of("NLLLoss2d", lambda n: (torch.randn(2, 4, 3, 3), torch.randint(4, (2, 3, 3))))
    yield from cases_of("KLDivLoss", pair(torch.sigmoid), "reduction='batchmean'")
    yield from cases_of("PoissonNLLLoss", pair(torch.abs))
    yield from cases_of("HingeEmbeddingLoss SoftMarginLoss", signs)
    yield from cases_of("MultiLabelMarginLoss", pair(lambda x: x.argsort(1)))
    yield from cases_of("MultiLabelSoftMarginLoss", pair(lambda x: (x > 0).float()), "", "torch.rand(4)")
    yield from cases_of("MultiMarginLoss", classes)
    two, one = tensors((5, 4), (5, 4)), tensors((5,), (5,))
    yield from cases_of("GaussianNLLLoss", lambda n: (*two(n), torch.rand(5, 4) + 0.1))
    yield from cases_of("CosineEmbeddingLoss", lambda n: (*two(n), torch.randn(5).sign()))
    yield from cases_of("MarginRankingLoss", lambda n: (*one(n), torch.randn(5).sign()))
    triple = tensors((5, 4), (5, 4), (5, 4))
    yield from cases_of("TripletMarginLoss", triple)
    yield from cases_of("TripletMarginWithDistanceLoss", triple, "", "distance_function=torch.nn.PairwiseDistance()")
    lengths = (torch.full((2,), 12), torch.full((2,), 3))
    yield from cases_of(
        "CTCLoss", lambda n: (torch.randn(12, 2, 5).log_softmax(2), torch.randint(1, 5, (2, 3)), *lengths)
    )
    yield from cases_of("AdaptiveLogSoftmaxWithLoss", classes, "4, 8, [2, 5]")
    for method in ("log_prob", "predict"):
        yield from cases_of("AdaptiveLogSoftmaxWithLoss", ROWS, "4, 8, [2, 5]", method=method)
    yield from cases_of("LinearCrossEntropyLoss", classes, "4, 6", "4, 6, bias=True")


def _linear() -> Iterator[Case]:
    yield from cases_of("Linear modules.linear.NonDynamicallyQuantizableLinear", ROWS, "4, 3", "4, 3, False")
    yield from cases_of("Bilinear", tensors((5, 4), (5, 3)), "4, 3, 2")
    yield from cases_of("LazyLinear", ROWS, "3", "3, False")
    for d, inputs in BY_DIMENSION.items():
        yield from cases_of(f"Conv{d}d ConvTranspose{d}d", inputs, "4, 3, 2", "4, 4, 3, bias=False, groups=2")
        yield from cases_of(f"LazyConv{d}d LazyConvTranspose{d}d", inputs, "3, 2")
        yield from cases_of(f"Conv{d}d", inputs, "4, 3, 3, padding=1, padding_mode='circular'")


def _tables() -> Iterator[Case]:
    def half(n: int) -> tuple[torch.Tensor, ...]:
        """The first five rows in odd calls, the last five in even ones."""
        return (torch.randint(5, (3, 4)) + 5 * (n % 2 == 0),)

    def all_rows() -> tuple[torch.Tensor, ...]:
        return (torch.arange(10).reshape(2, 5),)

    for options in ("", ", max_norm=0.5", ", _freeze=True", ", _freeze=True, max_norm=0.5", ", padding_idx=0"):
        yield from cases_of("Embedding", half, f"10, 6{options}", covering=all_rows)
    for options in ("", ", max_norm=0.5", ", mode='max'", ", max_norm=0.5, mode='sum'"):
        yield from cases_of("EmbeddingBag", half, f"10, 6{options}", covering=all_rows)
    given = "torch.randn(10, 6)"
    for options in ("", ", False", ", freeze=False, max_norm=0.5", ", max_norm=0.5"):
        made = "Embedding.from_pretrained EmbeddingBag.from_pretrained"
        yield from cases_of(made, half, f"{given}{options}", covering=all_rows)


def _recurrent() -> Iterator[Case]:
    settings = ("", ", 2", ", 2, dropout=0.4", ", 2, dropout=1.0", ", dropout=0.4", ", bidirectional=True")
    yield from cases_of("RNN LSTM GRU", tensors((5, 2, 4)), *(f"4, 3{text}" for text in settings))
    yield from cases_of("RNNCell LSTMCell GRUCell", ROWS, "4, 3")


def _attention() -> Iterator[Case]:
    three = tensors((5, 2, 8), (5, 2, 8), (5, 2, 8))
    dropouts = ("", ", dropout=0.0", ", dropout=0.3", ", dropout=1.0")
    yield from cases_of("MultiheadAttention", three, *(f"8, 2{text}" for text in dropouts), "8, 2, add_bias_kv=True")
    small = "8, 2, dim_feedforward=12"
    for kind, inputs in (("Encoder", tensors((5, 2, 8))), ("Decoder", tensors((5, 2, 8), (5, 2, 8)))):
        layer = f"Transformer{kind}Layer"
        yield from cases_of(layer, inputs, *(f"{small}{text}" for text in dropouts))
        for activation in ("torch.nn.PReLU()", "torch.nn.Dropout()", "'gelu'", "torch.nn.functional.silu"):
            yield from cases_of(layer, inputs, f"{small}, dropout=0.0, activation={activation}")
        for dropout in ("0.0", "0.3"):
            built = f"torch.nn.{layer}({small}, dropout={dropout})"
            norms = ("None", "torch.nn.LayerNorm(8)")
            yield from cases_of(f"Transformer{kind}", inputs, *(f"{built}, 2, {norm}" for norm in norms))
    whole = "8, 2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=12"
    both = tensors((5, 2, 8), (5, 2, 8))
    yield from cases_of("Transformer", both, *(f"{whole}{text}" for text in dropouts))


def _norms() -> Iterator[Case]:
    affine = ("", ", affine=True", ", affine=False")
    yield from cases_of("LayerNorm RMSNorm", ROWS, "4", "4, elementwise_affine=False")
    yield from cases_of("GroupNorm", IMAGE, *(f"2, 4{text}" for text in affine))
    tracking = [
        f"{scaled}{tracked}{momentum}"
        for scaled in affine
        for tracked in ("", ", track_running_stats=True", ", track_running_stats=False")
        for momentum in ("", ", momentum=0.0")
    ]
    for kind in ("BatchNorm", "InstanceNorm"):
        for d, inputs in BY_DIMENSION.items():
            yield from cases_of(f"{kind}{d}d", inputs, *(f"4{text}" for text in tracking))
            yield from cases_of(f"Lazy{kind}{d}d", inputs, *(f"1e-5{text}" for text in tracking))
    for d, inputs in BY_DIMENSION.items():
        yield from cases_of(f"BatchNorm{d}d", inputs, "4, momentum=None")
    yield from cases_of("SyncBatchNorm", IMAGE, *(f"4{text}" for text in tracking), "4, momentum=None")


def _containers() -> Iterator[Case]:
    parts = ("Linear(4, 4)", "BatchNorm1d(4)", "Dropout()", "ReLU()")
    yield from cases_of("Sequential", ROWS, "", *(f"torch.nn.Tanh(), torch.nn.{part}" for part in parts))
    yield from cases_of("DataParallel", ROWS, *(f"torch.nn.{part}" for part in parts))
