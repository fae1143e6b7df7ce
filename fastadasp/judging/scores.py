"""Judgements as counts, from which intervals and paired tests follow as from any score."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fastadasp.judging.exchange import Judgement, kept
from fastadasp.report.runs import Run
from fastadasp.statistics.score import Score, share
from fastadasp.tasks.counted import Counted

PREFIX = "judge:"
"""Opens the name of a score by a judge, as in `judge:llama`."""


def judged(run: Run, judge: str, cluster: str | None = None) -> Counted:
    """The run's clips with a judge's scores in the place of their counts."""
    return as_counts(kept(run, judge), Counted.of(run.task, run.predictions, cluster))


def as_counts(judgements: Sequence[Judgement], clips: Counted) -> Counted:
    """The clusters of `clips`, with scores and ones as counts."""
    counts_NK = np.array([[judgement.score, 1.0] for judgement in judgements])
    return replace(clips, counts_NK=counts_NK)


def judged_score(*runs: Counted) -> Score:
    """The mean score by a judge; the share of right answers where all scores are 0 or 1."""
    binary = all(np.isin(run.counts_NK[:, 0], (0.0, 1.0)).all() for run in runs)
    return Score(share, higher_is_better=True, share=binary)
