"""The quick answer: where there is one, it is the full answer."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from catalogue.cases import torch_nn, torch_nn_utils
from modlint.catalogue import Catalogue, state_of_expressions
from modlint.catalogue.quick import answers, output, said

if TYPE_CHECKING:
    from pathlib import Path


def test_it_agrees_with_the_full_answer_in_every_measured_configuration() -> None:
    catalogue = Catalogue.load()
    expressions = {case.expression for module in (torch_nn, torch_nn_utils) for case in module.cases()}
    quick = {text: found for text in expressions if (found := answers([text])) is not None}
    assert quick == {text: state_of_expressions([text], catalogue) for text in quick}
    assert len(quick) > 0.8 * len(expressions)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("nn.ReLU(flag)", id="an unknown argument"),
        pytest.param("nn.ReLU(", id="half an expression"),
        pytest.param("nn.ReLU", id="no call"),
        pytest.param("nn.ReLU(a=1)", id="no such parameter"),
        pytest.param("nn.Linear(3)", id="a missing argument"),
        pytest.param("nn.ReLU(True, True)", id="too many arguments"),
        pytest.param("nn.ReLU(True, inplace=True)", id="one given twice"),
        pytest.param("nn.ReLU(**{'inplace': True})", id="keywords in a dict"),
        pytest.param("nn.Sequential(nn.ReLU())", id="a container"),
        pytest.param("nn.utils.spectral_norm(nn.Linear(3, 3))", id="a wrapper"),
        pytest.param("mine.ReLU()", id="another library"),
        pytest.param("nn.BatchNorm4d(3)", id="no such class"),
        pytest.param("layers[0](3)", id="no name"),
    ],
)
def test_what_is_not_plain_is_left_to_the_full_answer(text: str) -> None:
    assert answers([text]) is None
    assert answers(["nn.ReLU()", text]) is None


def test_it_imports_nothing_slow() -> None:
    code = (
        "import sys; from modlint.catalogue.quick import answers; assert answers(['nn.BatchNorm2d(8)']); "
        "slow = {'ast', 'dataclasses', 'inspect', 'json', 'pathlib', 'tomllib', 'typing'}; "
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_answer_as_text() -> None:
    (batch_norm, relu), (dropout,) = (
        answers(["nn.BatchNorm1d(8, momentum=0)", "nn.ReLU()"]) or [],
        state_of_expressions(["nn.Dropout(p)"], Catalogue.load()),
    )
    assert [said(answer) for answer in (batch_norm, relu, dropout)] == [
        "nn.BatchNorm1d(8, momentum=0): torch.nn.BatchNorm1d: stateful (learnable, writes-train); "
        "writes num_batches_tracked",
        "nn.ReLU(): torch.nn.ReLU: stateless",
        "nn.Dropout(p): torch.nn.Dropout: stochastic (draws-train); not certain",
    ]


def test_the_output_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert output(["nn.ReLU()"]) == "nn.ReLU(): torch.nn.ReLU: stateless\n"
    assert json.loads(output(["nn.ReLU()", "--output-format", "json"]) or "") == answers(["nn.ReLU()"])
    assert output(["--help"]) is None
    assert output([]) is None
    assert output(["nn.ReLU("]) is None


def test_the_users_own_tables_are_for_the_whole_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.modlint]\nstates = ["states.toml"]\n', encoding="utf-8")
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path / "src")
    assert output(["nn.ReLU()"]) is None
