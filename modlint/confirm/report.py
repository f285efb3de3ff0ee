"""Results of the experiment as JSON values and as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from modlint.confirm.outcome import Aim
from modlint.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modlint.confirm.compare import Comparison
    from modlint.confirm.outcome import ConfirmResult, Measure, Nondeterministic, Outcome, Reused


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """The evidence on one instance. A difference that is not finite (NaN against a number) is null."""
    return {
        "name": outcome.reused.name,
        "code": outcome.reused.code or None,
        "verdict": outcome.reused.verdict.value,
        "measured": None if outcome.measured is None else outcome.measured.value,
        "executions": outcome.executions,
        "within": outcome.within or None,
        "derivatives": list(outcome.derivatives),
        "harm": {name: _finite(getattr(outcome.harm, name)) for name in ("size", "train", "eval", "skew")},
        "tracked_only": outcome.tracked_only,
        "evidence": {
            "level": outcome.level.value,
            "note": outcome.note,
            "observables": measures_json(outcome.measures),
        },
    }


def result_json(
    result: ConfirmResult, traced: dict[str, Any], keys: Iterable[str], silenced: frozenset[Reused] = frozenset()
) -> dict[str, Any]:
    """The contract's report: that of `modlint trace`, with what was measured.

    `keys` name its instances in order, `silenced` those of which a check would not speak. What an instance does to
    other models is told under `shared_by_models`.
    """
    own = {outcome.reused.name: outcome for outcome in result.outcomes if outcome.reused.aim is not Aim.CROSS}
    shared = {outcome.reused.name: outcome for outcome in result.outcomes if outcome.reused.aim is Aim.CROSS}
    instances = []
    for key, instance in zip(keys, traced["instances"], strict=True):
        merged = {**instance, **({**_added(own[key]), "silenced": own[key].reused in silenced} if key in own else {})}
        if key in shared:
            merged["shared_by_models"] = outcome_json(shared[key])
        instances.append(merged)
    return {
        **traced,
        "device": result.device,
        "torch": result.torch,
        "settings": result.settings,
        "seeds": list(result.seeds),
        "steps": result.steps,
        "noise": {quantity.value: _finite(value) for quantity, value in result.noise},
        "instances": instances,
        "nondeterministic": nondeterministic_json(result.nondeterministic),
        "notes": list(result.notes),
        "executions": result.executions,
        "seconds": round(result.seconds, 3),
    }


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The same for two models."""
    return {
        "models": list(comparison.models),
        "same": comparison.same,
        "device": comparison.device,
        "torch": comparison.torch,
        "settings": comparison.settings,
        "seeds": list(comparison.seeds),
        "steps": comparison.steps,
        "inputs": list(comparison.inputs),
        "noise": {quantity.value: _finite(value) for quantity, value in comparison.noise},
        "observables": measures_json(comparison.measures),
        "outputs_allclose": comparison.outputs_close,
        "gradients_allclose": comparison.gradients_close,
        "mapping": [list(pair) for pair in comparison.mapping],
        "nondeterministic": nondeterministic_json(comparison.nondeterministic),
        "notes": list(comparison.notes),
        "seconds": round(comparison.seconds, 3),
    }


def measures_json(measures: Iterable[Measure]) -> dict[str, Any]:
    """Observables by name: largest difference, the same relative to its scale, and the noise floor."""
    return {
        m.quantity.value: {
            "difference": _finite(m.difference),
            "relative": _finite(m.relative),
            "noise": _finite(m.noise),
            "where": m.where or None,
        }
        for m in measures
    }


def nondeterministic_json(found: Iterable[Nondeterministic]) -> list[dict[str, str]]:
    """Path and operation, with the phase of the training step that it ran in."""
    return [{"path": n.path, "operation": n.operation, "phase": n.phase, "reason": n.reason} for n in found]


def result_text(
    result: ConfirmResult, types: Mapping[str, str], uses: Mapping[str, str], silenced: frozenset[Reused] = frozenset()
) -> str:
    """What a person reads. By name of an instance: `types` its class, `uses` where it is used."""
    lines = [_head(result.model, result), *_about(result.inputs, result.notes, result.seeds)]
    lines += _noise_lines(result.noise, result.nondeterministic)
    if not result.outcomes:
        lines += ["", "No instance is reused: there is nothing to unshare."]
    for outcome in result.outcomes:
        name = outcome.reused.name
        lines += ["", *_outcome_lines(outcome, types.get(name, ""), uses.get(name, ""), outcome.reused in silenced)]
    return "\n".join(lines) + "\n"


def comparison_text(comparison: Comparison) -> str:
    """What a person reads: the two lines that the thread printed, the table, the answer."""
    found = {m.quantity.value: m for m in comparison.measures}
    lines = [
        _head(" against ".join(comparison.models), comparison),
        *_about(comparison.inputs, comparison.notes, comparison.seeds),
        *[f"'{a}' is compared with '{b}'" for a, b in comparison.mapping[:8]],
        *_noise_lines(comparison.noise, comparison.nondeterministic),
        "",
        f"output allclose: {comparison.outputs_close}, max abs diff: {_number(_difference(found, 'train_outputs'))}",
        f"grads allclose: {comparison.gradients_close}, "
        f"max abs diff: {_number(_difference(found, 'parameter_gradients'))}",
        "",
        *_table(comparison.measures),
        "",
        _ANSWERS[comparison.same],
    ]
    return "\n".join(lines) + "\n"


_ANSWERS = {
    True: "The two are the same function: every observable is equal to the last bit.",
    False: "The two are not the same function.",
    None: "Undecided: two equal runs differ, and the second model differs by no more than they do.",
}


def _added(outcome: Outcome) -> dict[str, Any]:
    own = outcome_json(outcome)
    return {key: own[key] for key in own if key not in {"name", "verdict", "executions"}}


def _difference(found: dict[str, Measure], name: str) -> float:
    return found[name].difference if name in found else 0.0


def _head(what: str, result: ConfirmResult | Comparison) -> str:
    dtype = result.settings.get("dtype") or "as the model has it"
    return (
        f"{what}: {result.device}, torch {result.torch}, dtype {dtype}, {result.settings['determinism']}, "
        f"{result.steps} steps"
    )


def _about(inputs: Sequence[str], notes: Sequence[str], seeds: Sequence[int]) -> list[str]:
    return [f"inputs {', '.join(inputs) or 'none'}; seeds {', '.join(map(str, seeds))}", *[f"note: {n}" for n in notes]]


def _noise_lines(noise: Iterable[tuple[Any, float]], found: Sequence[Nondeterministic]) -> list[str]:
    largest = max((value for _, value in noise), default=0.0)
    if largest == 0:
        lines = ["two equal runs agree to the last bit: the noise floor is 0"]
    else:
        lines = [f"two equal runs differ by up to {_number(largest)}: that is the noise floor"]
    for n in found:
        lines.append(f"ML601 {n.operation} in '{n.path}' ({n.phase}): {n.reason}")
    return lines


def _outcome_lines(outcome: Outcome, kind: str, uses: str, silenced: bool) -> list[str]:
    what = " ".join(filter(None, [kind.rpartition(".")[2], f"'{outcome.reused.name}'"]))
    times = f"runs {outcome.executions} times" if outcome.executions != 1 else "runs once"
    code = f"{outcome.reused.code} " if outcome.reused.code else ""
    answer = outcome.level.value
    if outcome.measured is not None:
        answer += f": {'tracked only' if outcome.tracked_only else outcome.measured.value}"
    where = f" (tried in '{outcome.within}')" if outcome.within else ""
    lines = [f"{code}{what} {times}: {answer}{where}"]
    lines += [f"  used at {uses}"] if uses else []
    if silenced and outcome.measured is not Verdict.SAFE and not code.startswith("ML0"):
        lines.append("  a check does not warn of it: it is suppressed there, or its rule is off")
    lines.append(f"  {outcome.note}")
    if outcome.derivatives:
        lines.append(f"  local derivatives: {'; '.join(outcome.derivatives)}")
    return lines + [f"  {line}" for line in _table(outcome.measures)]


def _table(measures: Sequence[Measure]) -> list[str]:
    rows = [("observable", "difference", "relative", "noise", "")]
    for m in measures:
        name = m.quantity.value.replace("_", " ")
        rows.append((name, _number(m.difference), _number(m.relative), _number(m.noise), m.where))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _number(value: float) -> str:
    """0 as 0, the rest to three digits."""
    return f"{value:.3g}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
