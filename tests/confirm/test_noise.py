"""Noise is located, never blamed on reuse, and never hides that the answer is not known."""

from __future__ import annotations

import warnings
from typing import Any

import numpy
import pytest
import torch
from torch import nn

import modlint
from modlint.confirm import confirm_model
from modlint.confirm.determinism import Settings
from modlint.confirm.locate import Trail, checksum, locate, operations_in, warned_operations
from modlint.confirm.noise import LEVEL, compare, distance_matrices, permutation_test, ranks
from modlint.confirm.observables import Key, Quantity, Record, gaps
from modlint.confirm.outcome import Aim, Candidate, Reused
from modlint.confirm.subject import prepare
from modlint.findings import Level
from modlint.trace.inputs import Inputs
from modlint.verdicts import Verdict
from tests.confirm.models import Flat, Reusing, images, vectors


class Entropy:
    """Random numbers that no seed repeats, like the order of atomic additions; `every` draws, the rest are zeros.

    They go on from run to run of a model, and are the same in every run of the tests: what holds at the 0.5 % level
    would else fail once in 200 times.
    """

    def __init__(self, scale: float, every: int = 1, seed: int = 0) -> None:
        self.scale, self.every, self.seed, self.drawn = scale, every, seed, 0

    def like(self, x: torch.Tensor) -> torch.Tensor:
        self.drawn += 1
        if self.drawn % self.every:
            return torch.zeros_like(x)
        generator = torch.Generator().manual_seed(self.seed * 1_000_000 + self.drawn)
        return self.scale * torch.randn(x.shape, generator=generator)

    def __deepcopy__(self, memo: Any) -> Entropy:
        return self


class Forward(nn.Module):
    def __init__(self, entropy: Entropy) -> None:
        super().__init__()
        self.entropy = entropy

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.entropy.like(x)


class _Disturbed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, entropy: Entropy) -> torch.Tensor:
        ctx.entropy = entropy
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient + ctx.entropy.like(gradient), None


class Backward(Forward):
    """Like ConvTranspose2d on CUDA: exact forward, noisy gradient."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _Disturbed.apply(x, self.entropy)


class Around(nn.Module):
    def __init__(self, noise: nn.Module, shared: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), noise)
        self.net = Reusing(shared)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(self.stem(x))


@pytest.mark.parametrize(("kind", "phase"), [(Forward, "forward"), (Backward, "backward")])
def test_the_noisy_operation_is_located_and_reuse_is_not_blamed(kind: Any, phase: str) -> None:
    result = modlint.confirm(Around(kind(Entropy(1e-5)), nn.ReLU()), images(), device="cpu")
    assert not result.deterministic
    (noise,) = result.nondeterministic
    assert (noise.path, noise.operation, noise.phase) == ("stem.1", "aten.randn.generator", phase)
    found = result.outcome("net.m")
    assert (found.level, found.measured) == (Level.INCONCLUSIVE, None)
    assert "equal runs of the model differ" in found.note
    assert all(measure.noise == dict(result.noise)[measure.quantity] for measure in found.measures)


def test_noise_of_the_eval_mode_alone_is_located_too() -> None:
    class Evaluated(Forward):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if self.training else super().forward(x)

    result = modlint.confirm(Around(Evaluated(Entropy(1e-5)), nn.BatchNorm2d(4)), images(), device="cpu")
    assert [(n.path, n.phase) for n in result.nondeterministic] == [("stem.1", "forward in eval mode")]
    assert result.outcome("net.m").level is Level.CONFIRMED


@pytest.mark.parametrize("kind", [Forward, Backward])
def test_noise_and_reuse_together_give_the_right_answer(kind: Any) -> None:
    result = modlint.confirm(Around(kind(Entropy(1e-6)), nn.BatchNorm2d(4)), images(), device="cpu")
    found = result.outcome("net.m")
    assert (found.level, found.measured) == (Level.CONFIRMED, Verdict.CHANGES_SEMANTICS)
    assert "beyond the noise of equal runs, p = 0.0022" in found.note
    assert found.harm.eval > 0.001
    assert result.nondeterministic[0].path == "stem.1"


def test_an_effect_that_drowns_in_noise_is_inconclusive() -> None:
    class Faint(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last: torch.Tensor | float = 0.0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x + 1e-6 * self.last
            self.last = x.detach().mean()
            return y

    result = modlint.confirm(Around(Forward(Entropy(1.0)), Faint()), images(), device="cpu")
    found = result.outcome("net.m")
    assert (found.level, found.measured) == (Level.INCONCLUSIVE, None)
    assert "within the noise of equal runs" in found.note


@pytest.mark.parametrize("every", range(2, 16))
@pytest.mark.parametrize("aim", [Aim.SAFE, Aim.STATE])
def test_rare_noise_is_not_taken_for_an_effect_of_reuse(every: int, aim: Aim) -> None:
    """Noise in one forward pass of every so many: A and A' may agree by luck, and B differ."""
    model = nn.Sequential(nn.Linear(5, 5), Forward(Entropy(1e-3, every)), Flat(nn.Tanh()))
    assert verdicts(model, "2.m", aim, range(1)) <= {None, Verdict.SAFE}


def verdicts(model: nn.Module, name: str, aim: Aim, seeds: range) -> set[Any]:
    candidates = [Candidate(Reused(name, aim), model.get_submodule(name))]
    inputs = Inputs.of([vectors()])
    return {confirm_model(model, inputs, Settings(seed=s), candidates).outcome(name).measured for s in seeds}


def test_a_hundred_repeats_flip_no_verdict() -> None:
    torch.manual_seed(0)
    model = Flat(nn.BatchNorm1d(4))
    assert verdicts(model, "m", Aim.STATE, range(50)) == {Verdict.CHANGES_SEMANTICS}
    assert verdicts(Flat(nn.Tanh()), "m", Aim.SAFE, range(50)) == {Verdict.SAFE}


class Everything(nn.Module):
    """A stateless, a stateful and a parametric instance, each used twice, behind an operation that may be noisy."""

    def __init__(self, noise: nn.Module) -> None:
        super().__init__()
        self.noise = noise
        self.act, self.norm, self.fc = nn.Tanh(), nn.BatchNorm1d(5), nn.Linear(5, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.norm(self.act(self.noise(self.fc(self.norm(self.act(x) * 3))))))


RIGHT = {"act": Verdict.SAFE, "norm": Verdict.CHANGES_SEMANTICS, "fc": Verdict.CHANGES_SEMANTICS}


def everything(noise: nn.Module, seeds: range, tie: Aim = Aim.PARAMETERS) -> dict[str, set[Any]]:
    torch.manual_seed(0)
    model = Everything(noise)
    aims = {"act": Aim.SAFE, "norm": Aim.STATE, "fc": tie}
    candidates = [Candidate(Reused(name, aim), model.get_submodule(name)) for name, aim in aims.items()]
    found: dict[str, set[Any]] = {name: set() for name in aims}
    for seed in seeds:
        result = confirm_model(model, Inputs.of([vectors()]), Settings(seed=seed), candidates)
        for name, measured in found.items():
            measured.add(result.outcome(name).measured)
    return found


@pytest.mark.slow
def test_a_hundred_repeats_on_a_noisy_model_flip_no_verdict() -> None:
    """The tie is tested like the rest: the permutation test, not a margin, puts it beyond the noise."""
    found = everything(Backward(Entropy(1e-5)), range(100))
    assert found == {"act": {None}, "norm": {RIGHT["norm"]}, "fc": {RIGHT["fc"]}}


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e-1, 3.0])
@pytest.mark.parametrize("kind", [Forward, Backward])
@pytest.mark.parametrize("tie", [Aim.PARAMETERS, Aim.TIE])
def test_noise_and_reuse_of_every_kind_are_never_answered_wrongly(kind: Any, scale: float, tie: Aim) -> None:
    """A deliberate tie is one through which no state flows, which noise leaves open."""
    clear = {"norm"} if tie is Aim.TIE else {"norm", "fc"}
    for name, measured in everything(kind(Entropy(scale)), range(2), tie).items():
        assert measured <= {None, *([RIGHT[name]] if name in clear else [])}, name
        assert scale > 1e-3 or name not in clear or measured == {RIGHT[name]}, name


def test_a_tie_beyond_the_noise_is_told_with_the_p_value_of_the_test() -> None:
    torch.manual_seed(0)
    model = Everything(Backward(Entropy(1e-4)))
    candidates = [Candidate(Reused("fc", Aim.PARAMETERS), model.fc)]
    found = confirm_model(model, Inputs.of([vectors()]), candidates=candidates).outcome("fc")
    assert found.level is Level.CONFIRMED
    assert found.note.endswith("(beyond the noise of equal runs, p = 0.0022)")


def test_gradients_of_noise_alone_show_no_tie() -> None:
    class Noise(nn.Module):
        """Nothing but noise reaches the parameters."""

        def __init__(self, entropy: Entropy) -> None:
            super().__init__()
            self.entropy = entropy

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.detach() + x * self.entropy.like(x)

    class Drowned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.noise = nn.Linear(5, 5), Noise(Entropy(1.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.noise(self.fc(torch.tanh(self.fc(x))))

    for aim in (Aim.PARAMETERS, Aim.TIE):
        assert verdicts(Drowned(), "fc", aim, range(4)) == {None}


def test_what_is_tracked_and_never_read_is_told_from_harm_in_noise_too() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return torch.tanh(x)

    model = nn.Sequential(nn.Linear(5, 5), Forward(Entropy(1e-4)), Flat(Counting()))
    candidates = [Candidate(Reused("2.m", Aim.STATE), model[2].m)]
    found = confirm_model(model, Inputs.of([vectors()]), candidates=candidates).outcome("2.m")
    assert (found.level, found.tracked_only, found.harm.size) == (Level.CONFIRMED, True, 0)
    assert (
        found.note == "its buffers differ, but no output depends on them (beyond the noise of equal runs, p = 0.0022)"
    )


def records(number: int, shift: float, scale: float, generator: torch.Generator) -> list[Record]:
    made = []
    for _ in range(number):
        record = Record()
        for quantity in (Quantity.TRAIN_OUTPUTS, Quantity.PARAMETERS, Quantity.BUFFERS):
            record.put(quantity, 0, {"x": [shift + scale * torch.randn(6, generator=generator)]})
        made.append(record)
    return made


def test_the_permutation_test_keeps_its_level_and_the_margin_lies_above_it() -> None:
    """Pairs of groups that do not differ: the p-values are uniform, and none passes for a difference."""
    generator = torch.Generator().manual_seed(0)
    ps, apart = [], 0
    for _ in range(300):
        result = compare(records(6, 0, 1, generator), records(6, 0, 1, generator))
        ps.append(result.p)
        apart += result.apart
    assert apart == 0
    assert 0.01 <= numpy.mean(numpy.array(ps) <= 0.05) <= 0.09
    assert min(ps) >= 2 / 924 - 1e-12


def test_the_permutation_test_sees_what_is_clear() -> None:
    generator = torch.Generator().manual_seed(0)
    result = compare(records(6, 0, 1e-6, generator), records(6, 1, 1e-6, generator))
    assert result.apart
    assert result.p == pytest.approx(2 / 924)
    assert result.p <= LEVEL
    equal = compare(records(6, 0, 0, generator), records(6, 0, 0, generator))
    assert (equal.p, equal.apart) == (1.0, False)


def test_a_drift_of_the_machine_is_not_taken_for_a_difference() -> None:
    """A and B in turns, everything growing with time."""
    a, b = [], []
    for time in range(12):
        record = Record()
        record.put(Quantity.TRAIN_OUTPUTS, 0, {"x": [torch.tensor([float(time)])]})
        (a if time % 2 else b).append(record)
    assert not compare(a, b).apart


def test_distances_of_records_agree_with_gaps() -> None:
    generator = torch.Generator().manual_seed(0)
    runs = records(3, 0, 1, generator)
    key = Key(Quantity.TRAIN_OUTPUTS, 0, "x")
    runs[0].tensors[key] = (torch.tensor([1.0, float("nan"), float("inf"), 0, 0, 0]),)
    runs[1].tensors[key] = (torch.zeros(6), torch.ones(6))  # two copies
    runs[2].tensors[key] = (torch.zeros(7),)  # another shape
    matrix = distance_matrices(runs)[(Quantity.TRAIN_OUTPUTS, 0)]
    for i in range(3):
        for j in range(i):
            assert matrix[i, j] == gaps(runs[j], runs[i])[key].difference
    assert (matrix == matrix.T).all()
    same = distance_matrices(runs[:1] * 2)
    assert not any(m.any() for m in same.values())


def test_ranks_are_the_same_for_equal_distances() -> None:
    matrix = numpy.array([[0, 1, 2], [1, 0, 2], [2, 2, 0]], dtype=float)
    assert ranks(matrix).tolist() == pytest.approx(numpy.array([[0, 1, 2.5], [1, 0, 2.5], [2.5, 2.5, 0]]) / 3)
    assert permutation_test([], numpy.array([True, False])) == 1.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bool, torch.int64, torch.complex64])
def test_a_checksum_sees_one_bit_and_the_order(dtype: torch.dtype) -> None:
    x = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1]).to(dtype)
    assert checksum(x) == checksum(x.clone())
    assert checksum(x) != checksum(x.flip(0))
    y = x.clone()
    y[-1] = 0
    assert checksum(x) != checksum(y)
    assert checksum(x.expand(2, 9)) == checksum(x.repeat(2, 1))


def test_operations_that_torch_warns_of_are_listed_with_their_module() -> None:
    class Putting(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.clone().put_(torch.tensor([0, 1]), torch.ones(2), accumulate=False)

    model = nn.Sequential(nn.Linear(5, 5), Putting())
    subject, _ = prepare(model, Inputs.of([vectors()]), Settings())
    found = warned_operations(subject, Settings())
    assert [(n.path, n.operation, n.phase) for n in found] == [("1", "put_", "forward"), ("1", "put_", "backward")]
    assert locate(subject, Settings()) == []
    result = modlint.confirm(model, vectors(), device="cpu")
    assert [(n.path, n.operation) for n in result.nondeterministic] == [("1", "put_")] * 2
    assert result.deterministic


def test_the_text_of_torchs_warning_is_understood() -> None:
    text = (
        "upsample_bilinear2d_backward_out_cuda does not have a deterministic implementation, but you set "
        "'torch.use_deterministic_algorithms(True, warn_only=True)'."
    )
    assert operations_in([text, "something else", text]) == ["upsample_bilinear2d_backward_out_cuda"]


def test_what_backward_warns_of_when_it_is_done_is_put_down_to_the_modules_that_ran_it() -> None:
    """On CUDA the threads of backward tell their warnings at its end; here one is told after it by hand."""
    model = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Upsample(scale_factor=2, mode="bilinear"))
    trail = Trail(model)
    with trail, trail.modules():
        model(images()).sum().backward()
        warnings.warn(
            "upsample_bilinear2d_backward_out_cuda does not have a deterministic implementation", stacklevel=1
        )
    assert [(w.path, w.phase) for w in trail.warned] == [("1", "forward"), ("1", "backward")]


@pytest.mark.cuda
def test_the_noise_of_the_thread_is_located_on_cuda() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    model = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), act := nn.ReLU(), nn.ConvTranspose2d(8, 8, 4, 2, 1), act)
    result = modlint.confirm(model, images(8, 3, 64, 64), device="cuda", deterministic=False)
    assert result.deterministic or any("2" in noise.path for noise in result.nondeterministic)
    assert result.outcome("1").measured in {None, Verdict.SAFE}
