"""Intervals of corpus scores, and how sure one can be that a score lies above a bound.

Three estimators; docs/statistics.md has the simulation by which they were chosen:

- a share of right clips, every clip by itself: Wilson's interval;
- where no resample differs (no clip wrong, equal answers): Wilson's interval for the share of clips that would differ;
- everything else: bootstrap-t (Efron and Tibshirani, 1993, chapter 12), clusters drawn whole, and never narrower than
  the t interval of the jackknife, which it falls short of where clusters are few.

R resamples, G clusters, K counts.
"""

from dataclasses import dataclass, replace
from math import inf, sqrt
from statistics import NormalDist

import numpy as np

from fastadasp.statistics.clusters import Clusters
from fastadasp.statistics.resampling import joined, resampled
from fastadasp.statistics.score import Floats, Score

COVERAGE = 0.95
"""Of intervals, where nothing else is said."""
_NORMAL = NormalDist()
_SAME = 1e-9
"""A standard error below this share of a score's span is rounding."""
_STEP = 1e-5
"""Relative step of numerical derivatives."""
_JACKKNIFED = 5000
"""Clusters up to which each is left out in turn; beyond, the derivative gives the same standard error."""
_FEWEST_STUDENTISED = 0.9
"""Share of resamples that must have a standard error of their own, or the jackknife alone decides."""


@dataclass(frozen=True)
class Interval:
    """A value and the bounds between which the true one lies with the probability `coverage`."""

    value: float
    low: float
    high: float
    method: str = ""
    """wilson, bootstrap-t, or none-differ."""
    clips: int = 0
    clusters: int = 0
    cluster: str | None = None
    """The field that names the clusters; None where each clip was drawn by itself."""
    coverage: float = COVERAGE


@dataclass(frozen=True)
class Estimate:
    """A corpus score of a set of clips, and what these clips say of its true value."""

    value: float
    score: Score
    clips: int
    clusters: Clusters
    error: float = 0.0
    """Standard error, by the jackknife over clusters."""
    linear_error: float = 0.0
    """Standard error by the derivative of the score, to which `studentised_R` refers."""
    studentised_R: Floats | None = None
    """Of each resample, how far its score is from `value` in its own standard errors, sorted; None: not used."""

    @property
    def method(self) -> str:
        """The estimator in use."""
        if self.score.share and self.clusters.field is None:
            return "wilson"
        return "bootstrap-t" if self.error > _SAME * self.score.span else "none-differ"

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the standard error."""
        return max(self.clusters.count - 1, 1)

    def interval(self, coverage: float = COVERAGE) -> Interval:
        """The two-sided interval."""
        tail = (1 - coverage) / 2
        low, high = self._bound(tail), self._bound(1 - tail)
        low, high = max(low, self._least), min(high, self._most)
        field = self.clusters.field
        return Interval(self.value, low, high, self.method, self.clips, self.clusters.count, field, coverage)

    def p_at_most(self, bound: float) -> float:
        """How likely so high a value would be, if the true one were at most `bound`: small means that it is above."""
        return self._p(bound, 1)

    def p_at_least(self, bound: float) -> float:
        """How likely so low a value would be, if the true one were at least `bound`: small means that it is below."""
        return self._p(bound, -1)

    def _p(self, bound: float, sign: int) -> float:
        """Of values so far above (sign 1) or below (sign -1) a true value of `bound`; agrees with the interval."""
        from scipy.stats import t as student

        distance = sign * (self.value - bound)
        if self.method == "wilson":
            return _p_of_share(distance, min(max(bound, 0.0), 1.0), self.clips)
        if self.method == "none-differ":
            reach = self.value - self.score.low if sign > 0 else self.score.high - self.value
            return _p_of_none(distance / max(reach, _SAME), self.clusters.count)
        by_t = float(student.sf(distance / self.error, self.freedom))
        if self.studentised_R is None:
            return by_t
        beyond = int((sign * self.studentised_R >= distance / self.linear_error).sum())
        return max(by_t, (1 + beyond) / (len(self.studentised_R) + 1))

    @property
    def _least(self) -> float:
        return min(self.score.low, self.value)

    @property
    def _most(self) -> float:
        """No bound above for error rates: insertions have no limit."""
        return inf if self.score.low == 0 and not self.score.higher_is_better else max(self.score.high, self.value)

    def _bound(self, quantile: float) -> float:
        """The value below which the true one lies with the probability `quantile`."""
        from scipy.stats import t as student

        if self.method == "wilson":
            return wilson(self.value, self.clips, _NORMAL.inv_cdf(quantile))
        if self.method == "none-differ":
            z = _NORMAL.inv_cdf(quantile)
            reach = (self.value - self.score.low) if z < 0 else (self.score.high - self.value)
            share = wilson(0.0, self.clusters.count, abs(z)) * (1 if z > 0 else -1)
            return self.value + share * max(reach, 0.0)
        by_t = self.value + float(student.ppf(quantile, self.freedom)) * self.error
        if self.studentised_R is None:
            return by_t
        by_resampling = self.value - float(np.quantile(self.studentised_R, 1 - quantile)) * self.linear_error
        return min(by_t, by_resampling) if quantile < 0.5 else max(by_t, by_resampling)


def estimate(
    counts_NK: Floats, score: Score, clusters: Clusters | None = None, resamples: int = 2000, seed: int = 0
) -> Estimate:
    """What N clips with these counts say of a corpus score; for two runs, of `Score.difference` of both runs' counts.

    Estimates of equal clips, resamples and seed rest on the same draws.
    """
    clusters = clusters or Clusters.each(len(counts_NK))
    values_GK = clusters.sums(counts_NK)
    sums_K = values_GK.sum(0)
    bare = Estimate(score.one(sums_K), score, len(counts_NK), clusters)
    if bare.method == "wilson" or clusters.count < 2:
        return bare
    values_GK = joined(values_GK)
    influence_G = influences(values_GK, score)
    linear_error = _error(influence_G)
    error = linear_error if len(values_GK) > _JACKKNIFED else _jackknife(values_GK, sums_K, score)
    if max(error, linear_error) <= _SAME * score.span:
        return bare
    error = max(error, _SAME * 2 * score.span)
    found = Estimate(bare.value, score, bare.clips, clusters, error, linear_error)
    sums_RK = resampled(np.column_stack([values_GK, influence_G, influence_G**2]), resamples, seed)
    studentised_R = _studentised(sums_RK, found, len(values_GK))
    return replace(found, studentised_R=studentised_R)


def _studentised(sums_RK: Floats, found: Estimate, drawn: int) -> Floats | None:
    """Distances of the resamples' scores from the value, in standard errors of their own, sorted.

    sums_RK: of `drawn` rows each; the last two columns sum up influences and their squares. None where too many
    resamples do not vary.
    """
    mean_R, square_R = sums_RK[:, -2] / drawn, sums_RK[:, -1] / drawn
    error_R = np.sqrt(np.maximum(square_R - mean_R**2, 0.0) / (drawn - 1))
    varies_R = error_R > 1e-6 * found.linear_error
    if found.linear_error <= _SAME * found.score.span or varies_R.mean() < _FEWEST_STUDENTISED:
        return None
    scores_R = found.score.of(sums_RK[varies_R, :-2])
    studentised_R: Floats = np.sort((scores_R - found.value) / error_R[varies_R])
    return studentised_R


def influences(values_GK: Floats, score: Score) -> Floats:
    """(G,) what each cluster adds to the score, by its derivative: values that sum to 0."""
    sums_K = values_GK.sum(0)
    step_K = np.maximum(np.abs(sums_K), 1.0) * _STEP
    up_K, down_K = score.of(sums_K + np.diag(step_K)), score.of(sums_K - np.diag(step_K))
    slope_K = (up_K - down_K) / (2 * step_K)
    influence_G: Floats = (values_GK - values_GK.mean(0)) @ slope_K * len(values_GK)
    return influence_G


def _error(influence_G: Floats) -> float:
    """The standard error of a mean of independent influences."""
    clusters = len(influence_G)
    return float(sqrt((influence_G**2).sum() / clusters / (clusters - 1)))


def _jackknife(values_GK: Floats, sums_K: Floats, score: Score) -> float:
    """The standard error by leaving out one cluster after the other."""
    without_G = score.of(sums_K - values_GK)
    clusters = len(values_GK)
    return float(sqrt((clusters - 1) / clusters * ((without_G - without_G.mean()) ** 2).sum()))


def wilson(share: float, size: int, z: float) -> float:
    """Wilson's bound of a share at z standard deviations, the lower one for negative z (Wilson, 1927)."""
    middle = share + z * z / (2 * size)
    half = z * sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    return min(1.0, max(0.0, (middle + half) / (1 + z * z / size)))


def _p_of_share(distance: float, true: float, size: int) -> float:
    """The score test of a share, to which Wilson's interval belongs: `distance` is how far it is beyond `true`."""
    if true <= 0 or true >= 1:
        return 0.0 if distance > 0 else 1.0
    return 1.0 - _NORMAL.cdf(distance / sqrt(true * (1 - true) / size))


def _p_of_none(share: float, size: int) -> float:
    """As `wilson(0, ...)` has it: of none of the clusters that differs, where a `share` of all would."""
    if share <= 0:
        return 1.0
    return 1.0 - _NORMAL.cdf(sqrt(size * share / max(1 - share, _SAME)))
