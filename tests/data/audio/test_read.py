"""Reading audio: every kind of file ends as 16 kHz mono, or as an error that says what is wrong."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from fastadasp.data.audio import SAMPLE_RATE, AudioError, pad_to, read_audio, split_clips


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
