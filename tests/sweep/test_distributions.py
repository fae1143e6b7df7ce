"""Draws follow the laws that W&B's documentation gives, held to scipy's cumulative distribution functions."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest
from scipy import stats

from fastadasp.errors import ConfigError
from fastadasp.sweep.distributions import NAMES, Numbers, distribution
from fastadasp.sweep.file import Method, Sweep
from fastadasp.sweep.sampling import Seeded
from fastadasp.sweep.space import settings, space

LAWS: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {
    "uniform": ({"min": -1.0, "max": 3.0}, stats.uniform(-1, 4).cdf),
    "log_uniform": ({"min": -3.0, "max": 1.0}, stats.loguniform(math.exp(-3), math.exp(1)).cdf),
    "log_uniform_values": ({"min": 0.01, "max": 10}, stats.loguniform(0.01, 10).cdf),
    "inv_log_uniform": ({"min": -1.0, "max": 3.0}, stats.loguniform(math.exp(-3), math.exp(1)).cdf),
    "inv_log_uniform_values": ({"min": 0.01, "max": 10}, stats.loguniform(0.01, 10).cdf),
    "normal": ({"mu": 2.0, "sigma": 0.5}, stats.norm(2, 0.5).cdf),
    "log_normal": ({"mu": 0.3, "sigma": 0.7}, stats.lognorm(0.7, scale=math.exp(0.3)).cdf),
    "beta": ({"a": 2, "b": 5}, stats.beta(2, 5).cdf),
}
QUANTIZED = ("q_uniform", "q_log_uniform", "q_log_uniform_values", "q_normal", "q_log_normal", "q_beta")


def draws(node: dict[str, Any], method: Method, many: int) -> list[str]:
    sweep = Sweep("drawn", method, (), {"x": distribution("x", node)}, None, None)
    study = optuna.create_study(sampler=Seeded(method, space(sweep), 3, 10))
    return [settings(study.ask(space(sweep)).params, sweep)[0].removeprefix("x=") for _ in range(many)]


@pytest.mark.parametrize("name", LAWS)
def test_numbers_that_a_random_search_draws_follow_the_distribution(name: str) -> None:
    node, law = LAWS[name]
    found = [float(text) for text in draws({"distribution": name, **node}, Method.random, 300)]
    assert stats.kstest(found, law).pvalue > 0.01
    assert stats.kstest([2 * value for value in found], law).pvalue < 0.01, "the test would see another law"


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_numbers_are_those_of_the_plain_distribution_rounded(name: str) -> None:
    node, _ = LAWS[name.removeprefix("q_")]
    plain = distribution("x", {"distribution": name.removeprefix("q_"), **node})
    rounded = distribution("x", {"distribution": name, "q": 0.1, **node})
    for u in np.linspace(0.01, 0.99, 50):
        assert rounded.at(u) == pytest.approx(round(plain.at(u) / 0.1) * 0.1, abs=1e-9)
        assert len(repr(rounded.at(u))) <= 6, "0.30000000000000004 is written as 0.3"
    whole = distribution("x", {"distribution": name, "q": 2, **node})
    assert all(isinstance(whole.at(u), int) and whole.at(u) % 2 == 0 for u in np.linspace(0.01, 0.99, 50))


def test_every_distribution_of_the_format_is_tried_here() -> None:
    others = {"constant", "categorical", "categorical_w_probabilities", "int_uniform"}
    assert set(NAMES) == others | set(LAWS) | set(QUANTIZED)


def test_whole_numbers_are_drawn_evenly_with_both_ends() -> None:
    for node in ({"min": 2, "max": 5}, {"distribution": "int_uniform", "min": 2, "max": 5}):
        counted = Counter(draws(node, Method.random, 400))
        assert set(counted) == {"2", "3", "4", "5"}
        assert stats.chisquare(list(counted.values())).pvalue > 0.01


def test_probabilities_count_in_random_search_and_not_in_the_others() -> None:
    node = {"values": ["fastadasp", None, 0.5], "probabilities": [0.7, 0.3, 0.0]}
    counted = Counter(draws(node, Method.random, 300))
    assert set(counted) == {"fastadasp", "null"}, "a value of probability 0 is never drawn"
    assert stats.binomtest(counted["fastadasp"], 300, 0.7).pvalue > 0.01
    assert distribution("x", node).listed == ["fastadasp", None, 0.5]
    assert set(draws(node, Method.bayes, 30)) == {"fastadasp", "null", "0.5"}


def test_a_distribution_that_is_not_named_is_guessed_as_wandb_does() -> None:
    assert distribution("x", {"value": 3}).listed == [3]
    assert distribution("x", {"values": [1, "a"]}).listed == [1, "a"]
    assert distribution("x", {"min": 1, "max": 3}).listed == [1, 2, 3]
    for bounds in ({"min": 0.0, "max": 3}, {"min": 0, "max": 3.0}):
        one = distribution("x", bounds)
        assert isinstance(one, Numbers) and one.name == "uniform"
    assert distribution("x", {"distribution": "normal"}).at(0.5) == pytest.approx(0.0)
    assert distribution("x", {"distribution": "beta"}).at(0.25) == pytest.approx(0.25)
    assert distribution("x", {"distribution": "q_uniform", "min": 0, "max": 9}).at(0.52) == 5


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"min": 1}, "does not say which values there are.*conditions"),
        ({"values": []}, "must list at least one value"),
        ({"values": [1, 2], "probabilities": [0.5]}, "a number for each of the 2 values"),
        ({"values": [1, 2], "probabilities": [0.9, 0.2]}, "sum to 1"),
        ({"values": [1, 2], "probabilities": [1.5, -0.5]}, "none below 0"),
        ({"distribution": "unifrom", "min": 0, "max": 1}, "unifrom is not known; did you mean uniform"),
        ({"distribution": "uniform", "min": 0}, "max is missing"),
        ({"distribution": "uniform", "min": 1, "max": 0}, "min must be below max, got 1 and 0"),
        ({"distribution": "int_uniform", "min": 0.5, "max": 2}, "must be whole numbers"),
        ({"distribution": "log_uniform_values", "min": 0, "max": 1}, "min must be above 0"),
        ({"distribution": "log_uniform", "min": 1, "max": 1000}, "logarithms"),
        ({"distribution": "normal", "sigma": 0}, "sigma must be above 0"),
        ({"distribution": "beta", "a": 0}, "must be above 0"),
        ({"distribution": "q_normal", "q": 0}, "q must be above 0"),
        ({"distribution": "normal", "mu": "2"}, "mu must be a finite number, got '2'"),
        ({"distribution": "uniform", "min": 0, "max": float("inf")}, "max must be a finite number"),
        ({"distribution": "uniform", "min": 0, "max": 1, "q": 0.1}, "q is not supported"),
        ({"values": [1], "conditions": {"a": 1}}, "conditions is not supported"),
        ({"distribution": "categorical"}, "values is missing"),
    ],
)
def test_what_is_no_distribution_is_refused_with_its_parameters_name(node: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"merge\.ratio.*{message}"):
        distribution("parameter merge.ratio", node)
