"""MP4 and its kin (M4A, MOV, 3GP): boxes within boxes, whose sizes tell whether the end is there."""

from fastadasp.data.audio.containers.base import Container, Decoder, whole
from fastadasp.data.audio.errors import AudioError, cut_off, damaged
from fastadasp.data.audio.source import Source

_CODECS = {b"mp4a": "AAC", b"alac": "ALAC", b"Opus": "Opus", b"samr": "AMR", b"sawb": "AMR-WB", b"fLaC": "FLAC"}
_TABLE_ROWS = 5_000_000
"""Rows of a sample table above which the table itself must be damaged."""


def inspect_mp4(source: Source) -> Container:
    """A file whose first box is ftyp, moov, mdat or a like one."""
    boxes: dict[bytes, tuple[int, int]] = {}
    offset = 0
    while offset < source.size:
        name, body, end = _box(source, offset, source.size)
        boxes.setdefault(name, (body, end))
        offset = end
    if b"moov" not in boxes:
        raise cut_off(source.path, "MP4", "the box that describes its tracks is missing; recorders write it last")
    track = _audio_track(source, *boxes[b"moov"])
    if track is None:
        raise AudioError(f"{source.path}: the MP4 file holds no audio track")
    kind, rate, frames, last = track
    if last > source.size:
        raise cut_off(source.path, kind, f"its samples end at byte {last}, the file at {source.size}")
    fragments = b"moof" in boxes
    stream = whole(source, None if fragments or not frames else frames)
    return Container(kind, (stream,), rate, Decoder.ffmpeg, slack=4096, padded=not fragments)


def _box(source: Source, offset: int, stop: int) -> tuple[bytes, int, int]:
    """Name, first byte of the content, and end of the box at `offset`."""
    head = source.at(offset, 16)
    size, name, body = int.from_bytes(head[:4], "big"), head[4:8], offset + 8
    if size == 1:
        size, body = int.from_bytes(head[8:16], "big"), offset + 16
    end = stop if size == 0 else offset + size
    if len(head) < min(8, stop - offset) or len(name) < 4 or (end > stop and all(byte > 31 for byte in name)):
        raise cut_off(source.path, "MP4", "its last box is incomplete")
    if end < body or end > stop:
        raise damaged(source.path, "MP4", f"the box at byte {offset} has an impossible size")
    return name, body, end


def _children(source: Source, body: int, end: int) -> list[tuple[bytes, int, int]]:
    found = []
    while body + 8 <= end:
        box = _box(source, body, end)
        found.append(box)
        body = box[2]
    return found


def _find(source: Source, span: tuple[int, int], *names: bytes) -> tuple[int, int] | None:
    """Content of the box that is reached through `names`."""
    for name in names:
        inside = next((box for box in _children(source, *span) if box[0] == name), None)
        if inside is None:
            return None
        span = inside[1:]
    return span


def _audio_track(source: Source, body: int, end: int) -> tuple[str, int, int, int] | None:
    """Format, rate, length in samples and end of the samples in the file, of the first audio track."""
    for name, start, stop in _children(source, body, end):
        media = _find(source, (start, stop), b"mdia") if name == b"trak" else None
        handler = _find(source, media, b"hdlr") if media else None
        if media is None or handler is None or source.at(handler[0] + 8, 4) != b"soun":
            continue
        header, table = _find(source, media, b"mdhd"), _find(source, media, b"minf", b"stbl")
        if header is None or table is None:
            continue
        wide = source.at(header[0], 1) == b"\1"
        scale = source.number(header[0] + (20 if wide else 12), 4, "big")
        length = source.number(header[0] + (24 if wide else 16), 8 if wide else 4, "big")
        entry = _find(source, table, b"stsd")
        codec = source.at(entry[0] + 12, 4) if entry else b""
        known = _CODECS.get(codec, codec.decode("latin-1"))
        return f"MP4 ({known})", scale, length, _samples_end(source, table)
    return None


def _samples_end(source: Source, table: tuple[int, int]) -> int:
    """The first byte behind the last sample that the sample tables name; 0 where they name none."""
    sizes, chunks = _find(source, table, b"stsz"), _find(source, table, b"stsc")
    offsets = _find(source, table, b"stco")
    wide = offsets is None
    offsets = offsets or _find(source, table, b"co64")
    if sizes is None or chunks is None or offsets is None:
        return 0
    equal, count = source.number(sizes[0] + 4, 4, "big"), source.number(sizes[0] + 8, 4, "big")
    pieces, rules = source.number(offsets[0] + 4, 4, "big"), source.number(chunks[0] + 4, 4, "big")
    if not count or not pieces or not rules:
        return 0
    if max(count, pieces, rules) > _TABLE_ROWS:
        raise damaged(source.path, "MP4", "its sample table has an impossible length")
    width = 8 if wide else 4
    last = source.number(offsets[0] + 8 + (pieces - 1) * width, width, "big")
    held = min(count, source.number(chunks[0] + 8 + (rules - 1) * 12 + 4, 4, "big"))
    if equal:
        return last + held * equal
    return last + sum(source.number(sizes[0] + 12 + 4 * row, 4, "big") for row in range(count - held, count))
