"""How the next point of a sweep is chosen: by Optuna's samplers, with a seed for each trial, and no point twice."""

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from scipy.stats import qmc

from fastadasp.sweep.file import Method
from fastadasp.sweep.lifeline import DISCARDED, GIVEN_BACK
from fastadasp.sweep.space import Params, size

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, TrialState

_STRIDE = 1_000_003
"""Between the seeds of two sweeps, so that they share none for fewer trials than this."""

Space = Mapping[str, BaseDistribution]


class Seeded(BaseSampler):
    """A sampler that draws every trial with a seed of its own, made of the sweep's seed and the trial's place.

    The place counts earlier trials, without those that were given back. Several processes thus never draw alike, and
    a search that was cut off draws what an unbroken one would have drawn.

    A Bayesian search begins with `first`, the point of the settings without a search, and goes on with a Latin
    hypercube. After `startup` points, a Gaussian process over all results says where to look next (Optuna's
    `GPSampler`; with pruning its `TPESampler`, which learns from runs that were given up). A point that an earlier
    trial has is replaced by the nearest one that none has.
    """

    def __init__(
        self, method: Method, drawn: Space, seed: int, startup: int, first: Params | None = None, pruned: bool = False
    ) -> None:
        """drawn: what is drawn for a point. startup: points before the first model of the results is made."""
        self._method, self._space, self._seed, self._startup = method, dict(drawn), seed, startup
        self._first, self._pruned = dict(first or {}), pruned
        self._now: BaseSampler = RandomSampler(seed)
        self._place = 0

    def before_trial(self, study: "Study", trial: "FrozenTrial") -> None:
        """Take the seed of this trial."""
        self._place = len(_earlier(study, trial, GIVEN_BACK))
        seed = (self._seed * _STRIDE + self._place) % 2**32
        if self._method is not Method.bayes:
            self._now = RandomSampler(seed)
        elif self._pruned:
            self._now = TPESampler(seed=seed, n_startup_trials=1, multivariate=True, constant_liar=True)
        else:
            self._now = GPSampler(seed=seed, n_startup_trials=1, warn_independent_sampling=False)
        self._rng = np.random.default_rng(seed)
        self._now.before_trial(study, trial)

    def infer_relative_search_space(self, study: "Study", trial: "FrozenTrial") -> dict[str, BaseDistribution]:
        """What is drawn together: in a Bayesian search everything."""
        return self._space if self._method is Method.bayes else {}

    def sample_relative(
        self, study: "Study", trial: "FrozenTrial", search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values that are drawn together."""
        if not search_space:
            return {}
        if self._place < self._startup:
            chosen = self._planned() | (self._first if self._place == 0 else {})
        else:
            chosen = self._now.sample_relative(study, trial, search_space)
            for name in search_space.keys() - chosen.keys():
                chosen[name] = self._now.sample_independent(study, trial, name, search_space[name])
        seen = {tuple(one.params.get(name) for name in search_space) for one in _earlier(study, trial)}
        return unseen(chosen, search_space, seen, self._rng)

    def _planned(self) -> dict[str, Any]:
        """A point of a Latin hypercube over all starting points, which has each value of a list about equally often."""
        row = qmc.LatinHypercube(len(self._space), rng=self._seed).random(self._startup)[self._place]
        return {name: _quantile(one, float(u)) for (name, one), u in zip(self._space.items(), row, strict=True)}

    def sample_independent(
        self, study: "Study", trial: "FrozenTrial", param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """One value by itself."""
        return self._now.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: "Study", trial: "FrozenTrial", state: "TrialState", values: Any) -> None:
        """Let the sampler of this trial note what came of it."""
        self._now.after_trial(study, trial, state, values)


def _earlier(study: "Study", trial: "FrozenTrial", without: str = "") -> list["FrozenTrial"]:
    """The trials before this one but those discarded because of `without`; by default but all that were discarded."""
    found = study.get_trials(deepcopy=False)[: trial.number]
    return [
        one for one in found if DISCARDED not in one.user_attrs or (without and one.user_attrs[DISCARDED] != without)
    ]


def unseen(
    chosen: Mapping[str, Any], drawn: Space, seen: set[tuple[Any, ...]], rng: np.random.Generator
) -> dict[str, Any]:
    """The point itself if it is not among `seen`, else the nearest one that is not; the point if there is none.

    Near is what differs in few values, and among those what differs little in ordered ones. rng: chooses among equals.
    """
    names = list(drawn)
    point = tuple(chosen[name] for name in names)
    if point not in seen or size(drawn) <= len(seen):
        return dict(chosen)
    listed = [k for k, name in enumerate(names) if isinstance(drawn[name], CategoricalDistribution | IntDistribution)]
    for changed in range(1, len(listed) + 1):
        near: dict[float, list[tuple[Any, ...]]] = {}
        for which in combinations(listed, changed):
            for others in product(*(_others(drawn[names[k]], point[k]) for k in which)):
                new = list(point)
                for k, (value, _) in zip(which, others, strict=True):
                    new[k] = value
                if tuple(new) not in seen:
                    near.setdefault(sum(far for _, far in others), []).append(tuple(new))
        if near:
            nearest = near[min(near)]
            return dict(zip(names, nearest[int(rng.integers(len(nearest)))], strict=True))
    return dict(chosen)


def _others(one: BaseDistribution, value: Any) -> Sequence[tuple[Any, float]]:
    """The other values, each with its distance."""
    if isinstance(one, IntDistribution):
        return [(other, abs(other - value)) for other in range(one.low, one.high + 1) if other != value]
    assert isinstance(one, CategoricalDistribution)
    return [(other, 1.0) for other in one.choices if other != value]


def _quantile(one: BaseDistribution, u: float) -> Any:
    """The value at the quantile u of a uniform distribution over the values."""
    if isinstance(one, CategoricalDistribution):
        return one.choices[int(u * len(one.choices))]
    if isinstance(one, IntDistribution):
        return one.low + int(u * (one.high - one.low + 1))
    return one.low + u * (one.high - one.low)  # type: ignore[attr-defined]
