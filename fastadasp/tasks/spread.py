"""How much a score depends on the wording of the prompt, where a task asks each clip in several ways."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from fastadasp.tasks.asking import PROMPT
from fastadasp.tasks.base import Prediction, Task


class Spread:
    """Takes in predictions one by one and scores each prompt by itself."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._sums: dict[int, list[float]] = {}

    def add(self, prediction: Prediction, tally: Sequence[float]) -> None:
        """Take in one prediction with its tally."""
        number = prediction.meta.get(PROMPT)
        if not self._task.prompts or not isinstance(number, int):
            return
        sums = self._sums.get(number)
        self._sums[number] = [a + b for a, b in zip(sums, tally, strict=True)] if sums else list(tally)

    def found(self) -> dict[str, Any] | None:
        """The objective by prompt, with mean, standard deviation, lowest and highest; None where there is one prompt.

        The standard deviation is that of a sample of prompts; 0 where there is one alone.
        """
        if not self._sums:
            return None
        scores = {number: self._task.score(sums) for number, sums in sorted(self._sums.items())}
        values = list(scores.values())
        return {
            "scores": [{"prompt": self._task.prompts[number - 1], "score": score} for number, score in scores.items()],
            "mean": fmean(values),
            "standard_deviation": stdev(values) if len(values) > 1 else 0.0,
            "lowest": min(values),
            "highest": max(values),
        }
