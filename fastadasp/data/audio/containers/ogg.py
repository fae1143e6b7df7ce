"""Ogg (Vorbis, Opus, FLAC, Speex): every page is checked, since decoders leave out damaged ones without a word."""

import zlib
from dataclasses import dataclass, field

from fastadasp.data.audio.containers.base import Container, Decoder, Stream, check_rest
from fastadasp.data.audio.errors import AudioError, cut_off, damaged
from fastadasp.data.audio.source import Source

_CODECS = {b"\x01vorbis": "Vorbis", b"OpusHead": "Opus", b"\x7fFLAC": "FLAC", b"Speex   ": "Speex"}
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_UNSET = (1 << 64) - 1


@dataclass
class _Logical:
    """One of the interleaved streams of a file."""

    codec: str | None
    head: bytes
    sequence: int
    start: int
    ended: bool = False
    open_packet: bool = False
    granule: int = 0


@dataclass
class _Link:
    """Streams that begin together; a chained file has several links, one after the other."""

    start: int
    stop: int = 0
    streams: dict[int, _Logical] = field(default_factory=dict)


def inspect_ogg(source: Source) -> Container:
    """A file that begins with OggS."""
    links: list[_Link] = []
    offset = 0
    while offset < source.size:
        if source.at(offset, 4) != b"OggS":
            if links and links[-1].streams and all(stream.ended for stream in links[-1].streams.values()):
                check_rest(source, "Ogg", offset)
                break
            if source.size - offset < 4 and b"OggS".startswith(source.at(offset, 4)):
                raise cut_off(source.path, "Ogg", "its last page is incomplete")
            raise damaged(source.path, "Ogg", f"byte {offset} should begin a page")
        offset = _page(source, offset, links)
    for link in links:
        for stream in link.streams.values():
            if stream.codec and not stream.ended:
                raise cut_off(source.path, f"Ogg {stream.codec}", "no page is marked as its last")
    return _container(source, links)


def _page(source: Source, offset: int, links: list[_Link]) -> int:
    """Note the page at `offset` in the last of `links`, or in a new one; returns where the page ends."""
    head = source.at(offset, 27)
    table = source.at(offset + 27, head[26]) if len(head) == 27 else b""
    if len(head) < 27 or len(table) < head[26] or offset + 27 + len(table) + sum(table) > source.size:
        raise cut_off(source.path, "Ogg", "its last page is incomplete")
    size = 27 + len(table) + sum(table)
    page = source.at(offset, size)
    if _crc(page) != int.from_bytes(page[22:26], "little"):
        raise damaged(source.path, "Ogg", f"the checksum of the page at byte {offset} is wrong")
    flags, serial, sequence = head[5], int.from_bytes(head[14:18], "little"), int.from_bytes(head[18:22], "little")
    if flags & _FIRST:
        if not links or any(stream.ended for stream in links[-1].streams.values()):
            links.append(_Link(offset))
        body = page[27 + len(table) :]
        codec = next((name for magic, name in _CODECS.items() if body.startswith(magic)), None)
        links[-1].streams[serial] = _Logical(codec, body[:64], sequence, offset)
    stream = links[-1].streams.get(serial) if links else None
    if stream is None or stream.ended:
        raise damaged(source.path, "Ogg", f"the page at byte {offset} belongs to no stream")
    if not flags & _FIRST and sequence != (stream.sequence + 1) & 0xFFFFFFFF:
        raise damaged(source.path, "Ogg", f"pages are missing before byte {offset}")
    if bool(flags & _CONTINUED) != stream.open_packet and not flags & _FIRST:
        raise damaged(source.path, "Ogg", f"part of a packet is missing before byte {offset}")
    stream.sequence, stream.ended = sequence, bool(flags & _LAST)
    stream.open_packet = bool(table) and table[-1] == 255
    if (granule := int.from_bytes(head[6:14], "little")) != _UNSET:
        stream.granule = granule
    links[-1].stop = offset + size
    return offset + size


def _container(source: Source, links: list[_Link]) -> Container:
    heard: list[tuple[_Link, _Logical]] = []
    for link in links:
        spoken = [stream for stream in link.streams.values() if stream.codec]
        if len(spoken) != 1:
            raise AudioError(
                f"{source.path}: the Ogg file has {len(spoken)} audio streams side by side, where one is expected; "
                f"choose one with `ffmpeg -i {source.path.name} -map 0:a:0 new.wav`"
            )
        heard.append((link, spoken[0]))
    codec = str(heard[0][1].codec)
    bare = all(len(link.streams) == 1 for link, _ in heard)
    decoder = Decoder.libsndfile if bare and codec in ("Vorbis", "Opus") else Decoder.ffmpeg
    rate = _rate(heard[0][1])
    if any(
        stream.codec != codec or _rate(stream) != rate or _channels(stream) != _channels(heard[0][1])
        for _, stream in heard
    ):
        raise AudioError(
            f"{source.path}: the Ogg file is a chain of unlike streams, which nothing here reads; write it as one with "
            f"`ffmpeg -i {source.path.name} new.wav`"
        )
    if decoder is Decoder.ffmpeg and len(heard) > 1:
        raise AudioError(
            f"{source.path}: the Ogg {codec} file is a chain of {len(heard)} streams, which nothing here reads"
        )
    streams = tuple(
        Stream(source.start + link.start, source.start + link.stop, _frames(stream)) for link, stream in heard
    )
    return Container(f"Ogg {codec}", streams, 48_000 if codec == "Opus" else rate, decoder)


def _rate(stream: _Logical) -> int:
    at = {"Vorbis": 12, "Opus": 12, "Speex": 36}.get(str(stream.codec))
    return int.from_bytes(stream.head[at : at + 4], "little") if at else 0


def _channels(stream: _Logical) -> int:
    at = {"Vorbis": 11, "Opus": 9, "Speex": 48}.get(str(stream.codec))
    return stream.head[at] if at and len(stream.head) > at else 0


def _frames(stream: _Logical) -> int | None:
    """Samples up to the last position that the stream names; None for codecs whose position has another meaning."""
    if stream.codec == "Vorbis":
        return stream.granule
    if stream.codec == "Opus":
        return max(0, stream.granule - int.from_bytes(stream.head[10:12], "little"))
    return None


def _crc(page: bytes) -> int:
    """Ogg's checksum: zlib's runs over bits in the other order and inverts them at both ends."""
    blank = page[:22] + bytes(4) + page[26:]
    value = zlib.crc32(blank.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)
