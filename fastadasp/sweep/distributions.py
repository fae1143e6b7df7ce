"""The distributions of W&B's sweep format, each by its quantile function.

A distribution turns u, uniform on (0, 1), into a value: `at(u)`. Every kind of search can thus be built on numbers
between 0 and 1, and a draw follows the distribution exactly. The definitions are those of W&B's documentation
(https://docs.wandb.ai/models/sweeps/sweep-config-keys).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats

from fastadasp.config.messages import suggest
from fastadasp.errors import ConfigError


@dataclass(frozen=True)
class Choice:
    """Listed values; `probabilities` counts in random search alone, as in W&B."""

    values: Sequence[Any]
    probabilities: Sequence[float] | None = None

    def at(self, u: float) -> Any:
        """The value at the quantile u, the values taken in their order."""
        shares = self.probabilities or [1 / len(self.values)] * len(self.values)
        reached = 0.0
        for value, share in zip(self.values, shares, strict=True):
            reached += share
            if u < reached and share:
                return value
        return next(value for value, share in zip(self.values[::-1], shares[::-1], strict=True) if share)

    @property
    def listed(self) -> list[Any]:
        """All values, which a grid needs."""
        return list(self.values)


@dataclass(frozen=True)
class Numbers:
    """Numbers of a distribution."""

    name: str
    quantile: Callable[[float], float]
    whole: bool = False
    """Whether the values are whole numbers."""
    bounds: tuple[int, int] | None = None
    """Lowest and highest value, of whole numbers that a grid can list."""
    step: float | None = None
    """Values are rounded to multiples of it."""

    def at(self, u: float) -> float:
        """The value at the quantile u."""
        value = float(self.quantile(u))
        if self.step is not None:
            value = round(value / self.step) * self.step
            value = value if self.whole else round(value, 12)  # 0.30000000000000004 is meant as 0.3
        return int(value) if self.whole else value

    @property
    def listed(self) -> list[Any]:
        """All values of a range of whole numbers. Raises ConfigError for what has endlessly many."""
        if self.bounds is None:
            raise ConfigError(f"the distribution {self.name} has no list of values, which method: grid needs")
        return list(range(self.bounds[0], self.bounds[1] + 1))


Distribution = Choice | Numbers

_SINGLE = {
    "constant": ("value",),
    "categorical": ("values",),
    "categorical_w_probabilities": ("values", "probabilities"),
}
_BOUNDED = ("int_uniform", "uniform", "log_uniform", "log_uniform_values", "inv_log_uniform", "inv_log_uniform_values")
_MOMENTS = ("normal", "log_normal")
_QUANTIZED = ("q_uniform", "q_log_uniform", "q_log_uniform_values", "q_normal", "q_log_normal", "q_beta")
NAMES = (*_SINGLE, *_BOUNDED, *_MOMENTS, "beta", *_QUANTIZED)


def distribution(key: str, node: Mapping[str, Any]) -> Distribution:
    """The distribution of one parameter of a sweep file. Raises ConfigError, naming the parameter, for what is none."""
    name = str(node["distribution"]) if "distribution" in node else _guessed(key, node)
    if name not in NAMES:
        raise ConfigError(f"{key}: the distribution {name} is not known; {suggest(name, NAMES)}")
    takes = _takes(name)
    if unknown := sorted(set(map(str, node)) - {"distribution", *takes}):
        raise ConfigError(f"{key}: {unknown[0]} is not supported in a parameter with distribution {name}, which takes "
                          f"{', '.join(takes)}")  # fmt: skip
    if name in _SINGLE:
        return _choice(key, node, _SINGLE[name])
    return _numbers(key, name, {known: node[known] for known in takes if known in node})


def _guessed(key: str, node: Mapping[str, Any]) -> str:
    """The distribution of a parameter that does not name it, as W&B takes it."""
    if "value" in node:
        return "constant"
    if "values" in node:
        return "categorical_w_probabilities" if "probabilities" in node else "categorical"
    if "min" in node and "max" in node:
        whole = all(isinstance(node[bound], int) for bound in ("min", "max"))
        return "int_uniform" if whole else "uniform"
    given = ", ".join(map(str, node)) or "nothing"
    raise ConfigError(
        f"{key}: {given} does not say which values there are; give value, values, min and max, a distribution with its "
        "numbers, or nested parameters (conditions between parameters are not supported)"
    )


def _takes(name: str) -> tuple[str, ...]:
    if name in _SINGLE:
        return _SINGLE[name]
    plain = name.removeprefix("q_")
    keys = ("min", "max") if plain in _BOUNDED else ("mu", "sigma") if plain in _MOMENTS else ("a", "b")
    return (*keys, "q") if name in _QUANTIZED else keys


def _choice(key: str, node: Mapping[str, Any], needed: Sequence[str]) -> Choice:
    if missing := [name for name in needed if name not in node]:
        raise ConfigError(f"{key}: {missing[0]} is missing")
    if "value" in node:
        return Choice([node["value"]])
    values, shares = node["values"], node.get("probabilities")
    if not isinstance(values, list) or not values:
        raise ConfigError(f"{key}.values must list at least one value, got {values!r}")
    if "probabilities" not in node:
        return Choice(values)
    right = isinstance(shares, list) and len(shares) == len(values) and all(map(_is_number, shares))
    if not isinstance(shares, list) or not right or min(shares) < 0 or abs(sum(shares) - 1.0) > 1e-6:
        raise ConfigError(
            f"{key}.probabilities must list a number for each of the {len(values)} values, none below 0, which sum to "
            f"1; got {shares!r}"
        )
    return Choice(values, shares)


def _numbers(key: str, name: str, node: Mapping[str, Any]) -> Numbers:
    for known, value in node.items():
        if not _is_number(value):
            raise ConfigError(f"{key}.{known} must be a finite number, got {value!r}")
    plain = name.removeprefix("q_")
    step = node.get("q", 1.0) if name in _QUANTIZED else None
    if step is not None and step <= 0:
        raise ConfigError(f"{key}.q must be above 0, got {step}")
    quantile = _bounded(key, plain, node) if plain in _BOUNDED else _unbounded(key, plain, node)
    if plain == "int_uniform":
        return Numbers(name, quantile, whole=True, bounds=(int(node["min"]), int(node["max"])))
    return Numbers(name, quantile, whole=isinstance(step, int), step=step)


def _bounded(key: str, plain: str, node: Mapping[str, Any]) -> Callable[[float], float]:
    if missing := [bound for bound in ("min", "max") if bound not in node]:
        raise ConfigError(f"{key}: {missing[0]} is missing, which the distribution {plain} needs")
    low, high = node["min"], node["max"]
    if low > high or (low == high and plain != "int_uniform"):
        raise ConfigError(f"{key}: min must be below max, got {low} and {high}")
    if plain.endswith("_values") and low <= 0:
        raise ConfigError(f"{key}.min must be above 0 for the distribution {plain}, got {low}")
    if plain == "int_uniform":
        if not (float(low).is_integer() and float(high).is_integer()):
            raise ConfigError(f"{key}: min and max must be whole numbers for int_uniform, got {low} and {high}")
        return lambda u: min(low + math.floor(u * (high - low + 1)), high)
    if plain == "uniform":
        return lambda u: low + u * (high - low)
    if plain.endswith("_values"):  # the logarithm of X is uniform where that of 1/X is
        low, high = math.log(low), math.log(high)
    if plain == "inv_log_uniform":
        low, high = -high, -low
    if max(abs(low), abs(high)) > _LARGEST:
        raise ConfigError(f"{key}: min and max are logarithms for the distribution {plain} and must be between "
                          f"{-_LARGEST:.0f} and {_LARGEST:.0f}; {plain}_values takes values themselves")  # fmt: skip
    return lambda u: math.exp(low + u * (high - low))


_LARGEST = 700.0
"""Of a logarithm whose number is finite."""


def _unbounded(key: str, plain: str, node: Mapping[str, Any]) -> Callable[[float], float]:
    if plain == "beta":
        a, b = node.get("a", 1.0), node.get("b", 1.0)
        if a <= 0 or b <= 0:
            raise ConfigError(f"{key}: a and b of a beta distribution must be above 0, got {a} and {b}")
        return lambda u: float(stats.beta.ppf(u, a, b))
    mu, sigma = node.get("mu", 0.0), node.get("sigma", 1.0)
    if sigma <= 0:
        raise ConfigError(f"{key}.sigma must be above 0, got {sigma}")
    if plain == "log_normal":
        return lambda u: math.exp(stats.norm.ppf(u, mu, sigma))
    return lambda u: float(stats.norm.ppf(u, mu, sigma))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
