"""Which of several channels is heard, and what is said where that cannot be what was meant."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fastadasp.data.audio import AudioError, AudioWarning, read_audio, read_with_remarks
from fastadasp.data.audio_options import AudioOptions
from tests.helpers.audio_files import RATE, sweep

SPEECH = sweep(RATE, 0.5)
NOISE = 0.05 * np.random.default_rng(0).standard_normal(RATE // 2)


def stereo(folder: Path, *channels: np.ndarray) -> Path:
    path = folder / "channels.wav"
    soundfile.write(path, np.stack(channels, axis=1), RATE, subtype="DOUBLE")
    return path


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("mean", (SPEECH + NOISE + 0.1) / 3),
        ("left", NOISE),
        ("right", SPEECH),
        ("1", NOISE),
        ("2", SPEECH),
        ("3", np.full(RATE // 2, 0.1)),
        ("louder", SPEECH),
    ],
)
def test_the_channel_that_was_asked_for_is_heard(tmp_path: Path, channel: str, expected: np.ndarray) -> None:
    path = stereo(tmp_path, NOISE, SPEECH, np.full(RATE // 2, 0.1))
    with warnings.catch_warnings(action="ignore", category=AudioWarning):
        samples = read_audio(path, 10, options=AudioOptions(channel=channel))
    np.testing.assert_allclose(samples, expected, atol=1e-6)


def test_the_loudest_is_not_the_one_with_the_greatest_offset(tmp_path: Path) -> None:
    path = stereo(tmp_path, 0.9 + 0.01 * NOISE, SPEECH)
    np.testing.assert_allclose(read_audio(path, 10, options=AudioOptions(channel="louder")), SPEECH, atol=1e-6)


def test_a_channel_that_the_file_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        AudioError, match=r"channels\.wav: task\.audio\.channel=3 does not exist: the file has 2 channels"
    ):
        read_audio(stereo(tmp_path, SPEECH, NOISE), 10, options=AudioOptions(channel="3"))


def test_one_channel_is_read_whatever_was_asked_for(tmp_path: Path) -> None:
    for channel in ("mean", "right", "louder", "7"):
        samples = read_audio(stereo(tmp_path, SPEECH), 10, options=AudioOptions(channel=channel))
        np.testing.assert_allclose(samples, SPEECH, atol=1e-6)


def remarks(path: Path, channel: str = "mean") -> str:
    return "; ".join(read_with_remarks(path, 10, options=AudioOptions(channel=channel)).remarks)


@pytest.mark.parametrize("share", [-1.0, -0.95, -0.7])
def test_channels_that_cancel_out_are_named_with_the_file(tmp_path: Path, share: float) -> None:
    path = stereo(tmp_path, SPEECH, share * SPEECH)
    assert "cancel out" in remarks(path)
    assert not remarks(path, "louder") and not remarks(path, "left")
    with pytest.warns(AudioWarning, match=r"channels\.wav has channels of opposite phases"):
        read_audio(path, 10)


def test_a_silent_channel_is_named(tmp_path: Path) -> None:
    path = stereo(tmp_path, SPEECH, 0 * SPEECH, SPEECH, 1e-6 * NOISE)
    assert "4 channels of which 2, 4 are silent" in remarks(path)
    assert not remarks(path, "louder")


def test_ordinary_stereo_is_not_remarked(tmp_path: Path) -> None:
    delayed = np.roll(SPEECH, 7)
    for channels in (
        (SPEECH, SPEECH),
        (SPEECH, NOISE),
        (SPEECH, 0.2 * SPEECH),
        (SPEECH, delayed),
        (SPEECH, NOISE, delayed),
    ):
        assert not remarks(stereo(tmp_path, *channels))


def test_silence_and_constant_values_are_read_and_remarked(tmp_path: Path) -> None:
    assert "digital silence" in remarks(stereo(tmp_path, 0 * SPEECH))
    assert "digital silence" in remarks(stereo(tmp_path, 0 * SPEECH, 0 * SPEECH), "louder")
    assert "one constant value" in remarks(stereo(tmp_path, 0 * SPEECH + 0.3))
    assert not remarks(stereo(tmp_path, SPEECH + 0.3)), "an offset under speech is no reason to worry"
