"""FLAC's last frame tells its length, and checksums tell where that frame is."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from fastadasp.data.audio import AudioError, CutOffError, read_audio
from fastadasp.data.audio.containers.flac import _crc16
from fastadasp.data.audio.containers.inspect import inspect
from tests.helpers.audio_files import RATE, replaced, sweep, written


def read(path: Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    return read_audio(path, max_seconds=60)


def test_the_checksum_is_that_of_the_standard() -> None:
    assert _crc16(b"123456789") == 0xFEE8, "CRC-16/UMTS, which is FLAC's"


@pytest.mark.parametrize("seconds", [0.001, 0.25, 4096 / RATE, 3.7, 31.0])
@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_the_length_follows_from_the_last_frame_alone(tmp_path: Path, seconds: float, subtype: str) -> None:
    signal = sweep(RATE, seconds)
    content = written("FLAC", subtype, RATE, np.stack([signal, -0.5 * signal], 1))
    packed = int.from_bytes(content[18:26], "big") >> 36 << 36
    path = tmp_path / "streamed.flac"
    path.write_bytes(replaced(content, (18, packed.to_bytes(8, "big"))))
    assert inspect(path).streams[0].frames == len(signal)
    np.testing.assert_array_equal(read_audio(path, 60), read(tmp_path / "whole.flac", content))


def test_noise_that_looks_like_frames_does_not_mislead(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).uniform(-1, 1, 5 * RATE)
    content = written("FLAC", "PCM_24", RATE, noise)
    packed = int.from_bytes(content[18:26], "big") >> 36 << 36
    streamed = replaced(content, (18, packed.to_bytes(8, "big")))
    assert len(read(tmp_path / "noise.flac", streamed)) == 5 * RATE
    for gone in (1, 2, 3, 1000, 20_000):
        with pytest.raises(CutOffError, match="last frame is incomplete"):
            read(tmp_path / "torn.flac", streamed[:-gone])


def test_damage_in_the_middle_is_noticed(tmp_path: Path) -> None:
    content = written("FLAC", "PCM_16", RATE, sweep(RATE, 20.0))
    for place in range(len(content) // 4, len(content) - 20_000, 9999):
        changed = replaced(content, (place, bytes([content[place] ^ 0x55])))
        with pytest.raises(AudioError):
            read(tmp_path / "damaged.flac", changed)
    middle = len(content) // 2
    with pytest.raises(AudioError):
        read(tmp_path / "hole.flac", content[:middle] + content[middle + 5000 :])


def test_zeros_behind_the_last_frame_are_no_part_of_it(tmp_path: Path) -> None:
    content = written("FLAC", "PCM_16")
    np.testing.assert_array_equal(read(tmp_path / "a.flac", content + bytes(999)), read(tmp_path / "b.flac", content))


def test_zeros_that_belong_to_the_last_frame_are_left_to_it(tmp_path: Path) -> None:
    """Files whose checksum ends with a zero byte, about one in 256; alone, and with zeros of a disk behind."""
    random = np.random.default_rng(0)
    found = 0
    while found < 3:
        content = written("FLAC", "PCM_16", RATE, random.normal(0, 0.1, random.integers(200, 3000)))
        if content.endswith(b"\0"):
            found += 1
            expected = sf.read(BytesIO(content), dtype="float32")[0]
            for behind in (0, 1, 2, 15, 999):
                samples = read(tmp_path / "a.flac", content + bytes(behind))
                np.testing.assert_array_equal(samples, expected)
