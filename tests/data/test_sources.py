"""Files, cuts out of files and joined recordings: named in a manifest, and read as the samples that they are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from fastadasp.data.audio import AudioError
from fastadasp.data.audio_options import AudioOptions
from fastadasp.data.listen import listen
from fastadasp.data.manifest import Field, ManifestError, read_manifest
from fastadasp.data.sources import Cut, Joined, SourceError, files_of, sources, written
from fastadasp.files.named import audio_files
from tests.helpers.miniatures import RATE, tone


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tone(tmp_path / "a.wav", 2.0)
    tone(tmp_path / "b.wav", 0.5, 440)
    return tmp_path


def heard(source: Any) -> Any:
    return listen(source, 100, RATE, AudioOptions()).samples


def test_a_cut_is_that_stretch_of_the_whole_file(folder: Path) -> None:
    whole, _ = soundfile.read(folder / "a.wav", dtype="float32")
    np.testing.assert_allclose(heard(folder / "a.wav"), whole, atol=1e-6)
    for start, seconds in ((0.0, 0.5), (0.25, 1.0), (1.5, None), (1.9, 0.1)):
        stretch = whole[round(start * RATE) :][: None if seconds is None else round(seconds * RATE)]
        np.testing.assert_allclose(heard(Cut(folder / "a.wav", start, seconds)), stretch, atol=1e-6)


def test_joined_recordings_follow_each_other_with_silence_between(folder: Path) -> None:
    parts = (folder / "b.wav", Cut(folder / "a.wav", 1.0, 0.5), folder / "b.wav")
    b, a = heard(folder / "b.wav"), heard(parts[1])
    silence = np.zeros(RATE // 4, dtype=np.float32)
    np.testing.assert_array_equal(heard(Joined(parts, 0.25)), np.concatenate([b, silence, a, silence, b]))
    np.testing.assert_array_equal(heard(Joined(parts[:1])), b)


def test_a_cut_outside_of_its_file_is_an_error(folder: Path) -> None:
    for cut in (Cut(folder / "a.wav", 2.5), Cut(folder / "a.wav", 1e299), Cut(folder / "a.wav", 1.0, 1.5)):
        with pytest.raises(AudioError, match=r"the file ends at 2\.00 s"):
            heard(cut)


VALUES = [
    "a.wav",
    {"file": "a.wav", "start": 0.5, "seconds": 1.0},
    {"file": "a.wav", "start": 0.5},
    {"join": ["a.wav", {"file": "b.wav", "start": 0.25}], "gap": 0.5},
    {"join": ["a.wav", "b.wav"]},
]


@pytest.mark.parametrize("value", VALUES)
def test_what_is_written_is_read_back(folder: Path, value: Any) -> None:
    (source,) = sources(value, folder)
    assert written(source, folder) == value
    inside = folder / "manifests"
    inside.mkdir()
    (again,) = sources(written(source, inside), inside)
    assert [file.resolve() for file in files_of(again)] == list(files_of(source))


def test_a_manifest_measures_cuts_and_names_all_files(folder: Path) -> None:
    path = folder / "manifest.jsonl"
    lines = [{"id": number, "audio": value, "text": "x"} for number, value in enumerate([*VALUES, VALUES[:2]])]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    seconds = [record.seconds for record in read_manifest(path, {"text": Field(str)})]
    assert seconds == [2.0, 1.0, 1.5, 2.75, 2.5, 3.0]
    names = [file.name for file in audio_files(path)]
    assert names == ["a.wav"] * 3 + ["a.wav", "b.wav"] * 2 + ["a.wav", "a.wav"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"file": "gone.wav"}, "no file .*gone.wav"),
        ({"file": 3}, "'file' must be a path, got 3"),
        ({"start": 1}, "'file' must be a path, got None"),
        ({"file": "a.wav", "offset": 1}, "has the unknown key 'offset'; known are file, member, start, seconds"),
        ({"file": "a.wav", "start": -1}, "'start' must be a number of seconds from 0, got -1"),
        ({"file": "a.wav", "start": True}, "'start' must be a number of seconds from 0, got True"),
        ({"file": "a.wav", "seconds": 0}, "'seconds' must be a number of seconds above 0, got 0"),
        ({"join": "a.wav"}, "'join' must be a list of at least one path"),
        ({"join": []}, "'join' must be a list of at least one path"),
        ({"join": [{"join": ["a.wav"]}]}, "'join' cannot hold another 'join'"),
        ({"join": ["a.wav"], "gap": "x"}, "'gap' must be a number of seconds from 0, got 'x'"),
        ([], "must be a path or a list of at least one path"),
        ([None], "must be a path or a list of at least one path"),
        ("sub\\a.wav", r"no file .*; folders are told apart by /"),
    ],
)
def test_what_names_no_audio_is_refused(folder: Path, value: Any, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        sources(value, folder)
    path = folder / "manifest.jsonl"
    path.write_text(json.dumps({"id": "1", "audio": value, "text": "x"}))
    with pytest.raises(ManifestError, match=rf"line 1: field 'audio':? {message}"):
        read_manifest(path, {})
