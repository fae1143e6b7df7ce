"""Every format gives the same sound, whatever its header says of its length; without its end it is refused."""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastadasp.data.audio import AudioError, CutOffError, audio_seconds, read_audio
from fastadasp.data.audio.decoders import ffmpeg
from tests.helpers.audio_files import BY_FFMPEG, FIXTURES, RATE, WHOLE, replaced, sphere, sweep, written

LOSSY_DELAY = 1200
"""Samples by which MP3 files without their first frame begin later, and files are longer because frames are filled."""


def likeness(samples: np.ndarray) -> float:
    """Greatest correlation with the sweep over all shifts: 1 for the same sound."""
    size = 1 << 16
    spectra = np.fft.rfft(samples, size) * np.conj(np.fft.rfft(sweep(), size))
    norm = np.linalg.norm(samples) * np.linalg.norm(sweep())
    return float(np.fft.irfft(spectra, size).max() / norm)


def read(path: Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    return read_audio(path, max_seconds=10)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_read_whole(tmp_path: Path, name: str) -> None:
    samples = read(tmp_path / name, WHOLE[name]())
    assert 0 <= len(samples) - RATE <= LOSSY_DELAY
    assert likeness(samples) > 0.97
    assert audio_seconds(tmp_path / name) == pytest.approx(len(samples) / RATE, abs=0.05)


@pytest.mark.parametrize("name", ["pcm16.wav", "vorbis.ogg", "free.flac", "announced.mp3"])
def test_the_content_decides_about_the_format_and_not_the_name(tmp_path: Path, name: str) -> None:
    expected = read(tmp_path / name, WHOLE[name]())
    for other in ("x.raw", "x.gsm", "x.mp3", "x"):
        np.testing.assert_array_equal(read(tmp_path / other, WHOLE[name]()), expected)


def test_a_tag_of_a_music_player_changes_nothing(tmp_path: Path) -> None:
    tag = b"ID3\x04\0\0\0\0\x01\x00" + bytes(128)
    for name in ("pcm16.wav", "free.flac", "announced.mp3", "bare.mp3", "vorbis.ogg"):
        expected = read(tmp_path / "plain", WHOLE[name]())
        np.testing.assert_array_equal(read(tmp_path / "tagged", tag + WHOLE[name]()), expected)
    for name in ("free.flac", "bare.mp3", "announced.mp3"):
        content = WHOLE[name]() + b"TAG".ljust(128, b"\0")
        np.testing.assert_array_equal(read(tmp_path / "tagged", content), read(tmp_path / "plain", WHOLE[name]()))


def chunk(content: bytes, name: bytes) -> int:
    """Where the size of the chunk `name` stands."""
    return content.index(name) + len(name)


def unknown_lengths() -> dict[str, bytes]:
    """Whole files as programs write them into a pipe, where they cannot go back to fill in the length."""
    found: dict[str, bytes] = {}
    sizes = {"zero": 0, "most": 0xFFFFFFFF, "ffmpeg_even": 0xFFFFFFFE, "sox": 0x7FFFF000, "alsa": 0x80000000}
    for name in ("pcm16.wav", "pcm24.wav", "extensible.wav", "mulaw.wav", "gsm.wav", "ima.wav"):
        content = WHOLE[name]()
        for label, size in sizes.items():
            field = struct.pack("<I", size)
            found[f"{label}_{name}"] = replaced(content, (4, field), (chunk(content, b"data"), field))
    big = WHOLE["big.wav"]()
    found["most_big.wav"] = replaced(big, (4, b"\xff" * 4), (chunk(big, b"data"), b"\xff" * 4))
    rf64 = WHOLE["long.rf64"]()
    for label, field in (("zero", bytes(8)), ("most", b"\xff" * 8)):
        at = chunk(rf64, b"ds64") + 4
        found[f"{label}.rf64"] = replaced(rf64, (at, field * 2), (chunk(rf64, b"data"), b"\xff" * 4))
    w64 = WHOLE["sony.w64"]()
    at = w64.index(b"data\xf3\xac") + 16
    found["zero.w64"] = replaced(w64, (16, bytes(8)), (at, bytes(8)))
    found["most.w64"] = replaced(w64, (16, b"\xff" * 8), (at, b"\xff" * 7 + b"\x7f"))
    for label, frames, size in (("zero", 0, 0), ("sox", 0x7F000000 // 2, 0x7F000008), ("most", 0xFFFFFFFF, 0xFFFFFFFF)):
        aiff = WHOLE["apple.aiff"]()
        patches = (4, struct.pack(">I", size)), (chunk(aiff, b"COMM") + 6, struct.pack(">I", frames))
        found[f"{label}.aiff"] = replaced(aiff, *patches, (chunk(aiff, b"SSND"), struct.pack(">I", size)))
    for label, size in (("zero", 0), ("most", 0xFFFFFFFF)):
        found[f"{label}.au"] = replaced(WHOLE["sun.au"](), (8, struct.pack(">I", size)))
    caf = WHOLE["core.caf"]()
    found["most.caf"] = replaced(caf, (chunk(caf, b"data"), b"\xff" * 8))
    flac = WHOLE["free.flac"]()
    for label, total in (("zero", 0), ("most", (1 << 36) - 1)):
        packed = int.from_bytes(flac[18:26], "big") >> 36 << 36 | total
        found[f"{label}.flac"] = replaced(flac, (18, packed.to_bytes(8, "big")))
    found["zero.sph"] = sphere(count=0)
    return found


UNKNOWN_LENGTHS = unknown_lengths()


@pytest.mark.parametrize("name", [name for name in UNKNOWN_LENGTHS if name != "most.flac"])
def test_a_file_that_announces_no_length_is_read_to_its_end(tmp_path: Path, name: str) -> None:
    samples = read(tmp_path / name, UNKNOWN_LENGTHS[name])
    assert 0 <= len(samples) - RATE <= 320
    assert likeness(samples) > 0.97
    assert audio_seconds(tmp_path / name) == pytest.approx(len(samples) / RATE, abs=0.01)


@pytest.mark.parametrize("name", ["zero_pcm16.wav", "most_gsm.wav", "zero.rf64", "most.w64", "zero.aiff", "most.caf"])
def test_a_file_without_a_length_that_ends_inside_a_sample_is_cut_off(tmp_path: Path, name: str) -> None:
    with pytest.raises(CutOffError, match="ends inside a sample"):
        read(tmp_path / name, UNKNOWN_LENGTHS[name][:-101])


def test_a_flac_header_that_announces_more_than_there_is_means_a_cut_off_file(tmp_path: Path) -> None:
    with pytest.raises(CutOffError, match="its header announces 68719476735 samples, 16000 are there"):
        read(tmp_path / "most.flac", UNKNOWN_LENGTHS["most.flac"])


def readable_by_ffmpeg() -> list[str]:
    return list(BY_FFMPEG) if ffmpeg.installed() else []


def contents() -> dict[str, Callable[[], bytes]]:
    """Every kind of file that can be read here and whose end can be missed."""
    fixtures = {name: (FIXTURES / name).read_bytes for name in readable_by_ffmpeg()}
    return {**WHOLE, **fixtures}


@pytest.mark.parametrize("name", contents())
def test_a_file_whose_end_is_missing_is_refused_or_lacks_nothing(tmp_path: Path, name: str) -> None:
    """Cut at every few bytes of the head and the tail, and at random between: what is read has at most two codec frames
    less, which only files without any announcement of their length can lose unnoticed."""
    content = contents()[name]()
    whole = len(read(tmp_path / "whole", content))
    draw = random.Random(name)
    places = {*range(0, 120, 7), *(len(content) - gone for gone in range(1, 12)), *draw.sample(range(len(content)), 25)}
    refused = 0
    for place in sorted(place for place in places if place < len(content)):
        try:
            samples = read(tmp_path / f"cut_{name}", content[:place])
        except AudioError as error:
            refused += 1
            assert f"cut_{name}" in str(error) and "\n" not in str(error)
        else:
            assert whole - len(samples) <= 1152, f"{whole - len(samples)} samples are missing at byte {place}"
    assert refused >= 25


@pytest.mark.filterwarnings("ignore::fastadasp.data.audio.AudioWarning")
@pytest.mark.parametrize("name", [*WHOLE, *readable_by_ffmpeg(), *UNKNOWN_LENGTHS])
def test_flipped_bytes_end_in_samples_or_in_one_sentence(tmp_path: Path, name: str) -> None:
    known = {**UNKNOWN_LENGTHS, **{key: make() for key, make in contents().items()}}
    content, draw = known[name], random.Random(name)
    for _ in range(40):
        changed = bytearray(content)
        for _ in range(draw.choice([1, 1, 2, 5])):
            place = draw.randrange(min(len(changed), draw.choice([48, 200, len(changed)])))
            changed[place] = draw.choice([0, 255, draw.randrange(256), changed[place] ^ 1 << draw.randrange(8)])
        (tmp_path / "flipped").write_bytes(changed)
        try:
            samples = read_audio(tmp_path / "flipped", max_seconds=10)
        except AudioError as error:
            assert "flipped" in str(error) and "\n" not in str(error) and len(str(error)) < 600
        else:
            assert np.isfinite(samples).all() and 0 < len(samples) <= 10 * RATE


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "git lfs pull"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
        (b"PK\x03\x04" + bytes(100), "ZIP archive"),
        (b"\x1f\x8b" + bytes(100), "gzip"),
        (bytes(range(256)) * 40, r"declare them with task\.audio\.encoding .*mulaw.* and task\.audio\.rate"),
        (bytes(5000), "no header of a known format"),
    ],
)
def test_what_is_no_audio_is_called_what_it_is(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(AudioError, match=reason):
        read(tmp_path / "clip.raw", content)


def test_a_compressed_sphere_file_names_the_tool_that_unpacks_it(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="sph2pipe"):
        read(tmp_path / "x.sph", sphere("pcm,embedded-shorten-v2.00"))


def test_samples_behind_the_announced_end_are_not_dropped_without_a_word(tmp_path: Path) -> None:
    """A recorder that wrote its header at the start and died: the header announces less than there is."""
    content = WHOLE["pcm16.wav"]()
    with pytest.raises(AudioError, match="bytes follow"):
        read(tmp_path / "x.wav", replaced(content, (chunk(content, b"data"), struct.pack("<I", 8000))))
    listed = content + b"LIST" + struct.pack("<I", 4) + b"INFO"
    np.testing.assert_array_equal(read(tmp_path / "y.wav", listed), read(tmp_path / "z.wav", content))


def test_a_header_that_contradicts_itself_is_refused_or_remarked(tmp_path: Path) -> None:
    content = WHOLE["pcm16.wav"]()
    with pytest.raises(AudioError, match="3 channels of 16 bits in blocks of 2 bytes"):
        read(tmp_path / "x.wav", replaced(content, (22, b"\3\0")))
    with pytest.warns(UserWarning, match="names 8000 Hz"):
        read(tmp_path / "y.wav", replaced(content, (24, struct.pack("<I", 8000))))


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_rates_of_telephones_to_studios_give_the_same_sound(tmp_path: Path, rate: int) -> None:
    samples = read(tmp_path / "x.wav", written("WAV", "PCM_24", rate))
    assert abs(len(samples) - RATE) <= 1
    np.testing.assert_allclose(samples[800:15_200], sweep()[800:15_200], atol=2e-3)
