"""What is counted: both tracers, on everything that is easy to miss, and on what fx cannot follow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

import modlint
from modlint.errors import ModlintError
from modlint.trace.corridor import disagreement, recorded_pass, symbolic_pass, trace_model
from modlint.trace.inputs import Inputs
from modlint.trace.live import LiveModel
from modlint.trace.target import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from modlint.trace.traced import TracedGraph

NORM = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.bn = nn.BatchNorm2d(3)

    def forward(self, x):
        {}
        return x
"""


@pytest.mark.parametrize(
    ("forward", "count", "tracer"),
    [
        pytest.param("x = self.bn(self.bn(x))", 2, "fx", id="two calls"),
        pytest.param("x = self.bn.forward(self.bn(x))", 2, "fx", id="a direct call of forward"),
        pytest.param("x = nn.BatchNorm2d.forward(self.bn, self.bn(x))", 2, "fx", id="a forward named by its class"),
        pytest.param(
            "x = nn.BatchNorm2d.forward(self.bn, self.bn(x)) if x.sum() > -1e9 else x",
            2,
            "recorded",
            id="a forward named by its class, recorded",
        ),
        pytest.param(
            "x = F.batch_norm(self.bn(x), self.bn.running_mean, self.bn.running_var, training=True)",
            2,
            "fx",
            id="F.batch_norm on the module's statistics",
        ),
        pytest.param("x = sum(self.bn(x) for _ in range(3))", 3, "fx", id="a loop"),
        pytest.param("x = self.bn(x) if x.sum() > -1e9 else self.bn(self.bn(x))", 1, "recorded", id="a branch on data"),
        pytest.param("x = [self.bn(part[None]) for part in x][0]", 2, "recorded", id="a loop over a tensor"),
        pytest.param(
            "x = self.bn(x) if isinstance(x, torch.Tensor) else self.bn(self.bn(x))",
            1,
            "recorded",
            id="a branch on the type, which fx would take wrongly",
        ),
        pytest.param("x = checkpoint(self.bn, x, use_reentrant=False)", 1, "fx", id="under checkpoint"),
    ],
)
def test_executions_are_counted(traced: Callable[..., TracedGraph], forward: str, count: int, tracer: str) -> None:
    graph = traced(NORM.format(forward), torch.randn(2, 3, 8, 8))
    assert len(graph.uses_of("bn")) == count
    assert graph.tracer == tracer, graph.why_not_fx
    assert bool(graph.why_not_fx) == (tracer == "recorded")
    assert graph.coverage == 1.0


@pytest.mark.parametrize(
    ("more", "why"),
    [
        pytest.param(
            "def __call__(self, x):\n        return self.bn(super().__call__(x))",
            "Net has a __call__ of its own",
            id="a call of its own",
        ),
        pytest.param(
            "def train(self, mode=True):\n        if not self._forward_hooks:\n"
            "            self.register_forward_hook(lambda m, args, out: m.bn(out))\n"
            "        return super().train(mode)",
            "Net has hooks",
            id="a hook",
        ),
    ],
)
def test_what_the_root_does_around_its_forward_counts(traced: Callable[..., TracedGraph], more: str, why: str) -> None:
    graph = traced(NORM.format("x = self.bn(x)") + "\n    " + more + "\n", torch.randn(2, 3, 8, 8))
    assert (len(graph.uses_of("bn")), graph.tracer) == (2, "recorded")
    assert graph.why_not_fx.startswith(why)


def test_a_recomputed_use_knows_its_checkpoint(traced: Callable[..., TracedGraph]) -> None:
    graph = traced(
        NORM.format("x = checkpoint(lambda y: self.bn(self.conv(y)), x, use_reentrant=False)"), torch.randn(2, 3, 8, 8)
    )
    (use,) = graph.uses_of("bn")
    assert use.recomputed and use.recomputed_by is not None
    assert use.recomputed_by != use.place


def test_an_instance_has_all_its_slots_and_every_use_the_one_it_came_by(traced: Callable[..., TracedGraph]) -> None:
    graph = traced(
        """
        class Block(nn.Module):
            def __init__(self, act):
                super().__init__()
                self.act = act
            def forward(self, x):
                return self.act(x)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.act = nn.PReLU()
                self.one, self.two = Block(self.act), Block(self.act)
                self.body = nn.Sequential(nn.ReLU(), self.act, nn.Tanh(), self.act)
                self.named = nn.ModuleDict({"a": self.act})
                self.times = nn.ModuleList([self.act] * 2)
            def forward(self, x):
                return self.named["a"](self.body(self.two(self.one(self.act(x)))))
        """,
        torch.randn(2, 4),
    )
    instance = graph.instance("act")
    assert [slot.path for slot in instance.slots] == [
        "act", "one.act", "two.act", "body.1", "body.3", "named.a", "times.0", "times.1"
    ]  # fmt: skip
    assert [slot.manner.value for slot in instance.slots[-2:]] == ["assigned", "repeated"]
    uses = graph.uses_of("act")
    assert [use.slot for use in uses] == ["act", "one.act", "two.act", "body.1", "body.3", "named.a"]
    assert [graph.use(use.parent or 0).instance for use in uses] == [".", "one", "two", "body", "body", "."]


def test_the_flow_of_tensors_goes_through_functions_and_containers(traced: Callable[..., TracedGraph]) -> None:
    source = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4))
        def forward(self, x):
            left, right = F.relu(self.a(x))[:, :2], self.b(x)
            return self.c(torch.cat([left, left * 2], 1) + 1{})
    """
    for tail in ("", " + float(right.detach().sum()) * 0"):  # the second one is recorded
        graph = traced(source.format(tail), torch.randn(2, 4))
        names = {use.order: use.instance for use in graph.uses()}
        consumed = {use.instance: [names[order] for order in use.consumes] for use in graph.uses()}
        assert consumed["c"] == consumed["c.0"] == ["a"], graph.tracer
        assert graph.tracer == ("recorded" if tail else "fx")


def test_methods_of_float_functional_are_uses(traced: Callable[..., TracedGraph]) -> None:
    graph = traced(
        """
        from torch.ao.nn.quantized import FloatFunctional

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc, self.add = nn.Linear(4, 4), FloatFunctional()
            def forward(self, x):
                return self.add.mul(self.add.add(x, self.fc(x)), x)
        """,
        torch.randn(2, 4),
    )
    assert len(graph.uses_of("add")) == 2


def test_a_forward_set_on_the_instance_is_what_runs(traced: Callable[..., TracedGraph]) -> None:
    graph = traced(
        """
        import types

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(4, 4)
                self.forward = types.MethodType(lambda self, x: self.fc(self.fc(x)), self)
            def forward(self, x):
                return x
        """,
        torch.randn(2, 4),
    )
    assert len(graph.uses_of("fc")) == 2
    assert "forward is set on the instance" in graph.why_not_fx


def test_a_forward_set_on_a_leaf_is_followed_though_its_closure_holds_the_original(
    traced: Callable[..., TracedGraph],
) -> None:
    graph = traced(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc, self.bn = nn.Linear(4, 4), nn.BatchNorm1d(4)
                plain = self.fc.forward
                self.fc.forward = lambda x: self.bn(plain(x))
            def forward(self, x):
                return self.bn(self.fc(x))
        """,
        torch.randn(2, 4),
    )
    assert (len(graph.uses_of("fc")), len(graph.uses_of("bn"))) == (1, 2)
    assert "a Linear has a forward set on the instance" in graph.why_not_fx


def test_instances_that_are_registered_nowhere_are_seen_and_restored(write: Callable[..., Path]) -> None:
    file = write(
        """
        outside = nn.BatchNorm1d(4)

        class Net(nn.Module):
            held = nn.BatchNorm1d(4)
            def __init__(self):
                super().__init__()
                self.hidden = [nn.BatchNorm1d(4)]
            def forward(self, x):
                return outside(self.held(self.hidden[0](x)))
        """
    )
    target = load(f"{file}:Net")
    graph = trace_model(target.model, Inputs.of([torch.randn(3, 4)]), target.births)
    found = {instance.name: instance.origin.value for instance in graph.instances() if instance.key != "."}
    assert found == {"hidden": "constructor", "held": "class-attribute", "outside": "module-level"}
    held = type(target.model).held
    assert int(held.num_batches_tracked) == 0
    assert "forward" not in vars(held)


def test_a_hook_on_a_leaf_is_run_though_its_closure_holds_the_original(write: Callable[..., Path]) -> None:
    file = write(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc, self.bn = nn.Linear(4, 4), nn.BatchNorm1d(4)
                self.fc.register_forward_hook(lambda module, inputs, output: self.bn(output))
            def forward(self, x):
                return self.bn(self.fc(x))
        """
    )
    model = load(f"{file}:Net").model
    graph = trace_model(model, Inputs.of([torch.randn(3, 4)]))
    assert len(graph.uses_of("bn")) == 2
    assert int(model.bn.num_batches_tracked) == 0


class Mutating(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bn, self.seen = nn.BatchNorm1d(4), 0
        self.log: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += 1
        self.log.append(x)
        self.last = self.bn(x)
        return self.last  # type: ignore[no-any-return]


class Uncopyable(Mutating):
    def __deepcopy__(self, memo: object) -> Mutating:
        raise RuntimeError("one of a kind")


@pytest.mark.parametrize("cls", [Mutating, Uncopyable])
def test_the_model_its_mode_and_the_generators_are_left_as_they_were(cls: type[Mutating]) -> None:
    model, given = cls().eval(), torch.randn(3, 4)
    state, flags = torch.get_rng_state(), [module.training for module in model.modules()]
    buffers = {name: value.clone() for name, value in model.state_dict().items()}
    graph = modlint.trace(model, given)
    assert len(graph.uses_of("bn")) == 1
    assert (model.seen, model.log, "last" in vars(model), "forward" in vars(model)) == (0, [], False, False)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in buffers.items())
    assert [module.training for module in model.modules()] == flags
    assert torch.equal(state, torch.get_rng_state())


def test_a_frozen_use_is_marked(traced: Callable[..., TracedGraph]) -> None:
    source = NORM.format("x = self.bn(self.bn(x))") + "\n    def train(self, mode=True):\n"
    source += "        super().train(mode)\n        self.bn.eval()\n        return self\n"
    graph = traced(source, torch.randn(2, 3, 8, 8))
    assert [use.frozen for use in graph.uses_of("bn")] == [True, True]
    assert not any(use.frozen for use in graph.uses_of("."))


@pytest.mark.filterwarnings("ignore")  # torch.jit is on its way out
def test_what_runs_inside_a_script_module_is_not_seen_and_the_coverage_says_so() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            inner = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
            self.inner = torch.jit.trace(inner, torch.randn(2, 4))
            self.fc = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(self.inner(self.fc(x)))  # type: ignore[no-any-return]

    graph = modlint.trace(Net(), torch.randn(2, 4))
    assert graph.coverage == pytest.approx(1 / 5)
    assert len(graph.uses_of("inner")) == 2


def test_both_tracers_agree_on_a_model_of_many_parts() -> None:
    torch.manual_seed(0)
    act = nn.ReLU()
    blocks = [nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), act, nn.Dropout(0.1)) for _ in range(3)]
    model = nn.Sequential(nn.Conv2d(3, 4, 1), *blocks, blocks[0])
    live, inputs = LiveModel(model), Inputs.of([torch.randn(2, 3, 8, 8)])
    symbolic, traced = symbolic_pass(live, inputs)
    assert symbolic is not None, traced.reason
    recorded = recorded_pass(live, inputs)
    assert disagreement(symbolic, recorded) == ""
    assert symbolic.counts()["1"] == recorded.counts()["1"] == 2
    assert [c.consumes for c in symbolic.calls] == [c.consumes for c in recorded.calls]
    assert [c.parent for c in symbolic.calls] == [c.parent for c in recorded.calls]


def test_places_are_those_of_the_call_in_the_users_file(traced: Callable[..., TracedGraph]) -> None:
    graph = traced(NORM.format("é = self.conv(x); x = self.bn(é)"), torch.randn(2, 3, 8, 8))
    (use,) = graph.uses_of("bn")
    assert use.place is not None and hasattr(use.place, "row")
    line = Path(use.place.filename).read_text(encoding="utf-8").splitlines()[use.place.row - 1]
    assert line[use.place.column - 1 : use.place.end_column - 1] == "self.bn(é)"
    assert use.within == "Net.forward"


def test_a_forward_that_raises_shows_the_users_line(traced: Callable[..., TracedGraph]) -> None:
    with pytest.raises(ModlintError, match=r"raised ValueError: odd\n.*net.py:14 in forward"):
        traced(NORM.format("raise ValueError('odd')"), torch.randn(2, 3, 8, 8))


@pytest.mark.parametrize("given", [False, True], ids=["inputs synthesised", "inputs given"])
def test_a_model_that_cannot_be_switched_to_train_mode_is_an_error(
    traced: Callable[..., TracedGraph], given: bool
) -> None:
    """`train` of a module that holds itself never ends."""
    source = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc, self.inner = nn.Linear(3, 3), nn.Module()
                self.inner.outer = self
            def forward(self, x):
                return self.fc(x)
        """
    with pytest.raises(ModlintError, match="switching Net to train mode raised RecursionError"):
        traced(source, *[torch.randn(2, 3)] * given)
