"""Intervals against statsmodels, scipy and what is known in closed form."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import WLS
from statsmodels.stats.proportion import proportion_confint

from fastadasp.statistics.clusters import Clusters
from fastadasp.statistics.intervals import Estimate, estimate, influences
from fastadasp.statistics.score import Floats, Score, share

ACCURACY = Score(share, higher_is_better=True, share=True)
RATE = Score(lambda sums_RK: sums_RK[:, 0] / np.maximum(sums_RK[:, 1], 1), higher_is_better=False)
MEAN = Score(lambda sums_RK: sums_RK[:, 0] / sums_RK[:, 1], higher_is_better=True, low=-100, high=100)


def answers(right: int, clips: int) -> Floats:
    return np.array([[float(number < right), 1.0] for number in range(clips)])


def errors(clips: int, seed: int = 0) -> Floats:
    """Errors and words of clips."""
    draw = np.random.default_rng(seed)
    words_N = draw.integers(3, 30, clips)
    return np.stack([draw.binomial(words_N, draw.beta(0.5, 4, clips)), words_N], axis=1).astype(float)


@pytest.mark.parametrize(("right", "clips"), [(0, 4), (4, 4), (3, 7), (64, 64), (52, 64), (1, 1000)])
@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_a_share_of_clips_has_wilsons_interval(right: int, clips: int, coverage: float) -> None:
    found = estimate(answers(right, clips), ACCURACY).interval(coverage)
    low, high = proportion_confint(right, clips, alpha=1 - coverage, method="wilson")
    assert (found.value, found.low, found.high) == pytest.approx((right / clips, low, high))
    assert (found.method, found.clips, found.clusters, found.cluster) == ("wilson", clips, clips, None)


def test_four_right_answers_of_four_are_not_certain() -> None:
    found = estimate(answers(4, 4), ACCURACY).interval()
    assert 0.5 < found.low < 0.52
    assert found.high == 1.0


@pytest.mark.parametrize("clips", [4, 30])
def test_no_error_at_all_leaves_the_doubt_that_no_wrong_clip_leaves(clips: int) -> None:
    counts_NK = errors(clips)
    counts_NK[:, 0] = 0
    found = estimate(counts_NK, RATE).interval()
    assert (found.low, found.high) == pytest.approx((0.0, proportion_confint(0, clips, method="wilson")[1]))
    assert found.method == "none-differ"


def test_speakers_count_where_all_clips_are_right() -> None:
    clusters = Clusters.by([number // 20 for number in range(100)], "speaker")
    found = estimate(answers(100, 100), ACCURACY, clusters).interval()
    assert found.low == pytest.approx(proportion_confint(5, 5, method="wilson")[0]), "five speakers, not 100 clips"
    assert (found.clips, found.clusters, found.cluster) == (100, 5, "speaker")


def test_the_standard_error_is_the_cluster_robust_one_of_statsmodels() -> None:
    counts_NK = errors(200)
    labels = np.random.default_rng(1).integers(0, 12, 200)
    found = estimate(counts_NK, RATE, Clusters.by(labels.tolist(), "speaker"))
    fit = WLS(counts_NK[:, 0] / counts_NK[:, 1], np.ones(200), weights=counts_NK[:, 1])
    robust = fit.fit(cov_type="cluster", cov_kwds={"groups": labels, "use_correction": True})
    # By the derivative at the mean, where statsmodels takes sums: equal for a ratio.
    assert found.linear_error == pytest.approx(robust.bse[0], rel=1e-6)
    assert found.error == pytest.approx(found.linear_error, rel=0.2), "the jackknife estimates the same"


def test_the_jackknife_of_a_mean_is_the_t_interval_of_scipy() -> None:
    values_N = np.random.default_rng(0).normal(3, 2, 15)
    found = estimate(np.stack([values_N, np.ones(15)], axis=1), MEAN)
    plain = Estimate(found.value, MEAN, 15, found.clusters, found.error, found.linear_error)
    expected = stats.ttest_1samp(values_N, 0).confidence_interval(0.95)
    assert (plain.interval().low, plain.interval().high) == pytest.approx((expected.low, expected.high))
    wider = found.interval()
    assert wider.low <= plain.interval().low
    assert wider.high >= plain.interval().high
    for bound, side, p in ((2.0, "greater", plain.p_at_most(2.0)), (4.0, "less", plain.p_at_least(4.0))):
        assert p == pytest.approx(stats.ttest_1samp(values_N, bound, alternative=side).pvalue)


def test_resampling_spreads_as_the_binomial_distribution_does() -> None:
    clusters = Clusters.by(list(range(400)), "speaker")  # one clip each: not Wilson, but the same in the limit
    found = estimate(answers(280, 400), ACCURACY, clusters, resamples=20_000).interval()
    low, high = proportion_confint(280, 400, method="wilson")
    assert (found.low, found.high) == (pytest.approx(low, abs=0.004), pytest.approx(high, abs=0.004))
    assert found.method == "bootstrap-t"


def test_the_interval_is_that_of_a_plain_bootstrap_t() -> None:
    counts_NK = errors(40, seed=3)
    found = estimate(counts_NK, RATE, resamples=4000)
    draw = np.random.default_rng(5)
    rate, influence_N = found.value, influences(counts_NK, RATE)
    distances = []
    for _ in range(4000):
        chosen = draw.integers(0, 40, 40)
        sums_K = counts_NK[chosen].sum(0)
        own = influence_N[chosen].std() / np.sqrt(39)
        distances.append((sums_K[0] / sums_K[1] - rate) / own)
    low, high = rate - np.quantile(distances, [0.975, 0.025]) * found.linear_error
    half = stats.t.ppf(0.975, 39) * found.error
    assert found.interval().low == pytest.approx(min(low, rate - half), abs=0.004)
    assert found.interval().high == pytest.approx(max(high, rate + half), abs=0.012)


@pytest.mark.parametrize(
    ("counts_NK", "score", "clusters"),
    [
        (errors(30), RATE, None),
        (answers(20, 30), ACCURACY, None),
        (answers(30, 30), ACCURACY, None),
        (answers(20, 30), ACCURACY, Clusters.by([n % 6 for n in range(30)], "speaker")),
        (answers(30, 30), ACCURACY, Clusters.by([n % 6 for n in range(30)], "speaker")),
        (errors(30) * [0, 1], RATE, None),
    ],
)
def test_p_values_agree_with_intervals(counts_NK: Floats, score: Score, clusters: Clusters | None) -> None:
    found = estimate(counts_NK, score, clusters, resamples=4000)
    interval = found.interval(0.9)
    step = 0.02 * (interval.high - interval.low)
    if interval.low > 0:
        assert found.p_at_most(interval.low - step) < 0.05 < found.p_at_most(interval.low + step)
    if interval.high < 1:
        assert found.p_at_least(interval.high + step) < 0.05 < found.p_at_least(interval.high - step)


def test_equal_seeds_draw_equal_resamples_and_others_do_not() -> None:
    first, again = (estimate(errors(30), RATE, resamples=500, seed=1).interval() for _ in range(2))
    assert first == again
    assert estimate(errors(30), RATE, resamples=500, seed=2).interval() != first


def test_one_cluster_or_one_clip_says_nothing_of_others() -> None:
    found = estimate(errors(1) * [0, 1], RATE).interval()
    assert found.high == pytest.approx(proportion_confint(0, 1, method="wilson")[1])


def test_word_errors_are_summed_over_a_resample_not_averaged() -> None:
    counts_NK = np.array([[0.0, 10.0], [1.0, 1.0]])
    assert estimate(counts_NK, RATE).value == pytest.approx(1 / 11)


def test_a_million_clips_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastadasp.statistics import resampling

    whole = estimate(errors(300), RATE, resamples=200).interval()
    monkeypatch.setattr(resampling, "DRAWN_AT_ONCE", 1000)
    parts = estimate(errors(300), RATE, resamples=200).interval()
    assert (whole.low, whole.high) == pytest.approx((parts.low, parts.high), abs=0.01)
