"""The rule folders: pages are complete and quote their examples; every bad.py shows an effect and no good.py does.

The experiment here is small and its own (deep copies behind a switch), so that it can disagree with modlint's.
"""

from __future__ import annotations

import ast
import copy
import importlib.util
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from modlint import ruleset
from modlint.resources import rules_folder

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS = [
    "What it does",
    "Why it matters",
    "Example",
    "Use instead",
    "When it stays silent",
    "How it is confirmed",
]
RULES = ruleset.load().all()
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)


def folder(slug: str) -> Path:
    return rules_folder() / slug


def load(slug: str, name: str) -> Any:
    """The module of an example, imported anew, so that nothing is shared with an earlier import."""
    path = folder(slug) / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{name}_{slug.replace('-', '_')}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def model_class(module: Any) -> type[nn.Module]:
    """The last nn.Module class of the file: the one that the others serve."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, nn.Module)]
    return [cls for cls in classes if cls.__module__ == module.__name__][-1]


def build(slug: str, name: str) -> nn.Module:
    torch.manual_seed(0)
    return model_class(load(slug, name))()


def inputs_of(model: nn.Module) -> tuple[torch.Tensor, ...]:
    example = model.example_input_array
    return example if isinstance(example, tuple) else (example,)


def executions(model: nn.Module) -> dict[nn.Module, int]:
    """How often each registered module runs in one forward pass."""
    counts: Counter[nn.Module] = Counter()
    handles = [m.register_forward_pre_hook(lambda module, _: counts.update([module])) for m in model.modules()]
    model(*inputs_of(model))
    for handle in handles:
        handle.remove()
    return dict(counts)


class Switch(nn.Module):
    """Runs a copy of its own for each use in one forward pass."""

    def __init__(self, module: nn.Module, uses: int) -> None:
        super().__init__()
        self.copies = nn.ModuleList(copy.deepcopy(module) for _ in range(uses))
        self.calls = 0

    def forward(self, *args: Any) -> Any:
        self.calls += 1
        return self.copies[(self.calls - 1) % len(self.copies)](*args)


def unshared(model: nn.Module) -> nn.Module:
    """A copy of the model in which every reused module, seen from the outside in, has an instance for each use."""
    probe, model = copy.deepcopy(model), copy.deepcopy(model)
    counts = executions(probe)
    uses = {twin: counts.get(module, 0) for module, twin in zip(probe.modules(), model.modules(), strict=True)}
    switches: dict[nn.Module, Switch] = {}

    def visit(holder: nn.Module) -> None:
        for name, child in holder._modules.items():
            if child is not None and uses[child] > 1:
                holder._modules[name] = switches.setdefault(child, Switch(child, uses[child]))
            elif child is not None:
                visit(child)

    visit(model)
    return model


def trained(model: nn.Module, steps: int = 3) -> list[torch.Tensor]:
    """Outputs of every training step, then of eval mode."""
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    seen = []
    for _ in range(steps):
        optimizer.zero_grad()
        output = model(*inputs_of(model))
        output.pow(2).mean().backward()
        optimizer.step()
        seen.append(output.detach().clone())
    model.eval()
    with torch.no_grad():
        seen.append(model(*inputs_of(model)))
    return seen


def differ(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return any(not torch.equal(a, b) for a, b in zip(one, other, strict=True))


def parsed(slug: str) -> list[str]:
    return (folder(slug) / "README.md").read_text(encoding="utf-8").splitlines()


def section(slug: str, title: str) -> str:
    lines = parsed(slug)
    start = lines.index(f"## {title}") + 1
    ends = [i for i in range(start, len(lines)) if lines[i].startswith("## ")]
    return "\n".join(lines[start : ends[0] if ends else len(lines)]).strip()


# Pages


@every_rule
def test_a_page_has_its_title_and_sections_in_order(rule):
    lines = parsed(rule.slug)
    assert lines[0] == f"# {rule.slug} ({rule.code})"
    assert [line[3:] for line in lines if line.startswith("## ")] == SECTIONS
    assert all(section(rule.slug, title) for title in SECTIONS)
    assert ruleset.page(rule) == "\n".join(lines) + "\n"


@every_rule
@pytest.mark.parametrize(("title", "file"), [("Example", "bad.py"), ("Use instead", "good.py")])
def test_a_page_quotes_its_example(rule, title, file):
    path = folder(rule.slug) / file
    source = (path if path.exists() else path.with_name(f"{file}.txt")).read_text(encoding="utf-8")
    told = re.sub(r" +# expect: ML\d+", "", source)
    for block in re.findall(r"```python\n(.*?)```", section(rule.slug, title), re.DOTALL):
        parts = [part for part in re.split(r"^ *\.\.\.\n", block, flags=re.MULTILINE) if part.strip()]
        assert parts
        for part in parts:
            assert part in told
    assert "```python\n" in section(rule.slug, title)


# Examples


@every_rule
def test_a_bad_example_expects_its_own_rule(rule):
    path = folder(rule.slug) / "bad.py"
    if rule.code == "ML901":
        source = path.with_name("bad.py.txt").read_text(encoding="utf-8")
        with pytest.raises(SyntaxError):
            ast.parse(source)
        return
    expected = set(re.findall(r"# expect: (ML\d+)", path.read_text(encoding="utf-8")))
    assert expected == ({rule.code} if "static" in {p.value for p in rule.conditions.passes} else set())


@every_rule
def test_a_good_example_expects_nothing(rule):
    assert "expect" not in (folder(rule.slug) / "good.py").read_text(encoding="utf-8")


@every_rule
def test_a_good_example_computes_the_same_when_every_use_has_its_own_instance(rule):
    model = build(rule.slug, "good")
    other = unshared(model)
    assert not differ(trained(model), trained(other))


@pytest.mark.parametrize("slug", ["stateless-reuse", "stochastic-reuse"])
def test_safe_reuse_computes_the_same_when_every_use_has_its_own_instance(slug):
    model = build(slug, "bad")
    other = unshared(model)
    assert any(isinstance(module, Switch) for module in other.modules())
    assert not differ(trained(model), trained(other))


@pytest.mark.parametrize(
    "slug",
    [
        "deliberate-weight-sharing",
        "stateful-reuse",
        "stateful-child-of-reused-module",
        "repeated-instance",
        "instance-in-several-slots",
        "chained-instance",
        "instance-in-default-argument",
    ],
)
def test_a_bad_example_computes_something_else_when_every_use_has_its_own_instance(slug):
    model = build(slug, "bad")
    other = unshared(model)
    assert differ(trained(copy.deepcopy(model)), trained(other))
    assert not differ(trained(copy.deepcopy(model)), trained(model))


def test_shared_statistics_show_in_eval_mode_alone():
    model = build("stateful-reuse", "bad")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.requires_grad_(False)
            module.bias.requires_grad_(False)
    *train, last = trained(copy.deepcopy(model))
    *other_train, other_last = trained(unshared(model))
    assert not differ(train, other_train)
    assert not torch.equal(last, other_last)


@pytest.mark.parametrize(("name", "updates"), [("bad", 2), ("good", 1)])
def test_a_recomputed_norm_counts_its_batch_twice(name, updates):
    model = build("stateful-recompute", name)
    model(*inputs_of(model)).sum().backward()
    counts = [int(buffer) for path, buffer in model.named_buffers() if path.endswith("num_batches_tracked")]
    assert counts == [updates]


@pytest.mark.parametrize("name", ["bad", "good"])
@pytest.mark.parametrize(
    "slug", ["instance-in-default-argument", "instance-as-class-attribute", "instance-at-module-level"]
)
def test_training_one_model_changes_another_only_where_they_share(slug, name):
    model = model_class(load(slug, name))
    torch.manual_seed(0)
    one, other = model(), model()
    other.eval()
    output, state = other(*inputs_of(other)).detach(), _state_of(other)
    trained(one)
    changed = differ(state, _state_of(other)) or not torch.equal(output, other(*inputs_of(other)))
    assert changed == (name == "bad")


def _state_of(model: nn.Module) -> list[torch.Tensor]:
    """Copies of the parameters and buffers, and of those of its norm, which may be no child of it."""
    norm = getattr(model, "norm", None)
    tensors = [*model.state_dict().values(), *(() if norm is None else norm.state_dict().values())]
    return [tensor.clone() for tensor in tensors]


def test_an_attribute_of_the_class_is_in_no_parameters():
    model = build("instance-as-class-attribute", "bad")
    assert not any(path.startswith("norm") for path, _ in (*model.named_parameters(), *model.named_buffers()))


@pytest.mark.parametrize(("name", "runs"), [("bad", 2), ("good", 2)])
def test_a_hook_runs_the_activation_a_second_time(name, runs):
    model = build("static-trace-disagreement", name)
    assert executions(model)[model.act] == runs
    calls = (folder("static-trace-disagreement") / f"{name}.py").read_text(encoding="utf-8").split("def forward")[1]
    assert calls.count("self.act(") == (1 if name == "bad" else 2)


NONDETERMINISTIC = (nn.ConvTranspose2d, nn.AdaptiveAvgPool2d)  # listed by torch.use_deterministic_algorithms


@pytest.mark.parametrize(("name", "listed"), [("bad", True), ("good", False)])
def test_operations_that_torch_lists_as_nondeterministic_on_cuda(name, listed):
    model = build("nondeterministic-operation", name)
    assert any(isinstance(module, NONDETERMINISTIC) for module in model.modules()) == listed
    assert not differ(trained(copy.deepcopy(model)), trained(copy.deepcopy(model)))


@pytest.mark.parametrize("name", ["bad", "good"])
def test_the_model_of_an_unused_suppression_shares_no_state(name):
    model = build("unused-suppression", name)
    assert all(n == 1 for module, n in executions(model).items() if not isinstance(module, nn.ReLU))
