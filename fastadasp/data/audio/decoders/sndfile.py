"""libsndfile, through soundfile."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from fastadasp.data.audio.containers.base import Container, Stream
from fastadasp.data.audio.decoders.base import BLOCK_FRAMES, Block, Decoding
from fastadasp.data.audio.errors import AudioError, UnsupportedError, damaged
from fastadasp.data.audio.source import MendedFile
from fastadasp.data.audio_options import RawFormat

if TYPE_CHECKING:
    from soundfile import SoundFile

_SUBTYPES = {
    "u8": "PCM_U8", "s8": "PCM_S8", "s16": "PCM_16", "s24": "PCM_24", "s32": "PCM_32", "f32": "FLOAT", "f64": "DOUBLE",
    "mulaw": "ULAW", "alaw": "ALAW", "gsm": "GSM610", "vox": "VOX_ADPCM",
}  # fmt: skip


def decode(path: Path, container: Container, stack: ExitStack, start: float = 0.0) -> Decoding:
    """Decode the container's streams one after the other; `stack` closes what is opened.

    start: seconds that are left out where that is exact; what `position` says counts. Raises UnsupportedError where
    libsndfile does not know the codec.
    """
    first = stack.enter_context(_opened(path, container, container.streams[0], stack))
    rate, channels = first.samplerate, first.channels
    position = 0
    if start and container.exact:
        position = first.seek(min(round(start * rate), first.frames))

    def blocks() -> Iterator[Block]:
        yield from _blocks(path, container, container.streams[0], first, position)
        for stream in container.streams[1:]:
            with ExitStack() as own:
                file = own.enter_context(_opened(path, container, stream, own))
                yield from _blocks(path, container, stream, file)

    seconds = container.seconds
    alone = first.frames if len(container.streams) == 1 else None
    return Decoding(rate, channels, blocks(), alone if seconds is None else round(seconds * rate), position)


def _opened(path: Path, container: Container, stream: Stream, stack: ExitStack) -> "SoundFile":
    from soundfile import LibsndfileError, SoundFile

    class Forward(SoundFile):  # type: ignore[misc]
        """Read forwards only: soundfile seeks to where it is after each block, which costs MP3 and FLAC their state."""

        def seekable(self) -> bool:
            return False

    bytes_ = stack.enter_context(MendedFile(path, stream.prefix, stream.start, stream.stop, stream.patches))
    try:
        return Forward(bytes_, **({} if container.raw is None else _raw(container.raw)))
    except (LibsndfileError, ValueError) as error:
        raise UnsupportedError(str(_unreadable(path, container, error))) from error


def _raw(raw: RawFormat) -> dict[str, object]:
    return {
        "format": "RAW",
        "samplerate": raw.rate,
        "channels": raw.channels,
        "subtype": _SUBTYPES[raw.encoding.name],
        "endian": "BIG" if raw.big_endian else "LITTLE",
    }


def _blocks(
    path: Path, container: Container, stream: Stream, file: "SoundFile", position: int = 0
) -> Iterator[Block]:  # fmt: skip
    """The stream's blocks from `position` on; AudioError where it ends before its structure or libsndfile says so."""
    from soundfile import LibsndfileError

    count = position
    scale = file.samplerate / (container.rate or file.samplerate)  # Opus counts at 48 kHz whatever it is decoded to
    expected = file.frames if stream.frames is None else int(stream.frames * scale)
    while True:
        try:
            block: Block = file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
        except (LibsndfileError, ValueError) as error:
            raise _unreadable(path, container, error) from error
        count += len(block)
        if len(block):
            yield block
        if len(block) < BLOCK_FRAMES:
            break
    if count < expected - container.slack * scale:
        raise damaged(path, container.kind, f"{count} of its {expected} samples can be decoded")


def _unreadable(path: Path, container: Container, error: Exception) -> AudioError:
    reason = getattr(error, "error_string", str(error)).strip().rstrip(".")
    return AudioError(
        f"{path}: the {container.kind} file cannot be read as audio ({reason}); convert it with "
        f"`ffmpeg -i {path.name} new.wav`"
    )
