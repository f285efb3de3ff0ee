"""Entries that no case can run as it runs the others: they need a process group, a compiler, or a look from outside."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.ao import quantization

from catalogue.cases.torch_nn import ROWS
from catalogue.exempt import BY_HAND
from catalogue.measure import Case, build, measure
from catalogue.proof import catalogue, claim
from modlint.catalogue import state_of_expressions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MODULES = ("torch.nn.ReLU()", "torch.nn.Dropout()", "torch.nn.Linear(4, 4)", "torch.nn.BatchNorm1d(4)")


@pytest.fixture
def group() -> Iterator[None]:
    """A process group of one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
        yield
        torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("inner", _MODULES[2:])
def test_distributed_data_parallel_is_what_it_holds(inner: str) -> None:
    """What has no parameters is refused by it. Besides its module's state it lists the module's buffers anew."""
    case = Case(f"torch.nn.parallel.DistributedDataParallel({inner}, broadcast_buffers=False)", ROWS)
    seen, said = measure(case, build(case)), claim(case)
    assert seen.traits == said.traits
    assert {name for name in seen.state if name.startswith("module.")} == said.writes


@pytest.mark.parametrize("inner", _MODULES)
def test_a_compiled_module_is_what_it_was(inner: str) -> None:
    case = Case(f"torch.compile({inner}, backend='eager')", ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seen = measure(case, build(case))
    said = claim(case)
    assert seen.traits == said.traits
    assert {name.removeprefix("_orig_mod.") for name in seen.state} == said.writes


@pytest.mark.parametrize("container", ["torch.nn.ModuleList", "torch.nn.ModuleDict"])
def test_a_container_without_forward_is_what_it_holds(container: str) -> None:
    for inner in _MODULES:
        held = f"[{inner}]" if container.endswith("List") else f"{{'0': {inner}}}"
        whole, part = state_of_expressions([f"{container}({held})", inner], catalogue())
        assert (whole["state"], whole["traits"]) == (part["state"], part["traits"])
        assert whole["writes"] == [f"0.{name}" for name in part["writes"]]
        made = eval(f"{container}({held})", {"torch": torch})
        assert {name for name, _ in made.named_buffers()} >= set(whole["writes"])
        with pytest.raises(NotImplementedError):
            made(torch.ones(1))


@pytest.mark.parametrize(
    ("made", "frozen"),
    [
        pytest.param(nn.ParameterList([nn.Parameter(torch.ones(2))]), nn.ParameterList([torch.ones(2)]), id="a list"),
        pytest.param(nn.ParameterDict({"a": torch.ones(2)}), None, id="a dict"),
    ],
)
def test_a_container_of_parameters_learns(made: nn.Module, frozen: nn.Module | None) -> None:
    (answer,) = state_of_expressions([f"nn.{type(made).__name__}()"], catalogue())
    assert answer["state"] == "parametric"
    for one in (made, frozen or made):
        assert all(parameter.requires_grad for parameter in one.parameters()) and list(one.parameters())
        with pytest.raises(RuntimeError, match="should not be called"):
            one(torch.ones(1))


def _observed() -> nn.Module:
    module = nn.Sequential(nn.Linear(4, 4))
    module.qconfig = quantization.get_default_qconfig("x86")
    return module


def _converted() -> nn.Module:
    prepared = quantization.prepare(nn.Sequential(quantization.QuantStub(), *_observed()).eval())
    prepared[0].qconfig = quantization.get_default_qconfig("x86")
    return prepared


def _trained() -> nn.Module:
    module = nn.Sequential(nn.Linear(4, 4)).train()
    module.qconfig = quantization.get_default_qat_qconfig("x86")
    return module


def _fusible() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.ReLU())


_FUSED = [["0", "1", "2"]]
_CHANGES: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], nn.Module]]] = {
    "torch.ao.quantization.prepare": (_observed, quantization.prepare),
    "torch.ao.quantization.prepare_qat": (_trained, quantization.prepare_qat),
    "torch.ao.quantization.convert": (
        lambda: quantization.prepare(_observed()),
        lambda module: quantization.convert(module),
    ),
    "torch.ao.quantization.quantize_dynamic": (
        lambda: nn.Sequential(nn.Linear(4, 4)),
        lambda module: quantization.quantize_dynamic(module, {nn.Linear}),
    ),
    "torch.ao.quantization.fuse_modules": (
        lambda: _fusible().eval(),
        lambda module: quantization.fuse_modules(module, _FUSED),
    ),
    "torch.ao.quantization.fuse_modules_qat": (
        lambda: _fusible().train(),
        lambda module: quantization.fuse_modules_qat(module, _FUSED),
    ),
}


@pytest.mark.parametrize("name", _CHANGES)
def test_what_is_said_to_be_unknown_does_change_the_module_s_parts(name: str) -> None:
    """By what the call alone does not tell, a qconfig or a list of names, other modules stand in it than before."""
    make, change = _CHANGES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = make()
        after = change(copy.deepcopy(before))
    assert _kinds(after) != _kinds(before)
    (answer,) = state_of_expressions([f"{name}(nn.Linear(4, 4), [])"], catalogue())
    assert (answer["state"], answer["certain"]) == ("unknown", False)


def _kinds(module: nn.Module) -> list[tuple[str, type]]:
    return [(name, type(one)) for name, one in module.named_modules()]


@pytest.fixture
def engine() -> Iterator[None]:
    """The backend of quantised operations is as it was afterwards."""
    before = torch.backends.quantized.engine
    yield
    torch.backends.quantized.engine = before


def _sparse(cls: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    layer = cls(8, 8, 1, 4)
    layer.set_weight_bias(torch.quantize_per_tensor(torch.randn(8, 8), 0.02, 0, torch.qint8), torch.randn(8), 1, 4)
    return layer


@pytest.mark.usefixtures("engine")
def test_a_sparse_layer_keeps_nothing() -> None:
    """Its packed weight does not survive a deep copy: the one there is runs on other inputs in between."""
    torch.backends.quantized.engine = "fbgemm"
    layer = _sparse(torch.ao.nn.sparse.quantized.Linear)
    layer.scale, layer.zero_point = 0.1, 60
    drawn, kept = torch.get_rng_state(), str(layer.state_dict())
    x = torch.linspace(-1, 1, 24).reshape(3, 8)
    outputs = [layer(torch.quantize_per_tensor(x * size, 0.05, 60, torch.quint8)).dequantize() for size in (1, 3, 1)]
    assert torch.equal(outputs[0], outputs[2])
    assert not torch.equal(outputs[0], outputs[1])
    assert not list(layer.parameters())
    assert torch.equal(torch.get_rng_state(), drawn)
    assert str(layer.state_dict()) == kept
    (answer,) = state_of_expressions(["torch.ao.nn.sparse.quantized.Linear(8, 8, 1, 4)"], catalogue())
    assert answer["state"] == "stateless"


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("training", [True, False])
def test_a_sparse_dynamic_layer_goes_on_with_the_scale_of_an_earlier_input(training: bool) -> None:
    torch.backends.quantized.engine = "qnnpack"
    layer = _sparse(torch.ao.nn.sparse.quantized.dynamic.Linear).train(training)
    drawn = torch.get_rng_state()
    x = torch.linspace(-1, 1, 24).reshape(3, 8)
    first, again, _, later = (layer(x * size) for size in (1, 1, 100, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, later, atol=1)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert not list(layer.parameters())
    (answer,) = state_of_expressions(["torch.ao.nn.sparse.quantized.dynamic.Linear(8, 8, 1, 4)"], catalogue())
    assert (answer["state"], answer["traits"]) == ("stateful", ["writes-train", "writes-eval"])


def test_what_is_run_by_hand_is_run_here() -> None:
    here = {
        *_CHANGES,
        "torch.nn.parallel.DistributedDataParallel",
        "torch.compile",
        "torch.nn.ModuleList",
        "torch.nn.ModuleDict",
        "torch.nn.ParameterList",
        "torch.nn.ParameterDict",
        "torch.ao.nn.sparse.quantized.Linear",
        "torch.ao.nn.sparse.quantized.dynamic.Linear",
    }
    assert here == set(BY_HAND)
