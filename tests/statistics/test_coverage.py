"""How often intervals hold the true score, by simulation from populations whose score is known."""

import json

import pytest

from experiments.tools.coverage import OUT, coverage, populations

FOUND = json.loads(OUT.read_text(encoding="utf-8"))["populations"]


def test_the_stored_simulation_is_of_the_populations_as_they_are_now() -> None:
    assert set(FOUND) == set(populations())


def test_intervals_hold_the_true_score_as_often_as_they_say() -> None:
    outside = {name: one["coverage"] for name, one in FOUND.items() if not 0.93 <= one["coverage"] <= 0.97}
    assert all(0.92 < held < 0.98 for held in outside.values())
    assert len(outside) <= 6
    assert all("10 clips" in name or "20 clips" in name or "4 speakers" in name for name in outside)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["WER 0.1, 10 speakers", "accuracy 0.8, 6 speakers", "difference of WER, 50 clips", "BLEU, 20 clips"]
)
def test_a_smaller_simulation_agrees(name: str) -> None:
    held, width = coverage(populations()[name], 300, FOUND[name]["true"], seed=1)
    assert 0.91 <= held <= 0.99
    assert width == pytest.approx(FOUND[name]["median_width"], rel=0.15)
