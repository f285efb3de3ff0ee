"""Distances of tensors and records, local derivatives, determinism: the parts that the experiment stands on."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from modlint.confirm.derivative import LocalDerivatives, Passage
from modlint.confirm.determinism import Determinism, Settings, applied, pick_device, random_state, seed_all
from modlint.confirm.elementwise import is_elementwise
from modlint.confirm.judging import percent
from modlint.confirm.observables import Gap, Key, Quantity, Record, distance, equal, gaps, worst
from modlint.errors import ModlintError

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("a", "b", "difference"),
    [
        pytest.param([1.0, 2.0], [1.0, 2.5], 0.5, id="the largest difference"),
        pytest.param([NAN, 1.0], [NAN, 1.0], 0.0, id="NaN is equal to NaN"),
        pytest.param([NAN, 1.0], [0.0, 1.0], INF, id="NaN is infinitely far from zero"),
        pytest.param([INF, -INF], [INF, -INF], 0.0, id="infinities of one sign are equal"),
        pytest.param([INF], [-INF], INF, id="infinities of two signs are far apart"),
        pytest.param([INF], [1.0], INF, id="infinity is far from a number"),
        pytest.param([0.0], [-0.0], 0.0, id="zeros of two signs are equal"),
        pytest.param([], [], 0.0, id="nothing is equal to nothing"),
        pytest.param([1.0], [1.0, 1.0], INF, id="another shape is infinitely far"),
    ],
)
def test_distance(a: list[float], b: list[float], difference: float) -> None:
    assert distance(torch.tensor(a), torch.tensor(b))[0] == difference
    assert distance(torch.tensor(b), torch.tensor(a))[0] == difference


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda x: x.bool(), id="bool"),
        pytest.param(lambda x: x.to(torch.uint8), id="bytes, which must not wrap around"),
        pytest.param(lambda x: x.to(torch.int64), id="integers"),
        pytest.param(lambda x: x.half(), id="half precision"),
        pytest.param(lambda x: torch.complex(x, -x), id="complex numbers"),
        pytest.param(lambda x: x.to_sparse(), id="sparse tensors"),
        pytest.param(
            lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
            id="quantised tensors",
            marks=pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor"),
        ),
    ],
)
def test_distance_takes_every_kind_of_tensor(make: Any) -> None:
    x = torch.tensor([0.0, 1.0, 0.0])
    assert distance(make(x), make(x))[0] == 0
    assert distance(make(x), make(torch.tensor([1.0, 1.0, 0.0])))[0] == pytest.approx(1, rel=1e-2)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=6), st.lists(st.floats(width=32), min_size=1, max_size=6))
def test_distance_is_zero_for_equal_tensors_alone(a: list[float], b: list[float]) -> None:
    x, y = torch.tensor(a), torch.tensor(b)
    found = distance(x, y).tolist()
    same = len(a) == len(b) and all(p == q or (math.isnan(p) and math.isnan(q)) for p, q in zip(a, b, strict=True))
    assert (found[0] == 0) == same
    assert found == distance(y, x).tolist()
    assert not math.isnan(found[0])


def record(**values: list[torch.Tensor]) -> Record:
    result = Record()
    result.put(Quantity.BUFFERS, 0, values)
    return result


def test_a_record_keeps_values_and_not_tensors() -> None:
    x = torch.ones(2)
    kept = record(x=[x])
    x.zero_()
    assert equal(gaps(kept, record(x=[torch.ones(2)])))


def test_copies_are_compared_with_the_original_each() -> None:
    one = record(x=[torch.tensor([1.0])])
    both = record(x=[torch.tensor([1.0]), torch.tensor([3.0])])
    assert gaps(one, both)[Key(Quantity.BUFFERS, 0, "x")] == Gap(2.0, 3.0)
    assert equal(gaps(both, both))
    assert worst(gaps(one, both)) == {Quantity.BUFFERS: Gap(2.0, 3.0)}


def test_what_one_run_alone_has_is_infinitely_far() -> None:
    found = gaps(record(x=[torch.ones(1)], y=[torch.ones(1)]), record(x=[torch.ones(1)]))
    assert found[Key(Quantity.BUFFERS, 0, "y")].difference == INF
    assert gaps(Record(), Record()) == {}


def test_a_checksum_of_the_generators_is_equal_or_not() -> None:
    one, other = Record(), Record()
    for number, part in enumerate((one, other)):
        seed_all(number)
        part.put(Quantity.RANDOM_STATE, 0, {"": [random_state(torch.device("cpu"))]})
    assert worst(gaps(one, other)) == {Quantity.RANDOM_STATE: Gap(1.0, 1.0)}


@pytest.mark.parametrize("draw", [lambda: torch.rand(1), lambda: random.random(), lambda: numpy.random.rand()])
def test_every_generator_is_seeded_and_watched(draw: Any) -> None:
    states = []
    for _ in range(2):
        seed_all(3)
        before = int(random_state(torch.device("cpu")))
        value = float(draw())
        states.append((before, value, int(random_state(torch.device("cpu")))))
    assert states[0] == states[1]
    assert states[0][0] != states[0][2]


def passages(module: nn.Module, x: torch.Tensor, uses: int = 2, elementwise: bool = True) -> list[Passage]:
    """Run a module on its own output, and return what backward brought to each use."""
    observer = LocalDerivatives(lambda name, inputs: elementwise)  # type: ignore[arg-type]
    y = x
    for _ in range(uses):
        token = observer.before("m", (y,))
        y = module(y)
        observer.after("m", token, y)
    y.square().sum().backward()
    return list(observer.passages.values())


def test_each_use_has_the_derivative_at_its_own_input() -> None:
    x = torch.tensor([-2.0, 3.0], requires_grad=True)
    first, second = (p.quotient() for p in passages(nn.LeakyReLU(0.5), x))
    assert torch.equal(first, torch.tensor([0.5, 1.0]))  # type: ignore[arg-type]
    assert torch.equal(second, torch.tensor([0.5, 1.0]))  # type: ignore[arg-type]


def test_in_place_modules_and_leaves_are_followed() -> None:
    x = torch.tensor([-2.0, 3.0], requires_grad=True)
    (only,) = passages(nn.ReLU(inplace=True), x.clone(), uses=1)
    assert torch.equal(only.arriving[0], torch.tensor([0.0, 6.0]))
    assert torch.equal(only.leaving[0], torch.tensor([0.0, 6.0]))
    assert len(passages(nn.Tanh(), x)) == 2


def test_what_a_use_passes_back_is_its_own_share_alone() -> None:
    """The input is read elsewhere too, whose gradient does not count."""
    observer = LocalDerivatives(lambda name, inputs: True)  # type: ignore[arg-type]
    leaf = torch.tensor([2.0], requires_grad=True)
    x = leaf * 1
    token = observer.before("m", (x,))
    y = nn.Sequential(nn.Tanh(), nn.Tanh())(x) + 0
    observer.after("m", token, y)
    (y + 100 * x).backward()
    (passage,) = observer.passages.values()
    other = torch.tensor([2.0], requires_grad=True)
    other.tanh().tanh().backward()
    assert torch.allclose(passage.leaving[0], other.grad)  # type: ignore[arg-type]


def test_a_use_without_gradients_has_no_derivative() -> None:
    observer = LocalDerivatives(lambda name, inputs: True)  # type: ignore[arg-type]
    with torch.no_grad():
        token = observer.before("m", (torch.ones(1),))
    observer.after("m", token, torch.ones(1))
    assert observer.derivatives() == {}


@pytest.mark.parametrize(
    ("module", "answer"),
    [
        (nn.ReLU(inplace=True), True),
        (nn.GELU(), True),
        (nn.Dropout(0.5), True),
        (nn.Sequential(nn.Tanh(), nn.SiLU()), True),
        (nn.Softmax(dim=-1), False),
        (nn.InstanceNorm1d(3), False),
        (nn.AvgPool1d(3, 1, 1), False),
        (nn.Flatten(0), False),
    ],
)
def test_elementwise_modules_are_told_by_trying(module: nn.Module, answer: bool) -> None:
    state = torch.get_rng_state()
    assert is_elementwise(module, torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))) is answer
    assert torch.equal(torch.get_rng_state(), state)


def test_flags_are_set_and_put_back_even_after_an_error() -> None:
    torch.backends.cudnn.benchmark = True
    try:
        with pytest.raises(ValueError, match="stop"), applied(Settings()):
            assert torch.are_deterministic_algorithms_enabled()
            assert torch.is_deterministic_algorithms_warn_only_enabled()
            assert torch.backends.cudnn.deterministic
            assert not torch.backends.cudnn.benchmark
            assert not torch.backends.cuda.matmul.allow_tf32
            raise ValueError("stop")
        assert torch.backends.cudnn.benchmark
        assert not torch.are_deterministic_algorithms_enabled()
        with applied(Settings(determinism=Determinism.AS_IS)):
            assert torch.backends.cudnn.benchmark
    finally:
        torch.backends.cudnn.benchmark = False


def test_devices_by_name() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("cuda:x", "gpu", ""):
        with pytest.raises(ModlintError, match="unknown device"):
            pick_device(name)
    if not torch.cuda.is_available():
        with pytest.raises(ModlintError, match="this torch sees no CUDA device; use --device cpu or auto"):
            pick_device("cuda")


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0000123, "0.0012%"), (0.216, "22%"), (0.996, "100%"), (1.754, "175%"), (math.inf, "more than all")],
)
def test_shares_are_told_without_powers_of_ten(share: float, text: str) -> None:
    assert percent(share) == text
