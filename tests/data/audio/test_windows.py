"""Long recordings in windows: nothing is lost, cuts fall into pauses, and memory stays what a window needs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from fastadasp.config.paths import REPOSITORY
from fastadasp.data.audio import AudioError, bounds, read_audio, windows
from fastadasp.errors import ConfigError


def recording(file: Path, seconds: float, rate: int = 16000, channels: int = 1) -> Path:
    """Noise with a pause of 0.1 s at the end of each second."""
    count = round(seconds * rate)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (count, channels))
    noise[np.arange(count) % rate >= 0.9 * rate] *= 0.001
    soundfile.write(file, noise.astype(np.float32), rate, subtype="PCM_16")
    return file


@pytest.mark.parametrize(("name", "rate", "channels"), [("a.wav", 16000, 1), ("a.flac", 44100, 2), ("a.ogg", 22050, 1)])
def test_windows_without_overlap_hold_every_sample_once(tmp_path: Path, name: str, rate: int, channels: int) -> None:
    file = tmp_path / name
    if name.endswith("ogg"):
        soundfile.write(file, np.random.default_rng(1).uniform(-0.3, 0.3, 23 * rate), rate)
    else:
        recording(file, 23.4, rate, channels)
    whole = read_audio(file, 60)
    found = list(windows(file, 5.0, 1.0))
    np.testing.assert_array_equal(np.concatenate([window.samples for window in found]), whole)
    starts = np.cumsum([0, *(len(window.samples) for window in found[:-1])]) / 16000
    assert [window.start for window in found] == pytest.approx(starts)
    assert all(window.seconds <= 5 for window in found) and all(window.seconds >= 4 for window in found[:-1])


def test_cuts_fall_into_pauses(tmp_path: Path) -> None:
    file = recording(tmp_path / "a.wav", 30)
    for start, _ in bounds(file, 7.5, 2.0)[1:]:
        assert start % 1 > 0.89, "in the last tenth of a second"


@given(st.floats(0.1, 3), st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 9))
def test_any_windows_cover_the_recording_and_overlap_as_asked(
    tmp_path_factory: pytest.TempPathFactory, window: float, search: float, overlap: float, seconds: float
) -> None:
    search, overlap = search * window / 2, overlap * 0.99 * (window - search * window / 2)
    file = tmp_path_factory.getbasetemp() / "any.wav"
    samples = np.random.default_rng(2).uniform(-0.5, 0.5, round(seconds * 16000)).astype(np.float32)
    soundfile.write(file, samples, 16000, subtype="FLOAT")
    end = 0
    for number, found in enumerate(windows(file, window, search, overlap)):
        begin = round(found.start * 16000)
        assert begin == (end - round(overlap * 16000) if number else 0)
        end = begin + len(found.samples)
        np.testing.assert_array_equal(found.samples, samples[begin:end])
        assert len(found.samples) <= round(window * 16000)
    assert end == len(samples)


def test_a_stretch_is_cut_like_a_file_of_its_own(tmp_path: Path) -> None:
    file = recording(tmp_path / "a.wav", 20)
    assert bounds(file, 4, 1, start=3.0, seconds=10.0)[0][0] == 3.0
    assert sum(length for _, length in bounds(file, 4, 1, start=3.0, seconds=10.0)) == pytest.approx(10)
    with pytest.raises(AudioError, match=r"the file ends at 20\.00 s"):
        bounds(file, 4, 1, start=15.0, seconds=10.0)


@pytest.mark.parametrize(("lengths", "message"), [((0.0, 0, 0), "0.1 s"), ((4, 3, 0), "half"), ((4, 1, 3), "overlap")])
def test_lengths_that_make_no_windows_are_refused(tmp_path: Path, lengths: tuple[float, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        list(windows(tmp_path / "none.wav", *lengths))


PEAK = """
import resource, sys
from pathlib import Path
from fastadasp.data.audio import windows
file = Path(sys.argv[1])
next(iter(windows(file, 30.0)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
total = sum(len(window.samples) for window in windows(file, 30.0))
print(total, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    file = tmp_path / "long.wav"
    with soundfile.SoundFile(file, "w", 16000, 1, subtype="PCM_16") as out:
        for _ in range(20):
            out.write(np.random.default_rng(0).integers(-9000, 9000, 60 * 16000, dtype=np.int16))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, file], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    total, grown_kib = map(int, done.stdout.split())
    assert total == 20 * 60 * 16000
    assert grown_kib < 20_000, "the whole recording would take 75,000 KiB"
