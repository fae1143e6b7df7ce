"""FFmpeg, through PyAV or torchcodec: for the formats that libsndfile does not read. Both are optional."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fastadasp.data.audio.containers.base import Container
from fastadasp.data.audio.decoders.base import BLOCK_FRAMES, Block, Decoding
from fastadasp.data.audio.errors import AudioError, damaged

INSTALL = "pip install 'fastadasp[media]'"
"""What brings PyAV; stands in the error of every file that is refused for want of it."""
_SHORT_S = 0.15
"""Seconds by which decoded audio may rightly be shorter than a header says: about two frames of any speech codec."""


def installed(*names: str) -> bool:
    """Whether one of the libraries (of `names`) is there; it may still lack what it needs."""
    return any(find_spec(name) is not None for name in names or _READERS)


def may_help(error: str) -> bool:
    """Whether a file that was refused with this message may be read now, since a library has been installed."""
    return INSTALL in error and installed()


def decode(path: Path, container: Container, stack: ExitStack) -> Decoding:
    """Decode the first audio stream with whichever library is installed; AudioError where none is."""
    problems: list[str] = []
    for name, reader in _READERS.items():
        if find_spec(name) is None:
            continue
        try:
            return reader(path, container, stack)
        except ImportError as error:
            problems.append(f"{name} is installed, but cannot be imported: {_line(error)}")
        except RuntimeError as error:  # torchcodec, where the system's FFmpeg libraries are missing
            problems.append(f"{name} is installed, but cannot be used: {_line(error)}")
    tried = f" ({'; '.join(problems)})" if problems else ""
    raise AudioError(
        f"{path}: libsndfile does not read {container.kind} files; `{INSTALL}` (PyAV) or "
        f"torchcodec reads them{tried}, or convert the file with `ffmpeg -i {path.name} new.wav`"
    )


def _pyav(path: Path, container: Container, stack: ExitStack) -> Decoding:
    import av

    try:
        file = stack.enter_context(av.open(str(path)))
        stream = next(iter(file.streams.audio), None)
        frames = iter(()) if stream is None else file.decode(stream)
        first = next(frames, None)
    except (av.FFmpegError, ValueError) as error:
        raise _undecodable(path, container, error) from error
    if stream is None or first is None:
        raise AudioError(f"{path}: the {container.kind} file holds no sound (no audio stream, or none that decodes)")
    rate, layout = first.sample_rate, first.layout
    base, duration = stream.time_base, stream.duration
    announced = int(duration * base * rate) if base and duration and duration > 0 else None
    expected = _frames_at(container, rate) or announced
    hinted = file.duration * rate // 1_000_000 if file.duration else None  # Matroska: gaps in the time line included

    def blocks() -> Iterator[Block]:
        # Interleaved: PyAV reads beyond its memory where more than eight channels lie in planes of their own.
        resampler = av.AudioResampler(format="flt", layout=layout, rate=rate)
        try:
            for frame in _chain(first, frames):
                if frame.sample_rate != rate or frame.layout.name != layout.name:
                    raise AudioError(f"{path}: the {container.kind} file changes its rate or channels half-way")
                for piece in resampler.resample(frame):
                    samples: Any = piece.to_ndarray()  # float32, by the resampler's format
                    yield samples.reshape(-1, layout.nb_channels)
        except AudioError:
            raise
        except (av.FFmpegError, ValueError) as error:
            raise _undecodable(path, container, error) from error

    checked = _checked(path, container, blocks(), expected, rate)
    checked = _trimmed(checked, announced, container.slack) if container.padded and announced else checked
    return Decoding(rate, layout.nb_channels, checked, (announced if container.padded else expected) or hinted)


def _torchcodec(path: Path, container: Container, stack: ExitStack) -> Decoding:
    from torchcodec.decoders import AudioDecoder

    try:
        decoder = AudioDecoder(path)
        about = decoder.metadata
        rate, channels = about.sample_rate, about.num_channels
        seconds = about.duration_seconds_from_header
        begin = about.begin_stream_seconds_from_header or 0.0
    except (RuntimeError, ValueError) as error:
        raise _undecodable(path, container, error) from error
    if not rate or not channels:
        raise AudioError(f"{path}: the {container.kind} file holds no audio")
    expected = round(seconds * rate) if seconds else _frames_at(container, rate)

    def blocks() -> Iterator[Block]:
        try:  # all at once: stretches asked for by time do not join without a gap
            samples = decoder.get_all_samples()
        except (RuntimeError, ValueError) as error:
            raise _undecodable(path, container, error) from error
        if (late := samples.pts_seconds - max(begin, 0.0)) > _SHORT_S:
            raise AudioError(
                f"{path}: torchcodec leaves out the first {late:.2f} s of the {container.kind} file; "
                f"`{INSTALL}` (PyAV) reads it whole"
            )
        block_NC = np.ascontiguousarray(samples.data.numpy().T, dtype=np.float32)
        yield from (block_NC[start : start + BLOCK_FRAMES] for start in range(0, len(block_NC), BLOCK_FRAMES))

    checked = _checked(path, container, blocks(), expected, rate)
    checked = _trimmed(checked, expected, container.slack) if container.padded and expected else checked
    return Decoding(rate, channels, checked, expected)


_READERS: dict[str, Callable[[Path, Container, ExitStack], Decoding]] = {"av": _pyav, "torchcodec": _torchcodec}


def _chain(first: Any, frames: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from frames


def _frames_at(container: Container, rate: int) -> int | None:
    """Samples per channel at `rate` that the structure tells."""
    seconds = container.seconds
    return None if seconds is None else int(seconds * rate)


def _checked(
    path: Path, container: Container, blocks: Iterator[Block], expected: int | None, rate: int
) -> Iterator[Block]:
    """`blocks`; AudioError at their end where they hold fewer samples than expected."""
    count = 0
    for block in blocks:
        count += len(block)
        yield block
    slack = max(_SHORT_S * rate, container.slack * rate / (container.rate or rate))
    if expected is not None and count < expected - slack:
        raise damaged(path, container.kind, f"{count} of its {expected} samples can be decoded")


def _trimmed(blocks: Iterator[Block], announced: int, slack: int) -> Iterator[Block]:
    """`blocks` without what follows `announced` samples, if that is at most `slack`: the filling of a last frame."""
    count, beyond = 0, list[Block]()
    for block in blocks:
        kept = max(0, min(len(block), announced - count))
        count += len(block)
        if count <= announced + slack:
            beyond += [block[kept:]]
            yield block[:kept]
        else:
            yield from (*beyond, block)
            beyond = []
            announced = count  # the header is wrong: everything is kept
            yield from blocks


def _undecodable(path: Path, container: Container, error: Exception) -> AudioError:
    return AudioError(f"{path}: the {container.kind} file cannot be read as audio ({_line(error)})")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
