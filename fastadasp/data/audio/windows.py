"""Long recordings in windows, read as a stream: an hour takes no more memory than its longest window."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastadasp.data.audio.clips import SAMPLE_RATE, Samples, place_to_cut
from fastadasp.data.audio.read import Stream
from fastadasp.data.audio_options import AudioOptions
from fastadasp.errors import ConfigError

LONGEST = 24 * 3600.0
"""Seconds above which a file is no recording of speech, but a damaged one."""
_DEFAULT = AudioOptions()


@dataclass(frozen=True)
class Window:
    """A stretch of a recording."""

    start: float
    """Seconds from the beginning of the file."""
    samples: Samples

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / SAMPLE_RATE


def windows(
    path: Path, window_seconds: float, search_seconds: float = 2.0, overlap_seconds: float = 0.0,
    options: AudioOptions = _DEFAULT, start: float = 0.0, seconds: float | None = None,
) -> Iterator[Window]:  # fmt: skip
    """A file, or `seconds` of it from `start` on, in windows of at most `window_seconds` of 16 kHz mono, in order.

    Each window ends at the quietest 20 ms of its last `search_seconds`, so that words stay whole; 0 ends all but the
    last at the same length. The next one begins there, or `overlap_seconds` earlier. Without overlap every sample is in
    one window. Memory is bounded by two windows and one block. Raises AudioError as `read_with_remarks`, ConfigError
    for lengths that make no windows.
    """
    _check(window_seconds, search_seconds, overlap_seconds)
    limit, search, overlap = (
        round(length * SAMPLE_RATE) for length in (window_seconds, search_seconds, overlap_seconds)
    )
    held, begin = np.zeros(0, np.float32), 0
    parts: list[Samples] = []
    count = 0
    for block in Stream(path, LONGEST, SAMPLE_RATE, options, start, seconds):
        parts.append(block)
        count += len(block)
        if len(held) + count <= limit:
            continue
        held, parts, count = np.concatenate([held, *parts]), [], 0
        while len(held) > limit:
            cut = place_to_cut(held, limit, search)
            yield Window(start + begin / SAMPLE_RATE, held[:cut].copy())
            begin += cut - overlap
            held = held[cut - overlap :]
        held = held.copy()  # a view would keep what was cut off
    yield Window(start + begin / SAMPLE_RATE, np.concatenate([held, *parts]))


def bounds(
    path: Path, window_seconds: float, search_seconds: float = 2.0, overlap_seconds: float = 0.0,
    options: AudioOptions = _DEFAULT, start: float = 0.0, seconds: float | None = None,
) -> list[tuple[float, float]]:  # fmt: skip
    """Where `windows` begin, and their lengths, both in seconds: what a manifest's cuts (`data.sources.Cut`) need."""
    found = windows(path, window_seconds, search_seconds, overlap_seconds, options, start, seconds)
    return [(window.start, window.seconds) for window in found]


def _check(window_seconds: float, search_seconds: float, overlap_seconds: float) -> None:
    if not 0.1 <= window_seconds < math.inf:
        raise ConfigError(f"windows must have at least 0.1 s, got {window_seconds}")
    if not 0 <= search_seconds <= window_seconds / 2:
        raise ConfigError(
            f"the place for a cut must be looked for in at most half of a window ({window_seconds / 2:g} s), got "
            f"{search_seconds} s"
        )
    if not 0 <= overlap_seconds < window_seconds - search_seconds:
        raise ConfigError(
            f"windows of {window_seconds:g} s that end up to {search_seconds:g} s early can overlap by less than "
            f"{window_seconds - search_seconds:g} s, got {overlap_seconds} s"
        )
