"""Clips whose answers got worse or better from one run to another.

N clips, K counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastadasp.data.sources import Source
from fastadasp.errors import InputError
from fastadasp.files.shelf import Lazy
from fastadasp.report.runs import Run
from fastadasp.statistics.score import Floats, Score
from fastadasp.tasks.asking import asked
from fastadasp.tasks.base import Prediction

_LEAST = 1e-12
"""Smaller changes are rounding."""


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


class Changed(Lazy[Clip]):
    """Clips of two runs, read from the runs' folders when they are asked for: there may be hundreds of thousands."""

    def __init__(
        self, answers: tuple[Sequence[Prediction], Sequence[Prediction]], at_C: NDArray[np.intp], change_C: Floats
    ) -> None:
        """answers: of both runs; at_C: which clips; change_C: of each of these, as Clip has it."""
        self._answers, self._at, self._change = answers, at_C, change_C

    def __len__(self) -> int:
        return len(self._at)

    def fetch(self, positions: Sequence[int]) -> list[Clip]:
        """The items at `positions`, all of which lie in the sequence."""
        first, second = self._answers
        return [_clip(first[int(self._at[at])], second[int(self._at[at])], float(self._change[at])) for at in positions]


def changed(first: Run, second: Run, first_NK: Floats, second_NK: Floats, score: Score) -> tuple[Changed, Changed]:
    """Clips that broke and clips that were mended, the largest changes first.

    An error rate changes with its errors, of which longer clips have more; other scores by those of single clips.
    """
    gain_N = _of_clips(second_NK, score) - _of_clips(first_NK, score)
    order_N = np.argsort(-np.abs(gain_N), kind="stable")
    answers = first.task.gathered(first.predictions), second.task.gathered(second.predictions)
    broken, mended = (order_N[sign * gain_N[order_N] > _LEAST] for sign in (-1, 1))
    return Changed(answers, broken, gain_N[broken]), Changed(answers, mended, gain_N[mended])


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
