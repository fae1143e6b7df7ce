"""WAV in its variants: RIFF and RIFX, RF64 and BW64 for more than 4 GiB, and Sony's Wave64."""

from dataclasses import dataclass

from fastadasp.data.audio.containers import mpeg
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

PCM, MS_ADPCM, FLOAT, A_LAW, MU_LAW, IMA_ADPCM, G723, GSM, NMS, G721 = 1, 2, 3, 6, 7, 0x11, 0x14, 0x31, 0x38, 0x40
EXTENSIBLE = 0xFFFE
_LINEAR = {PCM, FLOAT, A_LAW, MU_LAW}
"""Format tags with a fixed number of bytes for each sample."""
_LIBSNDFILE = _LINEAR | {MS_ADPCM, IMA_ADPCM, G723, GSM, NMS, G721}
_MPEG = {0x50, 0x55}
_NAMES = {A_LAW: "A-law", MU_LAW: "mu-law", MS_ADPCM: "MS ADPCM", IMA_ADPCM: "IMA ADPCM", GSM: "GSM 6.10"}

_BEHIND = {b"LIST", b"id3 ", b"ID3 ", b"bext", b"cue ", b"iXML", b"smpl", b"PEAK", b"JUNK"}
"""Chunks that stand behind the samples; one that is cut off takes nothing from them."""

_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
"""What follows the four letters of a chunk's name in Wave64."""


@dataclass(frozen=True)
class _Format:
    """The `fmt ` chunk."""

    tag: int
    channels: int
    rate: int
    byte_rate: int
    align: int
    bits: int

    @property
    def frame_bytes(self) -> int | None:
        """Bytes of one sample of all channels; None where a block holds several."""
        return self.align if self.tag in _LINEAR else None

    @property
    def fits(self) -> bool:
        """Whether the bytes of a sample agree with bits and channels; 24 bits may stand in 4 bytes."""
        width = (self.bits + 7) // 8
        allowed = {
            self.channels * width,
            self.channels * 4 if width == 3 else 0,
            self.channels if self.tag != PCM else 0,
        }
        return self.tag not in _LINEAR or (0 < self.bits <= 64 and self.align in allowed)


def inspect_wave(source: Source) -> Container:
    """A file that begins with RIFF, RIFX, RF64 or BW64 and holds WAVE."""
    order = "big" if source.at(0, 4) == b"RIFX" else "little"
    sizes: dict[bytes, int] = {}
    form: _Format | None = None
    offset = 12
    while (head := source.at(offset, 8))[:4] != b"data" or len(head) < 8:
        size = source.number(offset + 4, 4, order)
        if len(head) < 8 or (is_name(head[:4]) and offset + 8 + size > source.size):
            raise cut_off(source.path, "WAV", "it ends before its samples begin")
        if not is_name(head[:4]):
            raise damaged(source.path, "WAV", f"byte {offset} should begin a chunk")
        if head[:4] == b"fmt ":
            form = _format(source, offset + 8, size, order)
        elif head[:4] == b"ds64":
            sizes = {b"RIFF": source.number(offset + 8, 8), b"data": source.number(offset + 16, 8)}
            sizes[b"at"] = offset + 8
        offset += 8 + size + size % 2
    announced, bits = source.number(offset + 4, 4, order), 32
    if sizes and announced == 0xFFFFFFFF:
        announced, bits = sizes[b"data"], 64
    if form is None:
        raise damaged(source.path, "WAV", "no `fmt ` chunk stands before its samples")
    body = offset + 8
    held = _held(source, "WAV", form, announced, bits, body)
    if held == announced:
        _check_chunks(source, body + held + held % 2, order)
        return _container(source, form, body, held, ())
    numbers = ((4, source.size - 8), (offset + 4, held))
    patches = tuple(
        (at, min(size, 0xFFFFFFFE).to_bytes(4, "big" if order == "big" else "little")) for at, size in numbers
    )
    if bits == 64:
        at, frames = sizes[b"at"], held // (form.frame_bytes or 1)
        long = ((at, source.size - 8), (at + 8, held), (at + 16, frames))
        patches = tuple((where, size.to_bytes(8, "little")) for where, size in long)
    return _container(source, form, body, held, patches)


def _container(
    source: Source, form: _Format, body: int, held: int, patches: tuple[tuple[int, bytes], ...]
) -> Container:
    kind = f"WAV ({_NAMES[form.tag]})" if form.tag in _NAMES else "WAV"
    if form.tag in _MPEG:
        with Source(source.path, source.start + body, source.start + body + held) as inner:
            return mpeg.inspect_mpeg(inner)
    if form.tag not in _LIBSNDFILE:
        return Container(f"WAV (codec 0x{form.tag:x})", (whole(source),), form.rate, Decoder.ffmpeg)
    frames = held // form.frame_bytes if form.frame_bytes else None
    told = form.byte_rate // form.align
    remarks = () if form.frame_bytes is None or told in (form.rate, 0) else (
        f"has a header that contradicts itself: it names {form.rate} Hz, which is believed, and the bytes a second "
        f"of {told} Hz",
    )  # fmt: skip
    return Container(kind, (whole(source, frames, patches),), form.rate, remarks=remarks)


def _format(source: Source, offset: int, size: int, order: str) -> _Format:
    tag, channels, rate, byte_rate, align, bits = (
        source.number(offset + at, length, order) for at, length in ((0, 2), (2, 2), (4, 4), (8, 4), (12, 2), (14, 2))
    )
    if tag == EXTENSIBLE and size >= 40:
        tag = source.number(offset + 24, 2, order)
    if size < 14 or not channels or not rate or not align:
        raise damaged(
            source.path, "WAV", f"its header names {channels} channels of {rate} Hz in blocks of {align} bytes"
        )
    form = _Format(tag, channels, rate, byte_rate, align, bits)
    if not form.fits:
        raise damaged(
            source.path, "WAV", f"its header names {channels} channels of {bits} bits in blocks of {align} bytes"
        )
    return form


def _held(source: Source, kind: str, form: _Format, announced: int, bits: int, body: int) -> int:
    """Bytes of samples from `body` on: those announced, or all to the end where the header does not know its length."""
    present = source.size - body
    if announced == 0:
        streamed = not _are_chunks(source, body, "little") and not _are_chunks(source, body, "big")
    else:
        streamed = is_unknown(announced, bits) and announced > present
    if streamed:
        return streamed_bytes(source, kind, present, form.frame_bytes or form.align)
    return announced_bytes(source, kind, announced, present)


def _are_chunks(source: Source, offset: int, order: str) -> bool:
    """Whether well-formed chunks, or nothing, follow from `offset` to the end; a last one may be cut off."""
    while offset < source.size - 8:
        name, size = source.at(offset, 4), source.number(offset + 4, 4, order)
        if not is_name(name) or name == b"data":
            return False
        if offset + 8 + size > source.size:
            return name in _BEHIND
        offset += 8 + size + size % 2
    return True


def _check_chunks(source: Source, end: int, order: str) -> None:
    if not _are_chunks(source, end, order) and not _are_chunks(source, end - 1, order):  # some writers do not pad
        check_rest(source, "WAV", end)


def is_wave64(source: Source) -> bool:
    """Whether the file begins as Sony's Wave64 does."""
    return source.at(0, 16) == _W64_RIFF


def inspect_wave64(source: Source) -> Container:
    """Wave64: WAV with 16-byte names and 64-bit sizes that include the chunk's own header of 24 bytes."""
    form: _Format | None = None
    offset = 40
    while True:
        name, size = source.at(offset, 16), source.number(offset + 16, 8)
        if len(source.at(offset, 24)) < 24:
            raise cut_off(source.path, "W64", "it ends before its samples begin")
        if name[4:] != _W64_TAIL:
            raise damaged(source.path, "W64", f"byte {offset} should begin a chunk")
        if name[:4] == b"data":
            break
        if size < 24:
            raise damaged(source.path, "W64", f"the chunk at byte {offset} has no length")
        if name[:4] == b"fmt ":
            form = _format(source, offset + 24, size - 24, "little")
        offset += size + -size % 8
    if form is None:
        raise damaged(source.path, "W64", "no format stands before its samples")
    body = offset + 24
    announced = 0 if size <= 24 else size if is_unknown(size, 64) else size - 24
    held = _held(source, "W64", form, announced, 64, body)
    patches = () if held == announced else (
        (16, source.size.to_bytes(8, "little")), (offset + 16, (held + 24).to_bytes(8, "little"))
    )  # fmt: skip
    if held == announced and source.at(body + held + -held % 8 + 4, 12) != _W64_TAIL:
        check_rest(source, "W64", body + held + -held % 8)
    return _container(source, form, body, held, patches)
