"""Reading a whole audio file as one waveform: checked, mixed to one channel and resampled in blocks."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from fastadasp.data.audio.channels import Levels, pick
from fastadasp.data.audio.clips import SAMPLE_RATE, Samples
from fastadasp.data.audio.containers.base import Container, Decoder
from fastadasp.data.audio.containers.inspect import inspect
from fastadasp.data.audio.decoders import ffmpeg, sndfile
from fastadasp.data.audio.decoders.base import Block, Decoding
from fastadasp.data.audio.errors import AudioError, AudioWarning, UnsupportedError
from fastadasp.data.audio.stretch import Stretch
from fastadasp.data.audio_options import AudioOptions, RawFormat

MAX_PEAK = 8.0
"""Float files that reach this (18 dB over full scale) were never scaled to -1 to 1: encoders would hear garbage."""
_RATES = range(1000, 768_001)
"""Hz that are believed."""
_DEFAULT = AudioOptions()


@dataclass(frozen=True)
class Reading:
    """A file that was read, and what a user should know of it."""

    samples: Samples
    remarks: tuple[str, ...] = ()
    """Each begins with a verb whose subject is the file: "holds digital silence"."""


def read_audio(
    path: Path, max_seconds: float, rate: int = SAMPLE_RATE, options: AudioOptions = _DEFAULT
) -> Samples:  # fmt: skip
    """As `read_with_remarks`, which become AudioWarnings."""
    reading = read_with_remarks(path, max_seconds, rate, options)
    for remark in reading.remarks:
        warnings.warn(f"{path} {remark}", AudioWarning, stacklevel=2)
    return reading.samples


def read_with_remarks(
    path: Path, max_seconds: float, rate: int = SAMPLE_RATE, options: AudioOptions = _DEFAULT,
    start: float = 0.0, seconds: float | None = None,
) -> Reading:  # fmt: skip
    """The file, or `seconds` of it from `start` on, as mono at `rate` Hz; docs/audio.md lists the formats.

    Memory is bounded by the result and one block. Raises AudioError for a file that is missing, empty, no audio, cut
    off, damaged, not finite, badly scaled, of a format that needs another package, or that ends before the stretch
    does, and for a stretch longer than `max_seconds`. Remarked are files whose channels cancel out, or that have a
    silent channel or no sound at all.
    """
    stream = Stream(path, max_seconds, rate, options, start, seconds)
    return Reading(_joined(stream), stream.remarks)


class Stream(Iterable[Samples]):
    """What `read_with_remarks` reads, block by block: of a long file only a block is in memory.

    Errors come when they are met, those about the whole (levels, length) at the end.
    """

    def __init__(
        self, path: Path, max_seconds: float, rate: int = SAMPLE_RATE, options: AudioOptions = _DEFAULT,
        start: float = 0.0, seconds: float | None = None,
    ) -> None:  # fmt: skip
        self._path, self._rate, self._options = path, rate, options
        self._container = _inspected(path, options)
        self._stretch = Stretch(path, start, seconds, max_seconds)
        self._stretch.check(self._container.seconds)
        self.remarks: tuple[str, ...] = ()
        """What a user should know of the file; complete when all blocks were read."""

    def __iter__(self) -> Iterator[Samples]:
        loudest = self._loudest() if self._options.channel == "louder" else None
        count = 0
        with ExitStack() as stack:
            decoding = _decoding(self._path, self._container, stack, self._stretch.start)
            levels = Levels(decoding.channels)
            blocks = _measured(self._stretch, decoding, levels)
            picked = (_picked(self._path, block, self._options.channel, loudest) for block in blocks)
            for mono in _resampled(picked, decoding.rate, self._rate):
                count += len(mono)
                yield mono
        if levels.peak > MAX_PEAK:
            raise AudioError(
                f"{self._path}: samples reach {levels.peak:.6g}, but float audio must be scaled to -1 to 1"
            )
        if not count:
            raise AudioError(f"{self._path}: the file holds no sound ({levels.count} samples at {decoding.rate} Hz)")
        self.remarks = (*self._container.remarks, *levels.remarks(self._options.channel))

    def _loudest(self) -> int:
        with ExitStack() as stack:
            decoding = _decoding(self._path, self._container, stack, self._stretch.start)
            levels = Levels(decoding.channels)
            for _ in _measured(self._stretch, decoding, levels):
                pass
            return levels.loudest


def audio_seconds(path: Path, options: AudioOptions = _DEFAULT) -> float:
    """Length of the file in seconds, by its structure; decoded to be counted only where that does not tell.

    Raises AudioError as `read_audio` does for files whose structure cannot be used.
    """
    container = _inspected(path, options)
    if container.seconds is not None:
        return container.seconds
    with ExitStack() as stack:
        decoding = _decoding(path, container, stack)
        count = sum(map(len, decoding.blocks)) if decoding.frames is None else decoding.frames
    return count / decoding.rate


def _inspected(path: Path, options: AudioOptions) -> Container:
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "is no ordinary file" if path.exists() else "no such file"
            raise AudioError(f"{path}: {what}")
        status = path.stat()
        if status.st_size == 0:
            raise AudioError(f"{path}: the file is empty (0 bytes)")
        return _structure(path, options.raw, (status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened ({error.strerror or error})") from error


@lru_cache(maxsize=16)  # a long file of which many stretches are read is inspected once
def _structure(path: Path, raw: RawFormat | None, version: tuple[int, int, int]) -> Container:
    return inspect(path, raw)


def _decoding(path: Path, container: Container, stack: ExitStack, start: float = 0.0) -> Decoding:
    try:
        if container.decoder is Decoder.libsndfile:
            decoding = sndfile.decode(path, container, stack, start)
        else:
            decoding = ffmpeg.decode(path, container, stack)
    except UnsupportedError:
        if not ffmpeg.installed():
            raise
        decoding = ffmpeg.decode(path, container, stack)
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened ({error.strerror or error})") from error
    if decoding.rate not in _RATES or decoding.channels < 1:
        raise AudioError(
            f"{path}: {decoding.channels} channels at {decoding.rate} Hz are no speech; is its header damaged?"
        )
    return decoding


def _measured(stretch: Stretch, decoding: Decoding, levels: Levels) -> Iterator[Block]:
    """The blocks of the stretch, each checked and taken into `levels`; stops as soon as the file proves too long."""
    if decoding.frames is not None:
        stretch.check(decoding.frames / decoding.rate)
    for block_NC in stretch.of(decoding):
        if not np.isfinite(block_NC).all():
            row = int(np.argmin(np.isfinite(block_NC).all(axis=1)))
            at = stretch.start + (levels.count + row) / decoding.rate
            raise AudioError(f"{stretch.path}: holds samples that are not finite numbers, the first at {at:.3f} s")
        levels.add(block_NC)
        stretch.check_length(levels.count / decoding.rate)
        yield block_NC


def _picked(path: Path, block: Block, channel: str, loudest: int | None) -> Samples:
    try:
        return pick(block, channel, loudest)
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from None


def _joined(blocks: Iterable[Samples]) -> Samples:
    """All blocks as one array, which grows in its place: memory is that of the result."""
    samples, count = np.zeros(0, np.float32), 0
    for block in blocks:
        if count + len(block) > len(samples):
            samples.resize(max(count + len(block), len(samples) * 5 // 4), refcheck=False)
        samples[count : count + len(block)] = block
        count += len(block)
    samples.resize(count, refcheck=False)
    return samples


def _resampled(blocks: Iterator[Samples], own_rate: int, rate: int) -> Iterator[Samples]:
    """All of `blocks`, at `rate` Hz."""
    if own_rate == rate:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(own_rate, rate, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
