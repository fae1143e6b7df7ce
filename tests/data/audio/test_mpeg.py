"""MP3 files are read by their frames, whatever they announce."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from fastadasp.data.audio import AudioError, CutOffError, audio_seconds, read_audio
from fastadasp.data.audio.containers.mpeg import frame_at
from fastadasp.data.audio.source import Source
from tests.helpers.audio_files import RATE, mp3, sweep, written


def read(path: Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    return read_audio(path, max_seconds=10)


def frames(path: Path) -> list[int]:
    """Sizes of all frames, walked by hand."""
    sizes = []
    with Source(path) as source:
        while sum(sizes) < source.size:
            frame = frame_at(source, sum(sizes))
            assert frame is not None
            sizes.append(frame.size)
    return sizes


def test_variable_bit_rates_without_an_announcement_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "vbr.mp3"
    path.write_bytes(mp3(xing=False, mode="VARIABLE"))
    sizes = frames(path)
    assert len(set(sizes)) > 2, "bit rates vary"
    assert soundfile.info(path).frames < 0.9 * len(sizes) * 576 or soundfile.info(path).frames > 1.1 * len(sizes) * 576
    announced = read(tmp_path / "announced.mp3", mp3(mode="VARIABLE"))
    samples = read_audio(path, max_seconds=10)
    assert 0 <= len(samples) - len(announced) <= 2 * 576
    delay = len(samples) - len(announced) - (len(sizes) * 576 - 529 - len(samples))
    best = max(range(1152), key=lambda lag: float(np.dot(samples[lag : lag + 30_000], announced[:30_000])))
    assert best == pytest.approx(576, abs=1) and delay >= 0, "the same sound, behind what the encoder puts first"
    np.testing.assert_allclose(samples[best : best + 30_000], announced[:30_000], atol=2e-3)


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_all_versions_of_mpeg_are_walked_through(tmp_path: Path, rate: int) -> None:
    for stereo in (False, True):
        signal = sweep(rate)
        content = written("MP3", "MPEG_LAYER_III", rate, np.stack([signal, signal], 1) if stereo else signal)
        samples = read(tmp_path / "x.mp3", content)
        assert abs(len(samples) - RATE) <= 1
        np.testing.assert_allclose(samples[1600:14_400], sweep()[1600:14_400], atol=0.05)


def test_files_put_one_after_the_other_are_read_to_the_end(tmp_path: Path) -> None:
    samples = read(tmp_path / "two.mp3", mp3() + mp3())
    assert 2 * RATE <= len(samples) <= 2 * RATE + 3000
    tagged = mp3() + b"ID3\x04\0\0\0\0\0\x20" + bytes(32) + mp3()
    assert abs(len(read(tmp_path / "tagged.mp3", tagged)) - len(samples)) <= 1152
    assert audio_seconds(tmp_path / "two.mp3") == pytest.approx(len(samples) / RATE, abs=0.1)


def test_a_lost_frame_is_noticed_where_their_number_is_announced(tmp_path: Path) -> None:
    (tmp_path / "whole.mp3").write_bytes(mp3())
    kept = mp3()[: -frames(tmp_path / "whole.mp3")[-1]]
    with pytest.raises(CutOffError, match="its first frame announces 30 frames, 29 are there"):
        read(tmp_path / "short.mp3", kept)


def test_a_hole_in_the_middle_is_damage(tmp_path: Path) -> None:
    content = mp3(xing=False)
    with pytest.raises(AudioError, match="should begin a frame"):
        read(tmp_path / "hole.mp3", content[:700] + content[760:])


def test_free_sync_bits_in_raw_samples_are_no_mp3(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 200_000, dtype=np.uint8).tobytes()
    for start in (b"\xff\xfb\x90\x64", b"\xff\xf3\x48\xc4"):
        with pytest.raises(AudioError, match="no header of a known format"):
            read(tmp_path / "noise.raw", start + noise)


def test_mp3_inside_wav_is_read_as_mp3(tmp_path: Path) -> None:
    stream = mp3(xing=False)
    form = b"fmt " + (30).to_bytes(4, "little") + bytes.fromhex("55000100803e0000d00700000100000000000000") + bytes(10)
    data = b"data" + len(stream).to_bytes(4, "little") + stream
    content = b"RIFF" + (4 + len(form) + len(data)).to_bytes(4, "little") + b"WAVE" + form + data
    np.testing.assert_array_equal(read(tmp_path / "x.wav", content), read(tmp_path / "x.mp3", stream))
    with pytest.raises(CutOffError):
        read(tmp_path / "cut.wav", content[:-40])
