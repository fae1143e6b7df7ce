"""Old formats that libsndfile reads but whose end it does not check: HTK, Amiga IFF, Creative Voice, AVR and others."""

from fastadasp.data.audio.containers.base import Container, announced_bytes, check_rest, whole
from fastadasp.data.audio.errors import cut_off, damaged
from fastadasp.data.audio.source import Source

WITHOUT_LENGTH = {b"\x64\xa3": "IRCAM", b"\0\2\xa3\x64": "IRCAM", b"PVF1\n": "PVF", b" paf": "PAF", b"fap ": "PAF"}
"""How formats begin whose headers announce no length: that such a file is cut off cannot be noticed."""


def is_htk(source: Source) -> bool:
    """Whether the file is a waveform of the Hidden Markov Model Toolkit: its header is consistent, without magic."""
    count, period = source.number(0, 4, "big"), source.number(4, 4, "big")
    return source.at(8, 4) == b"\0\2\0\0" and count > 0 and 13 <= period <= 10_000 and source.size >= 12


def inspect_htk(source: Source) -> Container:
    """12 bytes of header (samples, period in 100 ns, size, kind), then 16-bit samples."""
    count, present = source.number(0, 4, "big"), (source.size - 12) // 2
    if count > present:
        raise cut_off(source.path, "HTK", f"its header announces {count} samples, {present} are there")
    if 2 * count + 12 != source.size:
        raise damaged(source.path, "HTK", f"its header announces {count} samples, {present} are there")
    return Container("HTK", (whole(source, count),), round(1e7 / source.number(4, 4, "big")))


def inspect_iff(source: Source) -> Container:
    """Amiga IFF: FORM with 8SVX or 16SV."""
    offset = 12
    while source.at(offset, 4) != b"BODY":
        if offset + 8 > source.size:
            raise cut_off(source.path, "IFF", "it ends before its samples begin")
        size = source.number(offset + 4, 4, "big")
        offset += 8 + size + size % 2
    size, present = source.number(offset + 4, 4, "big"), source.size - offset - 8
    announced_bytes(source, "IFF", size, max(present, 0))
    check_rest(source, "IFF", offset + 8 + size + size % 2)
    return Container("IFF", (whole(source, size // (2 if source.at(8, 4) == b"16SV" else 1)),))


def inspect_voc(source: Source) -> Container:
    """Creative Voice: a chain of blocks with lengths."""
    offset = source.number(20, 2)
    while offset < source.size and (kind := source.number(offset, 1)):
        if kind > 9 and source.size - offset <= 16:  # sox counts its blocks 8 bytes too short
            return Container("VOC", (whole(source),))
        if kind > 9 or offset < 26:
            raise damaged(source.path, "VOC", f"byte {offset} should begin a block")
        offset += 4 + source.number(offset + 1, 3)
        if offset > source.size:
            raise cut_off(source.path, "VOC", f"its last block ends at byte {offset}, the file at {source.size}")
    if source.size < 26:
        raise cut_off(source.path, "VOC", "it ends inside its header")
    check_rest(source, "VOC", offset + 1)
    return Container("VOC", (whole(source),))


def inspect_avr(source: Source) -> Container:
    """Audio Visual Research: 128 bytes of header."""
    channels, bits = 1 + (source.number(12, 2, "big") != 0), source.number(14, 2, "big")
    count, frame = source.number(26, 4, "big"), channels * max(1, bits // 8)
    present = source.size - 128
    announced_bytes(source, "AVR", count * frame, max(present, 0))
    check_rest(source, "AVR", 128 + count * frame)
    return Container("AVR", (whole(source, count),))
