"""How the next point of a sweep is chosen: by Optuna's samplers, with a seed for each trial."""

from typing import TYPE_CHECKING, Any

from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from fastadasp.config.quoting import hydra_value
from fastadasp.sweep.distributions import Choice, Distribution
from fastadasp.sweep.file import Method, Point, Sweep, fixed

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial, TrialState

TINY = 1e-12
"""Quantiles lie between this and 1 minus this: a normal distribution has no value at 0 or 1."""

_STRIDE = 1_000_003
"""Between the seeds of two sweeps, so that they share none for fewer trials than this."""


class Seeded(BaseSampler):
    """A sampler that draws every trial with a seed of its own, made of the sweep's seed and the trial's number.

    Several processes thus never draw the same, and what a trial draws does not depend on when its process started.
    """

    def __init__(self, method: Method, seed: int, startup: int) -> None:
        """startup: trials of a Bayesian search that are drawn at random before the first model is made."""
        self._method, self._seed, self._startup = method, seed, startup
        self._now: BaseSampler = RandomSampler(seed)

    def before_trial(self, study: "Study", trial: "FrozenTrial") -> None:
        """Take the seed of this trial."""
        seed = (self._seed * _STRIDE + trial.number) % 2**32
        self._now = (
            TPESampler(seed=seed, n_startup_trials=self._startup, multivariate=True, constant_liar=True)
            if self._method is Method.bayes
            else RandomSampler(seed)
        )
        self._now.before_trial(study, trial)

    def infer_relative_search_space(self, study: "Study", trial: "FrozenTrial") -> "dict[str, BaseDistribution]":
        """What is drawn together, as the sampler of this trial says."""
        return self._now.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: "Study", trial: "FrozenTrial", search_space: "dict[str, BaseDistribution]"
    ) -> dict[str, Any]:
        """Values that are drawn together."""
        return self._now.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: "Study", trial: "FrozenTrial", param_name: str, param_distribution: "BaseDistribution"
    ) -> Any:
        """One value by itself."""
        return self._now.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: "Study", trial: "FrozenTrial", state: "TrialState", values: Any) -> None:
        """Let the sampler of this trial note what came of it."""
        self._now.after_trial(study, trial, state, values)


def drawn(trial: "Trial", sweep: Sweep) -> Point:
    """The settings that a trial tries."""
    return tuple(f"{key}={_text(trial, key, one, sweep.method)}" for key, one in sweep.parameters.items())


def as_params(point: Point, sweep: Sweep) -> dict[str, Any]:
    """What Optuna calls the values of a point of a grid."""
    pairs = (setting.partition("=")[::2] for setting in point)
    return {key: text for key, text in pairs if not fixed(sweep.parameters[key])}


def _text(trial: "Trial", key: str, one: Distribution, method: Method) -> str:
    """One value as Hydra's command line takes it.

    Optuna sees listed values as such texts, plain ranges as numbers, and of every other distribution the quantile: what
    a sampler takes for uniform follows the distribution then.
    """
    if method is Method.grid or (isinstance(one, Choice) and not (method is Method.random and one.probabilities)):
        texts = [hydra_value(value) for value in one.listed]
        return texts[0] if len(texts) == 1 else str(trial.suggest_categorical(key, texts))
    if isinstance(one, Choice):
        return hydra_value(one.at(_quantile(trial, key)))
    if one.bounds is not None:
        return str(trial.suggest_int(key, *one.bounds))
    if one.name == "uniform":
        return hydra_value(trial.suggest_float(key, one.at(0.0), one.at(1.0)))
    return hydra_value(one.at(_quantile(trial, key)))


def _quantile(trial: "Trial", key: str) -> float:
    return trial.suggest_float(f"{key} (quantile)", TINY, 1 - TINY)
