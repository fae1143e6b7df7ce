"""What a method did to one clip: which audio tokens were fused or dropped, layer by layer, and what the model answered.

T prompt tokens, L decoder layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastadasp.api.loading import SpeechModel
from fastadasp.data.audio import SAMPLE_RATE
from fastadasp.engine.merging import MergeTrace, merging
from fastadasp.models.base import Generation
from fastadasp.reduction.method import MergeMethod
from fastadasp.tasks.base import Example

DROPPED = -1
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Clusters:
    """One clip under one method."""

    name: str
    layers_LT: Ids
    """For each layer, the cluster to which each audio token of the prompt belongs when it leaves the layer, numbered in
    temporal order; DROPPED for tokens that are gone, or that no head of this layer's cache holds."""
    answer: str


def clusters(
    model: SpeechModel, example: Example, method: MergeMethod, name: str, generation: Generation | None = None
) -> Clusters:
    """Let `model` answer about one clip under `method` and follow each audio token through the layers."""
    adapter = model.adapter
    inputs = adapter.encode([adapter.prepare(example)])
    mask_BT = adapter.audio_mask(inputs)
    with merging(model, method, mask_BT, keep_assignments=True) as trace:
        _, texts = adapter.generate(inputs, generation or Generation(max_new_tokens=256))
    audio_T = mask_BT[0].cpu().numpy()
    return Clusters(name, followed(trace, len(trace.audio_tokens), audio_T), texts[0].strip())


def followed(trace: MergeTrace, layers: int, audio_T: NDArray[np.bool_]) -> Ids:
    """(L, audio tokens) the cluster of each audio token after each layer, from a trace that kept its assignments.

    The trace is of one unpadded row without beams. audio_T: which tokens of the whole prompt are audio.
    """
    place_T = np.arange(len(audio_T))
    if trace.input_assignment is not None:
        place_T = _moved(place_T, trace.input_assignment.slot[0].cpu().numpy())
    rows = []
    for layer in range(layers):
        held_T = place_T
        if (evicted := trace.cache_assignments.get(layer)) is not None:
            kept_T = (evicted.slot >= 0).any(0).cpu().numpy()
            held_T = np.where((place_T >= 0) & kept_T[np.maximum(place_T, 0)], place_T, DROPPED)
        if (moved := trace.assignments.get(layer)) is not None:
            place_T = held_T = _moved(place_T, moved.slot[0].cpu().numpy())
        rows.append(held_T[audio_T])
    return np.stack(rows)


def _moved(place_T: Ids, slot_S: Ids) -> Ids:
    """Where tokens are after an assignment of the S tokens that were left before it."""
    return np.where(place_T >= 0, slot_S[np.maximum(place_T, 0)], DROPPED)


def spoken_at(words: Sequence[str], samples: NDArray[np.float32]) -> list[float]:
    """Seconds at which each word is estimated to be spoken: its middle.

    An estimate, without an aligner: the sound's energy is spent on the words in turn, by their numbers of letters.
    """
    frame = SAMPLE_RATE // 100
    energy = np.sqrt(np.mean(np.square(samples[: len(samples) // frame * frame]).reshape(-1, frame), axis=1))
    loud = np.minimum(energy, np.quantile(energy, 0.9)) * (energy > 0.1 * energy.max(initial=0.0))
    spent = np.cumsum(loud) / max(float(loud.sum()), 1e-9)
    letters = np.cumsum([0, *(len(word) + 1 for word in words)])
    middles = (letters[:-1] + letters[1:]) / 2 / max(int(letters[-1]), 1)
    return [float(np.searchsorted(spent, middle)) / 100 for middle in middles]
