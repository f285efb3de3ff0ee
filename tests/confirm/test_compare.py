"""`modlint compare`: the thread's own question, and what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from modlint.confirm.compare import called, compare_models, mapped
from modlint.confirm.determinism import Settings
from modlint.confirm.job import Choice, Model, compare_targets
from modlint.confirm.observables import Quantity
from modlint.confirm.report import comparison_json, comparison_text
from modlint.errors import ModlintError
from modlint.trace.inputs import Inputs
from tests.confirm.models import Flat, vectors
from tests.confirm.test_noise import Entropy, Forward

THREAD = Path(__file__).parents[2] / "fixtures" / "models" / "thread"


def compared(one: nn.Module, other: nn.Module, **options: Any) -> Any:
    return compare_models(one, other, Inputs.of([vectors()]), Settings(), **options)


def test_the_normal_and_the_reused_model_of_the_thread_are_the_same_function(device: str) -> None:
    one = Model(f"{THREAD / 'normal_model.py'}:NormalModel", input=("2x3x16x16",))
    other = Model(f"{THREAD / 'reused_model.py'}:ReusedModel")
    result = compare_targets(one, other, Choice(device))
    assert result.same is True
    assert all(measure.difference == 0 for measure in result.measures)
    text = comparison_text(result)
    assert "output allclose: True, max abs diff: 0\n" in text
    assert "grads allclose: True, max abs diff: 0\n" in text
    assert "every observable is equal to the last bit" in text


def test_the_model_of_the_thread_with_and_without_its_module(device: str) -> None:
    file = f"{THREAD / 'my_model.py'}:MyModel"
    one = Model(file, input=("2x3x24x24",), call='{"use_act": true}')
    result = compare_targets(one, Model(file, call='{"use_act": false}'), Choice(device))
    assert result.same is True
    assert result.outputs_close
    assert result.gradients_close


def test_a_gradient_that_differs_is_seen() -> None:
    """The thread's check compared a gradient with itself; this model has equal outputs and other gradients."""

    class Detached(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.m(self.fc1(x))
            return self.m(self.fc2(y.detach() + 0 * y))

    result = compared(Flat(nn.ReLU()), Detached(nn.ReLU()))
    found = {measure.quantity: measure.difference for measure in result.measures}
    assert result.same is False
    assert result.outputs_close
    assert not result.gradients_close
    assert found[Quantity.TRAIN_OUTPUTS] > 0, "of later steps"
    assert found[Quantity.PARAMETER_GRADIENTS] > 0
    assert "The two are not the same function." in comparison_text(result)


class Renamed(nn.Module):
    """Flat under other names, with the activation as a function."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.one = nn.Linear(5, width)
        self.two = nn.Linear(width, 4)

    def forward(self, x: torch.Tensor, slope: float = 0.0) -> torch.Tensor:
        return F.leaky_relu(self.two(F.leaky_relu(self.one(x), slope)), slope)


def test_states_are_mapped_by_order_when_names_differ() -> None:
    one, other = Flat(nn.ReLU()), Renamed()
    before = other.one.weight.clone()
    result = compared(one, other)
    assert result.same is True
    assert ("fc1.weight", "one.weight") in result.mapping
    assert torch.equal(other.one.weight, before), "the user's model has changed"
    assert "'fc1.weight' is compared with 'one.weight'" in comparison_text(result)


def test_buffers_are_mapped_too() -> None:
    one = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3))
    one[1].running_mean.fill_(2)

    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(5, 3)
            self.bn = nn.BatchNorm1d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.bn(self.fc(x))

    assert compared(one, Other()).same is True


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ModlintError, match=r"parameter 1 does not fit: 'fc1.weight' is 4x5 .* 'one.weight' is 6x5"):
        mapped(Flat(nn.ReLU()), Renamed(6))
    with pytest.raises(ModlintError, match=r"parameter 'm.weight' \(1\) of the first model has no counterpart"):
        mapped(Flat(nn.PReLU()), Renamed())
    with pytest.raises(ModlintError, match=r"of the second model has no counterpart: the first has 0 buffers"):
        mapped(Flat(nn.ReLU()), Flat(nn.BatchNorm1d(4, affine=False)))


def test_further_arguments_of_forward_replace_those_of_the_inputs() -> None:
    calls = ({"slope": 0.1}, {"slope": 0.1})
    assert compared(Renamed(), Renamed(), calls=calls).same is True
    assert compared(Renamed(), Renamed(), calls=({"slope": 0.1}, {})).same is False
    inputs = called(Renamed(), Inputs.of([vectors(), 0.5]), {"slope": 0.1})
    assert (len(inputs.args), inputs.named) == (1, {"slope": 0.1})
    with pytest.raises(ModlintError, match=r"forward of Renamed does not take these arguments: .*'slop'"):
        called(Renamed(), inputs, {"slop": 1})


def test_models_that_differ_by_noise_alone_are_undecided() -> None:
    one, other = (nn.Sequential(nn.Linear(5, 4), Forward(Entropy(1e-3, seed=seed))) for seed in range(2))
    result = compared(one, other)
    assert result.same is None
    assert result.nondeterministic[0].path == "1"
    assert "Undecided" in comparison_text(result)
    worse = nn.Sequential(nn.Linear(5, 4), nn.Sequential(nn.Tanh(), Forward(Entropy(1e-3, seed=2))))
    assert compared(one, worse).same is False


def test_the_json_has_the_keys_of_confirm() -> None:
    report = comparison_json(compared(Flat(nn.ReLU()), Renamed()))
    assert report["models"] == ["Flat", "Renamed"]
    assert report["same"] is True
    assert report["observables"]["train_outputs"] == {"difference": 0.0, "relative": 0.0, "noise": 0.0, "where": None}
    assert {"device", "torch", "settings", "seeds", "steps", "noise", "nondeterministic"} <= report.keys()


@pytest.mark.parametrize(
    ("text", "message"), [("{", "--call is no JSON"), ("[1]", "--call must be a JSON object of keyword arguments")]
)
def test_arguments_that_are_no_json_object_are_refused(text: str, message: str) -> None:
    file = f"{THREAD / 'my_model.py'}:MyModel"
    with pytest.raises(ModlintError, match=message):
        compare_targets(Model(file, input=("2x3x24x24",), call=text), Model(file), Choice("cpu"))


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        pytest.param(({}, {}), "takes x, use_act: missing a required argument: 'use_act' .* with --call '", id="first"),
        pytest.param(({"use_act": True}, {}), "'use_act' where it is given .* with --call-b '", id="second"),
    ],
)
def test_an_argument_that_is_missing_is_asked_for(calls: Any, message: str) -> None:
    class Switched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(5, 4)

        def forward(self, x: torch.Tensor, use_act: bool) -> torch.Tensor:
            return self.fc(x).relu() if use_act else self.fc(x)

    with pytest.raises(ModlintError, match=message):
        compare_models(Switched(), Switched(), Inputs.of([vectors()]), Settings(), calls)
