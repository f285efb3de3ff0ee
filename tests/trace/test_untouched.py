"""The user's model is as it was after a trace: objects, attributes, values, versions, gradients, memory."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import TYPE_CHECKING, Any

import numpy
import oracle
import pytest
import torch
from torch import nn

import modlint
from modlint.errors import ModlintError
from modlint.trace.copies import twin_of
from modlint.trace.corridor import recorded_pass, trace_model
from modlint.trace.inputs import Inputs
from modlint.trace.isolate import untouched
from modlint.trace.live import LiveModel
from modlint.trace.tensors import tensors_in

if TYPE_CHECKING:
    from collections.abc import Iterator

FIXTURES = [fixture for fixture in oracle.fixtures() if fixture.entry is not None]
WRITING = [fixture for fixture in FIXTURES if fixture.name.startswith(("state/", "thread/"))]


def fingerprint(model: nn.Module, addresses: bool = False) -> dict[str, Any]:
    """Everything by which a model could be told from what it was, tensors with their bytes.

    Where the original itself was made to write, its tensors stand elsewhere in the same storage objects.
    """
    found: dict[str, Any] = {}
    for path, module in model.named_modules():
        found[f"{path} class"] = type(module)
        for name, value in vars(module).items():
            found[f"{path} {name}"] = (id(value), _content(value))
        for number, tensor in enumerate(tensors_in(list(vars(module).values()))):
            found[f"{path} tensor {number}"] = _tensor(tensor, addresses)
    return found


def _content(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, id(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return list(map(id, value))
    return sorted(map(str, value)) if isinstance(value, set) else None


def _tensor(tensor: torch.Tensor, addresses: bool) -> Any:
    facts = (id(tensor), type(tensor), tensor.shape, tensor.dtype, tensor.requires_grad, tensor.device.type)
    if isinstance(tensor, nn.parameter.UninitializedTensorMixin) or tensor.is_meta:
        return facts
    grad = _tensor(tensor.grad, addresses) if tensor.is_leaf and tensor.grad is not None else None
    address = tensor.const_data_ptr() if addresses else 0
    where = (tensor.untyped_storage()._cdata, address, tensor.stride(), tensor._version)
    value = tensor.detach()
    return (*facts, *where, grad, (value.resolve_conj() if value.is_complex() else value).numpy().tobytes())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("fixture", WRITING, ids=lambda fixture: fixture.name)
def test_a_traced_fixture_is_as_it_was(fixture: oracle.Fixture) -> None:
    made = oracle.load(fixture).example()
    for model, args in made if isinstance(made, list) else [made]:
        before, seed = fingerprint(model), torch.get_rng_state()
        trace_model(model, Inputs.of(args))
        assert fingerprint(model) == before
        assert torch.equal(torch.get_rng_state(), seed)


class Writes(nn.Module):
    """Writes in every way that there is, also past the version counters; its weight is one that copies share."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.bn = nn.Linear(3, 9000), nn.BatchNorm1d(9000)
        self.register_buffer("seen", torch.zeros(3))
        self.register_buffer("array", torch.from_numpy(numpy.zeros(3, dtype="float32")))
        self.view, self.log, self.plain = self.seen[:2], [torch.zeros(2)], torch.ones(2)
        self.calls, self.names = 0, {"a": 1}
        self.fc.weight.grad = torch.ones(9000, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.names["b"] = self.calls
        self.log.append(x)
        weight = next(iter(self._modules["fc"].parameters()))
        weight.data.mul_(2)
        weight.detach().numpy()[0] = 7
        if weight.grad is not None:
            weight.grad.add_(1)
        weight.requires_grad_(False)
        self.fc._parameters["bias"].data = torch.ones(9000)
        self.seen.view(-1).add_(1)
        self.array.fill_(3)
        self.plain.untyped_storage().fill_(1)
        self.log[0].add_(1)
        self.extra = nn.Linear(2, 2)
        return self.bn(self.fc(x))


class Reached(nn.Module):
    """A closure leads from every copy back to the original."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Writes()
        inner = self.inner
        self.run = lambda x: inner(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.run(x)


class Uncopyable(Writes):
    """Runs itself, between a snapshot and its restoration."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = (number for number in range(3))


@pytest.mark.parametrize("cls", [Writes, Reached, Uncopyable])
def test_a_model_that_writes_all_over_itself_is_as_it_was(cls: type[nn.Module]) -> None:
    model, x = cls(), torch.randn(4, 3)
    before = fingerprint(model, cls is Writes)
    modlint.trace(model, x)
    assert fingerprint(model, cls is Writes) == before


def test_a_weight_that_a_closure_resizes_is_as_it_was() -> None:
    class Grows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 9000)
            fc = self.fc
            self.grow = lambda: fc._parameters["weight"].data.resize_(9000, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.grow()
            return self.fc(x)

    model = Grows()
    weight = model.fc.weight.detach().clone()
    modlint.trace(model, torch.randn(4, 3))
    assert torch.equal(model.fc.weight, weight)
    with torch.no_grad():
        model.fc.weight.add_(1)
    assert torch.equal(model.fc.weight, weight + 1)


def test_nothing_is_shared_after_a_trace() -> None:
    model = nn.Sequential(nn.Linear(3, 9000), nn.BatchNorm1d(9000))
    addresses = [tensor.const_data_ptr() for tensor in model.state_dict().values()]
    modlint.trace(model, torch.randn(4, 3))
    assert not any(torch._C._is_cow_tensor(tensor) for tensor in model.state_dict().values())
    with torch.no_grad():
        model[0].weight.add_(1)
    assert [tensor.data_ptr() for tensor in model.state_dict().values()] == addresses


def test_a_failed_trace_leaves_the_model_as_it_was_too() -> None:
    class Breaks(Writes):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError(f"no {super().forward(x).sum() > 0}")

    model = Breaks()
    before = fingerprint(model)
    with pytest.raises(ModlintError, match="no "):
        modlint.trace(model, torch.randn(4, 3))
    assert fingerprint(model) == before


class Held(nn.Module):
    """One of everything that a module may keep."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.tied = nn.Linear(3, 3), nn.Linear(3, 3)
        self.tied.weight = self.fc.weight
        self.register_buffer("table", torch.arange(6.0).view(2, 3))
        self.row, self.turned = self.table[0], self.table.t()
        self.hidden, self.nested = [self.fc, nn.ReLU()], {"a": (1, [nn.Tanh()])}
        self.nested["self"] = self.nested
        self.again = self.nested["a"]
        self.method = self.fc.extra_repr
        self.computed = self.fc.weight * 2
        self.parents = [self]
        self.gradient = torch.zeros(2, requires_grad=True)
        self.gradient.grad, self.gradient.note = torch.ones(2), "kept"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


def _pairs(one: Any, other: Any, seen: set[tuple[int, int]]) -> Iterator[tuple[Any, Any]]:
    """Corresponding objects of two structures, each pair once."""
    if (id(one), id(other)) in seen:
        return
    seen.add((id(one), id(other)))
    yield one, other
    if isinstance(one, nn.Module):
        one, other = vars(one), vars(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        one, other = list(one.values()), list(other.values())
    if isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            yield from _pairs(a, b, seen)


def test_a_twin_is_built_as_deepcopy_builds_it() -> None:
    model = Held()
    twin = twin_of(model)
    assert twin is not None
    forth: dict[int, Any] = {}
    back: dict[int, Any] = {}
    for one, other in _pairs(model, twin.root, set()):
        assert type(one) is type(other)
        if isinstance(one, (nn.Module, torch.Tensor, list, dict)):
            assert one is not other
            assert forth.setdefault(id(one), other) is other and back.setdefault(id(other), one) is one
        if isinstance(one, nn.Module):
            assert twin.originals[id(other)] is one
        if isinstance(one, torch.Tensor):
            assert torch.equal(one, other) and one.stride() == other.stride()
            assert one.requires_grad is other.requires_grad or not one.is_leaf
    root = twin.root
    assert root.method.__self__ is root.fc and root.gradient.note == "kept" and root.gradient.grad is not None
    root.table.add_(1)
    assert torch.equal(root.row, root.table[0]) and torch.equal(root.turned, root.table.t())
    assert torch.equal(model.table, torch.arange(6.0).view(2, 3))


def test_a_module_that_copies_itself_is_asked_to() -> None:
    class Own(nn.Linear):
        def __deepcopy__(self, memo: dict[int, Any]) -> Own:
            made = Own(self.in_features, self.out_features)
            made.asked = True
            return made

    twin = twin_of(nn.Sequential(Own(2, 2)))
    assert twin is not None and twin.root[0].asked and len(twin.originals) == 2


@pytest.mark.parametrize("numpys", [False, True], ids=["torch's memory", "NumPy's memory"])
def test_weights_are_not_copied_before_they_are_written(numpys: bool) -> None:
    model = nn.Linear(3, 9000)
    if numpys:
        model.weight = nn.Parameter(torch.from_numpy(numpy.ones((9000, 3), dtype="float32")))
    twin = twin_of(model)
    assert twin is not None
    assert (twin.root.weight.const_data_ptr() == model.weight.const_data_ptr()) is not numpys
    twin.root.weight.detach().numpy()[:] = 0
    assert bool(model.weight.any())


def test_versions_that_autograd_has_saved_stay_valid() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("scale", torch.ones(3))
            self.never_copied = (number for number in range(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.scale += 1
            return x * self.scale

    model, x = Counts(), torch.randn(2, 3, requires_grad=True)
    loss = (x * model.scale).sum()
    with untouched(model):
        recorded_pass(LiveModel(model), Inputs.of([x]))
    loss.backward()
    assert torch.equal(x.grad, torch.ones(2, 3)) and copy.copy(model).scale is model.scale


def test_no_copy_is_left_for_the_garbage_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[nn.Module]] = []

    def noting(model: nn.Module) -> Any:
        twin = twin_of(model)
        made.append(weakref.ref(twin.root))
        return twin

    monkeypatch.setattr("modlint.trace.corridor.twin_of", noting)
    gc.disable()
    try:
        modlint.trace(nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.BatchNorm1d(3))), torch.randn(4, 3))
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert [one() for one in made] == [None]
