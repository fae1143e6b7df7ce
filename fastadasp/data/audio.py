"""Reading audio files as mono, and cutting long audio into clips that an encoder can take."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastadasp.errors import InputError

Samples = NDArray[np.float32]
"""(samples,) mono waveform; full scale is -1 to 1."""

SAMPLE_RATE = 16_000
"""Hz; what nearly all speech encoders take."""
MAX_PEAK = 8.0
"""Float files that reach this (18 dB over full scale) were never scaled to -1 to 1: encoders would hear garbage."""
_QUIET_WINDOW = SAMPLE_RATE // 50
"""Samples (20 ms) over which loudness is measured when looking for a place to cut."""


class AudioError(InputError):
    """An audio file that cannot be used; the message names the file and what is wrong with it."""


def read_audio(path: Path, max_seconds: float, rate: int = SAMPLE_RATE) -> Samples:
    """The whole file as mono at `rate` Hz: any format, sampling rate and number of channels that libsndfile reads.

    Channels are averaged. Raises AudioError for a file that is missing, empty, no audio, cut off, not finite, badly
    scaled, or longer than `max_seconds`.
    """
    if not path.is_file():
        raise AudioError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: the file is empty (0 bytes)")
    import soundfile  # here, so that configs are checked without it

    try:
        with soundfile.SoundFile(path) as file:
            _check_length(path, file.frames / file.samplerate, max_seconds)
            samples_NC = file.read(dtype="float32", always_2d=True)
            own_rate, expected = file.samplerate, file.frames
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{path}: cannot be read as audio ({error.error_string}); wav, flac, ogg and mp3 can"
        ) from error
    if len(samples_NC) < expected:
        raise AudioError(f"{path}: cut off, holds {len(samples_NC)} of the {expected} samples its header announces")
    mono = _resample(samples_NC.mean(axis=1, dtype=np.float32), own_rate, rate)
    if len(mono) == 0:
        raise AudioError(f"{path}: the file holds no sound (0 samples at {rate} Hz)")
    if not np.isfinite(mono).all():
        raise AudioError(f"{path}: holds samples that are not finite numbers")
    if (peak := float(np.abs(mono).max())) > MAX_PEAK:
        raise AudioError(f"{path}: samples reach {peak:.6g}, but float audio must be scaled to -1 to 1")
    return mono


def _check_length(path: Path, seconds: float, max_seconds: float) -> None:
    if seconds > max_seconds:
        raise AudioError(
            f"{path}: {seconds:.1f} s is over the limit of {max_seconds:g} s for one prompt; "
            "raise model.max_seconds if model and memory can take it, or cut the file"
        )


def _resample(mono: Samples, own_rate: int, rate: int) -> Samples:
    if own_rate == rate or len(mono) == 0:
        return mono
    import soxr

    resampled: Samples = soxr.resample(mono, own_rate, rate, quality="HQ").astype(np.float32, copy=False)
    return resampled


def split_clips(samples: Samples, clip_seconds: float, search_seconds: float) -> list[Samples]:
    """Cut `samples` into consecutive clips of at most `clip_seconds` that together hold every sample once.

    Each cut falls on the quietest 20 ms of the last `search_seconds` before the limit, so that words stay whole;
    with 0 all clips but the last have full length.
    """
    limit = int(clip_seconds * SAMPLE_RATE)
    search = min(int(search_seconds * SAMPLE_RATE), limit // 2)
    clips = []
    while len(samples) > limit:
        cut = limit - search + _quietest(samples[limit - search : limit])
        clips.append(samples[:cut])
        samples = samples[cut:]
    return [*clips, samples]


def _quietest(samples: Samples) -> int:
    """Index of the middle of the quietest window; the end where there is no room for a window."""
    if len(samples) < _QUIET_WINDOW:
        return len(samples)
    energy = np.concatenate(([0.0], np.cumsum(np.square(samples, dtype=np.float64))))
    return int(np.argmin(energy[_QUIET_WINDOW:] - energy[:-_QUIET_WINDOW])) + _QUIET_WINDOW // 2


def pad_to(samples: Samples, least: int) -> Samples:
    """`samples` followed by silence up to at least `least` samples."""
    return np.pad(samples, (0, max(0, least - len(samples))))
