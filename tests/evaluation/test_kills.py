"""A run of two processes that is killed at random moments ends as one that nobody touched."""

from pathlib import Path

import pytest

from experiments.tools.kills import trial
from tests.helpers.warm import warm


@pytest.mark.slow
def test_kills_at_random_moments_change_neither_answers_nor_metrics(tmp_path: Path) -> None:
    kills, equal = trial(tmp_path, kills=2, clips=24, seed=5, longest_s=5.0, start=lambda words: warm(*words[1:]))
    assert equal, kills
