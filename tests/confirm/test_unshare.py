"""Every execution of a marked instance runs its own copy, however the forward reaches it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm
from torch.utils.checkpoint import checkpoint

from modlint.confirm.marked import Tie
from modlint.confirm.replica import replicate
from modlint.confirm.unshare import Unshared


class Counter(nn.Module):
    """Counts its executions; the count of a copy tells how often that copy ran."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count += 1
        return x * self.weight


class Twice(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(self.inner(x))


class InSlots(Twice):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__(inner)
        self.layers = nn.ModuleList([inner] * 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Looped(Twice):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(2):
            x = self.inner(x)
        return x


class ByForward(Twice):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner.forward(self.inner(x))


class ByUnboundForward(Twice):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return type(self.inner).forward(self.inner, type(self.inner).forward(self.inner, x))


class ByAlias(Twice):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        f = self.inner
        return f(next(map(f, [x])))


class Unregistered(nn.Module):
    """Keeps the instance where no path leads to it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.hidden = [inner]

    @property
    def inner(self) -> nn.Module:
        return self.hidden[0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.hidden[0](self.hidden[0](x))


class BySequential(Twice):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__(inner)
        self.both = nn.Sequential(inner, nn.Identity(), inner)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.both(x)


class ByLambda(Twice):
    """A function on the instance that closes over self must run the copy's modules."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__(inner)
        self.both = lambda x: self.inner(self.inner(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.both(x)


WAYS = [Twice, InSlots, Looped, ByForward, ByUnboundForward, ByAlias, Unregistered, BySequential, ByLambda]


def unshared(model: nn.Module, *instances: nn.Module, tie: Tie = Tie.NOTHING) -> Unshared:
    replica, memo = replicate(model)
    marked = [(str(i), memo.get(id(instance), instance)) for i, instance in enumerate(instances)]
    return Unshared(replica, marked, apart=[name for name, _ in marked], tie={name: tie for name, _ in marked})


def train_once(model: Unshared, x: torch.Tensor | None = None) -> torch.Tensor:
    with model.active():
        y = model(torch.ones(2, 3) if x is None else x)
        y.sum().backward()
    return y


@pytest.mark.parametrize("way", WAYS)
def test_each_of_two_executions_runs_a_copy_of_its_own(way: Any) -> None:
    inner = Counter()
    model = unshared(way(inner), inner)
    train_once(model)
    train_once(model)
    assert [int(count) for count in model.tensors_of("0", "_buffers")["count"]] == [2, 2]
    assert len({id(p) for p in model.tensors_of("0", "_parameters")["weight"]}) == 2
    assert int(inner.count) == 0, "the original has run"


@pytest.mark.parametrize("way", WAYS)
def test_tied_copies_have_one_set_of_parameters_and_their_own_buffers(way: Any) -> None:
    inner = Counter()
    model = unshared(way(inner), inner, tie=Tie.TRAINED)
    train_once(model)
    assert [int(count) for count in model.tensors_of("0", "_buffers")["count"]] == [1, 1]
    assert len(model.tensors_of("0", "_parameters")["weight"]) == 1


@pytest.mark.parametrize("way", [way for way in WAYS if way is not Unregistered])
def test_gradients_of_the_copies_add_up_to_that_of_the_original(way: Any) -> None:
    inner = Counter()
    plain = way(inner)
    plain(torch.ones(2, 3)).sum().backward()
    expected, inner.weight.grad = inner.weight.grad, None
    model = unshared(plain, inner)
    train_once(model)
    (copies,) = model.tensors("_parameters").values()
    assert torch.equal(sum(p.grad for p in copies), expected)  # type: ignore[arg-type]
    assert {id(p) for p in model.parameters()} == {id(p) for p in copies}


def test_identity_class_and_isinstance_are_those_of_the_original() -> None:
    seen = []

    class Asking(Twice):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append((type(self.inner), self.inner is self.layers[0]))
            return super().forward(x)

    inner = Counter()
    plain = Asking(inner)
    plain.layers = nn.ModuleList([inner])
    train_once(unshared(plain, inner))
    assert seen == [(Counter, True)]


def test_a_container_is_copied_whole_with_what_is_reused_inside_it() -> None:
    inner = Counter()
    block = Looped(inner)
    plain = Twice(block)
    model = unshared(plain, block)
    train_once(model)
    assert [int(c) for c in model.tensors_of("0", "_buffers")["inner.count"]] == [2, 2]
    both = unshared(plain, block, inner)
    train_once(both)
    assert [int(c) for c in both.tensors_of("1", "_buffers")["count"]] == [1, 1, 1, 1]
    assert both.executions("1") == 4
    assert len(both.parameters()) == 4


def test_an_instance_reused_inside_and_outside_of_a_reused_container() -> None:
    inner = Counter()
    block = nn.Sequential(inner, nn.Identity())

    class Both(Twice):
        def __init__(self) -> None:
            super().__init__(block)
            self.outside = inner

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.outside(super().forward(x))

    model = unshared(Both(), inner)
    train_once(model)
    assert [int(c) for c in model.tensors_of("0", "_buffers")["count"]] == [1, 1, 1]


def test_a_container_whose_forward_reads_the_parameters_of_a_child_that_it_never_runs() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.linear(x, self.out.weight, self.out.bias)

    inner = Attention()
    model = unshared(Twice(inner), inner)
    train_once(model)
    assert all(p.grad is not None for p in model.tensors_of("0", "_parameters")["out.weight"])
    assert len(model.tensors_of("0", "_parameters")["out.weight"]) == 2


def test_functional_batch_norm_on_the_buffers_of_an_instance_is_a_use() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bn = nn.BatchNorm1d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for _ in range(2):
                bn = self.bn
                x = F.batch_norm(x, bn.running_mean, bn.running_var, bn.weight, bn.bias, training=True) + 1
            return self.bn(x)

    plain = Functional()
    model = unshared(plain, plain.bn)
    train_once(model, torch.randn(4, 3))
    means = model.tensors_of("0", "_buffers")["running_mean"]
    assert len(means) == 3
    assert all(bool(mean.any()) for mean in means)
    assert not plain.bn.running_mean.any()


def test_arithmetic_methods_of_float_functional_are_uses() -> None:
    from torch.ao.nn.quantized import FloatFunctional

    class Adding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ff = FloatFunctional()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.ff.add(self.ff.mul(x, x), x)

    plain = Adding()
    plain.ff.activation_post_process = Counter()
    model = unshared(plain, plain.ff)
    train_once(model, torch.ones(2, 3, requires_grad=True))
    assert [int(c) for c in model.tensors_of("0", "_buffers")["activation_post_process.count"]] == [1, 1]


@pytest.mark.parametrize("wrap", [spectral_norm, weight_norm, parametrizations.spectral_norm])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_parametrised_instances_and_hooks_work_on_the_copy(wrap: Any) -> None:
    inner = wrap(nn.Linear(3, 3))
    plain = Twice(inner)
    plain(torch.ones(2, 3))  # leaves tensors with a graph on the instance
    before = copy.deepcopy({name: t.clone() for name, t in plain.state_dict().items()})
    model = unshared(plain, inner)
    train_once(model)
    for copies in model.tensors_of("0", "_parameters").values():
        assert len(copies) == 2
        assert all(p.grad is not None for p in copies)
    for copies in model.tensors_of("0", "_buffers").values():
        assert torch.equal(copies[0], copies[1]), "both copies start equal and ran once"
    assert all(torch.equal(before[name], t) for name, t in plain.state_dict().items())


def test_hooks_of_the_instance_and_a_forward_set_on_it_see_the_copy() -> None:
    inner = Counter()
    seen: list[int] = []
    inner.register_forward_hook(lambda module, args, output: seen.append(int(module.count)))
    original = inner.forward
    inner.forward = lambda x: original(x) + 1  # type: ignore[method-assign]
    model = unshared(Twice(inner), inner)
    y = train_once(model)
    assert torch.equal(y, torch.full((2, 3), 3.0))
    assert [int(c) for c in model.tensors_of("0", "_buffers")["count"]] == [1, 1]
    assert seen == [], "the hook's list belongs to the original"


def test_an_own_call_and_super_forward_count_once() -> None:
    class Sub(Counter):
        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return super().__call__(x)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x)

    other, inner = Counter(), Sub()

    class Mixed(Twice):
        def __init__(self) -> None:
            super().__init__(inner)
            self.other = other

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.other(super().forward(x))

    model = unshared(Mixed(), inner, other)
    train_once(model)
    assert (model.executions("0"), model.executions("1")) == (2, 1)


def test_a_module_that_runs_itself_goes_on_with_its_own_copy() -> None:
    class Recursive(Counter):
        def forward(self, x: torch.Tensor, depth: int = 2) -> torch.Tensor:
            if depth:
                x = self(x, depth - 1)
            return super().forward(x)

    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Recursive()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x)

    plain = Root()
    model = unshared(plain, plain.inner)
    train_once(model)
    assert [int(c) for c in model.tensors_of("0", "_buffers")["count"]] == [1, 1, 1]


class Cell(nn.Module):
    """A hidden state kept on self, which the caller resets."""

    def __init__(self) -> None:
        super().__init__()
        self.h: torch.Tensor | None = None
        self.log: list[int] = []

    def reset(self) -> None:
        self.h = None
        self.log.clear()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.h = x if self.h is None else self.h + x
        self.log.append(1)
        return self.h * len(self.log)


class Resetting(nn.Module):
    def __init__(self, each: bool) -> None:
        super().__init__()
        self.cell = Cell()
        self.each = each

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.cell.reset()
        y = self.cell(x)
        if self.each:
            self.cell.reset()
        return y + self.cell(2 * x)


def test_what_the_caller_resets_before_each_use_is_reset_in_the_copies() -> None:
    plain = Resetting(each=True)
    x = torch.ones(2, 3, requires_grad=True)
    expected = [plain(x) for _ in range(3)]
    model = unshared(plain, plain.cell)
    for y in expected:
        assert torch.equal(train_once(model, x), y)


def test_a_reset_at_the_start_of_a_forward_reaches_every_copy() -> None:
    plain = Resetting(each=False)
    model = unshared(plain, plain.cell)
    x = torch.ones(2, 3, requires_grad=True)
    assert torch.equal(train_once(model, x), train_once(model, x)), "a copy kept what the caller had reset"
    assert not torch.equal(train_once(model, x), plain(x)), "the uses of the original see each other's state"


def test_the_train_mode_and_an_overridden_train_reach_every_copy() -> None:
    class Frozen(Twice):
        def train(self, mode: bool = True) -> Frozen:
            super().train(mode)
            self.inner.eval()
            return self

    inner = nn.BatchNorm1d(3)
    model = unshared(Frozen(inner), inner)
    with model.active():
        model.change(lambda replica: replica.train(True))
        model(torch.randn(4, 3))
    assert not any(bool(mean.any()) for mean in model.tensors_of("0", "_buffers")["running_mean"])

    plain = unshared(Twice(inner), inner)
    with plain.active():
        for mode in (True, False):
            plain.change(lambda replica, mode=mode: replica.train(mode))
            plain(torch.randn(4, 3))
    assert [int(n) for n in plain.tensors_of("0", "_buffers")["num_batches_tracked"]] == [1, 1]


def test_a_later_pass_that_runs_the_instance_more_often_gets_a_fresh_copy() -> None:
    class Growing(Twice):
        def forward(self, x: torch.Tensor, times: int) -> torch.Tensor:
            for _ in range(times):
                x = self.inner(x)
            return x

    inner = Counter()
    model = unshared(Growing(inner), inner)
    with model.active():
        for times in (1, 3):
            model(torch.ones(2, 3), times)
    assert [int(c) for c in model.tensors_of("0", "_buffers")["count"]] == [2, 1, 1]


@pytest.mark.parametrize("reentrant", [True, False])
def test_what_backward_recomputes_runs_a_copy_of_its_own(reentrant: bool) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bn = nn.BatchNorm1d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return checkpoint(self.bn, x, use_reentrant=reentrant)

    plain = Checkpointed()
    model = unshared(plain, plain.bn)
    train_once(model, torch.randn(4, 3, requires_grad=True))
    assert [int(n) for n in model.tensors_of("0", "_buffers")["num_batches_tracked"]] == [1, 1]


GLOBAL = Counter()


class UsesGlobal(nn.Module):
    shared = Counter()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shared(GLOBAL(GLOBAL(x)))


def test_instances_outside_of_the_model_are_protected_and_can_be_unshared() -> None:
    model = unshared(UsesGlobal(), GLOBAL)
    train_once(model)
    assert [int(c) for c in model.tensors_of("0", "_buffers")["count"]] == [1, 1]
    assert int(GLOBAL.count) == int(UsesGlobal.shared.count) == 0
    assert GLOBAL.weight.grad is None
    assert UsesGlobal.shared.weight.grad is None


def test_weights_tied_to_another_module_stay_tied_in_the_first_copy() -> None:
    class Language(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(5, 3)
            self.head = nn.Linear(3, 5, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, a: torch.Tensor) -> torch.Tensor:
            return self.head(self.embed(a) + self.embed(a + 1))

    plain = Language()
    model = unshared(plain, plain.embed)
    with model.active():
        model(torch.tensor([1, 2])).sum().backward()
    assert model.model.head.weight is model.tensors_of("0", "_parameters")["weight"][0]
    assert {name: len(copies) for name, copies in model.tensors("_parameters").items()} == {"embed.weight": 2}


def test_torch_is_as_it_was_after_an_error_in_the_forward() -> None:
    class Failing(Twice):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            super().forward(x)
            raise ValueError("stop")

    call, forward = nn.Module.__call__, Counter.forward
    inner = Counter()
    model = unshared(Failing(inner), inner)
    with pytest.raises(ValueError, match="stop"), model.active():
        model(torch.ones(2, 3))
    assert nn.Module.__call__ is call
    assert Counter.forward is forward


def test_torchscript_is_refused_with_the_way_out() -> None:
    from modlint.errors import ModlintError

    with pytest.warns(DeprecationWarning):
        inner = torch.jit.trace(nn.ReLU(), torch.ones(2))
    with pytest.raises(ModlintError, match="give the Python module"):
        Unshared(nn.Sequential(inner, inner), [("0", inner)], apart=["0"])


def test_what_cannot_be_copied_is_named() -> None:
    import threading

    from modlint.errors import ModlintError

    model = nn.Sequential(nn.ReLU())
    model.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(ModlintError, match=r"cannot be copied \(Sequential: .*lock"):
        replicate(model)


def test_a_module_that_hides_a_child_when_it_is_copied() -> None:
    """TransformerDecoderLayer's __setstate__ puts relu in front of an activation that is a module."""
    layer = nn.TransformerDecoderLayer(4, 1, 4, activation=nn.GELU())
    replica, _ = replicate(layer)
    assert isinstance(replica.activation, nn.GELU)
    model = unshared(Twice(layer.activation), layer.activation)
    train_once(model, torch.ones(1, 3, requires_grad=True))
    assert model.executions("0") == 2
