"""The settings under which two equal runs should be equal to the last bit, and what is put back afterwards."""

from __future__ import annotations

import contextlib
import os
import random
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENT = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "PYTHONHASHSEED": "0"}  # read when CUDA and Python start


class Determinism(str, Enum):
    """`deterministic` asks for deterministic kernels; `as-is` shows the noise that the user's own training has."""

    DETERMINISTIC = "deterministic"
    AS_IS = "as-is"


_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything besides model and inputs that decides the numbers."""

    device: torch.device = _CPU
    dtype: torch.dtype | None = None  # None: as the model has it
    determinism: Determinism = Determinism.DETERMINISTIC
    steps: int = 3
    seed: int = 0
    rate: float = 0.05

    def described(self) -> dict[str, Any]:
        """For the report: the flags as torch has them while the experiment runs."""
        with applied(self):
            return {"determinism": self.determinism.value, "dtype": _name(self.dtype), "rate": self.rate, **_flags()}


@contextlib.contextmanager
def applied(settings: Settings) -> Iterator[None]:
    """The flags of `settings`; afterwards flags, environment and the state of every generator are as they were."""
    with restored():
        if settings.determinism is Determinism.DETERMINISTIC:
            os.environ.update(ENVIRONMENT)
            torch.use_deterministic_algorithms(True, warn_only=True)
            torch.backends.cudnn.deterministic = True
            torch.backends.cudnn.benchmark = False
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cuda.matmul.allow_tf32 = False
        yield


def seed_all(seed: int) -> None:
    """Seed the generators of Python, NumPy and torch (all devices)."""
    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_state(device: torch.device) -> torch.Tensor:
    """A checksum of the state of the generators that a model may draw from."""
    _, keys, position, *_ = numpy.random.get_state()
    state = [
        torch.get_rng_state().numpy().tobytes(),
        repr(random.getstate()).encode(),
        numpy.asarray(keys).tobytes(),
        repr(position).encode(),
    ]
    if device.type == "cuda":
        state.append(torch.cuda.get_rng_state(device).numpy().tobytes())
    return torch.tensor(crc32(b"".join(state)), dtype=torch.int64)


def pick_device(name: str) -> torch.device:
    """The device of `auto`, `cpu`, `cuda` or `cuda:N`. Raises ModlintError where there is no such device."""
    from modlint.errors import ModlintError

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, number = name.partition(":")
    if kind != "cuda" or (number and not number.isdigit()):
        raise ModlintError(f"unknown device {name!r}; give auto, cpu, cuda or cuda:N")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= count:
        there = f"there are {count} CUDA devices" if count else "this torch sees no CUDA device"
        raise ModlintError(f"no device {name!r}: {there}; use --device cpu or auto")
    return torch.device("cuda", int(number or 0))


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Flags, environment and the state of every generator are afterwards as they were, whatever the user's code did."""
    environment = dict(os.environ)
    flags = _flags()
    grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    python, arrays, cpu = random.getstate(), numpy.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        if os.environ != environment:
            os.environ.clear()
            os.environ.update(environment)
        _set_flags(flags)
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        random.setstate(python)
        numpy.random.set_state(arrays)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


def _flags() -> dict[str, bool]:
    return {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_tf32": torch.backends.cudnn.allow_tf32,
        "matmul_tf32": torch.backends.cuda.matmul.allow_tf32,
    }


def _set_flags(flags: dict[str, bool]) -> None:
    torch.use_deterministic_algorithms(flags["deterministic_algorithms"], warn_only=flags["warn_only"])
    torch.backends.cudnn.deterministic = flags["cudnn_deterministic"]
    torch.backends.cudnn.benchmark = flags["cudnn_benchmark"]
    torch.backends.cudnn.allow_tf32 = flags["cudnn_tf32"]
    torch.backends.cuda.matmul.allow_tf32 = flags["matmul_tf32"]


def _name(dtype: torch.dtype | None) -> str | None:
    return None if dtype is None else str(dtype).removeprefix("torch.")
