"""Many clips are added up in random groups before they are drawn: what is found is what single clips would say."""

import json

import numpy as np
import pytest

from experiments.tools.coverage import OUT, coverage, populations
from fastadasp.statistics import paired, resampling
from fastadasp.statistics.clusters import Clusters
from fastadasp.statistics.intervals import estimate
from fastadasp.statistics.paired import permutation
from fastadasp.statistics.resampling import joined
from tests.statistics.test_intervals import RATE, errors


def test_few_clusters_stay_as_they_are_and_many_keep_their_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    counts_NK = errors(3000)
    assert joined(counts_NK) is counts_NK
    monkeypatch.setattr(resampling, "MOST_DRAWN", 400)
    found = joined(counts_NK)
    assert found.shape == (400, 2) and found.sum(0) == pytest.approx(counts_NK.sum(0))
    assert (joined(counts_NK[:, :1]) == found[:, :1]).all(), "two runs of as many clips are grouped alike"
    members = joined(np.ones((3000, 1)))
    assert set(members.ravel()) == {7.0, 8.0}


def test_intervals_and_p_are_those_of_single_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = errors(4000, 1), errors(4000, 1)
    changed = np.random.default_rng(2).random(4000) < 0.05
    second[changed, 0] += np.random.default_rng(3).integers(-1, 2, changed.sum())
    clusters = Clusters.each(4000)
    alone = estimate(first, RATE), permutation(first, second, RATE, clusters, 4000)
    monkeypatch.setattr(resampling, "MOST_DRAWN", 1000)
    grouped = estimate(first, RATE), permutation(first, second, RATE, clusters, 4000)
    assert (grouped[0].value, grouped[0].clips, grouped[0].clusters.count) == (alone[0].value, 4000, 4000)
    assert grouped[0].error == pytest.approx(alone[0].error, rel=0.1)
    for name in ("low", "high"):
        bounds = [getattr(one[0].interval(), name) for one in (alone, grouped)]
        assert bounds[1] == pytest.approx(bounds[0], abs=0.2 * alone[0].error)
    assert grouped[1].p == pytest.approx(alone[1].p, abs=0.1)


def test_intervals_of_groups_hold_the_true_score(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 clips in groups of two: as often as without groups (docs/statistics.md), within what 400 sets can show."""
    monkeypatch.setattr(resampling, "MOST_DRAWN", 100)
    population = populations()["WER 0.1, 200 clips"]
    truth = json.loads(OUT.read_text(encoding="utf-8"))["populations"]["WER 0.1, 200 clips"]["true"]
    held, _ = coverage(population, 400, truth, seed=3)
    assert 0.93 - 0.02 <= held <= 0.97 + 0.02


def test_drawing_costs_no_more_for_more_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond MOST_DRAWN, what is drawn and exchanged stays the same however many clips there are."""
    drawn: list[int] = []
    monkeypatch.setattr(resampling, "MOST_DRAWN", 300)
    compute = paired.flipped
    monkeypatch.setattr(paired, "flipped", lambda values, *rest: drawn.append(len(values)) or compute(values, *rest))
    for clips in (1000, 8000):
        first, second = errors(clips, 1), errors(clips, 2)
        permutation(first, second, RATE, Clusters.each(clips), 50)
    assert drawn == [300, 300]
