"""Corpora laid out as their owners ship them become manifests that the tasks read."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from fastadasp.data.corpora import write_manifest
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
    assert write_manifest("librispeech", tmp_path, "test-clean", tmp_path / "manifests" / "ls.jsonl") == 2
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
    write_manifest("iemocap", tmp_path, "5", tmp_path / "er.jsonl")
    examples = ER(tmp_path / "er.jsonl").examples()
    assert [(item.id[-4:], item.reference) for item in examples] == [("F000", "neutral"), ("F001", "happy")]


def test_covost2(tmp_path: Path) -> None:
    audio(tmp_path / "clips" / "common_voice_en_1.mp3")
    table = 'path\tsentence\ttranslation\tclient_id\ncommon_voice_en_1.mp3\t"Hi", he said.\t„Hallo“, sagte er.\tabc\n'
    (tmp_path / "covost_v2.en_de.test.tsv").write_text(table, encoding="utf-8")
    write_manifest("covost2", tmp_path, "en_de.test", tmp_path / "st.jsonl")
    (example,) = ST(tmp_path / "st.jsonl").examples()
    assert (example.reference, example.meta["text"]) == ("„Hallo“, sagte er.", '"Hi", he said.')


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
