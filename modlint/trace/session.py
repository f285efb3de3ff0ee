"""A target as the command line or the configuration names it, traced in a worker process.

In: `Request` and `Limits`. Out: TracedGraph (its inputs described, without their tensors). A model whose weights take
more than a share of the memory limit is built on the meta device, which needs none for them.
"""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from modlint.errors import ModlintError
from modlint.trace import worker

if TYPE_CHECKING:
    from modlint.trace.worker import Limits

STARVED = ("can't allocate memory", "MemoryError")
_START = 30.0  # seconds that a process and the imports in it may take besides
_SHARE = 6  # of the memory for weights: each pass runs on a copy, and a forward takes as much again


@dataclass(frozen=True, slots=True)
class Request:
    """One target. `init` is a JSON object or "", `input` specifications, `inputs` a function that returns them."""

    target: str
    init: str = ""
    input: tuple[str, ...] = ()
    inputs: str = ""
    device: str = ""  # "", "cpu" or "meta"; "" falls back to meta
    seed: int = 0
    states: tuple[str, ...] = ()  # the user's tables of state classes


def parse_init(text: str) -> dict[str, Any]:
    """The keyword arguments of `--init`. Raises ModlintError for what is not a JSON object."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModlintError(f"--init is not JSON: {error}; write for example --init '{{\"width\": 64}}'") from error
    if not isinstance(value, dict):
        raise ModlintError("--init must be a JSON object of keyword arguments, such as '{\"width\": 64}'")
    return value


def half_of_memory() -> int | None:
    """Half of the machine's memory in bytes, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return None


def traced_target(request: Request, limits: Limits) -> Any:
    """Trace one target in a process of its own. Raises ModlintError."""
    parse_init(request.init)
    job = "modlint.trace.session:trace_job"
    try:
        return worker.run(job, {"request": request, "room": _room(limits)}, limits)
    except ModlintError as error:
        if request.device or not _is_starved(error):
            raise
        return worker.run(job, {"request": replace(request, device="meta")}, limits)


def _room(limits: Limits) -> int | None:
    """What weights may take, in bytes."""
    memory = limits.memory or half_of_memory()
    return None if memory is None else memory // _SHARE


def _is_starved(error: ModlintError) -> bool:
    return any(word in error.message for word in STARVED)


def trace_job(request: Request, room: int | None = None) -> Any:
    """In the worker: build the target and trace it.

    Weights that take more than `room` bytes are left out; where the forward needs them, they are tried nevertheless.
    """
    from modlint.trace.room import Outgrown

    try:
        return _traced(request, None if request.device else room)
    except Outgrown:
        pass  # leave the handler, which holds what was built so far
    try:
        return _traced(replace(request, device="meta"), None)
    except ModlintError as without:
        return _traced_with_weights(request, without)


def _traced_with_weights(request: Request, without: ModlintError) -> Any:
    """Trace what could not be traced without weights. Raises that error where memory does not suffice either."""
    try:
        return _traced(request, None)
    except (ModlintError, MemoryError) as error:
        if isinstance(error, ModlintError) and not _is_starved(error):
            raise
        hint = "\n  its weights do not fit into the memory limit; raise it with --memory, or trace a smaller model"
        message = f"without its weights (on the meta device) {without.message}{hint}"
        raise ModlintError(message, file=without.file, line=without.line) from error


def _traced(request: Request, room: int | None) -> Any:
    import torch

    from modlint.trace.corridor import trace_model
    from modlint.trace.entries import use_tables
    from modlint.trace.inputs import Inputs, find, matched
    from modlint.trace.target import load

    use_tables(request.states)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(request.seed)
        target = load(request.target, parse_init(request.init), request.device or None, room)
        given = find(target.model, request.input, request.inputs or None, request.seed) if _says(request) else None
        if given is not None:
            given = matched(target.model, given.to(request.device) if request.device else given)
        graph = trace_model(target.model, given, target.births, request.target, trial=True)
    if graph.inputs is not None:
        graph.inputs = Inputs((), (), graph.inputs.described, graph.inputs.origin)
    return graph


def _says(request: Request) -> bool:
    return bool(request.input or request.inputs)


def traced_all(requests: list[Request], limits: Limits) -> list[Any]:
    """Trace several targets, one process for all; each result is a TracedGraph or the ModlintError that it raised.

    Each has the seconds of `limits`. Where the process dies, or does not let itself be interrupted, they are traced one
    by one.
    """
    arguments = {"requests": requests, "room": _room(limits), "seconds": limits.seconds}
    together = replace(limits, seconds=limits.seconds * len(requests) + _START)
    try:
        results: list[Any] = worker.run("modlint.trace.session:trace_all_job", arguments, together)
    except ModlintError as error:
        if len(requests) == 1:
            return [error]
        return [result for request in requests for result in traced_all([request], limits)]
    return [_again(request, result, limits) for request, result in zip(requests, results, strict=True)]


def _again(request: Request, result: Any, limits: Limits) -> Any:
    """What ran out of memory has a second chance on the meta device."""
    if isinstance(result, ModlintError) and _is_starved(result):
        return traced_all([replace(request, device="meta")], limits)[0] if not request.device else result
    return result


def trace_all_job(requests: list[Request], room: int | None = None, seconds: float | None = None) -> list[Any]:
    """In the worker: every target, with what it raised."""
    return [_traced_or_error(request, room, seconds) for request in requests]


def _traced_or_error(request: Request, room: int | None, seconds: float | None) -> Any:
    here = os.getcwd()
    try:
        with worker.within(seconds):
            return trace_job(request, room)
    except ModlintError as error:
        return ModlintError(error.message, file=error.file, line=error.line)
    finally:
        os.chdir(here)  # one model may have gone elsewhere, and the next one's paths start here
