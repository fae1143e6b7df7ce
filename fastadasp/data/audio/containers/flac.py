"""FLAC: how long a file really is follows from its last frame, which is found by its checksums."""

from dataclasses import dataclass, replace
from io import BytesIO

from fastadasp.data.audio.containers.base import Container, whole, without_tags
from fastadasp.data.audio.errors import cut_off, damaged
from fastadasp.data.audio.source import Source

_SIZES = {1: 192, **{code: 576 << code - 2 for code in range(2, 6)}, **{code: 256 << code - 8 for code in range(8, 16)}}
"""Samples of a frame, by the code in its header; 6 and 7 stand for a number at the header's end."""
_MOST_FRAME_BYTES = 1 << 22
"""More than any frame takes: 65,535 samples of 8 channels with 32 bits, and its header."""
_OWN_ZEROS = 16
"""More zero bytes than a frame ends with: of its checksum, and of silence before it."""


@dataclass(frozen=True)
class _Info:
    """The STREAMINFO block, which stands at byte 8."""

    block: int
    """Samples of each frame but the last, where all frames are equal."""
    rate: int
    channels: int
    total: int
    """Samples per channel; 0 where the writer did not know."""


@dataclass(frozen=True)
class _Frame:
    """A frame whose checksums fit; none at all (0 samples) where a stream ends before its first."""

    start: int
    end: int
    samples: int
    """Of the stream, up to the frame's end."""
    size: int
    """Samples of the frame alone."""


def inspect_flac(source: Source) -> Container:
    """A file that begins with fLaC."""
    block = source.at(0, 42)
    if len(block) < 42:
        raise cut_off(source.path, "FLAC", "it ends inside its header")
    if block[4] & 0x7F or int.from_bytes(block[5:8], "big") != 34:
        raise damaged(source.path, "FLAC", "its header does not begin with a STREAMINFO block")
    packed = int.from_bytes(block[18:26], "big")
    info = _Info(int.from_bytes(block[8:10], "big"), packed >> 44, (packed >> 41 & 7) + 1, packed & (1 << 36) - 1)
    if not info.rate or not info.block:
        raise damaged(source.path, "FLAC", f"its header names frames of {info.block} samples at {info.rate} Hz")
    first, last = _frames_start(source), without_tags(source)
    frame = _last_frame(source, info, first, last)
    if frame is None:
        raise cut_off(source.path, "FLAC", "its last frame is incomplete")
    held = frame.samples
    if held < info.total:
        raise cut_off(source.path, "FLAC", f"its header announces {info.total} samples, {held} are there")
    if held >= 1 << 36:
        raise damaged(source.path, "FLAC", f"its last frame counts {held} samples")
    fixed = (packed >> 36 << 36 | held).to_bytes(8, "big")
    stream = whole(source, held, () if held == info.total else ((18, fixed),))
    return Container("FLAC", (replace(stream, stop=source.start + frame.end),), info.rate)


def _last_frame(source: Source, info: _Info, first: int, last: int) -> _Frame | None:
    """The frame that ends at `last`, or before zeros there that a disk appended; None where none does.

    A checksum that fits goes on to fit when zeros are appended or taken away, so it cannot tell which of them are the
    frame's own. A decoder can: it reads no frame that lacks a byte, and none that has one too many.
    """
    end = max(first, last - source.zeros_before(last))
    if end < last:
        for place in range(end, min(end + _OWN_ZEROS, last) + 1):
            frame = _frame_before(source, info, first, place)
            if frame is not None and _is_read(source, frame):
                return frame
    return _frame_before(source, info, first, last)


def _is_read(source: Source, frame: _Frame) -> bool:
    """Whether libsndfile reads the frame, in a stream that holds nothing else."""
    from soundfile import LibsndfileError, SoundFile

    if not frame.size:
        return True
    header = bytearray(source.at(0, 42))
    header[4] |= 0x80  # no metadata follow
    packed = int.from_bytes(header[18:26], "big") >> 36 << 36 | frame.size
    header[18:] = packed.to_bytes(8, "big") + bytes(16)  # the samples' checksum is not known
    content = bytes(header) + source.at(frame.start, frame.end - frame.start)
    try:
        with SoundFile(BytesIO(content)) as file:
            return len(file.read(frame.size, always_2d=True)) == frame.size
    except LibsndfileError:
        return False


def _frames_start(source: Source) -> int:
    """Where the frames begin, behind all metadata."""
    offset = 4
    while True:
        head = source.at(offset, 4)
        offset += 4 + int.from_bytes(head[1:], "big")
        if len(head) < 4 or offset > source.size:
            raise cut_off(source.path, "FLAC", "it ends inside its header")
        if head[0] & 0x80:
            break
    if offset < source.size and (source.number(offset, 2, "big") & 0xFFFE) != 0xFFF8:
        raise damaged(source.path, "FLAC", f"byte {offset} should begin a frame")
    return offset


def _frame_before(source: Source, info: _Info, first: int, end: int) -> _Frame | None:
    """The frame that ends at `end`, by its checksums; None where none does."""
    if end == first:
        return _Frame(first, first, 0, 0)
    for reach in (1 << 14, 1 << 17, _MOST_FRAME_BYTES):
        start = max(first, end - reach)
        tail = source.at(start, end - start)
        at = len(tail)
        tried = 0
        while (at := tail.rfind(b"\xff", 0, at)) >= 0 and tried < 3:
            found = _samples_to(tail, at, info)
            if found is not None:
                tried += 1
                if _crc16(tail[at:]) == 0:
                    return _Frame(start + at, end, *found)
        if tried or start == first:
            return None
    return None


def _samples_to(data: bytes, at: int, info: _Info) -> tuple[int, int] | None:
    """Samples up to the end of the frame whose header stands at `at`, and of that frame; None where no header of this
    stream stands there."""
    head = data[at : at + 16]
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    code, length = head[2] >> 4, _coded_length(head[4])
    tail = {6: 1, 7: 2}.get(code, 0) + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    end = 4 + length + tail
    if not length or code == 0 or len(head) <= end or _crc8(head[:end]) != head[end]:
        return None
    number = _coded_number(head[4 : 4 + length])
    size = _SIZES.get(code) or int.from_bytes(head[4 + length : 4 + length + (code - 5)], "big") + 1
    return (number if head[1] & 1 else number * info.block) + size, size


def _coded_length(first: int) -> int:
    """Bytes of the number, coded like UTF-8, that begins with the byte `first`; 0 where none does."""
    if first < 0x80:
        return 1
    ones = 8 - (first ^ 0xFF).bit_length()
    return ones if 2 <= ones <= 7 else 0


def _coded_number(data: bytes) -> int:
    if len(data) == 1:
        return data[0]
    number = data[0] & (1 << 7 - len(data)) - 1
    for byte in data[1:]:
        number = number << 6 | byte & 0x3F
    return number


def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    top, mask, rows = 1 << bits - 1, (1 << bits) - 1, []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = (value << 1 ^ polynomial) & mask if value & top else value << 1
        rows.append(value)
    return tuple(rows)


_TABLE_8, _TABLE_16 = _table(0x07, 8), _table(0x8005, 16)


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value = _TABLE_8[value ^ byte]
    return value


def _crc16(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFF) ^ _TABLE_16[value >> 8 ^ byte]
    return value
