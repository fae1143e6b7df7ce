"""Waveforms in memory: cutting long ones into clips that an encoder can take, and padding short ones."""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""(samples,) mono waveform; full scale is -1 to 1."""

SAMPLE_RATE = 16_000
"""Hz; what nearly all speech encoders take."""
_QUIET_WINDOW = SAMPLE_RATE // 50
"""Samples (20 ms) over which loudness is measured when looking for a place to cut."""


def split_clips(samples: Samples, clip_seconds: float, search_seconds: float) -> list[Samples]:
    """Cut `samples` into consecutive clips of at most `clip_seconds` that together hold every sample once.

    Each cut falls on the quietest 20 ms of the last `search_seconds` before the limit, so that words stay whole;
    with 0 all clips but the last have full length.
    """
    limit = int(clip_seconds * SAMPLE_RATE)
    search = int(search_seconds * SAMPLE_RATE)
    clips = []
    while len(samples) > limit:
        cut = place_to_cut(samples, limit, search)
        clips.append(samples[:cut])
        samples = samples[cut:]
    return [*clips, samples]


def place_to_cut(samples: Samples, limit: int, search: int) -> int:
    """The middle of the quietest 20 ms in the last `search` of the first `limit` samples, of 16 kHz."""
    search = min(search, limit // 2)
    return limit - search + _quietest(samples[limit - search : limit])


def _quietest(samples: Samples) -> int:
    """Index of the middle of the quietest window; the end where there is no room for a window."""
    if len(samples) < _QUIET_WINDOW:
        return len(samples)
    energy = np.concatenate(([0.0], np.cumsum(np.square(samples, dtype=np.float64))))
    return int(np.argmin(energy[_QUIET_WINDOW:] - energy[:-_QUIET_WINDOW])) + _QUIET_WINDOW // 2


def pad_to(samples: Samples, least: int) -> Samples:
    """`samples` followed by silence up to at least `least` samples."""
    return np.pad(samples, (0, max(0, least - len(samples))))
