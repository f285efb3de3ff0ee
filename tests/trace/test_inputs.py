"""Inputs: specifications, functions, examples, and the search for what nobody gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from modlint.errors import ModlintError
from modlint.trace.inputs import Inputs, InputSpec, find, from_specs, varied
from modlint.trace.synthesis import synthesised
from modlint.trace.target import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        pytest.param("2x3x32x32", InputSpec((2, 3, 32, 32)), id="an image"),
        pytest.param("7", InputSpec((7,)), id="a vector"),
        pytest.param("int64[0,99]:2x16", InputSpec((2, 16), torch.int64, 0, 99), id="indices"),
        pytest.param("float32[-1,1]:2x4", InputSpec((2, 4), torch.float32, -1, 1), id="a range of floats"),
        pytest.param("bool:2x4", InputSpec((2, 4), torch.bool), id="a mask"),
        pytest.param("bfloat16:2x4", InputSpec((2, 4), torch.bfloat16), id="another type"),
    ],
)
def test_a_specification_is_read_and_written_back(text: str, spec: InputSpec) -> None:
    assert InputSpec.parse(text) == spec
    assert str(spec) == text
    tensor = spec.tensor()
    assert (tuple(tensor.shape), tensor.dtype) == (spec.shape, spec.dtype)
    if spec.low is not None and spec.high is not None:
        assert spec.low <= float(tensor.min()) and float(tensor.max()) <= spec.high


@pytest.mark.parametrize("text", ["", "2x", "x3", "2*3", "int99:2", "int64[9,1]:2x3", "2x-3", "image"])
def test_what_is_no_specification_says_how_one_is_written(text: str) -> None:
    with pytest.raises(ModlintError, match=r"write 2x3x32x32|is no type"):
        InputSpec.parse(text)


def test_specifications_are_drawn_from_the_seed_and_leave_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    one, other = from_specs(["2x3", "int64[0,9]:4"], 5), from_specs(["2x3", "int64[0,9]:4"], 5)
    assert all(torch.equal(a, b) for a, b in zip(one.args, other.args, strict=True))
    assert torch.equal(state, torch.get_rng_state())


def test_varied_inputs_differ_in_value_alone() -> None:
    given = Inputs.of([torch.randn(4, 3), torch.arange(4)], {"flag": True})
    other = varied(given)
    assert [tuple(v.shape) for v in other.args] == [(4, 3), (4,)]
    assert not torch.equal(given.args[0], other.args[0])
    assert sorted(other.args[1].tolist()) == [0, 1, 2, 3]
    assert other.named == {"flag": True}


def test_inputs_come_from_a_function_or_the_model_itself(write: Callable[..., Path]) -> None:
    file = write(
        """
        class Net(nn.Module):
            example_input_array = torch.ones(5, 2)

        def pair():
            return (torch.zeros(1),), {"scale": 2}
        """
    )
    given = find(load(f"{file}:Net").model, function=f"{file}:pair")
    assert (given.described, given.origin) == (("1", "scale=2"), "given")
    own = find(load(f"{file}:Net").model)
    assert (own.described, own.origin) == (("5x2",), "example_input_array")
    with pytest.raises(ModlintError, match="both given"):
        find(nn.Identity(), ["2x3"], f"{file}:pair")


class MyModel(nn.Module):
    """The thread's: its Linear wants images of 24 by 24."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, 1, 1), nn.Conv2d(6, 12, 3, 1, 1)
        self.linear, self.act = nn.Linear(12 * 24 * 24, 100), nn.ReLU()

    def forward(self, x: torch.Tensor, use_act: bool) -> torch.Tensor:
        out = self.act(self.conv2(self.act(self.conv1(x)))) if use_act else self.conv2(self.conv1(x))
        return self.linear(out.view(out.size(0), -1))  # type: ignore[no-any-return]


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.c1, self.c2 = nn.Linear(16 * 7 * 7, 10), nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.c2(self.c1(x)).flatten(1))  # type: ignore[no-any-return]


class TwoSources(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.lstm = nn.Embedding(7, 8), nn.LSTM(8, 8, batch_first=True)
        self.image, self.norm = nn.Conv2d(5, 8, 3), nn.BatchNorm1d(16)

    def forward(self, image: torch.Tensor, words: torch.Tensor, *, scale: float) -> torch.Tensor:
        one = self.image(image * scale).mean((2, 3))
        return self.norm(torch.cat([one, self.lstm(self.words(words))[0][:, -1]], 1))  # type: ignore[no-any-return]


class Sequences(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.layer = nn.Linear(7, 8), nn.TransformerEncoderLayer(8, 2, batch_first=True)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        _, _, _ = a.shape
        return self.layer(self.enter(a)) @ self.enter(b).transpose(1, 2)  # type: ignore[no-any-return]


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.LazyConv2d(4, 3), nn.LazyLinear(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).flatten(1))  # type: ignore[no-any-return]


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv1d(4, 8, 3), nn.ReLU())

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return self.net(left) - self.net(right)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("cls", "described"),
    [
        pytest.param(MyModel, ("2x3x24x24", "True"), id="the thread's model and its flag"),
        pytest.param(Odd, ("2x1x15x15",), id="a size that no table has"),
        pytest.param(TwoSources, ("2x5x32x32", "int64[0,1]:2x16", "scale=1"), id="an image, words and a number"),
        pytest.param(Sequences, ("2x16x7", "2x16x7"), id="two sequences"),
        pytest.param(Lazy, ("2x3x32x32",), id="lazy layers"),
        pytest.param(Siamese, ("2x4x16", "2x4x16"), id="two of a kind"),
    ],
)
def test_inputs_are_found_and_the_model_is_left_as_it_was(cls: type[nn.Module], described: tuple[str, ...]) -> None:
    model = cls()
    before = {name: v.clone() for name, v in model.state_dict().items() if not nn.parameter.is_lazy(v)}
    found = synthesised(model)
    assert (found.described, found.origin) == (described, "synthesised")
    assert all(torch.equal(v, model.state_dict()[name]) for name, v in before.items())
    assert not any("forward" in vars(module) for module in model.modules())


def test_when_nothing_fits_the_error_names_what_was_tried_and_the_line_that_raised() -> None:
    class Never(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("not today")

    with pytest.raises(ModlintError, match=r"2x3x32x32.*--input.*not today") as caught:
        synthesised(Never(), budget=3)
    assert caught.value.file is not None and caught.value.file.endswith("test_inputs.py")
