"""From the first bytes of a file to its format."""

from collections.abc import Callable
from pathlib import Path

from fastadasp.data.audio.containers import mpeg, packets, rare
from fastadasp.data.audio.containers.base import Container, id3_size, whole
from fastadasp.data.audio.containers.caf import inspect_caf
from fastadasp.data.audio.containers.flac import inspect_flac
from fastadasp.data.audio.containers.iff import inspect_aiff
from fastadasp.data.audio.containers.matroska import inspect_matroska
from fastadasp.data.audio.containers.mp4 import inspect_mp4
from fastadasp.data.audio.containers.ogg import inspect_ogg
from fastadasp.data.audio.containers.plain import inspect_au, inspect_raw, inspect_sphere
from fastadasp.data.audio.containers.riff import inspect_wave, inspect_wave64, is_wave64
from fastadasp.data.audio.errors import AudioError, cut_off
from fastadasp.data.audio.source import Source
from fastadasp.data.audio_options import Encoding, RawFormat

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_BY_MAGIC: dict[bytes, Callable[[Source], Container]] = {
    b"fLaC": inspect_flac,
    b"OggS": inspect_ogg,
    b"caff": inspect_caf,
    b".snd": inspect_au,
    b"dns.": inspect_au,
    b"NIST_1A\n": inspect_sphere,
    b"\x1aE\xdf\xa3": inspect_matroska,
    b"#!AMR": packets.inspect_amr,
    b"Creative Voice File\x1a": rare.inspect_voc,
    b"2BIT": rare.inspect_avr,
    b"wvpk": packets.inspect_wavpack,
    _ASF: packets.inspect_asf,
}
_NO_AUDIO = {
    b"version https://git-lfs": "is a pointer of Git LFS instead of the audio; fetch the file with `git lfs pull`",
    b"<!DOCTYPE": "is a web page instead of audio; the download went wrong",
    b"<!doctype": "is a web page instead of audio; the download went wrong",
    b"<html": "is a web page instead of audio; the download went wrong",
    b"<?xml": "is an XML text instead of audio",
    b"PK\x03\x04": "is a ZIP archive; unpack it",
    b"\x1f\x8b": "is compressed with gzip; unpack it",
    b"BZh": "is compressed with bzip2; unpack it",
    b"\xfd7zXZ": "is compressed with xz; unpack it",
    b"Rar!": "is a RAR archive; unpack it",
    b"7z\xbc\xaf": "is a 7z archive; unpack it",
}


def inspect(path: Path, raw: RawFormat | None = None) -> Container:
    """The structure of the file at `path`; `raw` is the format of its samples if it has no header.

    Raises AudioError for a file that is no audio, cut off, damaged, or of a format that nothing here reads.
    """
    with Source(path) as file:
        begin = id3_size(file)
        if begin >= file.size:
            raise AudioError(f"{path}: the file holds nothing but tags")
        if not begin or mpeg.is_mpeg(file, begin) or packets.is_adts(file, begin):
            return _inspect(file, begin, raw)
    with Source(path, begin) as file:  # taggers put ID3v2 before any format
        return _inspect(file, 0, raw)


def _inspect(source: Source, begin: int, raw: RawFormat | None) -> Container:
    head = source.at(0, 32)
    for magic, reader in _BY_MAGIC.items():
        if head.startswith(magic):
            return reader(source)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return inspect_wave(source)
    if is_wave64(source):
        return inspect_wave64(source)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return inspect_aiff(source)
    if head[:4] == b"FORM" and head[8:12] in (b"8SVX", b"16SV"):
        return rare.inspect_iff(source)
    if head[4:8] in _MP4_BOXES:
        return inspect_mp4(source)
    for magic, what in _NO_AUDIO.items():
        if head.startswith(magic):
            raise AudioError(f"{source.path}: the file {what}")
    for magic, kind in rare.WITHOUT_LENGTH.items():
        if head.startswith(magic):
            return Container(kind, (whole(source),))
    if raw is not None:
        return inspect_raw(source, raw)
    if rare.is_htk(source):
        return rare.inspect_htk(source)
    if packets.is_adts(source, begin):
        return packets.inspect_adts(source, begin)
    if mpeg.is_mpeg(source, begin) or head.startswith(b"ID3"):
        return mpeg.inspect_mpeg(source)
    raise _unknown(source)


def _unknown(source: Source) -> AudioError:
    head = source.at(0, 256)
    if len(head) < 12 and head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM"):
        return cut_off(source.path, "WAV" if head[0] != ord("F") else "AIFF", "it ends inside its header")
    if head.isascii() and all(byte >= 32 or byte in b"\t\r\n" for byte in head):
        return AudioError(f"{source.path}: cannot be read as audio, since it is a text file")
    known = ", ".join(Encoding.__members__)
    return AudioError(
        f"{source.path}: cannot be read as audio, since it has no header of a known format; if it holds bare samples, "
        f"declare them with task.audio.encoding ({known}) and task.audio.rate, or in the manifest's audio_options; "
        f"otherwise convert it with `ffmpeg -i {source.path.name} new.wav`"
    )
