"""What the requests to a server took, from the stored predictions alone. N answered clips."""

from array import array
from collections.abc import Sequence

import numpy as np

from fastadasp.evaluation.totals import Numbers, Total
from fastadasp.tasks.base import Prediction

NOTED = (
    "latency_s",
    "ttft_s",
    "attempts",
    "wall_s",
    "prompt_tokens",
    "completion_tokens",
    "audio_tokens",
    "cached_tokens",
)
"""What may be noted with each request. `latency_s`: from its sending to the end of the answer; `ttft_s`: to the first
words, of streams; `wall_s`: seconds since the clip before was stored, whose sum is the time that asking took, many
requests at once; tokens as the server counts them, `cached_tokens` and `audio_tokens` of the prompt."""


class Requests(Total):
    """The requests of a run whose model is served."""

    def __init__(self) -> None:
        self._noted = {name: array("d") for name in NOTED}
        self._seconds = array("d")

    def add(self, predictions: Sequence[Prediction]) -> None:
        """Take further predictions into account."""
        asked = [prediction for prediction in predictions if prediction.cost]
        for name, column in self._noted.items():
            column.extend(prediction.cost.get(name, np.nan) for prediction in asked)
        self._seconds.extend(prediction.seconds for prediction in asked)

    def _told(self, name: str) -> Numbers:
        """Of the requests with which it was noted."""
        values_N: Numbers = np.asarray(self._noted[name])
        return values_N[~np.isnan(values_N)]

    @property
    def exact(self) -> dict[str, float]:
        """Tokens of a prompt and of an answer, on average over those of which the server tells them."""
        names = {"prompt_tokens": "prompt_tokens", "audio_tokens": "audio_tokens", "completion_tokens": "new_tokens"}
        told = {new: self._told(name) for name, new in names.items()}
        return {name: float(values.mean()) for name, values in told.items() if len(values)}

    @property
    def measured(self) -> dict[str, float]:
        """Times and rates of all requests together; `rtf`: seconds of asking for a second of audio.

        Empty where none was answered.
        """
        latency_N, wall_s = self._told("latency_s"), float(self._told("wall_s").sum())
        if not len(latency_N) or not wall_s:
            return {}
        found = {
            "requests": len(latency_N),
            "attempts": int(self._told("attempts").sum()),
            "asking_s": wall_s,
            "examples_per_s": len(latency_N) / wall_s,
            "tokens_per_s": float(self._told("completion_tokens").sum()) / wall_s,
            "rtf": wall_s / max(sum(self._seconds), 1e-9),
            **_spread("latency", latency_N),
            **_spread("ttft", self._told("ttft_s")),
        }
        if len(cached_N := self._told("cached_tokens")):
            found["cached_tokens"] = float(cached_N.mean())
        return found


def _spread(name: str, seconds_N: Numbers) -> dict[str, float]:
    """The median and the 95th percentile; nothing where nothing was measured."""
    if not len(seconds_N):
        return {}
    return {f"{name}_s": float(np.median(seconds_N)), f"{name}_p95_s": float(np.percentile(seconds_N, 95))}
