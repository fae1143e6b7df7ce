"""What only FFmpeg reads: the same sound where PyAV or torchcodec is installed, else a sentence that names them."""

from pathlib import Path

import numpy as np
import pytest

from fastadasp.data.audio import AudioError, audio_seconds, read_audio
from fastadasp.data.audio.decoders import ffmpeg, sndfile
from fastadasp.data.audio.errors import UnsupportedError
from fastadasp.data.audio_options import AudioOptions
from tests.data.audio.test_formats import likeness
from tests.helpers.audio_files import BY_FFMPEG, FIXTURES, RATE, sweep, written

INSTALLED = [name for name in ("av", "torchcodec") if ffmpeg.installed(name)]
LOSSY = {"g723.wav": 0.8, "speex.ogg": 0.4}
"""Likeness below which a telephone codec would be another sound."""
LEAVES_OUT = {("torchcodec", "alac.caf"), ("torchcodec", "wma.wma")}
"""Files whose first frame a library drops: they are refused, or lack no more than that frame."""


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let decoders find the libraries `names` and no other."""
    find = ffmpeg.find_spec
    monkeypatch.setattr(ffmpeg, "find_spec", lambda name: find(name) if name in names else None)


@pytest.mark.parametrize("name", BY_FFMPEG)
def test_without_a_library_the_file_is_refused_with_the_name_of_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    only(monkeypatch)
    with pytest.raises(AudioError) as caught:
        read_audio(FIXTURES / name, max_seconds=10)
    message = str(caught.value)
    assert name in message and "\n" not in message
    assert "fastadasp[media]" in message or "ffmpeg -i" in message


def only_slightly_short(path: Path) -> None:
    """The file is refused with the reason, or lacks two frames of its codec at most."""
    try:
        assert len(read_audio(path, max_seconds=10)) >= RATE - 1024
    except AudioError as error:
        assert "leaves out the first 0.26 s" in str(error)


@pytest.mark.parametrize("library", INSTALLED)
@pytest.mark.parametrize("name", BY_FFMPEG)
def test_with_a_library_it_is_read_whole(monkeypatch: pytest.MonkeyPatch, library: str, name: str) -> None:
    only(monkeypatch, library)
    if (library, name) in LEAVES_OUT:
        only_slightly_short(FIXTURES / name)
        return
    samples = read_audio(FIXTURES / name, max_seconds=10)
    assert -0.01 * RATE <= len(samples) - RATE <= 0.1 * RATE, "at most two frames of the codec more"
    assert likeness(samples) > LOSSY.get(name, 0.98)
    assert audio_seconds(FIXTURES / name) == pytest.approx(len(samples) / RATE, abs=0.07)
    if name.startswith("aac") and "fragmented" not in name and name.endswith("m4a"):
        assert len(samples) == RATE, "what fills the encoder's first and last frame is no sound of the recording"


def test_a_library_that_cannot_be_imported_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("Could not load libtorchcodec\nmany more lines")

    monkeypatch.setattr(ffmpeg, "find_spec", lambda _: object())
    monkeypatch.setattr(ffmpeg, "_READERS", {"av": broken, "torchcodec": broken})
    with pytest.raises(
        AudioError, match=r"torchcodec is installed, but cannot be used: Could not load libtorchcodec[^\n]*$"
    ):
        read_audio(FIXTURES / "aac.m4a", max_seconds=10)


@pytest.mark.parametrize("library", INSTALLED)
def test_more_channels_than_eight_are_read_in_memory_of_their_own(
    monkeypatch: pytest.MonkeyPatch, library: str, tmp_path: Path
) -> None:
    """Twelve channels in a WAV file, which libsndfile is made to refuse."""
    only(monkeypatch, library)
    signal = np.stack([sweep() * (channel + 1) / 12 for channel in range(12)], axis=1)
    (tmp_path / "twelve.wav").write_bytes(written("WAVEX", "PCM_16", signal=signal))
    monkeypatch.setattr(sndfile, "decode", refused)
    for channel in (1, 9, 12):
        samples = read_audio(tmp_path / "twelve.wav", 10, options=AudioOptions(channel=str(channel)))
        np.testing.assert_allclose(samples, signal[:, channel - 1], atol=1e-3)


def refused(*_: object) -> None:
    raise UnsupportedError("not this one")


def test_a_movie_without_its_description_is_cut_off_whatever_is_installed(tmp_path: Path) -> None:
    content = (FIXTURES / "aac.m4a").read_bytes()
    (tmp_path / "recording.m4a").write_bytes(content[: content.index(b"moov") - 4])
    with pytest.raises(AudioError, match=r"the MP4 file is cut off .the box that describes its tracks is missing"):
        read_audio(tmp_path / "recording.m4a", max_seconds=10)
