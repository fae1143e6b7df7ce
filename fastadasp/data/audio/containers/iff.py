"""AIFF and AIFF-C (Apple, SGI)."""

from fastadasp.data.audio.containers.base import (
    Container,
    Decoder,
    announced_bytes,
    check_rest,
    is_name,
    is_unknown,
    streamed_bytes,
    whole,
)
from fastadasp.data.audio.errors import cut_off, damaged
from fastadasp.data.audio.source import Source

_WIDTHS = {b"fl32": 4, b"FL32": 4, b"fl64": 8, b"FL64": 8, b"alaw": 1, b"ALAW": 1, b"ulaw": 1, b"ULAW": 1, b"in24": 3}
_WIDTHS |= {b"in32": 4, b"42ni": 3, b"23ni": 4}
"""Bytes of a sample of the AIFF-C compressions that have a fixed one."""
_FROM_BITS = {b"NONE", b"sowt", b"twos", b"raw "}
_LIBSNDFILE = _FROM_BITS | _WIDTHS.keys() | {b"ima4", b"GSM ", b"G722", b"DWVW"}


def inspect_aiff(source: Source) -> Container:
    """A file that begins with FORM and holds AIFF or AIFC."""
    common: bytes | None = None
    samples: tuple[int, int] | None = None
    common_at = 0
    offset = 12
    while offset + 8 <= source.size and (common is None or samples is None):
        name, size = source.at(offset, 4), source.number(offset + 4, 4, "big")
        if not is_name(name):
            raise damaged(source.path, "AIFF", f"byte {offset} should begin a chunk")
        if name == b"COMM":
            common, common_at = source.at(offset + 8, min(size, 22)), offset + 8
        elif name == b"SSND":
            samples = offset + 8, size
            if common is not None:
                break
        offset += 8 + size + size % 2
    if common is None or samples is None or len(common) < 18:
        raise cut_off(source.path, "AIFF", "it ends before its samples or their format begin")
    return _container(source, common, common_at, *samples)


def _container(source: Source, common: bytes, common_at: int, body: int, size: int) -> Container:
    channels, announced, bits = (int.from_bytes(common[a:b], "big") for a, b in ((0, 2), (2, 6), (6, 8)))
    compression = common[18:22] if source.at(8, 4) == b"AIFC" and len(common) == 22 else b"NONE"
    rate = _extended(common[8:18])
    if not channels or not rate:
        raise damaged(source.path, "AIFF", f"its header names {channels} channels of {rate} Hz")
    if compression not in _LIBSNDFILE:
        name = compression.decode("latin-1")
        return Container(f"AIFF-C ({name!r})", (whole(source),), rate, Decoder.ffmpeg)
    width = _WIDTHS.get(compression, (bits + 7) // 8 if compression in _FROM_BITS else 0)
    frame = channels * width
    skip = source.number(body, 4, "big")
    present = source.size - body - 8 - skip
    if present < 0:
        raise cut_off(source.path, "AIFF", "it ends before its samples begin")
    size_of_samples = size - 8 - skip
    if (size_of_samples <= 0 and announced == 0 and present) or (is_unknown(size) and size_of_samples > present):
        held = streamed_bytes(source, "AIFF", present, frame or 1)
        fields = [(4, source.size - 8), (body - 4, 8 + skip + held)]
        fields += [(common_at + 2, held // frame)] if frame else []
        patches = tuple((at, min(number, 0xFFFFFFFE).to_bytes(4, "big")) for at, number in fields)
        return Container("AIFF", (whole(source, held // frame if frame else None, patches),), rate)
    held = announced_bytes(source, "AIFF", max(size_of_samples, announced * frame), present)
    end = body + size + size % 2
    if not is_name(source.at(end, 4)) and not is_name(source.at(end - 1, 4)):
        check_rest(source, "AIFF", end)
    return Container("AIFF", (whole(source, held // frame if frame else None),), rate)


def _extended(number: bytes) -> int:
    """The integer part of an 80-bit floating-point number; 0 where it is no rate."""
    exponent, mantissa = int.from_bytes(number[:2], "big") - 16383, int.from_bytes(number[2:], "big")
    return mantissa >> (63 - exponent) if 0 <= exponent < 32 else 0
