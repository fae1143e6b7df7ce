"""Clips whose answers got worse or better from one run to another.

N clips, K counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fastadasp.data.sources import Source
from fastadasp.errors import InputError
from fastadasp.report.runs import Run
from fastadasp.statistics.score import Floats, Score
from fastadasp.tasks.asking import asked
from fastadasp.tasks.base import Prediction


@dataclass(frozen=True)
class Clip:
    """One clip, and what two runs answered."""

    id: str
    reference: str
    first: str
    second: str
    """The answers as the task read them."""
    change: float
    """How much better (above 0) or worse the second one is: in errors of error rates, else in the clip's own score."""


def changed(
    first: Run, second: Run, first_NK: Floats, second_NK: Floats, score: Score
) -> tuple[list[Clip], list[Clip]]:
    """Clips that broke and clips that were mended, the largest changes first.

    An error rate changes with its errors, of which longer clips have more; other scores by those of single clips.
    """
    gain_N = _of_clips(second_NK, score) - _of_clips(first_NK, score)
    moved = np.flatnonzero(np.abs(gain_N) > 1e-12)
    order = sorted(moved.tolist(), key=lambda at: -abs(gain_N[at]))
    answers = [run.task.gathered(run.predictions) for run in (first, second)]
    found = [_clip(answers[0][at], answers[1][at], float(gain_N[at])) for at in order]
    return [clip for clip in found if clip.change < 0], [clip for clip in found if clip.change > 0]


def _of_clips(counts_NK: Floats, score: Score) -> Floats:
    """(N,) how good each clip's answer is; higher is better."""
    return score.of(counts_NK) if score.higher_is_better else -counts_NK[:, 0]


def _clip(one: Prediction, other: Prediction, change: float) -> Clip:
    return Clip(one.id, one.reference, one.answer or one.text, other.answer or other.text, change)


def sounds(run: Run, ids: Sequence[str]) -> Mapping[str, tuple[Source, ...]]:
    """By id, where the audio of clips lies; empty where the run's manifest is not on this machine any more."""
    wanted = set(ids)
    try:
        examples = asked(run.task)
    except (InputError, OSError):
        return {}
    return {example.id: example.audio for example in examples if example.id in wanted}
