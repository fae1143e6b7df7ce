"""Every format gives the same sound, whatever its header says of its length; without its end it is refused."""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastadasp.data.audio import AudioError, CutOffError, audio_seconds, read_audio
from fastadasp.data.audio.decoders import ffmpeg
from tests.helpers.audio_files import (
    BY_FFMPEG,
    FIXTURES,
    RATE,
    WHOLE,
    chunk,
    replaced,
    sphere,
    sweep,
    unknown_lengths,
    written,
)
from tests.helpers.damaged_audio import damaged, kinds, outcome

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


UNKNOWN_LENGTHS = unknown_lengths()
KINDS = kinds()


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
@pytest.mark.parametrize("name", KINDS)
def test_damaged_files_end_in_samples_or_in_one_sentence(tmp_path: Path, name: str) -> None:
    found = {outcome(tmp_path / "damaged", content) for _, content in damaged(name, KINDS[name], 40)}
    assert "refused" in found


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "git lfs pull"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
        (b"PK\x03\x04" + bytes(100), "ZIP archive"),
        (b"\x1f\x8b" + bytes(100), "gzip"),
        (bytes(range(256)) * 40, r"declare them with task\.audio\.encoding .*mulaw.* and task\.audio\.rate"),
        (bytes(5000), "no header of a known format"),
        (b"RIFF", "the WAV file is cut off"),
        (b"FORM\0\0", "the AIFF file is cut off"),
        (b"Hello", "it is a text file"),
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
