"""Manifests are read strictly: one error names every bad line."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fastadasp.data.manifest import Field, ManifestError, read_manifest

TEXT = {"text": Field(str)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 16_000)
    soundfile.write(tmp_path / "b.wav", np.zeros(4000), 16_000)
    return tmp_path


def manifest(folder: Path, *lines: object) -> Path:
    path = folder / "manifest.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_reads_one_or_several_files_and_measures_what_is_not_given(folder: Path) -> None:
    path = manifest(
        folder,
        {"id": "1", "audio": "a.wav", "text": "one", "speaker": "x"},
        "",
        {"id": "2", "audio": ["a.wav", "b.wav"], "text": "two"},
        {"id": "3", "audio": "b.wav", "text": "drei über", "seconds": 7},
    )
    first, second, third = read_manifest(path, TEXT)
    assert (first.audio, first.seconds, first.fields) == ((folder / "a.wav",), 0.5, {"text": "one", "speaker": "x"})
    assert (second.audio, second.seconds) == ((folder / "a.wav", folder / "b.wav"), 0.75)
    assert (third.seconds, third.fields["text"]) == (7.0, "drei über")
    assert [record.where for record in (first, third)] == [f"{path}:1", f"{path}:4"]
    assert len(read_manifest(path, TEXT, limit=2)) == 2


def test_one_error_lists_every_bad_line_with_number_and_field(folder: Path) -> None:
    bad = {
        '{"id": "1", "audio": "a.wav", "text": "fine"}': None,
        "{not json": "line 2: not JSON",
        "[1]": "line 3: must be a JSON object",
        '{"audio": "a.wav", "text": "x"}': "line 4: field 'id' is missing",
        '{"id": "5", "text": "x"}': "line 5: field 'audio' is missing",
        '{"id": "6", "audio": "a.wav"}': "line 6: field 'text' is missing; the line has id, audio",
        '{"id": "7", "audio": "a.wav", "text": " "}': "line 7: field 'text' must be a text that is not blank",
        '{"id": "8", "audio": "a.wav", "text": 3}': "line 8: field 'text' must be a text",
        '{"id": "9", "audio": "gone.wav", "text": "x"}': f"line 9: field 'audio': no file {folder / 'gone.wav'}",
        '{"id": "10", "audio": [], "text": "x"}': "line 10: field 'audio' must be a path or a list of at least one",
        '{"id": "11", "audio": ["a.wav", 3], "text": "x"}': "line 11: field 'audio' must be",
        '{"id": "1", "audio": "a.wav", "text": "x"}': "line 12: field 'id': '1' is already used on line 1",
        '{"id": "13", "audio": "a.wav", "text": "x", "seconds": "long"}': "line 13: field 'seconds' must be a number",
        '{"id": "14", "audio": "a.wav", "text": "x", "seconds": NaN}': "line 14: field 'seconds' must be a number",
    }
    with pytest.raises(ManifestError) as caught:
        read_manifest(manifest(folder, *bad), TEXT)
    message = str(caught.value)
    for expected in filter(None, bad.values()):
        assert expected in message
    assert "line 1:" not in message
    assert "13 problems" in message
    assert str(pickle.loads(pickle.dumps(caught.value))) == message  # launchers send errors between processes


def test_long_lists_are_cut_and_counted(folder: Path) -> None:
    with pytest.raises(ManifestError, match=r"\.\.\. and 80 more"):
        read_manifest(manifest(folder, *["x"] * 100), TEXT)


def test_missing_empty_and_binary_manifests(folder: Path) -> None:
    with pytest.raises(ManifestError, match="does not exist"):
        read_manifest(folder / "gone.jsonl", TEXT)
    with pytest.raises(ManifestError, match="is a folder"):
        read_manifest(folder, TEXT)
    with pytest.raises(ManifestError, match="holds no line"):
        read_manifest(manifest(folder, "", " "), TEXT)
    folder.joinpath("latin.jsonl").write_bytes("ü".encode("latin-1"))
    with pytest.raises(ManifestError, match="not UTF-8"):
        read_manifest(folder / "latin.jsonl", TEXT)


def test_fields_with_a_fixed_set_and_lists(folder: Path) -> None:
    fields = {"label": Field(str, allowed=("yes", "no")), "choices": Field(list)}
    good = {"id": "1", "audio": "a.wav", "label": "Yes ", "choices": ["x", "y"]}
    assert len(read_manifest(manifest(folder, good), fields)) == 1
    with pytest.raises(ManifestError) as caught:
        read_manifest(manifest(folder, {**good, "label": "maybe", "choices": ["x"]}), fields)
    assert "'label' must be one of yes, no; got 'maybe'" in str(caught.value)
    assert "'choices' must be a list of at least two texts" in str(caught.value)


def test_an_unreadable_header_is_left_for_the_reader(folder: Path) -> None:
    folder.joinpath("broken.wav").write_text("nothing")
    (record,) = read_manifest(manifest(folder, {"id": "1", "audio": "broken.wav", "text": "x"}), TEXT)
    assert record.seconds == 0


def test_whole_numbers_as_ids_are_texts_and_one_with_their_spelling(folder: Path) -> None:
    line = {"audio": "a.wav", "text": "x", "seconds": 1}
    first, second = read_manifest(manifest(folder, {"id": 7, **line}, {"id": -1, **line}), TEXT)
    assert (first.id, second.id) == ("7", "-1")
    with pytest.raises(ManifestError, match="line 2: field 'id': '7' is already used on line 1"):
        read_manifest(manifest(folder, {"id": 7, **line}, {"id": "7", **line}), TEXT)
    for value in (True, 1.0, None):
        with pytest.raises(ManifestError, match="field 'id' must be a text"):
            read_manifest(manifest(folder, {"id": value, **line}), TEXT)


def test_a_tilde_is_the_users_folder_in_audio_and_in_the_manifests_own_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    manifest(folder, {"id": "1", "audio": "~/a.wav", "text": "x"})
    (record,) = read_manifest(Path("~/manifest.jsonl"), TEXT)
    assert record.audio == (folder / "a.wav",)
    with pytest.raises(ManifestError, match=r"no file .*~nobody-of-that-name"):
        read_manifest(manifest(folder, {"id": "1", "audio": "~nobody-of-that-name/a.wav", "text": "x"}), TEXT)


def test_accents_may_be_spelt_otherwise_on_the_disk(folder: Path) -> None:
    (folder / "a.wav").rename(folder / "Zu\u0308rich.wav")
    (record,) = read_manifest(manifest(folder, {"id": "1", "audio": "Z\u00fcrich.wav", "text": "x"}), TEXT)
    assert record.audio == (folder / "Zu\u0308rich.wav",)


def test_messages_stay_short_whatever_the_line_holds(folder: Path) -> None:
    long = "x" * 100_000
    bad = [
        {"id": long, "audio": "a.wav", "text": "x"},
        {"id": "2", "audio": long, "text": "x"},
        {"id": "3", "audio": [[long] * 100], "text": "x"},
        {"id": "4", "audio": "a.wav", "text": {long: long}},
        {long: long},
        long,
    ]
    with pytest.raises(ManifestError) as caught:
        read_manifest(manifest(folder, *bad), TEXT)
    message = str(caught.value)
    assert "line 1: field 'id' may have at most 500 characters" in message
    assert {int(line.split()[1][:-1]) for line in message.splitlines()[1:]} == {1, 2, 3, 4, 5, 6}
    assert max(map(len, message.splitlines())) <= 400


def test_a_limit_reads_no_further(folder: Path) -> None:
    path = manifest(folder, {"id": "1", "audio": "a.wav", "text": "x"}, "{not json")
    assert len(read_manifest(path, TEXT, limit=1)) == 1


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ({"audio_filepath": "a.wav", "duration": 1, "text": "x"}, "for a NeMo manifest give data=nemo data.root=FILE"),
        ({"id": "1", "recording": {}, "start": 0}, "for cuts of lhotse give data=lhotse"),
        ({"file_name": "a.wav", "text": "x"}, "for the metadata of a Hugging Face audiofolder give data=audiofolder"),
    ],
)
def test_a_manifest_of_another_tool_is_told_how_it_is_read(folder: Path, line: dict[str, object], advice: str) -> None:
    with pytest.raises(ManifestError, match=advice):
        read_manifest(manifest(folder, line), TEXT)


def test_a_kaldi_folder_is_told_how_it_is_read(folder: Path) -> None:
    (folder / "wav.scp").write_text("a a.wav\n")
    with pytest.raises(ManifestError, match=r"is a folder, not a file .for a Kaldi folder give data=kaldi"):
        read_manifest(folder, TEXT)
