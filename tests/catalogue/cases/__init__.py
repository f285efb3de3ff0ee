"""Configurations and inputs: one module a library, each with `cases()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalogue.cases import torch_ao, torch_nn, torch_nn_utils

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalogue.measure import Case


def every() -> Iterator[Case]:
    """The cases of all libraries."""
    for module in (torch_nn, torch_nn_utils, torch_ao):
        yield from module.cases()
