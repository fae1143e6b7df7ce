"""Reading audio: every kind of file ends as 16 kHz mono, or as an error that says what is wrong."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from fastadasp.data.audio import SAMPLE_RATE, AudioError, pad_to, read_audio, read_with_remarks, split_clips
from fastadasp.data.audio.decoders import sndfile
from fastadasp.data.audio_options import AudioOptions, Encoding
from tests.helpers.audio_files import sweep, written


def tone(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize(
    ("name", "rate", "subtype"),
    [
        ("pcm16.wav", 16_000, "PCM_16"),
        ("telephone.wav", 8_000, "ULAW"),
        ("studio.wav", 48_000, "PCM_24"),
        ("float.wav", 16_000, "FLOAT"),
        ("double.wav", 22_050, "DOUBLE"),
        ("cd.flac", 44_100, "PCM_16"),
        ("vorbis.ogg", 16_000, "VORBIS"),
        ("opus.ogg", 48_000, "OPUS"),
        ("layer3.mp3", 44_100, "MPEG_LAYER_III"),
    ],
)
def test_any_format_and_rate_gives_the_same_tone_at_16_khz(tmp_path: Path, name: str, rate: int, subtype: str) -> None:
    soundfile.write(tmp_path / name, tone(1.0, rate), rate, subtype=subtype)
    samples = read_audio(tmp_path / name, max_seconds=10)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(SAMPLE_RATE, abs=SAMPLE_RATE // 10)  # mp3 pads to whole frames
    spectrum = np.abs(np.fft.rfft(samples[1000:15_000]))
    assert spectrum.argmax() * SAMPLE_RATE / 14_000 == pytest.approx(440, abs=3)
    assert np.abs(samples[1000:15_000]).max() == pytest.approx(0.3, abs=0.03)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = tone(0.5, 16_000, 300), tone(0.5, 16_000, 1000)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], axis=1), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "stereo.wav", 1), (left + right) / 2, atol=1e-6)


def test_resampling_to_16_khz_removes_what_it_cannot_hold(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "high.wav", tone(1.0, 48_000, 12_000), 48_000, subtype="FLOAT")
    assert np.abs(read_audio(tmp_path / "high.wav", 2)[1000:-1000]).max() < 1e-3  # else it would alias to 4 kHz


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 96_000])
def test_resampling_in_blocks_is_resampling_at_once(tmp_path: Path, rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastadasp.data.audio.decoders.sndfile.BLOCK_FRAMES", 5000)
    signal = np.random.default_rng(0).uniform(-0.5, 0.5, round(2.3 * rate))
    soundfile.write(tmp_path / "x.wav", signal, rate, subtype="FLOAT")
    expected = soxr.resample(signal.astype(np.float32), rate, SAMPLE_RATE, quality="HQ")
    np.testing.assert_allclose(read_audio(tmp_path / "x.wav", 10), expected, atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 3, 10, 159, 160])
def test_a_few_samples_are_enough(tmp_path: Path, length: int) -> None:
    signal = np.linspace(-0.5, 0.5, length) if length > 1 else np.array([0.5])
    for subtype, tolerance in (("PCM_16", 1e-4), ("FLOAT", 1e-7), ("DOUBLE", 1e-7)):
        soundfile.write(tmp_path / "short.wav", signal, SAMPLE_RATE, subtype=subtype)
        np.testing.assert_allclose(read_audio(tmp_path / "short.wav", 1), signal, atol=tolerance)


def test_samples_beyond_full_scale_are_kept_as_they_are(tmp_path: Path) -> None:
    for peak in (1.5, -3.0, 7.9):
        soundfile.write(tmp_path / "loud.wav", peak * tone(0.1, SAMPLE_RATE) / 0.3, SAMPLE_RATE, subtype="FLOAT")
        assert np.abs(read_audio(tmp_path / "loud.wav", 1)).max() == pytest.approx(abs(peak), rel=1e-3)
    soundfile.write(tmp_path / "full.wav", np.array([-1.0, 1.0] * 99), SAMPLE_RATE, subtype="PCM_32")
    assert np.abs(read_audio(tmp_path / "full.wav", 1)).max() <= 1.0


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_a_number_that_is_none_is_named_with_its_place(tmp_path: Path, subtype: str, value: float) -> None:
    signal = tone(1.0, SAMPLE_RATE)
    with np.errstate(over="ignore"):
        signal[4000] = value
        samples = signal.astype("float32" if subtype == "FLOAT" else "float64")
    soundfile.write(tmp_path / "odd.wav", samples, SAMPLE_RATE, subtype=subtype)
    with pytest.raises(AudioError, match=r"odd\.wav: holds samples that are not finite numbers, the first at 0\.250 s"):
        read_audio(tmp_path / "odd.wav", 2)


def test_a_long_file_is_refused_without_being_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the header announces no length."""
    for name in ("long.flac", "long.wav", "long.ogg"):
        soundfile.write(tmp_path / name, tone(90.0, 8000), 8000)
    content = bytearray((tmp_path / "long.flac").read_bytes())
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])
    (tmp_path / "streamed.flac").write_bytes(content)
    decoded: list[int] = []
    monkeypatch.setattr("fastadasp.data.audio.channels.Levels.add", lambda _, block: decoded.append(len(block)))
    for name in ("long.flac", "long.wav", "long.ogg", "streamed.flac"):
        with pytest.raises(AudioError, match=r"90\.0 s is over the limit of 30 s"):
            read_audio(tmp_path / name, max_seconds=30)
    assert not decoded


def test_memory_is_bounded_by_the_result_and_not_by_the_file(tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "studio.wav", "w", 96_000, 4, subtype="FLOAT") as file:
        for _ in range(40):
            file.write(np.repeat(tone(1.0, 96_000)[:, None], 4, axis=1))
    tracemalloc.start()
    try:
        samples = read_audio(tmp_path / "studio.wav", max_seconds=60)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(samples) == 40 * SAMPLE_RATE
    assert peak < 3 * samples.nbytes + 12e6 < 0.4 * (tmp_path / "studio.wav").stat().st_size


def test_files_without_a_header_are_read_as_declared(tmp_path: Path) -> None:
    signal = sweep(8000)
    for encoding, subtype, tolerance in (
        ("mulaw", "ULAW", 0.02), ("alaw", "ALAW", 0.02), ("s16", "PCM_16", 1e-3), ("s24", "PCM_24", 1e-3),
        ("u8", "PCM_U8", 0.02), ("f32", "FLOAT", 1e-3), ("gsm", "GSM610", 0.3), ("vox", "VOX_ADPCM", 0.1),
    ):  # fmt: skip
        path = tmp_path / f"{encoding}.raw"
        path.write_bytes(written("RAW", subtype, 8000, signal))
        options = AudioOptions(encoding=Encoding[encoding], rate=8000)
        samples = read_audio(path, 10, 8000, options)
        np.testing.assert_allclose(samples[400:7600], signal[400:7600], atol=tolerance)
        with pytest.raises(AudioError, match="no header of a known format"):
            read_audio(path, 10)
    path.write_bytes(written("RAW", "PCM_16", 8000, np.stack([signal, 0 * signal], 1), endian="BIG"))
    options = AudioOptions(channel="left", encoding=Encoding.s16, rate=8000, channels=2, big_endian=True)
    np.testing.assert_allclose(read_audio(path, 10, 8000, options), signal, atol=1e-3)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        AudioError, match=r"no whole number of samples of 4 bytes.*s16, 8000 Hz, 2 channels, big-endian"
    ):
        read_audio(path, 10, 8000, options)


def test_a_header_counts_more_than_what_was_declared(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.raw.wav", tone(1.0, 48_000), 48_000)
    (tmp_path / "x.raw.wav").rename(tmp_path / "x.raw")
    declared = AudioOptions(encoding=Encoding.mulaw, rate=8000)
    np.testing.assert_array_equal(
        read_audio(tmp_path / "x.raw", 2, options=declared), read_audio(tmp_path / "x.raw", 2)
    )


def write_broken(path: Path) -> None:
    """Write the unusable file that `path.name` stands for."""
    whole = path.with_name("whole" + path.suffix)
    soundfile.write(whole, 0.1 * np.random.default_rng(0).standard_normal(32_000), 16_000)
    content = whole.read_bytes()
    signals = {
        "none.wav": np.zeros(0),
        "one.wav": np.zeros(1),
        "nan.wav": np.where(np.arange(900) == 5, np.nan, 0.1),
        "unscaled.wav": tone(1, 48_000) * 32_768,
        "long.wav": tone(3.5, 48_000),
    }
    contents = {
        "empty.wav": b"",
        "text.wav": b"this is no audio" * 50,
        "half.flac": content[: len(content) // 2],
        "damaged.flac": content[:5000] + bytes(3000) + content[8000:],
        "half.mp3": content[: len(content) // 2],
    }
    if path.name in signals:
        soundfile.write(path, signals[path.name], 48_000, subtype="FLOAT")
    elif path.name in contents:
        path.write_bytes(contents[path.name])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.wav", "no such file"),
        ("empty.wav", "0 bytes"),
        ("text.wav", "cannot be read as audio"),
        ("half.flac", "cut off"),
        ("damaged.flac", "cannot be read as audio"),
        ("half.mp3", "cut off"),
        ("none.wav", "no sound"),
        ("one.wav", "no sound"),
        ("nan.wav", "not finite"),
        ("unscaled.wav", "scaled to -1 to 1"),
        ("long.wav", "3.5 s is over the limit of 3 s"),
    ],
)
def test_an_unusable_file_is_named_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    write_broken(tmp_path / name)
    with pytest.raises(AudioError) as caught:
        read_audio(tmp_path / name, max_seconds=3)
    assert name in str(caught.value)
    assert reason in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400_000), st.sampled_from([1.0, 2.5, 7.0]), st.sampled_from([0.0, 0.01, 0.5]), st.integers(0, 9))
def test_clips_hold_every_sample_once_and_none_is_too_long(
    length: int, clip_seconds: float, search_seconds: float, seed: int
) -> None:
    samples = np.random.default_rng(seed).standard_normal(length).astype(np.float32)
    clips = split_clips(samples, clip_seconds, search_seconds)
    np.testing.assert_array_equal(np.concatenate(clips), samples)
    limit = clip_seconds * SAMPLE_RATE
    assert all(len(clip) <= limit for clip in clips)
    assert all(len(clip) >= limit - search_seconds * SAMPLE_RATE for clip in clips[:-1])
    if search_seconds == 0:
        assert all(len(clip) == limit for clip in clips[:-1])


def test_a_cut_falls_into_the_pause() -> None:
    speech = np.random.default_rng(0).standard_normal(12 * SAMPLE_RATE).astype(np.float32)
    pause = slice(int(9.2 * SAMPLE_RATE), int(9.3 * SAMPLE_RATE))
    speech[pause] *= 0.01
    first, second = split_clips(speech, clip_seconds=10, search_seconds=2)
    assert pause.start <= len(first) <= pause.stop
    assert len(first) + len(second) == len(speech)


def test_padding_adds_silence_only_where_needed() -> None:
    samples = np.ones(5, np.float32)
    np.testing.assert_array_equal(pad_to(samples, 8), [1, 1, 1, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(pad_to(samples, 3), samples)


@pytest.mark.parametrize("name", ["x.wav", "x.flac", "x.ogg", "x.mp3", "ima.wav"])
def test_a_stretch_of_a_file_is_that_part_of_the_whole(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastadasp.data.audio.decoders.sndfile.BLOCK_FRAMES", 3000)
    subtype = "IMA_ADPCM" if name.startswith("ima") else None
    soundfile.write(tmp_path / name, sweep(SAMPLE_RATE, 5.0), SAMPLE_RATE, subtype=subtype)
    whole = read_audio(tmp_path / name, 10)
    for start, seconds in ((0.0, 1.0), (1.25, 2.0), (4.5, 0.5), (3.0, None), (0.1, 0.001)):
        part = read_with_remarks(tmp_path / name, 4, start=start, seconds=seconds).samples
        first = round(start * SAMPLE_RATE)
        expected = whole[first:] if seconds is None else whole[first : first + round(seconds * SAMPLE_RATE)]
        np.testing.assert_array_equal(part, expected)
    with pytest.raises(AudioError, match=r"stretch from 4 s to 6 s is asked for, but the file ends at 5\.\d\d s"):
        read_with_remarks(tmp_path / name, 4, start=4.0, seconds=2.0)
    with pytest.raises(AudioError, match="stretch from 7 s to the end"):
        read_with_remarks(tmp_path / name, 4, start=7.0)
    with pytest.raises(AudioError, match=r"4\.5 s is over the limit of 4 s"):
        read_with_remarks(tmp_path / name, 4, seconds=4.5)


@pytest.mark.parametrize("name", ["long.wav", "long.flac"])
def test_a_stretch_far_inside_an_uncompressed_file_is_found_without_reading_up_to_it(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / name, sweep(8000, 120.0), 8000)
    decoded: list[int] = []
    blocks = sndfile._blocks

    def counted(*given: Any) -> Iterator[np.ndarray]:
        for block in blocks(*given):
            decoded.append(len(block))
            yield block

    monkeypatch.setattr(sndfile, "_blocks", counted)
    samples = read_with_remarks(tmp_path / name, 10, 8000, start=100.0, seconds=5.0).samples
    np.testing.assert_allclose(samples, sweep(8000, 120.0)[800_000:840_000], atol=1e-4)
    assert sum(decoded) < 2 * 65_536
