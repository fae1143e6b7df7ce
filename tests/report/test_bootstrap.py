"""Intervals against what is known of them in closed form."""

from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from fastadasp.report.bootstrap import Bootstrap, Interval
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Prediction
from fastadasp.tasks.er import ER


def answers(right: int, wrong: int) -> list[Prediction]:
    kinds = [("sad", "sad")] * right + [("sad", "happy")] * wrong
    return [Prediction(id=str(i), text=a, answer=a, reference=r) for i, (r, a) in enumerate(kinds)]


def test_the_interval_of_a_share_is_the_binomial_one() -> None:
    value, resampled = Bootstrap(400, resamples=20000).scores(ER(Path()), answers(280, 120))
    interval = Interval.of(value, resampled)
    half = 1.96 * sqrt(0.7 * 0.3 / 400)
    assert interval.value == 0.7
    assert (interval.low, interval.high) == (pytest.approx(0.7 - half, abs=0.004), pytest.approx(0.7 + half, abs=0.004))


def test_runs_are_compared_example_by_example() -> None:
    bootstrap = Bootstrap(100, resamples=4000)
    one, other = answers(60, 40), answers(60, 40)
    scores = [bootstrap.scores(ER(Path()), found)[1] for found in (one, other)]
    assert np.ptp(scores[0]) > 0
    assert np.array_equal(*scores), "equal answers do not differ in any resample"
    better = [*one[:60], *answers(5, 0), *one[65:]]
    gain = bootstrap.scores(ER(Path()), better)[1] - scores[0]
    assert Interval.of(0.05, gain).low > 0, "five more right and none lost is more than chance"


def test_word_errors_are_summed_over_a_resample_not_averaged() -> None:
    long = Prediction(id="l", text="", answer="a b c d e f g h i j", reference="a b c d e f g h i j")
    short = Prediction(id="s", text="", answer="x", reference="y")
    value, resampled = Bootstrap(2, resamples=500).scores(ASR(Path()), [long, short])
    assert value == pytest.approx(1 / 11)
    assert set(np.round(resampled, 6)) == {0.0, round(1 / 11, 6), 1.0}
