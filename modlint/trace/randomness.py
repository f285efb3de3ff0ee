"""Which torch functions draw from the global RNG, as they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# fmt: off
_DRAWING = frozenset((
    "bernoulli", "bernoulli_", "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like",
    "multinomial", "normal", "normal_", "uniform_", "random_", "exponential_", "poisson", "rrelu_", "gumbel_softmax",
    "geometric_", "cauchy_", "log_normal_",
))
_DROPPING = frozenset((
    "dropout", "dropout_", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "dropout1d", "dropout2d",
    "dropout3d", "rrelu",
))
# fmt: on


def draws(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a torch function, or a method given by name, draws from the global RNG when it is called so."""
    name = function if isinstance(function, str) else getattr(function, "__name__", "")
    if name in _DRAWING:
        return kwargs.get("generator") is None
    if name in _DROPPING:
        return _drops(name, args, kwargs)
    if name == "scaled_dot_product_attention":
        return bool(kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0))
    return False


def _drops(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """`dropout(input, p=0.5, training=True)`, `rrelu(input, lower, upper, training=False)`; p of 0 or 1: no draw."""
    at = 3 if name == "rrelu" else 2
    training = kwargs.get("training", args[at] if len(args) > at else name != "rrelu")
    p = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
    return bool(training) and (name == "rrelu" or not isinstance(p, (int, float)) or 0 < p < 1)
