"""A corpus score as a function of summed counts.

R sets of clips, K counts of each.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """A score of a set of clips, computed from the sums of their counts."""

    of: Callable[[Floats], Floats]
    """(R, K) summed counts of R sets of clips -> (R,) scores."""
    higher_is_better: bool
    low: float = 0.0
    """The lowest score there is."""
    high: float = 1.0
    """The highest score that a useful system gets; of an error rate 1, though more errors than words are possible."""
    share: bool = False
    """Whether the score is the share of clips that are right: counts are (0 or 1, 1)."""

    counts: tuple[int, int | None] = (0, None)
    """Which of a task's counts `of` takes: from the first number on, up to the second one."""

    @property
    def columns(self) -> slice:
        """`counts` as an index."""
        return slice(*self.counts)

    @property
    def span(self) -> float:
        """The difference between the best and the worst score."""
        return self.high - self.low

    def one(self, sums_K: Floats) -> float:
        """The score of one set of clips."""
        return float(self.of(sums_K[None])[0])

    def difference(self, counts: int) -> "Score":
        """The second score minus the first one, where `counts` counts of one run stand before those of another."""
        return replace(
            self,
            of=lambda sums_RK: self.of(sums_RK[:, counts:]) - self.of(sums_RK[:, :counts]),
            low=-self.span,
            high=self.span,
            share=False,
            counts=(0, None),
        )


def share(sums_RK: Floats) -> Floats:
    """The first count divided by the second one; 0 where there is nothing."""
    whole_R = sums_RK[:, 1]
    part_R: Floats = np.divide(sums_RK[:, 0], whole_R, out=np.zeros_like(whole_R), where=whole_R != 0)
    return part_R
