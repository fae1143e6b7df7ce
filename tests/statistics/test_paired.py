"""Paired tests against scipy and statsmodels on fixed cases."""

from math import inf

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from fastadasp.statistics.clusters import Clusters
from fastadasp.statistics.intervals import Estimate
from fastadasp.statistics.paired import detectable, difference, p_equivalent, p_no_worse, permutation
from fastadasp.statistics.score import Floats, Score, share
from tests.statistics.test_intervals import ACCURACY, MEAN, RATE, errors

SPEAKERS = Clusters.by([number // 5 for number in range(40)], "speaker")


def pairs(both: int, first_only: int, second_only: int, neither: int) -> tuple[Floats, Floats]:
    """Right answers of two runs."""
    kinds = [(1, 1)] * both + [(1, 0)] * first_only + [(0, 1)] * second_only + [(0, 0)] * neither
    first_N, second_N = np.array(kinds, dtype=float).T
    ones_N = np.ones(len(kinds))
    return np.stack([first_N, ones_N], axis=1), np.stack([second_N, ones_N], axis=1)


def means(clips: int, shift: float, seed: int = 0) -> tuple[Floats, Floats]:
    draw = np.random.default_rng(seed)
    first_N = draw.normal(0, 3, clips)
    second_N = first_N + draw.normal(shift, 1, clips)
    ones_N = np.ones(clips)
    return np.stack([first_N, ones_N], axis=1), np.stack([second_N, ones_N], axis=1)


@pytest.mark.parametrize(("first_only", "second_only"), [(0, 5), (1, 9), (4, 4), (2, 6), (0, 1), (3, 0)])
def test_right_and_wrong_answers_have_mcnemars_exact_p(first_only: int, second_only: int) -> None:
    first, second = pairs(20, first_only, second_only, 6)
    found = permutation(first, second, ACCURACY, Clusters.each(len(first)))
    assert found.exact
    assert found.p == pytest.approx(mcnemar([[20, first_only], [second_only, 6]], exact=True).pvalue)


def test_many_differing_clips_are_exchanged_at_random() -> None:
    first, second = pairs(50, 12, 28, 10)
    found = permutation(first, second, ACCURACY, Clusters.each(100), exchanges=50_000)
    assert not found.exact
    assert found.p == pytest.approx(mcnemar([[50, 12], [28, 10]], exact=True).pvalue, abs=0.003)


@pytest.mark.parametrize("seed", range(3))
def test_mean_differences_have_the_p_of_scipys_permutation_test(seed: int) -> None:
    first, second = means(11, 0.6, seed)
    expected = stats.permutation_test(
        (second[:, 0] - first[:, 0],), np.mean, permutation_type="samples", n_resamples=inf
    )
    assert permutation(first, second, MEAN, Clusters.each(11)).p == pytest.approx(expected.pvalue)


def test_speakers_are_exchanged_whole() -> None:
    first, second = errors(40, 1), errors(40, 1)
    second[:, 0] = np.minimum(second[:, 0] + np.random.default_rng(0).binomial(3, 0.2, 40), second[:, 1])
    by_speaker = [SPEAKERS.sums(side) for side in (first, second)]

    def apart(one_G: Floats, other_G: Floats) -> float:
        words = by_speaker[0][:, 1].sum()
        return float((other_G.sum() - one_G.sum()) / words)

    expected = stats.permutation_test(
        (by_speaker[0][:, 0], by_speaker[1][:, 0]), apart, permutation_type="samples", n_resamples=inf
    )
    found = permutation(first, second, RATE, SPEAKERS)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.least == 2 / 2 ** np.count_nonzero(by_speaker[0][:, 0] != by_speaker[1][:, 0])


def test_equal_runs_do_not_differ() -> None:
    found = permutation(errors(9), errors(9), RATE, Clusters.each(9))
    assert (found.p, found.least) == (1.0, 1.0)


def plain(gain: Estimate) -> Estimate:
    """Without resampling: the t interval alone."""
    return Estimate(gain.value, gain.score, gain.clips, gain.clusters, gain.error, gain.linear_error)


def test_equivalence_is_statsmodels_two_one_sided_tests() -> None:
    first, second = means(25, 0.1)
    gain = difference(first, second, MEAN, Clusters.each(25))
    for margin in (0.2, 0.5, 1.0):
        expected = ttost_paired(second[:, 0], first[:, 0], -margin, margin)
        assert p_equivalent(plain(gain), margin) == pytest.approx(expected[0])
        assert p_no_worse(plain(gain), margin) == pytest.approx(expected[1][1])
        assert p_no_worse(gain, margin) >= p_no_worse(plain(gain), margin), "resampling makes it no easier"


def test_no_worse_means_no_more_errors_where_fewer_are_better() -> None:
    first, second = errors(200), errors(200)
    second[:, 0] = np.maximum(second[:, 0] - 1, 0)
    fewer, more = (difference(*sides, RATE, Clusters.each(200)) for sides in ((first, second), (second, first)))
    assert (fewer.value < 0, more.value > 0) == (True, True)
    assert p_no_worse(fewer, 0.005) < 0.001
    assert p_no_worse(more, 0.005) > 0.99


@pytest.mark.parametrize("clips", [4, 64, 1000])
def test_equal_answers_of_few_clips_prove_nothing(clips: int) -> None:
    first, _ = pairs(clips, 0, 0, 0)
    gain = difference(first, first, ACCURACY, Clusters.each(clips))
    interval = gain.interval()
    assert interval.value == 0
    assert -interval.low == pytest.approx(interval.high)
    assert (p_equivalent(gain, 0.05) < 0.05) == (clips == 1000 or clips == 64)
    assert (p_equivalent(gain, 0.005) < 0.05) == (clips == 1000)
    assert detectable(gain) == inf


@pytest.mark.parametrize("clips", [5, 30, 400])
def test_the_smallest_difference_is_that_of_statsmodels_power(clips: int) -> None:
    first, second = means(clips, 0.1)
    gain = difference(first, second, MEAN, Clusters.each(clips))
    effect = TTestPower().solve_power(nobs=clips, alpha=0.05, power=0.8, alternative="two-sided")
    assert detectable(gain) == pytest.approx(effect * np.std(second[:, 0] - first[:, 0], ddof=1), rel=1e-4)


def test_the_smallest_difference_is_found_four_times_of_five() -> None:
    draw, found = np.random.default_rng(0), 0
    words_N = np.full(60, 20.0)

    def sample(shift: float) -> Estimate:
        first_N = draw.binomial(20, 0.2, 60).astype(float)
        second_N = first_N + draw.normal(20 * shift, 2, 60)
        sides = (np.stack([values_N, words_N], axis=1) for values_N in (first_N, second_N))
        return plain(difference(*sides, RATE, Clusters.each(60), resamples=100))

    shift = float(np.mean([detectable(sample(0.0)) for _ in range(20)]))
    for _ in range(400):
        interval = sample(shift).interval()
        found += interval.low > 0
    assert 0.74 < found / 400 < 0.86


def test_the_order_of_counts_is_that_of_runs() -> None:
    score = Score(share, higher_is_better=True)
    first, second = pairs(1, 0, 2, 1)
    assert difference(first, second, score, Clusters.each(4)).value == pytest.approx(0.5)
