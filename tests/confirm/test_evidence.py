"""What the experiment makes of findings: confirmed with the harm, refuted to a note, or left as they were."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modlint import ruleset
from modlint.confirm.evidence import confirm_findings, merged
from modlint.confirm.job import Choice, Confirmed, Model, confirm_target
from modlint.confirm.outcome import Nondeterministic
from modlint.findings import Finding, Level, Severity, UseSite
from modlint.graph import Location
from modlint.report import finding_of
from modlint.trace.worker import Limits

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
    import torch
    from torch import nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)
            self.m = {module}
            self.example_input_array = torch.randn(6, 4)

        def forward(self, x):
            x = self.m(self.fc(x))
            return self.m(torch.tanh(x))
"""
FROZEN = """
        def train(self, mode=True):
            super().train(mode)
            self.m.eval()
            return self
"""


def confirmed(folder: Path, module: str, more: str = "") -> Confirmed:
    source = textwrap.dedent(HEAD.format(module=module)) + textwrap.indent(textwrap.dedent(more), "    ")
    file = folder / "net.py"
    file.write_text(source, "utf-8")
    return confirm_target(Model(f"{file}:Net"), Choice("cpu"))


def found_at(confirmed: Confirmed, folder: Path, code: str) -> Finding:
    """The finding that a static pass makes of the same lines, under names relative to the folder."""
    judgement = next(j for j in confirmed.judgements if j.instance.key == "m")

    def relative(place: Location) -> Location:
        return place._replace(filename="net.py")

    finding = finding_of(replace(judgement, code=code), "Net", ruleset.load(), relative)  # type: ignore[arg-type]
    assert finding is not None
    return finding


def test_harm_is_put_into_message_and_evidence(tmp_path: Path) -> None:
    result = confirmed(tmp_path, "nn.BatchNorm1d(4)")
    finding = found_at(result, tmp_path, "ML101")
    merge = merged([finding], [result], str(tmp_path))
    (new,) = merge.findings
    assert new.evidence.level is Level.CONFIRMED
    assert new.severity is Severity.ERROR
    assert new.message.startswith(finding.message)
    assert "(measured on cpu: the eval output changes by" in new.message
    assert {o.name for o in new.evidence.observables} >= {"buffers", "eval_outputs", "train_outputs"}
    assert merge.harm[new.fingerprint] > 0
    assert new.fingerprint == finding.fingerprint


def test_a_finding_that_the_experiment_contradicts_becomes_a_note(tmp_path: Path) -> None:
    result = confirmed(tmp_path, "nn.BatchNorm1d(4)", FROZEN)
    finding = found_at(result, tmp_path, "ML101")
    (new,) = merged([finding], [result], str(tmp_path)).findings
    assert new.evidence.level is Level.REFUTED
    assert new.severity is Severity.NOTE
    assert "; refuted on cpu: " in new.message


def test_a_warning_of_what_is_safe_is_refuted_even_under_another_rule(tmp_path: Path) -> None:
    result = confirmed(tmp_path, "nn.ReLU()")
    finding = found_at(result, tmp_path, "ML101")
    (new,) = merged([finding], [result], str(tmp_path)).findings
    assert (new.evidence.level, new.severity) == (Level.REFUTED, Severity.NOTE)
    assert "2 uses and 2 separate instances give the same numbers, bit for bit" in new.message


def test_a_finding_elsewhere_is_left_alone(tmp_path: Path) -> None:
    result = confirmed(tmp_path, "nn.BatchNorm1d(4)")
    place = Location("net.py", 1, 1, 1, 2)
    finding = replace(found_at(result, tmp_path, "ML101"), location=place, created=place, uses=(UseSite(place, ""),))
    assert merged([finding], [result], str(tmp_path)).findings == (finding,)


def test_harm_in_one_model_outweighs_its_absence_in_another(tmp_path: Path) -> None:
    harmless = confirmed(tmp_path, "nn.BatchNorm1d(4)", FROZEN)
    harmful = confirmed(tmp_path, "nn.BatchNorm1d(4)")
    finding = found_at(harmful, tmp_path, "ML101")
    for results in ([harmless, harmful], [harmful, harmless]):
        (new,) = merged([finding], results, str(tmp_path)).findings
        assert new.evidence.level is Level.CONFIRMED


def test_the_most_harmful_finding_comes_first(tmp_path: Path) -> None:
    result = confirmed(tmp_path, "nn.BatchNorm1d(4)")
    finding = found_at(result, tmp_path, "ML101")
    first = replace(finding, location=Location("a.py", 1, 1, 1, 2), uses=(), created=None, fingerprint="0")
    merge = merged([first, finding], [result], str(tmp_path))
    assert [f.location.filename for f in merge.findings] == ["a.py", "net.py"]
    assert [f.location.filename for f in merge.by_harm] == ["net.py", "a.py"]


def test_noise_is_told_as_a_note_at_the_module(tmp_path: Path) -> None:
    result = confirmed(tmp_path, "nn.ReLU()")
    noise = Nondeterministic("m", "aten.max_unpool2d", "forward", "other results for equal inputs")
    result = replace(result, result=replace(result.result, nondeterministic=(noise,)))
    (found,) = merged([], [result], str(tmp_path)).findings
    assert (found.code, found.severity) == ("ML601", Severity.NOTE)
    assert (found.location.filename, found.location.row) == ("net.py", 14)
    assert "aten.max_unpool2d in 'm' gives other results for equal inputs" in found.message
    assert "CUDA" not in found.message
    cuda = replace(result, result=replace(result.result, device="cuda:0 (a device)"))
    assert "has no deterministic CUDA kernel" in merged([], [cuda], str(tmp_path)).findings[0].message


def test_one_model_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    result = confirmed(tmp_path, "nn.BatchNorm1d(4)")
    finding = found_at(result, tmp_path, "ML101")
    file = tmp_path / "net.py"
    file.write_text(
        file.read_text("utf-8") + "\n\nclass Other(Net):\n    def forward(self, x):\n        return nothing\n"
    )
    heard: list[tuple[int, int, str]] = []
    merge = confirm_findings(
        [finding],
        [Model(f"{file}:Other"), Model(f"{file}:Net")],
        Choice("cpu"),
        Limits(100),
        str(tmp_path),
        lambda *progress: heard.append(progress),
    )
    assert merge.findings[0].evidence.level is Level.CONFIRMED
    ((target, message),) = merge.failures
    assert target.endswith("Other")
    assert "NameError" in message
    assert heard == [(0, 2, f"{file}:Other")]


@pytest.mark.parametrize("code", ["ML301", "ML303"])
def test_sharing_between_models_is_decided_by_two_models(tmp_path: Path, code: str) -> None:
    made = "NORM = nn.BatchNorm1d(4)"
    source = textwrap.dedent(HEAD.format(module="NORM")).replace("class Net", f"{made}\n\n\nclass Net")
    source = source.replace("return self.m(torch.tanh(x))", "return torch.tanh(x)")
    (tmp_path / "net.py").write_text(source, "utf-8")
    result = confirm_target(Model(f"{tmp_path / 'net.py'}:Net"), Choice("cpu"))
    finding = found_at(result, tmp_path, code)
    (new,) = merged([finding], [result], str(tmp_path)).findings
    if code == "ML303":
        assert new.evidence.level is Level.CONFIRMED
        assert "training one model changes the other" in new.message
    else:
        assert new == finding, "another rule's outcome is not this one's"
