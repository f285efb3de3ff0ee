"""The state class of live instances: the catalogue's, overridden by what they are, or what forwards keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

import modlint
from modlint.graph import StateClass, Trait

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.trace.traced import TracedGraph


def frozen(module: nn.Module) -> nn.Module:
    return module.requires_grad_(False)


def without_statistics(module: nn.BatchNorm1d) -> nn.Module:
    module.running_mean = module.running_var = module.num_batches_tracked = None
    return module


@pytest.mark.parametrize(
    ("module", "kind", "writes"),
    [
        pytest.param(nn.ReLU(), "stateless", (), id="an activation"),
        pytest.param(nn.Dropout(0.5), "stochastic", (), id="dropout"),
        pytest.param(nn.Dropout(0.0), "stateless", (), id="dropout that drops nothing"),
        pytest.param(nn.Linear(4, 4), "parametric", (), id="a linear layer"),
        pytest.param(frozen(nn.Linear(4, 4)), "stateless", (), id="a frozen linear layer"),
        pytest.param(
            nn.BatchNorm1d(4), "stateful", ("running_mean", "running_var", "num_batches_tracked"), id="batch norm"
        ),
        pytest.param(
            nn.BatchNorm1d(4, track_running_stats=False), "parametric", (), id="batch norm without statistics"
        ),
        pytest.param(
            nn.BatchNorm1d(4, affine=False, track_running_stats=False), "stateless", (), id="a bare batch norm"
        ),
        pytest.param(without_statistics(nn.BatchNorm1d(4)), "parametric", (), id="batch norm robbed of its buffers"),
        pytest.param(
            nn.utils.spectral_norm(nn.Linear(4, 4)), "stateful", ("weight_u", "weight_v"), id="the old spectral norm"
        ),
        pytest.param(
            nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)),
            "stateful",
            ("parametrizations.weight.0._u", "parametrizations.weight.0._v"),
            id="the parametrised spectral norm",
        ),
        pytest.param(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), "parametric", (), id="weight norm"),
    ],
)
def test_a_library_module_is_what_it_is(module: nn.Module, kind: str, writes: tuple[str, ...]) -> None:
    graph = modlint.trace(nn.Sequential(module), torch.randn(3, 4))
    own = graph.instance("0").own
    assert (own.kind.value, own.writes, own.certain) == (kind, writes, True)
    assert [instance.key for instance in graph.instances()] == [".", "0"]


MODULE = """
class Unit(nn.Module):
    def __init__(self):
        super().__init__()
        {init}
    def forward(self, x):
        {forward}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.unit = Unit()
    def forward(self, x):
        {around}
"""
TWICE = "return self.unit(self.unit(x))"


@pytest.mark.parametrize(
    ("init", "forward", "kind", "writes"),
    [
        pytest.param("self.h = 0", "self.h = self.h * 0.5 + x; return self.h", "stateful", ("h",), id="a hidden state"),
        pytest.param(
            "self.last = None", "self.last = x; return x * 2", "stateless", (), id="a write that nobody reads"
        ),
        pytest.param(
            "self.t = None",
            "self.t = torch.arange(4.) if self.t is None else self.t; return x + self.t",
            "stateless",
            (),
            id="a memo that depends on nothing",
        ),
        pytest.param(
            "self.s = None",
            "self.s = x.std() if self.s is None else self.s; return x / self.s",
            "stateful",
            ("s",),
            id="a memo of the first input",
        ),
        pytest.param(
            "self.mask = None",
            "self.mask = torch.rand_like(x) if self.mask is None else self.mask; return x * self.mask",
            "stateful",
            ("mask",),
            id="a mask kept over calls",
        ),
        pytest.param(
            "self.register_buffer('avg', torch.zeros(4))",
            "self.avg.mul_(0.9).add_(x.detach().mean(0)); return x",
            "stateful",
            ("avg",),
            id="a persistent buffer written in place",
        ),
        pytest.param(
            "self.register_buffer('avg', torch.zeros(4), persistent=False)",
            "self.avg.copy_(x.detach().mean(0)); return x",
            "stateless",
            (),
            id="a buffer of no account",
        ),
        pytest.param(
            "self.seen = []", "self.seen.append(x); return x + len(self.seen)", "stateful", ("seen",), id="a list"
        ),
        pytest.param("self.seen = []", "self.seen.append(x); return x", "stateless", (), id="a list that nobody reads"),
        pytest.param("self.n = 0", "self.n += 1; return x / self.n", "stateful", ("n",), id="a counter that is used"),
        pytest.param("self.n = 0", "self.n += 1; return x", "stateless", (), id="a counter that is not"),
        pytest.param(
            "self.c = nn.Parameter(torch.zeros(4), requires_grad=False)",
            "self.c.data += x.detach().mean(0); return x - self.c",
            "stateful",
            ("c",),
            id="a parameter that forward moves",
        ),
        pytest.param("self.p = 0.5", "return F.dropout(x, self.p)", "stochastic", (), id="functional dropout"),
        pytest.param("self.p = 0.5", "return F.dropout(x, self.p, False)", "stateless", (), id="dropout turned off"),
    ],
)
def test_a_users_module_is_measured(
    traced: Callable[..., TracedGraph], init: str, forward: str, kind: str, writes: tuple[str, ...]
) -> None:
    graph = traced(MODULE.format(init=init, forward=forward, around=TWICE), torch.randn(3, 4))
    own = graph.instance("unit").own
    assert (own.kind.value, own.writes) == (kind, writes)
    assert own.certain


def test_what_the_caller_resets_before_every_use_is_no_state(traced: Callable[..., TracedGraph]) -> None:
    unit = {"init": "self.h = None", "forward": "self.h = self.h + x; return self.h"}
    reset = "self.unit.h = x * 0; y = self.unit(x); {}return self.unit(y)"
    every = traced(MODULE.format(**unit, around=reset.format("self.unit.h = y * 0; ")), torch.randn(3, 4))
    assert every.instance("unit").own.kind is StateClass.STATELESS
    first = traced(MODULE.format(**unit, around=reset.format("")), torch.randn(3, 4))
    assert first.instance("unit").own.kind is StateClass.STATEFUL


def test_what_the_caller_reads_after_every_use_is_no_state(traced: Callable[..., TracedGraph]) -> None:
    unit = {"init": "self.loss = 0", "forward": "self.loss = x.mean(); return x * 2"}
    each = "x = self.unit(x); a = self.unit.loss; x = self.unit(x); return x + a + self.unit.loss"
    graph = traced(MODULE.format(**unit, around=each), torch.randn(3, 4))
    assert graph.instance("unit").own.kind is StateClass.STATELESS
    last = "x = self.unit(self.unit(x)); return x + self.unit.loss"
    graph = traced(MODULE.format(**unit, around=last), torch.randn(3, 4))
    assert graph.instance("unit").own.kind is StateClass.STATEFUL


def test_what_is_written_in_eval_mode_alone_is_found(traced: Callable[..., TracedGraph]) -> None:
    unit = {
        "init": "self.keys = []",
        "forward": "\n        if not self.training: self.keys.append(x)\n        return x + len(self.keys)",
    }
    own = traced(MODULE.format(**unit, around=TWICE), torch.randn(3, 4)).instance("unit").own
    assert own.traits == {Trait.WRITES_EVAL}


def test_a_subclass_of_a_library_class_writes_what_it_writes(traced: Callable[..., TracedGraph]) -> None:
    graph = traced(
        """
        class Norm(nn.BatchNorm1d):
            def forward(self, x):
                return super().forward(x).relu()

        class Net(nn.Sequential):
            def __init__(self):
                super().__init__(Norm(4), nn.Linear(4, 4))
        """,
        torch.randn(3, 4),
    )
    own = graph.instance("0").own
    assert own.kind is StateClass.STATEFUL
    assert set(own.writes) == {"running_mean", "running_var", "num_batches_tracked"}
    assert graph.instance(".").state.kind is StateClass.STATEFUL
    assert graph.instance(".").own.kind is StateClass.STATELESS


def test_on_the_meta_device_or_frozen_a_subclass_is_taken_for_its_base(traced: Callable[..., TracedGraph]) -> None:
    class Norm(nn.BatchNorm1d):
        pass

    class Frozen(Norm):
        def train(self, mode: bool = True) -> Frozen:
            return super().train(False)  # type: ignore[return-value]

    with torch.device("meta"):
        on_meta = modlint.trace(nn.Sequential(Norm(4)), torch.empty(3, 4))
    assert on_meta.instance("0").own.kind is StateClass.STATEFUL
    frozen_norm = modlint.trace(nn.Sequential(Frozen(4)), torch.randn(3, 4))
    assert frozen_norm.instance("0").own.kind is StateClass.STATEFUL
    assert [use.frozen for use in frozen_norm.uses_of("0")] == [True]


def test_what_did_not_run_is_uncertain(traced: Callable[..., TracedGraph]) -> None:
    source = MODULE.format(init="self.h = 0", forward="self.h = x; return x", around="return x * 2")
    own = traced(source, torch.randn(3, 4)).instance("unit").own
    assert not own.certain
    assert "did not run" in own.reason


@pytest.mark.parametrize(
    "way",
    [
        "self.buf.t().add_(x.mean())",
        "self.buf[0].copy_(x[0])",
        "self.buf.view(-1).mul_(x.mean())",
        "self.buf[:, 0:2] = x[:3, 0:2]",
        "self.buf += x.mean()",
        "torch.add(self.buf, x.mean(), out=self.buf)",
        "torch.neg_(self.buf) if x is None else self.buf.add_(x[:3])",
        "self.weight.data.t().mul_(x.mean())",
        "self.weight[0].detach().copy_(x[0])",
        "self.weight.detach()[:, 1] = x[:3, 1]",
    ],
)
def test_a_write_through_whatever_view_is_seen(traced: Callable[..., TracedGraph], way: str) -> None:
    graph = traced(
        f"""
        class Keeps(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("buf", torch.ones(3, 3))
                self.weight = nn.Parameter(torch.ones(3, 3))
            def forward(self, x):
                y = x @ self.weight + self.buf.clone()[:1]
                with torch.no_grad():
                    {way}
                return y
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.keeps = Keeps()
            def forward(self, x):
                return self.keeps(x) + self.keeps(x + 1)
        """,
        torch.randn(4, 3),
    )
    assert graph.instance("keeps").own.kind is StateClass.STATEFUL
