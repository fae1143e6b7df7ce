"""MP3 and its elder layers: frames are counted, since only some files say how many they hold."""

from dataclasses import dataclass, replace

from fastadasp.data.audio.containers.base import Container, Stream, id3_size, without_tags
from fastadasp.data.audio.errors import cut_off, damaged
from fastadasp.data.audio.source import Source

_KBIT = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates by MPEG version (2 also for 2.5) and layer."""
_HERTZ = (44_100, 48_000, 32_000)
_SLACK_FRAMES = 2
"""Frames by which decoders return fewer: some leave out the first, whose data may stand in a frame before it."""


@dataclass(frozen=True)
class _Frame:
    """One frame's header."""

    bits: int
    size: int
    """Bytes, header included."""
    samples: int
    rate: int
    side: int
    """Bytes of header, checksum and side information of layer III, behind which encoders put the file's length."""

    def like(self, other: "_Frame") -> bool:
        """Whether both may be of one file: same version, layer and rate."""
        return not (self.bits ^ other.bits) & 0xFFFE0C00


def frame_at(source: Source, offset: int) -> _Frame | None:
    """The MPEG audio frame that begins at `offset`; None where none does (free bit rates included)."""
    return _parsed(source.number(offset, 4, "big"))


def _parsed(bits: int) -> _Frame | None:
    """The frame whose header holds the 32 `bits`."""
    version, layer = bits >> 19 & 3, 4 - (bits >> 17 & 3)
    kbit, hertz = bits >> 12 & 15, bits >> 10 & 3
    if bits >> 21 != 0x7FF or version == 1 or layer == 4 or kbit in (0, 15) or hertz == 3:
        return None
    old = 1 if version == 3 else 2
    rate = _HERTZ[hertz] >> {3: 0, 2: 1, 0: 2}[version]
    samples = 384 if layer == 1 else 1152 if layer == 2 or old == 1 else 576
    padding = bits >> 9 & 1
    per_second = _KBIT[old, layer][kbit - 1] * 1000
    size = (12 * per_second // rate + padding) * 4 if layer == 1 else samples // 8 * per_second // rate + padding
    mono = bits >> 6 & 3 == 3
    side = 4 + ({1: 17, 2: 9} if mono else {1: 32, 2: 17})[old]
    return _Frame(bits, size, samples, rate, side if layer == 3 else 0)


def is_mpeg(source: Source, offset: int = 0) -> bool:
    """Whether four frames that fit each other, or fewer that fill the file, begin at `offset`."""
    first = frame_at(source, offset)
    for _ in range(4):
        frame = frame_at(source, offset)
        if first is None or frame is None or not frame.like(first):
            return False
        offset += frame.size
        if offset >= source.size:
            return True
    return True


def inspect_mpeg(source: Source) -> Container:
    """A file that is a sequence of MPEG audio frames, perhaps behind an ID3v2 tag."""
    begin = id3_size(source)
    begin += source.zeros(begin, source.size)
    first = frame_at(source, begin)
    if first is None:
        raise damaged(source.path, "MP3", f"byte {begin} should begin a frame")
    kind = "MP3" if first.side else "MPEG audio"
    announced, lame = _announced(source, begin, first)
    start = begin + first.size if announced is not None else begin
    count, end = _count(source, kind, start, first)
    if announced and count < announced:
        raise cut_off(source.path, kind, f"its first frame announces {announced} frames, {count} are there")
    frames = count * first.samples
    slack = _SLACK_FRAMES * first.samples
    if announced == count and lame:
        trimmed = frames - sum(lame)
        return _container(source, kind, Stream(source.start + begin, source.start + end, max(0, trimmed)), first, slack)
    stream = Stream(source.start + start, source.start + end, frames)
    if first.side:
        stream = replace(stream, prefix=_length_frame(first, count))
    return _container(source, kind, stream, first, slack)


def _container(source: Source, kind: str, stream: Stream, first: _Frame, slack: int) -> Container:
    return Container(kind, (stream,), first.rate, slack=slack)


def _announced(source: Source, begin: int, first: _Frame) -> tuple[int | None, tuple[int, int] | None]:
    """Frames that the first frame announces (None: it is no such frame, 0: it does not say), and samples to be dropped.

    The samples are those that the encoder added at both ends, where it notes them.
    """
    if not first.side:
        return None, None
    at = begin + first.side + (0 if first.bits >> 16 & 1 else 2)
    for tag_at in {at, begin + first.side}:
        if source.at(tag_at, 4) in (b"Xing", b"Info"):
            flags = source.number(tag_at + 4, 4, "big")
            count = source.number(tag_at + 8, 4, "big") if flags & 1 else 0
            lame = tag_at + 8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
            return count, _encoder_padding(source, lame)
    if source.at(begin + 36, 4) == b"VBRI":
        return source.number(begin + 50, 4, "big"), None
    return None, None


def _encoder_padding(source: Source, lame: int) -> tuple[int, int] | None:
    if not source.at(lame, 4).isalnum():
        return None
    packed = source.number(lame + 21, 3, "big")
    return packed >> 12, packed & 0xFFF


def _count(source: Source, kind: str, start: int, first: _Frame) -> tuple[int, int]:
    """Frames from `start` on, and where they end. Tags and zeros between and behind them are passed over."""
    end, offset, count, last = without_tags(source), start, 0, start
    while offset < end:
        frame = frame_at(source, offset)
        if frame is None or not frame.like(first):
            skipped = id3_size(source, offset) or source.zeros(offset, end)
            if not skipped:
                if end - offset < 4 and offset == last:
                    raise cut_off(source.path, kind, "its last frame is incomplete")
                raise damaged(source.path, kind, f"byte {offset} should begin a frame")
            offset += skipped
            continue
        offset += frame.size
        if offset > end:
            raise cut_off(source.path, kind, "its last frame is incomplete")
        count, last = count + 1, offset
    return count, last


def _length_frame(first: _Frame, count: int) -> bytes:
    """A frame that announces `count` frames as encoders do (Xing's format); decoders return no sound of it."""
    needed = first.side + 12 + 8
    for kbit in range(1, 15):
        bits = (first.bits | 0x10000) & ~0xF200 | kbit << 12  # no checksum, no padding
        frame = _parsed(bits)
        if frame is not None and frame.size >= needed:
            tag = b"Info" + (1).to_bytes(4, "big") + count.to_bytes(4, "big")
            return (bits.to_bytes(4, "big") + bytes(first.side - 4) + tag).ljust(frame.size, b"\0")
    return b""
