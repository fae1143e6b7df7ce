"""CAF, Apple's Core Audio Format."""

import struct

from fastadasp.data.audio.containers.base import (
    Container,
    Decoder,
    announced_bytes,
    check_rest,
    is_name,
    streamed_bytes,
    whole,
)
from fastadasp.data.audio.errors import cut_off, damaged
from fastadasp.data.audio.source import Source

_LINEAR = {b"lpcm", b"alaw", b"ulaw"}
_LIBSNDFILE = _LINEAR | {b"alac"}


def inspect_caf(source: Source) -> Container:
    """A file that begins with caff."""
    description: bytes | None = None
    chunks: dict[bytes, tuple[int, int]] = {}
    offset = 8
    while offset + 12 <= source.size:
        name, size = source.at(offset, 4), source.number(offset + 4, 8, "big")
        if not is_name(name):
            if b"data" in chunks:
                check_rest(source, "CAF", offset)
                break
            raise damaged(source.path, "CAF", f"byte {offset} should begin a chunk")
        chunks[name] = offset + 12, size
        if name == b"desc":
            description = source.at(offset + 12, 32)
        if size == (1 << 64) - 1:  # -1: to the end of the file
            break
        offset += 12 + size
    if description is None or len(description) < 32 or b"data" not in chunks:
        raise cut_off(source.path, "CAF", "it ends before its samples or their format begin")
    return _container(source, description, chunks)


def _container(source: Source, description: bytes, chunks: dict[bytes, tuple[int, int]]) -> Container:
    hertz, codec, _, packet_bytes, packet_frames, channels, bits = struct.unpack(">d4sIIIII", description)
    if not 0 < hertz < 1e7 or not channels:
        raise damaged(source.path, "CAF", f"its header names {channels} channels of {hertz:g} Hz")
    if codec in _LINEAR and (packet_frames != 1 or packet_bytes not in (channels * (bits + 7) // 8, channels * 4)):
        raise damaged(
            source.path,
            "CAF",
            f"its header names {channels} channels of {bits} bits in packets of {packet_bytes} bytes",
        )
    body, size = chunks[b"data"]
    rate, present = int(hertz), source.size - body
    streamed = size == (1 << 64) - 1
    held = (present if streamed else announced_bytes(source, "CAF", size, present)) - 4  # behind a count of edits
    if codec not in _LIBSNDFILE:
        return Container(f"CAF ({codec.decode('latin-1')})", (whole(source),), rate, Decoder.ffmpeg)
    frames = None
    if codec in _LINEAR and packet_bytes and packet_frames == 1:
        held = streamed_bytes(source, "CAF", held, packet_bytes) if streamed else held
        frames = max(0, held) // packet_bytes
    elif b"pakt" in chunks:
        frames = source.number(chunks[b"pakt"][0] + 8, 8, "big")
    patches = ((body - 8, present.to_bytes(8, "big")),) if streamed else ()
    slack = 0 if codec in _LINEAR else packet_frames  # some writers count what fills the last packet
    return Container("CAF", (whole(source, frames, patches),), rate, slack=slack)
