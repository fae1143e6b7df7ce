"""Formats that are a sequence of packets with a length each: AAC (ADTS), AMR, WavPack, and Windows Media."""

from collections.abc import Callable

from fastadasp.data.audio.containers.base import Container, Decoder, whole, without_tags
from fastadasp.data.audio.errors import cut_off, damaged
from fastadasp.data.audio.source import Source

_AMR = (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1)
_AMR_WIDE = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1)
"""Bytes of a frame by the mode in its first byte; 0 where there is no such mode."""
_AAC_HERTZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350)


def is_adts(source: Source, offset: int = 0) -> bool:
    """Whether four AAC frames, or fewer that fill the file, begin at `offset`."""
    for _ in range(4):
        size = _adts_size(source, offset)
        if not size:
            return False
        offset += size
        if offset >= source.size:
            return True
    return True


def inspect_adts(source: Source, begin: int = 0) -> Container:
    """AAC frames with ADTS headers, from `begin` on."""
    count = _walk(source, "AAC", begin, without_tags(source), _adts_size)
    rate = _AAC_HERTZ[source.number(begin + 2, 1) >> 2 & 15]
    return Container("AAC", (whole(source, count * 1024),), rate, Decoder.ffmpeg, slack=2048)


def inspect_amr(source: Source) -> Container:
    """Adaptive multi-rate speech, as telephones record it (one channel)."""
    wide = source.at(0, 9) == b"#!AMR-WB\n"
    sizes = _AMR_WIDE if wide else _AMR

    def size(source: Source, offset: int) -> int:
        return sizes[source.number(offset, 1) >> 3 & 15]

    kind = "AMR-WB" if wide else "AMR"
    count = _walk(source, kind, 9 if wide else 6, source.size, size)
    rate = 16_000 if wide else 8000
    return Container(kind, (whole(source, count * rate // 50),), rate, Decoder.ffmpeg, slack=rate // 25)


def inspect_wavpack(source: Source) -> Container:
    """WavPack blocks."""
    _walk(source, "WavPack", 0, without_tags(source), _wavpack_size)
    return Container("WavPack", (whole(source),), None, Decoder.ffmpeg)


def inspect_asf(source: Source) -> Container:
    """Windows Media (ASF): objects with sizes, among them the one that holds all packets."""
    offset = 0
    objects = 0
    while offset + 24 <= source.size:
        size = source.number(offset + 16, 8)
        if size < 24:
            raise damaged(source.path, "Windows Media", f"the object at byte {offset} has no length")
        offset, objects = offset + size, objects + 1
    if offset > source.size or objects < 2:
        raise cut_off(source.path, "Windows Media", f"its header announces {max(offset, source.size + 1)} bytes")
    return Container("Windows Media", (whole(source),), None, Decoder.ffmpeg)


def _walk(source: Source, kind: str, offset: int, end: int, size_at: Callable[[Source, int], int]) -> int:
    """Packets from `offset` to `end`, each of the size that `size_at` reads from its head (0: none begins there)."""
    count = 0
    while offset < end:
        size = size_at(source, offset)
        if not size and end - offset < 8:
            raise cut_off(source.path, kind, "its last frame is incomplete")
        if not size:
            raise damaged(source.path, kind, f"byte {offset} should begin a frame")
        offset += size
        if offset > end:
            raise cut_off(source.path, kind, "its last frame is incomplete")
        count += 1
    return count


def _adts_size(source: Source, offset: int) -> int:
    head = source.number(offset, 7, "big")
    size = head >> 13 & 0x1FFF
    valid = head >> 44 == 0xFFF and not head >> 41 & 3 and head >> 34 & 15 < len(_AAC_HERTZ) and size >= 7
    return size if valid else 0


def _wavpack_size(source: Source, offset: int) -> int:
    return source.number(offset + 4, 4) + 8 if source.at(offset, 4) == b"wvpk" else 0
