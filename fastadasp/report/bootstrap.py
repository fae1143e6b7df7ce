"""Confidence intervals of corpus scores by resampling examples (Koehn, EMNLP 2004: paired for differences).

R resamples, N examples, K counts in a task's tally.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastadasp.errors import ConfigError
from fastadasp.tasks.base import Prediction, Task

Scores = NDArray[np.float64]
COVERAGE = 0.95
RESAMPLES = range(40, 100_001)
"""Numbers of resamples that are allowed: with fewer, none lies beyond either bound of an interval."""


def check_resamples(given: int) -> None:
    """ConfigError unless `given` is a number of resamples that makes an interval."""
    if given not in RESAMPLES:
        raise ConfigError(
            f"--resamples {given}: it must be a whole number from {RESAMPLES.start} to {RESAMPLES.stop - 1}, such as "
            "2000"
        )


@dataclass(frozen=True)
class Interval:
    """A value and the bounds between which resampling puts it in 95 % of all cases."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, resampled_R: Scores) -> "Interval":
        """The percentile interval."""
        low, high = np.quantile(resampled_R, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
        return cls(float(value), float(low), float(high))


class Bootstrap:
    """The same resamples of N examples for every run, so that two runs can be compared example by example."""

    def __init__(self, examples: int, resamples: int, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self._times_RN = generator.multinomial(examples, np.full(examples, 1 / examples), size=resamples)

    def scores(self, task: Task, predictions: Sequence[Prediction]) -> tuple[float, Scores]:
        """The task's objective over all predictions, and over each resample of them (R,)."""
        tallies_NK = np.array([task.tally(prediction) for prediction in predictions], dtype=np.float64)
        sums_RK = self._times_RN @ tallies_NK
        return task.score(tallies_NK.sum(0).tolist()), np.array([task.score(sums) for sums in sums_RK.tolist()])
