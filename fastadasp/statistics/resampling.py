"""Sums of counts over resamples of clips or clusters.

R resamples, G clusters, K counts.
"""

from collections.abc import Iterator

import numpy as np

from fastadasp.errors import ConfigError
from fastadasp.statistics.score import Floats

RESAMPLES = range(40, 100_001)
"""Numbers of resamples that are allowed: with fewer, none lies beyond either bound of an interval."""
DRAWN_AT_ONCE = 4_000_000
"""Draws that are held in memory together, whatever the number of clips."""
MOST_DRAWN = 20_000
"""Rows up to which each is drawn by itself."""


def check_resamples(given: int) -> None:
    """ConfigError unless `given` is a number of resamples that makes an interval."""
    if given not in RESAMPLES:
        raise ConfigError(
            f"--resamples {given}: it must be a whole number from {RESAMPLES.start} to {RESAMPLES.stop - 1}, such as "
            "2000"
        )


def joined(values_GK: Floats) -> Floats:
    """The counts of clusters, of which at most MOST_DRAWN rows are left: more of them are added up in random groups.

    A million clips would else be drawn ten thousand times each. Groups of equal size, put together at random, have the
    variance and the skewness of their members, so that drawing (or exchanging) whole groups says the same of the sum;
    with 20,000 groups the standard error found differs from that of single clips by half a percent, by chance. Equal
    numbers of clusters are put together alike, so that runs are still compared on the same resamples.
    """
    clusters = len(values_GK)
    if clusters <= MOST_DRAWN:
        return values_GK
    group_G = np.random.default_rng(0).permutation(clusters) % MOST_DRAWN
    return np.stack([np.bincount(group_G, column_G, MOST_DRAWN) for column_G in values_GK.T], axis=1)


def resampled(values_GK: Floats, resamples: int, seed: int = 0) -> Floats:
    """(R, K) sums over resamples of G clusters, each drawn with replacement.

    Equal numbers of clusters and equal seeds give the same draws, so that runs are compared on the same resamples.
    """
    clusters = len(values_GK)
    generator = np.random.default_rng(seed)
    parts = []
    for size in _parts(resamples, clusters):
        drawn_RG = generator.integers(0, clusters, (size, clusters))
        drawn_RG += np.arange(size)[:, None] * clusters
        times_RG = np.bincount(drawn_RG.ravel(), minlength=size * clusters).reshape(size, clusters)
        parts.append(times_RG.astype(np.float64) @ values_GK)
    return np.concatenate(parts)


def flipped(values_GK: Floats, flips: int, seed: int = 0) -> Floats:
    """(R, K) sums over those clusters for which a coin falls on heads, for R throws of G coins."""
    clusters = len(values_GK)
    generator = np.random.default_rng(seed)
    parts = [
        generator.integers(0, 2, (size, clusters), dtype=np.int8).astype(np.float64) @ values_GK
        for size in _parts(flips, clusters)
    ]
    return np.concatenate(parts)


def _parts(repetitions: int, clusters: int) -> Iterator[int]:
    """Numbers of repetitions to do together, so that no more than DRAWN_AT_ONCE values are drawn at once."""
    most = max(1, DRAWN_AT_ONCE // clusters)
    for start in range(0, repetitions, most):
        yield min(most, repetitions - start)
