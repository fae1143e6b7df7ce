"""Corpora laid out as their owners ship them become manifests that the tasks read."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fastadasp.data.corpora import write_manifest
from fastadasp.data.manifest import ManifestError
from fastadasp.errors import InputError
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.er import ER
from fastadasp.tasks.st import ST


def audio(path: Path, seconds: float = 0.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * 16_000)), 16_000)


def test_librispeech(tmp_path: Path) -> None:
    pytest.importorskip("torchaudio")
    chapter = tmp_path / "LibriSpeech" / "test-clean" / "61" / "70968"
    audio(chapter / "61-70968-0000.flac", 1.25)
    audio(chapter / "61-70968-0001.flac")
    (chapter / "61-70968.trans.txt").write_text("61-70968-0000 HE BEGAN\n61-70968-0001 A CONFUSED COMPLAINT\n")
    written = write_manifest("librispeech", tmp_path, "test-clean", tmp_path / "manifests" / "ls.jsonl")
    assert (written.lines, dict(written.left_out)) == (2, {})
    first, second = ASR(tmp_path / "manifests" / "ls.jsonl").examples()
    assert (first.id, first.reference, first.seconds) == ("61-70968-0000", "HE BEGAN", 1.25)
    assert second.meta["speaker"] == "61"


def test_iemocap(tmp_path: Path) -> None:
    pytest.importorskip("torchaudio")
    session = tmp_path / "IEMOCAP" / "Session5"
    labels = {"Ses05F_impro01_F000": "neu", "Ses05F_impro01_F001": "exc", "Ses05F_impro01_F002": "fru"}
    for name in labels:
        audio(session / "sentences" / "wav" / "Ses05F_impro01" / f"{name}.wav")
    evaluation = session / "dialog" / "EmoEvaluation" / "Ses05F_impro01.txt"
    evaluation.parent.mkdir(parents=True)
    lines = [f"[6.29 - 8.23]\t{name}\t{label}\t[2.5, 2.5, 2.5]\n" for name, label in labels.items()]
    evaluation.write_text("% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n" + "".join(lines))
    written = write_manifest("iemocap", tmp_path, "5", tmp_path / "er.jsonl")
    assert written.left_out == {"label fru": 1}
    examples = ER(tmp_path / "er.jsonl").examples()
    assert [(item.id[-4:], item.reference) for item in examples] == [("F000", "neutral"), ("F001", "happy")]


def test_covost2(tmp_path: Path) -> None:
    audio(tmp_path / "clips" / "common_voice_en_1.mp3")
    table = 'path\tsentence\ttranslation\tclient_id\ncommon_voice_en_1.mp3\t"Hi", he said.\t„Hallo“, sagte er.\tabc\n'
    (tmp_path / "covost_v2.en_de.test.tsv").write_text(table, encoding="utf-8")
    write_manifest("covost2", tmp_path, "en_de.test", tmp_path / "st.jsonl")
    (example,) = ST(tmp_path / "st.jsonl").examples()
    assert (example.reference, example.meta["text"]) == ("„Hallo“, sagte er.", '"Hi", he said.')


def test_covost2_is_unescaped_as_it_was_escaped_and_the_unusable_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        ("1.mp3", 'He said "stop" and left.', 'Er sagte "halt" und ging.', "u1"),
        ("2.mp3", "The path is C:\\temp.", "Der Pfad ist C:\\temp.", "u2"),
        ("3.mp3", 'An unbalanced " quote', 'Ein einzelnes " Zeichen', "u3"),
        ("4.mp3", "A tab\tinside", "Ein Tab\tdarin", "u4"),
        ("5.mp3", "Unusable", "REMOVE", "u5"),
        ("6.mp3", "Empty", "", "u6"),
        ("7.mp3", "Blank", "  ", "u7"),
    ]
    with (tmp_path / "covost_v2.en_de.test.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\", lineterminator="\n")
        writer.writerows([("path", "sentence", "translation", "client_id"), *rows])
    for name, *_ in rows[:4]:
        audio(tmp_path / "clips" / name)
    written = write_manifest("covost2", tmp_path, "en_de.test", tmp_path / "st.jsonl")
    assert (written.lines, written.left_out) == (4, {"translation REMOVE": 1, "translation empty": 2})
    found = [(item.reference, item.meta["text"]) for item in ST(tmp_path / "st.jsonl").examples()]
    assert found == [(translation, sentence) for _, sentence, translation, _ in rows[:4]]


def test_all_bad_clips_are_named_at_once_and_no_manifest_is_written(tmp_path: Path) -> None:
    lines = [f"{number}.wav\tHello\tHallo\tu" for number in range(1, 5)]
    (tmp_path / "covost_v2.en_de.test.tsv").write_text("\n".join(["path\tsentence\ttranslation\tclient_id", *lines]))
    audio(tmp_path / "clips" / "1.wav")
    audio(tmp_path / "clips" / "2.wav", 0)
    (tmp_path / "clips" / "3.wav").write_bytes(b"RIFF")
    with pytest.raises(ManifestError) as caught:
        write_manifest("covost2", tmp_path, "en_de.test", tmp_path / "st.jsonl")
    told = str(caught.value)
    assert "3 problems" in told
    for what in ("2: .*2.wav holds no sound", "3: .*3.wav: the WAV file is cut off", "4: no file .*4.wav"):
        assert re.search(what, told)
    assert not (tmp_path / "st.jsonl").exists()


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    for corpus, part in (
        ("librispeech", "test-clean"),
        ("librispeech", "nonsense"),
        ("iemocap", "5"),
        ("covost2", "x"),
    ):
        with pytest.raises(InputError, match=f"{corpus} cannot be read below .*part {part}"):
            write_manifest(corpus, tmp_path, part, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
