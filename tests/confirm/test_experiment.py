"""The verdicts that the experiment reaches on models whose answer is known."""

from __future__ import annotations

import math
import os
import random
import warnings
from dataclasses import dataclass
from typing import Any

import numpy
import pytest
import torch
from torch import nn

import modlint
from modlint.confirm import confirm_model
from modlint.confirm.determinism import Determinism, Settings, pick_device
from modlint.confirm.observables import Quantity
from modlint.confirm.outcome import Aim, Candidate, ConfirmResult, Outcome, Reused
from modlint.errors import ModlintError
from modlint.findings import Level
from modlint.trace.inputs import Inputs
from modlint.verdicts import Verdict
from tests.confirm.models import (
    Averaging,
    Caching,
    Counting,
    Flat,
    Leaky,
    LockedDropout,
    Reusing,
    images,
    vectors,
)


def outcome(model: nn.Module, x: torch.Tensor, aim: Aim | None = None, device: str = "cpu", **options: Any) -> Outcome:
    """The outcome on the instance `m`: judged by the trace, or with a given aim."""
    candidates = None if aim is None else [Candidate(Reused("m", aim), model.get_submodule("m"))]
    settings = Settings(pick_device(device), **options)
    return confirm_model(model, Inputs.of([x]), settings, candidates).outcome("m")


def differences(found: Outcome) -> dict[Quantity, float]:
    return {measure.quantity: measure.difference for measure in found.measures}


SAFE = [
    pytest.param(lambda: nn.ReLU(), id="a shared ReLU is safe"),
    pytest.param(lambda: nn.ReLU(inplace=True), id="a shared in-place ReLU is safe"),
    pytest.param(lambda: nn.LeakyReLU(0.1), id="a shared LeakyReLU is safe"),
    pytest.param(lambda: nn.GELU(), id="a shared GELU is safe"),
    pytest.param(lambda: nn.MaxPool2d(3, 1, 1), id="a shared max pooling is safe"),
    pytest.param(lambda: nn.AvgPool2d(3, 1, 1), id="a shared average pooling is safe"),
    pytest.param(lambda: nn.Dropout(0.5), id="a shared Dropout is safe"),
    pytest.param(lambda: nn.RReLU(), id="a shared RReLU is safe"),
    pytest.param(
        lambda: nn.BatchNorm2d(4, affine=False, track_running_stats=False), id="a BatchNorm that keeps nothing is safe"
    ),
    pytest.param(lambda: nn.Sequential(nn.ReLU(), nn.Dropout2d()), id="a shared container of such modules is safe"),
]


@pytest.mark.parametrize("build", SAFE)
def test_stateless_and_stochastic_reuse_changes_no_bit(build: Any, device: str) -> None:
    found = outcome(Reusing(build()), images(), device=device)
    assert (found.level, found.measured, found.reused.aim) == (Level.CONFIRMED, Verdict.SAFE, Aim.SAFE)
    assert set(differences(found).values()) == {0.0}
    wanted = set(Quantity) - {Quantity.BUFFERS, Quantity.LOCAL_DERIVATIVES}
    assert wanted <= set(differences(found)), "an observable is missing"
    assert found.executions == 2


STATEFUL = [
    pytest.param(lambda: nn.BatchNorm2d(4), id="a shared BatchNorm"),
    pytest.param(lambda: nn.BatchNorm2d(4, affine=False), id="a shared BatchNorm without parameters"),
    pytest.param(lambda: nn.BatchNorm2d(4, momentum=None), id="a shared BatchNorm with a cumulative average"),
    pytest.param(lambda: nn.InstanceNorm2d(4, track_running_stats=True), id="a shared InstanceNorm that tracks"),
    pytest.param(lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)), id="a shared head with a BatchNorm"),
]


@pytest.mark.parametrize("build", STATEFUL)
def test_shared_statistics_are_confirmed_by_buffers_and_eval_outputs(build: Any, device: str) -> None:
    found = outcome(Reusing(build()), images(), device=device)
    seen = differences(found)
    assert (found.level, found.measured) == (Level.CONFIRMED, Verdict.CHANGES_SEMANTICS)
    assert seen[Quantity.BUFFERS] > 0
    assert seen[Quantity.EVAL_OUTPUTS] > 0
    assert found.harm.eval > 0.001
    assert found.harm.skew > 0.01
    assert "of its scale" in found.note
    assert "standard deviations apart" in found.note
    # In train mode BatchNorm normalises with the batch, so nothing shows there.
    assert all(seen[q] == 0 for q in (Quantity.TRAIN_OUTPUTS, Quantity.PARAMETER_GRADIENTS, Quantity.PARAMETERS))


def test_the_skew_is_that_of_the_uses_and_does_not_depend_on_the_number_of_steps() -> None:
    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.m = nn.BatchNorm1d(1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.m(x) + self.m(x + 3)

    x = torch.randn(4000, 1, generator=torch.Generator().manual_seed(1))
    few, many = (outcome(Shifted(), x, steps=steps).harm.skew for steps in (3, 12))
    assert few == pytest.approx(3, rel=0.05)
    assert few == pytest.approx(many, rel=1e-4)


PARAMETRIC = [
    pytest.param(lambda: nn.PReLU(), id="a shared PReLU"),
    pytest.param(lambda: nn.Conv2d(4, 4, 1), id="a shared convolution"),
    pytest.param(lambda: nn.GroupNorm(2, 4), id="a shared GroupNorm"),
    pytest.param(
        lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, track_running_stats=False)), id="a shared block"
    ),
]


@pytest.mark.parametrize("build", PARAMETRIC)
@pytest.mark.parametrize("aim", [Aim.TIE, Aim.PARAMETERS])
def test_shared_parameters_accumulate_and_diverge_when_unshared(build: Any, aim: Aim, device: str) -> None:
    found = outcome(Reusing(build()), images(), aim, device=device)
    assert found.level is Level.CONFIRMED
    assert found.measured is (Verdict.DELIBERATE if aim is Aim.TIE else Verdict.CHANGES_SEMANTICS)
    assert "2 uses add up their gradients in one set of parameters" in found.note
    gradients = next(m for m in found.measures if m.quantity is Quantity.PARAMETER_GRADIENTS)
    if aim is Aim.TIE:  # one step: what the copies receive adds up to what the shared one receives
        assert gradients.relative < 5e-7
    else:
        assert differences(found)[Quantity.PARAMETERS] > 0


def test_the_order_of_summation_alone_is_no_tie() -> None:
    """Seven uses, six of which get no gradient: rounding there must not look like one."""

    class Mostly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.m = nn.Linear(5, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.m(x)
            with torch.no_grad():
                z = sum((self.m(x * k) for k in range(6)), torch.zeros_like(y))
            return y + 0 * z

    found = outcome(Mostly(), vectors(), Aim.TIE)
    assert found.level is Level.CONFIRMED, "the other copies are never trained"
    model = Flat(nn.Linear(4, 4))
    model.m.requires_grad_(False)
    model.fc1 = nn.Linear(5, 4)
    frozen = outcome(model, vectors(), Aim.PARAMETERS)
    assert (frozen.level, frozen.measured) == (Level.REFUTED, Verdict.SAFE)
    assert frozen.note == "its parameters are frozen, so nothing is tied"


def test_parameters_that_no_gradient_reaches_decide_nothing() -> None:
    class Dead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.m = nn.Linear(5, 5)
            self.fc = nn.Linear(5, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x) + 0 * self.m(self.m(x))

    found = outcome(Dead(), vectors(), Aim.PARAMETERS)
    assert found.level is Level.INCONCLUSIVE
    assert found.note == "no gradient reached its parameters on these inputs"


def test_the_local_derivative_of_the_thread_is_that_of_each_use(device: str) -> None:
    found = confirm_model(Leaky(), Inputs.of([torch.tensor([1.0])]), Settings(pick_device(device))).outcome(
        "activation"
    )
    assert found.derivatives == ("use 1: 0.01", "use 2: 1")
    assert differences(found)[Quantity.LOCAL_DERIVATIVES] == 0


def test_local_derivatives_are_told_of_elementwise_modules_alone() -> None:
    found = outcome(Reusing(nn.Softmax(dim=1)), images())
    assert found.derivatives == ()
    assert differences(found)[Quantity.LOCAL_DERIVATIVES] == 0
    assert len(outcome(Reusing(nn.Dropout(0.5)), images()).derivatives) == 2


def test_an_effect_behind_a_zero_initialised_scale_is_seen() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.m = nn.BatchNorm1d(5)
            self.scale = nn.Parameter(torch.zeros(5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.scale * self.m(self.m(x))

    result = confirm_model(Residual(), Inputs.of([vectors()]))
    assert result.outcome("m").harm.eval > 0
    assert result.notes == ("1 weight that is zero throughout was filled with small random values",)


def test_state_that_is_tracked_and_never_read_is_told_from_harm() -> None:
    found = outcome(Flat(Counting()), vectors(), Aim.STATE)
    assert (found.level, found.measured, found.tracked_only) == (Level.CONFIRMED, Verdict.CHANGES_SEMANTICS, True)
    assert found.harm.size == 0
    assert found.note == "the uses differ in 'calls', but no output depends on it: tracked, never read"


class Recording(nn.Module):
    """Like an observer: a method reads the list, forward never does."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x.detach().max())
        return torch.tanh(x)


def test_what_a_method_reads_and_forward_never_does_is_tracked_and_not_refuted() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.ao.quantization import RecordingObserver

        observer = RecordingObserver()
    for module, name in ((Recording(), "seen"), (observer, "tensor_val")):
        found = outcome(Flat(module), vectors(), Aim.STATE)
        assert (found.level, found.tracked_only, found.harm.size) == (Level.CONFIRMED, True, 0)
        assert found.note == f"the uses differ in '{name}', but no output depends on it: tracked, never read"


def test_what_each_use_only_overwrites_is_not_tracked() -> None:
    class Showing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.last = x.detach()
            return torch.tanh(x)

    found = outcome(Flat(Showing()), vectors(), Aim.STATE)
    assert (found.level, found.measured) == (Level.REFUTED, Verdict.SAFE)


def test_only_the_buffers_that_differ_are_asked_whether_they_are_read() -> None:
    """With momentum 0 the statistics stay as they were, and the count of batches is read by nobody."""
    found = outcome(Flat(nn.BatchNorm1d(4, momentum=0.0)), vectors(), Aim.STATE)
    assert (found.level, found.tracked_only) == (Level.CONFIRMED, True)
    assert "the uses differ in 'num_batches_tracked'" in found.note


def test_state_that_labels_depend_on_is_not_taken_for_tracked() -> None:
    """Every class shifted by the same leaves the largest where it is, so a disturbance must not be uniform."""

    class Labels(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.m(torch.tanh(self.m(x[:, :4]))).argmax(dim=1)

    found = outcome(Labels(nn.BatchNorm1d(4)), vectors(), Aim.STATE)
    assert (found.level, found.tracked_only) == (Level.CONFIRMED, False)


def test_state_behind_a_dead_activation_decides_nothing() -> None:
    class Dead(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(super().forward(x) - 1e6)

    for build in (lambda: nn.BatchNorm1d(4), Averaging):
        found = outcome(Dead(build()), vectors(), Aim.STATE)
        assert found.level is Level.INCONCLUSIVE
        assert found.note == "on these inputs the outputs of the model do not depend on it at all"


def test_what_a_forward_rewrites_to_what_it_is_already_is_no_state() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.m = nn.Embedding(7, 4, max_norm=0.5)
            self.m.weight.requires_grad_(False)

        def forward(self, words: torch.Tensor) -> torch.Tensor:
            return self.m(words) + self.m(words.flip(0) + 1)

    found = outcome(Words(), torch.arange(4), Aim.SAFE)
    assert (found.level, found.measured) == (Level.CONFIRMED, Verdict.SAFE)


def test_a_cache_that_depends_on_nothing_is_refuted() -> None:
    found = outcome(Flat(Caching()), vectors(), Aim.STATE)
    assert (found.level, found.measured) == (Level.REFUTED, Verdict.SAFE)
    assert "the state has no effect" in found.note


@pytest.mark.parametrize("build", [LockedDropout, Averaging])
def test_state_that_reaches_the_next_use_shows_in_train_mode(build: Any) -> None:
    found = outcome(Flat(build()), vectors(), Aim.STATE)
    assert (found.level, found.measured) == (Level.CONFIRMED, Verdict.CHANGES_SEMANTICS)
    assert found.harm.train > 0


def test_a_safe_verdict_that_the_numbers_contradict_is_refuted_alone() -> None:
    class Mixed(Flat):
        def __init__(self) -> None:
            super().__init__(Averaging())
            self.act = nn.Tanh()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.act(super().forward(self.act(x)))

    model = Mixed()
    candidates = [Candidate(Reused(name, Aim.SAFE), model.get_submodule(name)) for name in ("m", "act")]
    result = confirm_model(model, Inputs.of([vectors()]), candidates=candidates)
    assert result.outcome("act").level is Level.CONFIRMED
    assert result.outcome("m").level is Level.REFUTED
    assert result.outcome("m").measured is Verdict.CHANGES_SEMANTICS
    assert result.outcomes[0].reused.name == "m", "harm is ranked first"


def test_frozen_statistics_are_refuted() -> None:
    class Frozen(Flat):
        def train(self, mode: bool = True) -> Frozen:
            super().train(mode)
            self.m.eval()
            return self

    found = outcome(Frozen(nn.BatchNorm1d(4)), vectors(), Aim.STATE)
    assert (found.level, found.measured) == (Level.REFUTED, Verdict.SAFE)


def test_a_shared_head_with_a_norm_for_each_use_keeps_nothing_between_them() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)
            self.norms = nn.ModuleList([nn.BatchNorm2d(3) for _ in range(2)])

        def forward(self, x: torch.Tensor, level: int) -> torch.Tensor:
            return self.norms[level](self.conv(x))

    class Levels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.m = Head()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.m(x, 0).mean() + self.m(x * 2, 1).square().mean()

    found = outcome(Levels(), images())
    assert (found.level, found.measured, found.state_flows) == (Level.CONFIRMED, Verdict.DELIBERATE, False)
    assert outcome(Levels(), images(), Aim.STATE).level is Level.REFUTED


def test_a_head_whose_uses_share_no_parameters_is_no_tie() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList([nn.Conv2d(3, 3, 1) for _ in range(2)])

        def forward(self, x: torch.Tensor, level: int) -> torch.Tensor:
            return self.convs[level](x)

    class Levels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.m = Head()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.m(x, 0).mean() + self.m(x * 2, 1).square().mean()

    found = outcome(Levels(), images(), Aim.PARAMETERS)
    assert found.level is Level.INCONCLUSIVE
    assert differences(found)[Quantity.PARAMETERS] == 0


def test_buffers_that_no_checkpoint_holds_are_seen_by_what_they_do() -> None:
    class Probe(nn.Module):
        def __init__(self, read: bool) -> None:
            super().__init__()
            self.read = read
            self.register_buffer("last", torch.zeros(()), persistent=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x + self.last if self.read else x
            self.last = x.detach().mean()
            return y

    assert outcome(Flat(Probe(read=False)), vectors(), Aim.SAFE).measured is Verdict.SAFE
    assert outcome(Flat(Probe(read=True)), vectors(), Aim.STATE).measured is Verdict.CHANGES_SEMANTICS


def test_a_parameter_that_forward_itself_updates_is_state() -> None:
    class Prototypes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.center = nn.Parameter(torch.zeros(4), requires_grad=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x - self.center
            with torch.no_grad():
                self.center += 0.1 * (x.mean(0) - self.center)
            return y

    found = outcome(Flat(Prototypes()), vectors(), Aim.STATE)
    assert (found.level, found.measured) == (Level.CONFIRMED, Verdict.CHANGES_SEMANTICS)


def test_an_attribute_that_the_caller_reads_afterwards_is_not_refuted() -> None:
    class Router(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.loss = torch.zeros(())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.loss = x.square().mean()
            return x

    class Reading(Flat):
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(x), self.m.loss

    found = outcome(Reading(Router()), vectors(), Aim.STATE)
    assert found.level is Level.INCONCLUSIVE
    assert "gets that of the last use" in found.note
    assert outcome(Flat(Router()), vectors(), Aim.STATE).level is Level.REFUTED


class Lazily(nn.Module):
    """Builds its norm in the first forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(5, 5)
        self.norm: nn.Module | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.norm is None:
            self.norm = nn.BatchNorm1d(5)
        return self.norm(self.fc(self.norm(x)))


class Sliced(nn.Module):
    """Runs slices of a Sequential, which are new containers at each forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5), nn.Tanh())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body[1:](self.body[:2](x))


@pytest.mark.parametrize("build", [Lazily, Sliced])
def test_instances_that_no_path_of_the_model_leads_to(build: Any) -> None:
    model = build()
    result = confirm_model(model, Inputs.of([vectors()]))
    (found,) = [o for o in result.outcomes if o.reused.aim is Aim.STATE]
    assert (found.level, found.measured, found.executions) == (Level.CONFIRMED, Verdict.CHANGES_SEMANTICS, 2)
    assert found.harm.eval > 0


def test_an_instance_in_a_list_that_eval_does_not_reach_is_tracked_only() -> None:
    """`model.eval()` leaves it in train mode, so nothing ever reads its statistics."""

    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(5, 5)
            self.hidden = [nn.BatchNorm1d(5)]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.hidden[0](self.fc(self.hidden[0](x)))

    model = Hidden()
    (found,) = confirm_model(model, Inputs.of([vectors()])).outcomes
    assert (found.level, found.tracked_only, found.executions) == (Level.CONFIRMED, True, 2)
    assert not model.hidden[0].running_mean.any()


def test_an_instance_that_ran_once_decides_nothing() -> None:
    class Once(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.m(self.fc1(x))

    found = outcome(Once(nn.BatchNorm1d(4)), vectors(), Aim.STATE)
    assert found.level is Level.INCONCLUSIVE
    assert found.note == "it ran once in this forward pass, so these inputs show nothing of its reuse"


def test_an_unknown_instance_is_decided_by_the_numbers() -> None:
    safe = outcome(Flat(Caching()), vectors(), Aim.OPEN)
    assert (safe.level, safe.measured) == (Level.CONFIRMED, Verdict.SAFE)
    unsafe = outcome(Flat(Averaging()), vectors(), Aim.OPEN)
    assert (unsafe.level, unsafe.measured) == (Level.CONFIRMED, Verdict.CHANGES_SEMANTICS)


def test_outcomes_are_ranked_by_harm() -> None:
    class Two(Flat):
        def __init__(self) -> None:
            super().__init__(nn.BatchNorm1d(4))
            self.mild = nn.BatchNorm1d(5)
            self.act = nn.Tanh()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(self.act(self.mild(x) + 1e-3 * self.act(self.mild(x))))

    result = confirm_model(Two(), Inputs.of([vectors()]))
    sizes = [found.harm.size for found in result.outcomes]
    assert sizes == sorted(sizes, reverse=True)
    assert result.outcomes[-1].reused.name == "act"


@dataclass
class Output:
    first: torch.Tensor
    rest: dict[str, Any]


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda y: (y, [y * 2, None]), id="a tuple with a list in it"),
        pytest.param(lambda y: {"y": y, "n": 3}, id="a dict with a number"),
        pytest.param(lambda y: Output(y, {"twice": (y, 2 * y)}), id="a dataclass"),
        pytest.param(lambda y: torch.complex(y, y), id="complex numbers"),
    ],
)
def test_outputs_may_be_any_tree_of_tensors(wrap: Any) -> None:
    class Wrapped(Flat):
        def forward(self, x: torch.Tensor) -> Any:
            return wrap(super().forward(x))

    found = outcome(Wrapped(nn.BatchNorm1d(4)), vectors())
    assert found.level is Level.CONFIRMED
    assert differences(found)[Quantity.EVAL_OUTPUTS] > 0


@pytest.mark.parametrize(
    ("module", "says"),
    [
        pytest.param(nn.BatchNorm1d(5), "after training, every eval output of the model is NaN", id="state"),
        pytest.param(nn.ReLU(), "every output of the model is NaN or infinite", id="none"),
    ],
)
def test_outputs_that_are_nan_throughout_show_nothing(module: nn.Module, says: str) -> None:
    class Undefined(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.m = module
            self.fc = nn.Linear(5, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sqrt(-1 - self.m(self.fc(self.m(x))).abs())

    found = confirm_model(Undefined(), Inputs.of([vectors()])).outcome("m")
    assert (found.level, found.measured) == (Level.INCONCLUSIVE, None)
    assert found.note.startswith(says)


def test_nan_is_equal_to_nan_and_differs_from_numbers() -> None:
    class Broken(nn.Module):
        def __init__(self, once: bool) -> None:
            super().__init__()
            self.once = once
            self.seen = False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            nan, self.seen = self.once and self.seen, True
            return x * (float("nan") if nan or not self.once else 1)

    same = outcome(Flat(Broken(once=False)), vectors(), Aim.SAFE)
    assert set(differences(same).values()) == {0.0}
    other = outcome(Flat(Broken(once=True)), vectors(), Aim.STATE)
    assert math.isinf(differences(other)[Quantity.TRAIN_OUTPUTS])


def test_model_generators_flags_and_environment_are_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    model = Reusing(nn.Sequential(nn.BatchNorm2d(4), nn.Dropout()))
    model.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random.seed(1)
    numpy.random.seed(2)
    torch.manual_seed(3)
    states = random.getstate(), numpy.random.get_state()[1].copy(), torch.get_rng_state()
    modlint.confirm(model, images(), device="cpu")
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not model.training
    assert all(p.grad is None for p in model.parameters())
    assert random.getstate() == states[0]
    assert (numpy.random.get_state()[1] == states[1]).all()
    assert torch.equal(torch.get_rng_state(), states[2])
    assert not torch.are_deterministic_algorithms_enabled()
    assert os.environ["PYTHONHASHSEED"] == "7"
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ


def test_the_library_door_gives_keywords_to_forward_and_traces_by_itself() -> None:
    class Flag(Flat):
        def forward(self, x: torch.Tensor, twice: bool = False) -> torch.Tensor:
            return super().forward(x) if twice else self.m(self.fc1(x))

    model = Flag(nn.BatchNorm1d(4))
    assert modlint.confirm(model, vectors(), device="cpu").outcomes == ()
    result = modlint.confirm(model, vectors(), device="cpu", twice=True, steps=4, seed=5)
    assert isinstance(result, ConfirmResult)
    assert (result.steps, result.seeds, result.device) == (4, (5, 6, 7, 8), "cpu")
    assert result.outcome("m").measured is Verdict.CHANGES_SEMANTICS
    with pytest.raises(KeyError):
        result.outcome("fc1")


def test_as_is_leaves_the_flags_of_the_user_alone() -> None:
    result = modlint.confirm(Reusing(nn.ReLU()), images(), device="cpu", deterministic=False)
    assert result.settings["determinism"] == Determinism.AS_IS.value
    assert result.settings["deterministic_algorithms"] is False
    assert result.outcome("m").measured is Verdict.SAFE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, "unknown device 'tpu'; give auto, cpu, cuda or cuda:N"),
        ({"device": "cuda:99"}, "no device 'cuda:99'"),
        ({"dtype": "int8"}, "unknown dtype 'int8'; give one of float32, float64, bfloat16"),
        ({"steps": 2}, "2 steps are too few"),
    ],
)
def test_settings_that_there_are_not_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModlintError, match=message):
        modlint.confirm(Reusing(nn.ReLU()), images(), **options)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_every_dtype_reaches_the_same_verdicts(dtype: str, device: str) -> None:
    for build, verdict in ((nn.ReLU, Verdict.SAFE), (lambda: nn.BatchNorm2d(4), Verdict.CHANGES_SEMANTICS)):
        result = modlint.confirm(Reusing(build()), images(), device=device, dtype=dtype)
        assert result.outcome("m").measured is verdict
        assert result.settings["dtype"] == dtype


def test_lazy_modules_without_parameters_take_on_their_class_first() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        norm = nn.LazyBatchNorm1d(affine=False, track_running_stats=False)
    model = nn.Sequential(nn.Linear(5, 5), norm, nn.Tanh(), norm)
    candidates = [Candidate(Reused("1", Aim.SAFE), norm)]
    result = confirm_model(model, Inputs.of([vectors()]), candidates=candidates)
    assert result.outcome("1").measured is Verdict.SAFE


def test_lazy_modules_get_their_parameters_first() -> None:
    model = nn.Sequential(nn.LazyLinear(4), act := nn.ReLU(), nn.LazyLinear(4), act)
    x = vectors()
    candidates = [Candidate(Reused("1", Aim.SAFE), act)]
    assert confirm_model(model, Inputs.of([x]), candidates=candidates).outcome("1").measured is Verdict.SAFE
    assert type(model[0]) is nn.LazyLinear, "the user's model stays lazy"


def test_lazy_statistics_are_copied_and_the_users_model_stays_lazy() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        norm = nn.LazyBatchNorm1d()
    model = nn.Sequential(nn.LazyLinear(4), norm, nn.Tanh(), norm)
    assert modlint.confirm(model, vectors(), device="cpu").outcome("1").measured is Verdict.CHANGES_SEMANTICS
    assert (type(model[0]), type(model[1])) == (nn.LazyLinear, nn.LazyBatchNorm1d)


def test_what_a_model_changes_globally_is_put_back() -> None:
    class Meddling(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            torch.set_default_dtype(torch.float64)
            torch.use_deterministic_algorithms(False)
            os.environ["MODLINT_TEST"] = "1"
            os.environ.pop("HOME", None)
            return super().forward(x)

    before = dict(os.environ)
    result = modlint.confirm(Meddling(nn.ReLU()), vectors(), device="cpu")
    assert result.outcome("m").measured is Verdict.SAFE
    assert torch.get_default_dtype() is torch.float32
    assert dict(os.environ) == before
