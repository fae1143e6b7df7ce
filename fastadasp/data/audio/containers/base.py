"""What an inspection of a file's structure finds out."""

from dataclasses import dataclass
from enum import Enum

from fastadasp.data.audio.errors import cut_off, damaged
from fastadasp.data.audio.source import Source
from fastadasp.data.audio_options import RawFormat

Decoder = Enum("Decoder", ["libsndfile", "ffmpeg"])
"""Which library decodes a format; `ffmpeg` stands for PyAV or torchcodec."""

_TAGS = (b"TAG", b"APETAGEX", b"ID3", b"LYRICSBEGIN")
"""How metadata begins that taggers append to any file."""
_FEW = 8
"""Bytes after the samples that are taken for padding, whatever they hold."""


@dataclass(frozen=True)
class Stream:
    """Samples that one decoder call reads: the bytes `start` to `stop` of a file, mended where a header is no help."""

    start: int
    stop: int
    frames: int | None = None
    """Samples per channel that these bytes hold, where the structure tells; None where only decoding does."""
    prefix: bytes = b""
    """Bytes that the decoder is given before `start`."""
    patches: tuple[tuple[int, bytes], ...] = ()
    """Absolute offsets, and what the decoder is given there instead of the file's bytes."""


@dataclass(frozen=True)
class Container:
    """A file whose structure is whole."""

    kind: str
    """Name of the format, for messages."""
    streams: tuple[Stream, ...]
    """To be read one after the other; more than one only for chained Ogg."""
    rate: int | None = None
    """Hz, where the structure tells."""
    decoder: Decoder = Decoder.libsndfile
    raw: RawFormat | None = None
    """Format of the samples, where the streams have no header that libsndfile understands."""
    slack: int = 0
    """Samples per channel by which decoders may rightly return fewer than `frames`: one or two codec frames."""

    remarks: tuple[str, ...] = ()
    """What a user should know of the file although it can be read."""
    padded: bool = False
    """Encoders fill the last frame, and the header of the stream, as FFmpeg reads it, tells where the sound ends."""

    @property
    def exact(self) -> bool:
        """Whether libsndfile can begin anywhere without another result: uncompressed samples and FLAC."""
        plain = self.decoder is Decoder.libsndfile and len(self.streams) == 1 and self.slack == 0
        return plain and self.streams[0].frames is not None and not self.kind.startswith("Ogg")

    @property
    def seconds(self) -> float | None:
        """Length, where the structure tells."""
        frames = [stream.frames for stream in self.streams]
        if not self.rate or any(count is None for count in frames):
            return None
        return sum(count for count in frames if count is not None) / self.rate


def whole(source: Source, frames: int | None = None, patches: tuple[tuple[int, bytes], ...] = ()) -> Stream:
    """The stream of all bytes of `source`; patch offsets count within it."""
    moved = tuple((source.start + offset, patch) for offset, patch in patches)
    return Stream(source.start, source.stop, frames, patches=moved)


def without_tags(source: Source) -> int:
    """Where the content of a file ends: before tags (ID3v1, Lyrics3, APEv2) and zeros that taggers and disks append."""
    end = source.size
    while True:
        before = end
        if source.at(end - 128, 3) == b"TAG":
            end -= 128
        if source.at(end - 32, 8) == b"APETAGEX":
            size, flags = source.number(end - 20, 4), source.number(end - 12, 4)
            end = max(0, end - size - (32 if flags >> 31 else 0))
        if source.at(end - 9, 9) == b"LYRICS200" and (digits := source.at(end - 15, 6)).isdigit():
            end = max(0, end - 15 - int(digits))
        if end == before:
            return end


def id3_size(source: Source, offset: int = 0) -> int:
    """Bytes of the ID3v2 tag at `offset`; 0 where there is none."""
    head = source.at(offset, 10)
    if len(head) < 10 or head[:3] != b"ID3" or head[3] == 0xFF or any(byte & 0x80 for byte in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return size + (20 if head[5] & 0x10 else 10)


def check_rest(source: Source, kind: str, end: int) -> None:
    """Raise AudioError where more than padding or tags follows the samples, which end at `end` by the header.

    Such a file was written on after its header: reading what the header announces would lose the rest.
    """
    rest = source.size - end
    if rest <= _FEW or source.at(end, 11).startswith(_TAGS) or source.zeros(end, source.size) == rest:
        return
    raise damaged(source.path, kind, f"{rest} bytes follow the {end} that its header announces")


def is_name(name: bytes) -> bool:
    """Whether `name` can be that of a chunk: four printable letters."""
    return len(name) == 4 and all(32 <= byte < 127 for byte in name)


def announced_bytes(source: Source, kind: str, announced: int, present: int) -> int:
    """`announced`, if as many bytes of samples are there; CutOffError otherwise."""
    if announced > present:
        raise cut_off(source.path, kind, f"its header announces {announced} bytes of samples, {present} are there")
    return announced


def streamed_bytes(source: Source, kind: str, present: int, block: int) -> int:
    """The bytes of samples among the last `present` ones of a file whose header knows no length.

    block: bytes of the smallest whole piece. CutOffError where the file ends inside one; a zero that pads an odd number
    of bytes is none.
    """
    rest = present % block
    if rest == 1 and (present - 1) % 2 and source.at(source.size - 1, 1) == b"\0":
        return present - 1
    if rest:
        raise cut_off(source.path, kind, "its header announces no length, and it ends inside a sample")
    return present


def is_unknown(size: int, bits: int = 32) -> bool:
    """Whether a size field of `bits` holds one of the values that programs write where they do not know the size.

    These lie just below the largest unsigned and around the largest signed number; sox takes 0x7F000000 for the latter.
    0 is left to the caller: it may be true.
    """
    near = 1 << 16
    signed = 1 << bits - 1
    spared = size >= 0x7F000000 - near and size <= signed + near if bits == 32 else abs(size - signed) <= near
    return size >= (1 << bits) - near or spared
