"""Paired tests of two runs on the same clips: permutation, margins, and what a set of clips could show.

G clusters, K counts, F throws of coins.
"""

from dataclasses import dataclass
from itertools import product
from math import inf

import numpy as np

from fastadasp.statistics.clusters import Clusters
from fastadasp.statistics.intervals import COVERAGE, Estimate, estimate
from fastadasp.statistics.resampling import flipped, joined
from fastadasp.statistics.score import Floats, Score

_ALL_OF = 13
"""Clusters that differ, up to which all exchanges are tried: 2^13 = 8192."""
_TIE = 1e-10
"""Differences of scores within this share of the span are equal: sums are not exact."""
POWER = 0.8
"""The probability with which `detectable` asks a difference to be found."""


@dataclass(frozen=True)
class Permutation:
    """A permutation test of the hypothesis that it does not matter which of two runs gave an answer."""

    p: float
    """Two-sided: how often exchanging the runs at random makes a difference as large as the one found."""
    exchanges: int
    """How many exchanges were tried."""
    exact: bool
    """Whether these were all that there are."""
    least: float
    """The smallest p that so few clusters that differ can give."""


def permutation(
    first_NK: Floats, second_NK: Floats, score: Score, clusters: Clusters, exchanges: int = 10_000, seed: int = 0
) -> Permutation:
    """Exchange the two runs' answers of whole clusters, each with probability 1/2 (sign flips, Fisher and Pitman).

    Clusters in which the runs count the same are left out: exchanging these changes nothing.
    """
    first_K, second_K = first_NK.sum(0), second_NK.sum(0)
    gain_GK = clusters.sums(second_NK - first_NK)
    gain_GK = gain_GK[(gain_GK != 0).any(1)]
    if not len(gain_GK):
        return Permutation(1.0, 1, True, 1.0)
    gain_GK = joined(gain_GK)
    observed = abs(score.one(second_K) - score.one(first_K))
    exact = len(gain_GK) <= _ALL_OF
    if exact:
        sums_FK = np.array(list(product((0.0, 1.0), repeat=len(gain_GK)))) @ gain_GK
    else:
        sums_FK = flipped(gain_GK, exchanges, seed)
    apart_F = np.abs(score.of(second_K - sums_FK) - score.of(first_K + sums_FK))
    as_large = int((apart_F >= observed - _TIE * score.span).sum())
    p = as_large / len(sums_FK) if exact else (1 + as_large) / (1 + len(sums_FK))
    least = 2.0 ** (1 - len(gain_GK))
    return Permutation(p, len(sums_FK), exact, least if exact else max(least, 1 / (1 + len(sums_FK))))


def difference(
    first_NK: Floats, second_NK: Floats, score: Score, clusters: Clusters, resamples: int = 10_000, seed: int = 0
) -> Estimate:
    """The second run's score minus the first one's, as an estimate."""
    both_NK = np.concatenate([first_NK, second_NK], axis=1)
    return estimate(both_NK, score.difference(first_NK.shape[1]), clusters, resamples, seed)


def p_no_worse(gain: Estimate, margin: float) -> float:
    """p of the hypothesis that the second run is worse by `margin` or more: small means that it is no worse.

    gain: of `difference`, so in the score's own direction; margin: above 0, in the score's unit.
    """
    return gain.p_at_most(-margin) if gain.score.higher_is_better else gain.p_at_least(margin)


def p_equivalent(gain: Estimate, margin: float) -> float:
    """p of the hypothesis that the runs differ by `margin` or more: the larger of two one-sided tests (TOST)."""
    return max(gain.p_at_most(-margin), gain.p_at_least(margin))


def detectable(gain: Estimate, significance: float = 1 - COVERAGE, power: float = POWER) -> float:
    """The smallest true difference that a two-sided t test on such clips finds with the probability `power`.

    Follows from the standard error of the difference found; infinite where no two clusters differ.
    """
    from scipy.optimize import brentq
    from scipy.stats import nct
    from scipy.stats import t as student

    if gain.method != "bootstrap-t":
        return inf
    critical = float(student.isf(significance / 2, gain.freedom))

    def lacking(effect: float) -> float:
        found = nct.sf(critical, gain.freedom, effect) + nct.cdf(-critical, gain.freedom, effect)
        return float(found) - power

    most = 2.0
    while lacking(most) < 0:
        most *= 2
    return float(brentq(lacking, 0.0, most)) * gain.error
