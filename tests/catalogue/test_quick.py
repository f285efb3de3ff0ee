"""The quick way to an answer: what the whole command prints, without what is slow to import."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from catalogue.cases import torch_ao, torch_nn, torch_nn_utils
from modlint.catalogue import Catalogue, said, state_of_expressions
from modlint.catalogue.quick import output
from modlint.cli.app import run

if TYPE_CHECKING:
    from pathlib import Path

NESTED = (
    "nn.Sequential(nn.ReLU(), nn.Linear(3, 4))",
    "nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8, affine=False)), nn.Dropout(0.0))",
    "nn.Sequential(*[nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)) for _ in range(3)], nn.Linear(8, 2))",
    "nn.Sequential(OrderedDict([('conv', nn.Conv1d(3, 4, 1)), ('norm', nn.BatchNorm1d(4))]))",
    "nn.Sequential(nn.ReLU()).append(nn.BatchNorm1d(4)).append(nn.ReLU())",
    "nn.utils.spectral_norm(nn.Conv2d(3, 8, 3))",
    "nn.utils.parametrizations.weight_norm(nn.Linear(in_features=3, out_features=4), name='weight')",
    "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 2)",
    "nn.TransformerEncoder(nn.TransformerEncoderLayer(d_model=8, nhead=2, dropout=0), 2, norm=nn.LayerNorm(8))",
    "nn.ModuleList([nn.BatchNorm2d(c) for c in (16, 32, 64)])",
    "nn.ModuleList([nn.Linear(4, 4)] * 3 + [nn.Dropout()])",
    "nn.ModuleDict({'a': nn.ReLU(), 'b': nn.ModuleList([nn.PReLU()])})",
    "nn.ModuleDict({name: nn.BatchNorm1d(4) for name in ['x', 'y']})",
    "functools.partial(nn.BatchNorm2d, affine=False)(8)",
    "partial(partial(nn.Dropout, inplace=True), p=1 - 1)()",
    "torch.ao.quantization.MinMaxObserver.with_args(dtype=torch.qint8)()",
    "nn.utils.skip_init(nn.Linear, 3, out_features=4)",
    "nn.Embedding.from_pretrained(torch.zeros(3, 4))",
    "nn.Dropout(p=0.5 * 2)",
    "nn.BatchNorm1d(*[8], **{'momentum': 1 / 10})",
    "nn.DataParallel(nn.Sequential(nn.ReLU()))",
    "copy.deepcopy(nn.LSTM(3, 4, num_layers=2, dropout=0.5)).eval()",
    "nn.Sequential(nn.ReLU(), Mine(3))",
    "nn.Sequential(nn.ReLU(), nn.Dropout(p))",
)
_MEASURED = tuple(
    dict.fromkeys(case.expression for module in (torch_nn, torch_nn_utils, torch_ao) for case in module.cases())
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no pyproject.toml says anything."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("form", ["text", "json"])
def test_it_prints_what_the_whole_command_prints(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In every measured configuration of every class of torch, and for nested expressions."""
    expressions = [*_MEASURED, *NESTED]
    options = ["--output-format", "json"] if form == "json" else []
    assert run(["state", *expressions, *options]) == 0
    assert output([*expressions, *options]) == capsys.readouterr().out


def test_it_imports_nothing_slow() -> None:
    """Nor torch, libcst and networkx: for all of torch.nn, torch.nn.utils, torch.ao, and nested expressions."""
    code = (
        "import sys; before = set(sys.modules); from modlint.catalogue.quick import output; "
        "text = output(sys.argv[1:]); "
        "assert text.count('\\n') == len(sys.argv) - 1; "
        "slow = {'ast', 'click', 'dataclasses', 'difflib', 'inspect', 'json', 'libcst', 'networkx', 'pathlib', "
        "'tomllib', 'torch', 'typing'}; "
        "sys.exit(', '.join(slow & set(sys.modules) - before) or 0)"
    )
    command = [sys.executable, "-c", code, *_MEASURED, *NESTED[:-2]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("nn.ReLU(", id="half an expression"),
        pytest.param("nn.ReLU", id="no call"),
        pytest.param("nn.ReLU(a=1)", id="no such parameter"),
        pytest.param("nn.Linear(3)", id="a missing argument"),
        pytest.param("--help", id="an option"),
    ],
)
def test_what_is_no_answer_is_left_to_the_whole_command(text: str) -> None:
    assert output([text]) is None
    assert output(["nn.ReLU()", text]) is None


def test_an_answer_as_text() -> None:
    answers = state_of_expressions(["nn.BatchNorm1d(8, momentum=0)", "nn.ReLU()", "nn.Dropout(p)"], Catalogue.load())
    assert [said(answer) for answer in answers] == [
        "nn.BatchNorm1d(8, momentum=0): torch.nn.BatchNorm1d: stateful (learnable, writes-train); "
        "writes num_batches_tracked",
        "nn.ReLU(): torch.nn.ReLU: stateless",
        "nn.Dropout(p): torch.nn.Dropout: stochastic (draws-train); not certain: "
        "depends on p, whose value is not known",
    ]


def test_the_output_of_the_command() -> None:
    assert output(["nn.ReLU()"]) == "nn.ReLU(): torch.nn.ReLU: stateless\n"
    answers = state_of_expressions(["nn.ReLU()"], Catalogue.load())
    assert json.loads(output(["nn.ReLU()", "--output-format", "json"]) or "") == answers
    assert output([]) is None


def test_the_users_own_tables_are_for_the_whole_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.modlint]\nstates = ["states.toml"]\n', encoding="utf-8")
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path / "src")
    assert output(["nn.ReLU()"]) is None
