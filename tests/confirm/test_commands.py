"""`modlint confirm` and `modlint compare` from the command line to the printed result."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from modlint.cli import confirm_command
from modlint.cli.app import main, run
from modlint.confirm.job import Choice, Model
from modlint.errors import ModlintError

ROOT = Path(__file__).parents[2]
NORM = f"{ROOT / 'rules' / 'stateful-reuse' / 'bad.py'}:Net"
SAFE = f"{ROOT / 'rules' / 'stateless-reuse' / 'good.py'}:Net"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the jobs in this process, which is a worker's start faster."""

    def in_worker(job: str, arguments: dict[str, Any], limits: Any) -> Any:
        return getattr(confirm_command, f"{job}_job")(**arguments)

    monkeypatch.setattr(confirm_command, "in_worker", in_worker)
    monkeypatch.setattr("modlint.cli.compare_command.in_worker", in_worker)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--device", "cpu"], standalone_mode=False)


@pytest.mark.usefixtures("here")
def test_confirm_prints_a_table_and_exits_with_1_for_harm() -> None:
    done = invoke("confirm", NORM)
    assert done.return_value == 1
    lines = done.output.splitlines()
    assert lines[0].startswith("Net: cpu, torch ")
    assert lines[1] == "inputs 4x3x16x16; seeds 0, 1, 2"
    assert "two equal runs agree to the last bit: the noise floor is 0" in lines
    assert "ML101 BatchNorm2d 'bn' runs 2 times: confirmed: changes-semantics" in lines
    assert "ML001 ReLU 'act' runs 2 times: confirmed: safe" in lines
    assert any(line.split() == ["train", "outputs", "0", "0", "0"] for line in lines)
    assert invoke("confirm", SAFE).return_value == 0


@pytest.mark.usefixtures("here")
def test_the_json_of_confirm_is_that_of_trace_with_what_was_measured() -> None:
    report = json.loads(invoke("confirm", NORM, "--output-format", "json").output)
    assert {"coverage", "model", "target", "tracer", "why_not_fx", "inputs", "instances", "graph"} <= report.keys()
    assert {"device", "torch", "settings", "seeds", "steps", "noise", "nondeterministic"} <= report.keys()
    instances = {(i["paths"] or ["."])[0]: i for i in report["instances"]}
    assert set(instances) == {".", "conv1", "conv2", "bn", "act", "fc"}
    bn = instances["bn"]
    assert (bn["verdict"], bn["executions"], bn["code"]) == ("changes-semantics", 2, "ML101")
    assert bn["evidence"]["level"] == "confirmed"
    assert bn["evidence"]["observables"]["eval_outputs"]["difference"] > 0
    assert bn["evidence"]["observables"]["eval_outputs"]["noise"] == 0
    assert "evidence" not in instances["conv1"]
    assert report["noise"]["train_outputs"] == 0
    assert report["nondeterministic"] == []


@pytest.mark.usefixtures("here")
def test_an_instance_that_models_share_is_told_beside_its_own_reuse() -> None:
    target = f"{ROOT / 'rules' / 'instance-in-default-argument' / 'bad.py'}:Net"
    report = json.loads(invoke("confirm", target, "--output-format", "json").output)
    (act,) = [i for i in report["instances"] if i["paths"] == ["block1.act", "block2.act"]]
    assert act["measured"] == "deliberate"
    assert act["shared_by_models"]["evidence"]["level"] == "confirmed"


@pytest.mark.usefixtures("here")
def test_compare_exits_with_0_for_the_same_function_and_1_for_another() -> None:
    thread = ROOT / "fixtures" / "models" / "thread"
    normal, reused = f"{thread / 'normal_model.py'}:NormalModel", f"{thread / 'reused_model.py'}:ReusedModel"
    done = invoke("compare", normal, reused, "--input", "2x3x16x16")
    assert done.return_value == 0
    assert "NormalModel against ReusedModel: cpu" in done.output
    mine = f"{thread / 'my_model.py'}:MyModel"
    call = ("--input", "2x3x24x24", "--call", '{"use_act": true}', "--call-b", '{"use_act": false}')
    report = json.loads(invoke("compare", mine, mine, *call, "--output-format", "json").output)
    assert report["same"] is True
    assert invoke("compare", NORM, NORM).return_value == 0


def test_a_worker_does_the_work_and_errors_go_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["confirm", SAFE, "--device", "cpu"]) == 0
    assert run(["confirm", "nowhere.py:Net", "--device", "cpu"]) == 2
    out, err = capfd.readouterr()
    assert "confirmed" not in out.splitlines()[0]
    assert "modlint: no such file: nowhere.py" in err


def test_a_configured_model_brings_its_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.modlint.models]]\ntarget = "net.py:Net"\ninit = {width = 3}\ninput = ["2x3"]\n', "utf-8"
    )
    monkeypatch.chdir(tmp_path)
    assert confirm_command.configured(Model("net.py:Net"), None) == Model("net.py:Net", '{"width": 3}', ("2x3",))
    given = Model("net.py:Net", "{}", ("4x3",))
    assert confirm_command.configured(given, None) == given
    other = Model("other.py:Net")
    assert confirm_command.configured(other, None) == other


def test_an_init_that_is_no_json_is_refused() -> None:
    with pytest.raises(ModlintError, match="--init is not JSON"):
        confirm_command.confirm_job(Model(SAFE, init="{"), Choice("cpu"))


def test_torch_that_is_missing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else 1)
    with pytest.raises(ModlintError, match="this needs torch: pip install torch numpy, which is what"):
        confirm_command.require_torch()


class Terminal:
    """A stderr that says it is a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return True


def test_progress_is_shown_after_two_seconds_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(confirm_command.time, "monotonic", lambda: now)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with confirm_command.Progress() as progress:
        progress(0, 4, "the model as written")
        assert terminal.text == ""
        now = 2.5
        progress(1, 4, "the same again")
    assert "25%" in terminal.text
    assert "the same again" in terminal.text


def test_progress_is_not_shown_elsewhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(confirm_command, "PATIENCE", 0.0)
    with confirm_command.Progress() as progress:
        progress(1, 4, "the same again")
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("here")
def test_a_model_kept_at_module_level_shares_nothing_with_others(tmp_path: Path) -> None:
    (tmp_path / "kept.py").write_text(
        "import torch\n"
        "from torch import nn\n\n\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.fc, self.act = nn.Linear(4, 4), nn.ReLU()\n\n"
        "    def forward(self, x):\n"
        "        return self.act(self.fc(self.act(x)))\n\n\n"
        "net = Net()\n",
        "utf-8",
    )
    done = invoke("confirm", f"{tmp_path / 'kept.py'}:net", "--input", "2x4")
    assert done.return_value == 0
    assert "ML303" not in done.output


TIED = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.Linear(4, 4)
        self.layers = nn.Sequential(*[layer] * 3)  #
        self.norm = nn.BatchNorm1d(4)
        self.example_input_array = torch.randn(5, 4)

    def forward(self, x):
        return self.layers(x)
"""
TWICE = "return self.norm(torch.tanh(self.norm(self.layers(x))))"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("forward", "comment", "code", "status"),
    [
        pytest.param("return self.layers(x)", "", "ML201", 1, id="a repeated layer"),
        pytest.param("return self.layers(x)", "modlint: shared -- meant", "ML003", 0, id="marked as shared"),
        pytest.param("return self.layers(x)", "one set of weights, shared", "ML003", 0, id="a comment says so"),
        pytest.param("return self.layers(x)", "modlint: ignore[ML201] -- later", "ML201", 0, id="suppressed"),
        pytest.param("return self.layers(x)", "noqa: ML201", "ML201", 0, id="suppressed by noqa"),
        pytest.param(TWICE, "modlint: shared -- meant", "ML101", 1, id="the mark does not speak for state"),
        pytest.param(f"{TWICE}  # noqa: ML101", "modlint: shared", "ML101", 0, id="which is suppressed where it is"),
    ],
)
def test_confirm_reads_marks_and_suppressions_as_a_check_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forward: str, comment: str, code: str, status: int
) -> None:
    source = TIED.replace("#\n", f"# {comment}\n" if comment else "\n").replace("return self.layers(x)", forward)
    (tmp_path / "net.py").write_text(source, "utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool.modlint]\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    done = invoke("confirm", f"{tmp_path / 'net.py'}:Net")
    assert done.return_value == status
    assert f"\n{code} " in done.output
    assert ("a check does not warn of it" in done.output) == (status == 0 and code != "ML003")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        pytest.param("", "", "ML201", id="no cue"),
        pytest.param("layer", "shared_layer", "ML003", id="the name of a variable"),
        pytest.param("self.layers", "self.tied_layers", "ML003", id="the name of a slot"),
        pytest.param("self.layers", "self.untied_layers", "ML201", id="a name that only sounds like it"),
        pytest.param("[layer] * 3", "[layer if share else None for _ in 'abc']", "ML003", id="a condition in a list"),
        pytest.param("[layer] * 3", "[layer if short else None for _ in 'abc']", "ML201", id="another condition"),
        pytest.param("        layer =", "        x = 1 if share else 2\n        layer =", "ML201", id="one elsewhere"),
        pytest.param("        layer =", "        if share:\n            layer =", "ML003", id="a condition above"),
        pytest.param("        layer =", "        if short:\n            layer =", "ML201", id="another one above"),
    ],
)
def test_confirm_reads_the_names_that_a_check_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, code: str
) -> None:
    source = TIED.replace("__init__(self)", "__init__(self, share=True, short=True)", 1)
    (tmp_path / "net.py").write_text(source.replace(before, after) if before else source, "utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool.modlint]\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    done = invoke("confirm", f"{tmp_path / 'net.py'}:Net")
    assert f"\n{code} " in done.output
    assert done.return_value == (code != "ML003")
    checked = invoke("check", "net.py", "--no-cache", "--select", "ML")
    assert f" {code} Linear" in checked.output


@pytest.mark.usefixtures("here")
def test_state_that_flows_where_the_trace_saw_none_is_harm() -> None:
    """A hook that counts its calls, on an activation."""
    source = ROOT / "tests" / "confirm" / "models.py"
    done = invoke("confirm", f"{source}:Counted", "--input", "3x5")
    assert "ML001 ReLU 'm' runs 2 times: refuted: changes-semantics" in done.output
    assert done.return_value == 1
