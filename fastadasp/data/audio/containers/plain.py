"""Formats that are a header and then nothing but samples: AU, NIST SPHERE, and no header at all."""

import re

from fastadasp.data.audio.containers.base import (
    Container,
    Decoder,
    Stream,
    announced_bytes,
    check_rest,
    is_unknown,
    streamed_bytes,
    whole,
)
from fastadasp.data.audio.errors import AudioError, cut_off, damaged
from fastadasp.data.audio.source import Source
from fastadasp.data.audio_options import Encoding, RawFormat

_AU_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
"""Bytes of a sample by AU's number of the encoding, where that is fixed."""
_AU_ADPCM = range(23, 27)


def inspect_au(source: Source) -> Container:
    """A file that begins with .snd (big-endian) or dns. (little-endian)."""
    order = "big" if source.at(0, 4) == b".snd" else "little"
    if source.size < 24:
        raise cut_off(source.path, "AU", "it ends inside its header")
    start, announced, encoding, rate, channels = (source.number(at, 4, order) for at in range(4, 24, 4))
    if start < 24 or not 0 < channels <= 1024 or not rate:
        raise damaged(source.path, "AU", f"its header names {channels} channels of {rate} Hz from byte {start} on")
    if start > source.size:
        raise cut_off(source.path, "AU", "it ends inside its header")
    if encoding not in _AU_WIDTHS and encoding not in _AU_ADPCM:
        return Container(f"AU (encoding {encoding})", (whole(source),), rate, Decoder.ffmpeg)
    frame, present = channels * _AU_WIDTHS.get(encoding, 0), source.size - start
    if (is_unknown(announced) and announced > present) or (announced == 0 and present > 0):
        held = streamed_bytes(source, "AU", present, frame or 1)
        patch = (8, held.to_bytes(4, "big" if order == "big" else "little"))
        return Container("AU", (whole(source, held // frame if frame else None, (patch,)),), rate)
    announced_bytes(source, "AU", announced, present)
    check_rest(source, "AU", start + announced)
    return Container("AU", (whole(source, announced // frame if frame else None),), rate)


def inspect_sphere(source: Source) -> Container:
    """A NIST SPHERE file, as the Linguistic Data Consortium's corpora have them."""
    first = source.at(0, 16).split(b"\n")
    size = int(first[1]) if len(first) > 2 and first[1].strip().isdigit() else 0
    text = source.at(0, size)
    if size < 32 or len(text) < size or b"end_head" not in text:
        raise cut_off(source.path, "SPHERE", "it ends inside its header")
    fields = {
        name.decode("latin-1"): value.decode("latin-1").strip()
        for name, value in re.findall(rb"^(\w+) -\w+ ([^\n]*)", text, re.MULTILINE)
    }
    channels, count, rate = (_whole(fields.get(name, "")) for name in ("channel_count", "sample_count", "sample_rate"))
    width, coding = _whole(fields.get("sample_n_bytes", "2")), fields.get("sample_coding", "pcm").lower()
    if not channels or not rate or not width:
        raise damaged(source.path, "SPHERE", "its header lacks channel_count, sample_rate or sample_n_bytes")
    if "embedded" in coding:
        raise AudioError(
            f"{source.path}: the SPHERE file is compressed ({coding}), which nothing here reads; unpack it with "
            "`sph2pipe -f wav` of the Linguistic Data Consortium"
        )
    encoding = _sphere_encoding(source, coding, width)
    big = fields.get("sample_byte_format", "01").startswith("1")
    present = source.size - size
    if not count:
        count = present // (channels * width)
    if count * channels * width > present:
        raise cut_off(
            source.path, "SPHERE", f"its header announces {count} samples, {present // (channels * width)} are there"
        )
    end = size + count * channels * width
    check_rest(source, "SPHERE", end)
    raw = RawFormat(encoding, rate, channels, big)
    return Container("SPHERE", (Stream(source.start + size, source.start + end, count),), rate, raw=raw)


def _sphere_encoding(source: Source, coding: str, width: int) -> Encoding:
    known = {("pcm", 1): Encoding.s8, ("pcm", 2): Encoding.s16, ("pcm", 3): Encoding.s24, ("pcm", 4): Encoding.s32}
    for name in ("ulaw", "mu-law", "mulaw"):
        known[name, 1] = Encoding.mulaw
    for name in ("alaw", "a-law"):
        known[name, 1] = Encoding.alaw
    if (coding, width) not in known:
        raise AudioError(
            f"{source.path}: the SPHERE file has samples of {width} bytes coded as {coding}, which nothing here reads; "
            "write it as WAV with `sph2pipe -f wav` or `sox`"
        )
    return known[coding, width]


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def inspect_raw(source: Source, raw: RawFormat) -> Container:
    """A file without a header, whose format was declared."""
    if source.size % raw.frame_bytes:
        raise AudioError(
            f"{source.path}: {source.size} bytes are no whole number of samples of {raw.frame_bytes} bytes; the file "
            f"is cut off, or its declared format ({raw}) is not the right one"
        )
    frames = source.size // raw.frame_bytes * raw.block_frames
    return Container(f"headerless {raw.encoding.name}", (whole(source, frames),), raw.rate, raw=raw)
