"""Sums over all predictions of a run, gathered in one walk through them however many there are."""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastadasp.files.shelf import AT_ONCE
from fastadasp.tasks.base import Prediction

Numbers = NDArray[np.float64]

COSTS = (
    "batch",
    "batch_size",
    "prefill_s",
    "decode_s",
    "decode_steps",
    "capture_s",
    "ttft_s",
    "merge_s",
    "peak_bytes",
    "peak_bytes_above_weights",
    "energy_j",
    "read_s",
    "features_s",
    "wait_s",
    "encoder_s",
    "answer_s",
    "clips_known",
)
"""What may be noted with each batch."""


class Total(ABC):
    """Something that is summed over predictions."""

    @abstractmethod
    def add(self, predictions: Sequence[Prediction]) -> None:
        """Take further predictions into account."""


def gather(predictions: Sequence[Prediction], *totals: Total) -> None:
    """Walk through all predictions once, some at a time, and add them to each of `totals`."""
    for start in range(0, len(predictions), AT_ONCE):
        some = predictions[start : start + AT_ONCE]
        for total in totals:
            total.add(some)


def tokens_entering(predictions: Sequence[Prediction]) -> Numbers:
    """(L + 1, N) prompt tokens, audio and text, of answered prompts: what enters each layer, and leaves the last."""
    audio_NL = np.array([prediction.audio_tokens_per_layer for prediction in predictions], dtype=np.float64)
    return audio_NL.T + np.array([prediction.text_tokens for prediction in predictions], dtype=np.float64)


def cached(predictions: Sequence[Prediction]) -> Numbers:
    """(L, N) prompt tokens in the cache of each layer, of answered prompts."""
    return np.array([prediction.cached_tokens_per_layer for prediction in predictions], dtype=np.float64).T


class Batches(Total):
    """What was noted with each batch, as columns; 150 bytes of memory for each prediction.

    A batch that was cut in two by a kill or a lack of memory counts as two. The first batch of a process, which also
    pays for set-up and compilation, is `cold`.
    """

    def __init__(self) -> None:
        self._noted = {name: array("d") for name in COSTS}
        self._cold, self._new_tokens, self._seconds = array("b"), array("d"), array("d")

    def add(self, predictions: Sequence[Prediction]) -> None:
        """Take further predictions into account."""
        measured = [prediction for prediction in predictions if prediction.cost]
        for name, column in self._noted.items():
            column.extend(prediction.cost.get(name, np.nan) for prediction in measured)
        self._cold.extend(bool(prediction.cost.get("cold")) for prediction in measured)
        self._new_tokens.extend(prediction.new_tokens for prediction in measured)
        self._seconds.extend(prediction.seconds for prediction in measured)

    def __len__(self) -> int:
        """Predictions whose batch was measured."""
        return len(self._cold)

    @property
    def warm(self) -> NDArray[np.bool_]:
        """(N,) of these, whether they count in rates: those of warm batches; all if there is none."""
        warm_N: NDArray[np.bool_] = np.asarray(self._cold) == 0
        return warm_N if warm_N.any() else ~warm_N

    @property
    def examples(self) -> tuple[Numbers, Numbers]:
        """(N,) new tokens and seconds of audio of each."""
        return np.asarray(self._new_tokens), np.asarray(self._seconds)

    def column(self, name: str, warm: bool = False) -> Numbers:
        """What each batch noted under `name`, once; NaN where it noted nothing. warm: without cold batches."""
        first = self._first
        return np.asarray(self._noted[name])[first[self.warm[first]] if warm else first]

    @property
    def _first(self) -> NDArray[np.int64]:
        """Of each batch one of its predictions."""
        pairs_N2 = np.stack([np.asarray(self._noted["batch"]), np.asarray(self._noted["prefill_s"])], axis=1)
        return np.unique(pairs_N2, axis=0, return_index=True)[1]
