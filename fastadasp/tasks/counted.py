"""The clips of a run as what statistics need of them: their counts, and which of them belong together.

N clips, K counts of a task's tally.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastadasp.statistics.clusters import Clusters, Grouping
from fastadasp.statistics.intervals import Estimate, Interval, estimate
from fastadasp.statistics.score import Floats, Score
from fastadasp.tasks.base import Prediction, Task
from fastadasp.tasks.tallies import tallied


class Counting:
    """Takes in predictions one by one: a few numbers of each are kept.

    cluster: as in `task.cluster`, whose place it takes.
    """

    def __init__(self, task: Task, cluster: str | None = None) -> None:
        self._counts, self._width = array("d"), 1
        self._grouping = Grouping(cluster or task.cluster)

    def add(self, prediction: Prediction, tally: Sequence[float]) -> None:
        """Take in one prediction with its tally."""
        self._counts.extend(tally)
        self._width = len(tally)
        self._grouping.add(prediction.meta)

    def done(self) -> "Counted":
        """All of them. Raises ConfigError where they cannot be grouped as was asked for."""
        return Counted(np.frombuffer(self._counts, np.float64).reshape(-1, self._width), self._grouping.clusters())


@dataclass(frozen=True)
class Counted:
    """The clips of one run."""

    counts_NK: Floats
    clusters: Clusters

    @classmethod
    def of(cls, task: Task, predictions: Sequence[Prediction], cluster: str | None = None) -> "Counted":
        """Walk through `predictions` once; cluster and errors as in Counting."""
        return cls.of_each(task, [predictions], cluster)[0]

    @classmethod
    def of_each(cls, task: Task, runs: Sequence[Sequence[Prediction]], cluster: str | None = None) -> "list[Counted]":
        """Walk through the predictions of several runs of the same clips at once."""
        countings = [Counting(task, cluster) for _ in runs]
        for predictions, tallies in tallied(task.tally, *map(task.gathered, runs)):
            for counting, prediction, tally in zip(countings, predictions, tallies, strict=True):
                counting.add(prediction, tally)
        return [counting.done() for counting in countings]

    def counts(self, score: Score) -> Floats:
        """Those counts that a score takes."""
        return self.counts_NK[:, score.columns]

    def estimate(self, score: Score, resamples: int) -> Estimate:
        """The score, and what the clips say of its true value."""
        return estimate(self.counts(score), score, self.clusters, resamples)


def intervals(task: Task, counted: Counted, resamples: int) -> dict[str, Interval]:
    """The intervals of the task's objective and of its further scores, by name."""
    return {
        name: counted.estimate(task.measured(name), resamples).interval() for name in (task.objective, *task.further())
    }
