"""The experiment as a function: a live model and its inputs -> ConfirmResult, in this process."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from modlint.confirm.candidates import candidates_of
from modlint.confirm.determinism import Determinism, Settings, pick_device, restored
from modlint.confirm.experiment import Experiment
from modlint.confirm.memory import fitting
from modlint.confirm.outcome import ConfirmResult
from modlint.confirm.subject import prepare
from modlint.errors import ModlintError
from modlint.trace import trace_model
from modlint.trace.inputs import find, matched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from modlint.confirm.outcome import Candidate
    from modlint.trace.inputs import Inputs

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


def settings_of(
    device: str = "auto", dtype: str | None = None, deterministic: bool = True, steps: int = 3, seed: int = 0
) -> Settings:
    """Settings from the words of the command line. Raises ModlintError for what there is not."""
    if dtype is not None and dtype not in DTYPES:
        raise ModlintError(f"unknown dtype {dtype!r}; give one of {', '.join(DTYPES)}")
    if steps < 3:
        raise ModlintError(f"{steps} steps are too few: effects of state need 3 or more")
    determinism = Determinism.DETERMINISTIC if deterministic else Determinism.AS_IS
    return Settings(pick_device(device), None if dtype is None else DTYPES[dtype], determinism, steps, seed)


def confirm_model(
    model: nn.Module,
    inputs: Inputs | None = None,
    settings: Settings | None = None,
    candidates: Sequence[Candidate] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> ConfirmResult:
    """Trace the model, then run the experiment on every reused instance. The model is left as it was.

    `candidates` are those instances, when they are known already. Raises ModlintError when the model raises, cannot be
    copied or does not fit into memory.
    """
    began = time.perf_counter()
    settings = settings or Settings(pick_device("auto"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = matched(model, inputs or find(model))
        (experiment, used), notes = fitting(
            inputs, lambda fit: (_conducted(model, fit, settings, candidates, progress), fit)
        )
    return ConfirmResult(
        model=type(model).__name__,
        device=_device_name(settings.device),
        torch=torch.__version__,
        settings=settings.described(),
        seeds=tuple(settings.seed + step for step in range(settings.steps)),
        steps=settings.steps,
        noise=tuple(experiment.noise.items()),
        outcomes=experiment.found,
        nondeterministic=tuple(dict.fromkeys(experiment.nondeterministic)),
        notes=tuple(dict.fromkeys([*notes, *experiment.subject.notes])),
        inputs=used.described,
        executions=experiment.subject.executions,
        seconds=time.perf_counter() - began,
        experiment_seconds=experiment.seconds,
    )


def _conducted(
    model: nn.Module,
    inputs: Inputs,
    settings: Settings,
    candidates: Sequence[Candidate] | None,
    progress: Callable[[int, int, str], None] | None,
) -> Experiment:
    if candidates is None:
        with restored():
            graph = trace_model(model, inputs)
        model, candidates = candidates_of(graph, model, inputs)
    subject, memo = prepare(model, inputs, settings)
    experiment = Experiment(subject, [_transferred(c, memo) for c in candidates], settings, progress)
    experiment.conduct()
    return experiment


def _transferred(candidate: Candidate, memo: dict[int, Any]) -> Candidate:
    """The candidate in the subject's model. An instance that is not part of the model stands for itself."""
    home = candidate.home
    if home is not None:
        home = replace(home, module=memo.get(id(home.module), home.module))
    return replace(candidate, module=memo.get(id(candidate.module), candidate.module), home=home)


def _device_name(device: torch.device) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
