"""What a sweep's parameters are to Optuna, and back: from the numbers and texts that it draws to settings of a run."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from fastadasp.config.quoting import hydra_value
from fastadasp.sweep.distributions import Choice, Distribution
from fastadasp.sweep.file import Method, Point, Sweep, fixed

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

TINY = 1e-12
"""Quantiles lie between this and 1 minus this: a normal distribution has no value at 0 or 1."""
PLACE, QUANTILE = " (place)", " (quantile)"
"""Ends of the names of what is drawn in the place of a value."""

Params = Mapping[str, Any]
"""What Optuna calls the values of a point, by the names of `space`."""


def space(sweep: Sweep) -> "dict[str, BaseDistribution]":
    """What is drawn for a point, each by the name under which Optuna keeps it. Single values are left out.

    Optuna sees listed numbers of a Bayesian search by their places in ascending order, so that it can learn that
    neighbours are alike, other listed values as texts, plain ranges as numbers, and of every other distribution the
    quantile: what a sampler takes for uniform follows the distribution then.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for key, one in sweep.parameters.items():
        if fixed(one):
            continue
        if _by_place(one, sweep.method):
            found[key + PLACE] = IntDistribution(0, len(one.listed) - 1)
        elif _by_text(one, sweep.method):
            found[key] = CategoricalDistribution([hydra_value(value) for value in one.listed])
        elif not isinstance(one, Choice) and one.bounds is not None:
            found[key] = IntDistribution(*one.bounds)
        elif not isinstance(one, Choice) and one.name == "uniform":
            found[key] = FloatDistribution(one.at(0.0), one.at(1.0))
        else:
            found[key + QUANTILE] = FloatDistribution(TINY, 1 - TINY)
    return found


def size(drawn: "Mapping[str, BaseDistribution]") -> float:
    """How many points there are; endless where a number is continuous."""
    return math.prod(len(_values(one)) if _values(one) else math.inf for one in drawn.values())


def _values(one: "BaseDistribution") -> range | tuple[Any, ...]:
    """All values in their order; empty where there are endlessly many."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(one, CategoricalDistribution):
        return tuple(one.choices)
    return range(one.low, one.high + 1) if isinstance(one, IntDistribution) else ()


def settings(params: Params, sweep: Sweep) -> Point:
    """The settings that a trial tries, as Hydra's command line takes them."""
    return tuple(f"{key}={_text(params, key, one)}" for key, one in sweep.parameters.items())


def _text(params: Params, key: str, one: Distribution) -> str:
    if fixed(one):
        return hydra_value(one.listed[0])
    if key + PLACE in params:
        return hydra_value(sorted(one.listed)[params[key + PLACE]])
    if key + QUANTILE in params:
        return hydra_value(one.at(params[key + QUANTILE]))
    return str(params[key]) if isinstance(one, Choice) or isinstance(params[key], str) else hydra_value(params[key])


def as_params(point: Point, sweep: Sweep) -> dict[str, Any]:
    """What Optuna calls the values of a point of a grid."""
    pairs = (setting.partition("=")[::2] for setting in point)
    return {key: text for key, text in pairs if not fixed(sweep.parameters[key])}


def configured(sweep: Sweep, cfg: DictConfig) -> dict[str, Any]:
    """The point that a run without the search would have, as far as the search has it.

    cfg: the settings of all runs, with Hydra's node. A number that is not listed is replaced by the nearest one that
    is; what has no counterpart, such as an unset number or a method that is not searched, is left out.
    """
    found: dict[str, Any] = {}
    for key, one in sweep.parameters.items():
        value = cfg.hydra.runtime.choices.get(key, OmegaConf.select(cfg, key))
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if fixed(one) or isinstance(value, DictConfig):
            continue
        if _by_place(one, sweep.method) and number:
            values = sorted(one.listed)
            found[key + PLACE] = min(range(len(values)), key=lambda place: abs(values[place] - value))
        elif _by_text(one, sweep.method) and value in one.listed:
            found[key] = hydra_value(value)
        elif not isinstance(one, Choice) and number and (one.bounds is not None or one.name == "uniform"):
            found[key] = min(max(value, one.at(0.0)), one.at(1.0))
    return found


def _by_text(one: Distribution, method: Method) -> bool:
    return method is Method.grid or (isinstance(one, Choice) and not (method is Method.random and one.probabilities))


def _by_place(one: Distribution, method: Method) -> bool:
    if method is not Method.bayes or not isinstance(one, Choice):
        return False
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in one.values)
