"""Recordings as users have them: what is written for the reader, and what is refused."""

from collections import UserDict
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from fastadasp.api.recordings import RecordingError, as_files

NOISE = (0.3 * np.random.default_rng(0).standard_normal(1600)).astype(np.float32)


def read(path: Path) -> tuple[np.ndarray, int]:
    return soundfile.read(path, dtype="float32")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    soundfile.write(path, NOISE, 16_000, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    ("recording", "rate"),
    [
        (NOISE, 16_000),
        (NOISE.astype(np.float64), 16_000),
        ((NOISE, 8_000), 8_000),
        ((NOISE, np.int64(44_100)), 44_100),
        ({"array": NOISE, "sampling_rate": 22_050, "path": None}, 22_050),
        (torch.from_numpy(NOISE), 16_000),
        ((torch.from_numpy(NOISE).requires_grad_(), 24_000), 24_000),
    ],
    ids=["array", "double", "pair", "numpy rate", "mapping", "tensor", "tensor with gradient"],
)
def test_samples_reach_the_reader_as_they_are(recording: object, rate: int, tmp_path: Path) -> None:
    for given in (recording, [recording], (one for one in [recording])):
        ((path,),) = as_files(given, tmp_path)
        samples, written_rate = read(path)
        assert written_rate == rate
        np.testing.assert_array_equal(samples, NOISE)


@pytest.mark.parametrize("whole", [np.int16, np.int32, np.uint8])
def test_whole_numbers_keep_their_scale(whole: type, tmp_path: Path) -> None:
    scale = {np.int16: 2**15, np.int32: 2**31, np.uint8: 2**7}[whole]
    numbers = np.round(NOISE.clip(-0.9, 0.9).astype(np.float64) * scale) + (128 if whole is np.uint8 else 0)
    ((path,),) = as_files(numbers.astype(whole), tmp_path)
    np.testing.assert_allclose(read(path)[0], NOISE.clip(-0.9, 0.9), atol=1 / scale)


def test_channels_may_come_first_or_last(tmp_path: Path) -> None:
    stereo = np.stack([NOISE, -NOISE])
    for given in (stereo, stereo.T):
        ((path,),) = as_files(given, tmp_path)
        np.testing.assert_array_equal(read(path)[0], stereo.T)


def test_files_stay_where_they_are_and_a_list_in_the_list_is_one_prompt(file: Path, tmp_path: Path) -> None:
    assert as_files(file, tmp_path) == as_files(str(file), tmp_path) == [(file,)]
    assert as_files((file, file), tmp_path) == as_files(iter([file, str(file)]), tmp_path) == [(file,), (file,)]
    prompts = as_files([file, [file, NOISE], [NOISE]], tmp_path)
    assert [len(prompt) for prompt in prompts] == [1, 2, 1]
    assert prompts[1][1] != prompts[2][0]
    assert as_files([], tmp_path) == []


@pytest.mark.parametrize(
    ("recording", "message"),
    [
        ("nowhere.wav", r"audio\[1\]: nowhere\.wav is no file"),
        (None, r"audio\[1\] is a NoneType; a recording is a file's path, an array"),
        (3.0, r"audio\[1\] is a float"),
        ([], r"audio\[1\] is an empty list"),
        ([NOISE, "nowhere.wav"], r"audio\[1\]\[1\]: nowhere\.wav is no file"),
        ((NOISE, 0), r"audio\[1\]: its sampling rate must be a whole number of Hz, got 0"),
        ((NOISE, 16_000.0), r"its sampling rate must be a whole number of Hz, got 16000\.0"),
        (UserDict(array=NOISE), r"a mapping must hold `array` and `sampling_rate`, got \['array'\]"),
        (np.zeros((2, 3, 4), np.float32), r"an array of shape \(2, 3, 4\) is no recording"),
        (np.zeros((600, 600), np.float32), r"an array of shape \(600, 600\) is no recording"),
        (np.zeros(9, np.int64), r"samples of type int64 have no known scale"),
        (np.array(["a"]), r"samples of type <U1 have no known scale"),
    ],
)
def test_what_is_no_recording_is_named_by_its_place(recording: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=message):
        as_files([NOISE, recording], tmp_path)
