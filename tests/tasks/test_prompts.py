"""What each task asks, word for word. A changed wording makes scores incomparable: raise `version` with it."""

import json
from pathlib import Path

import pytest

from fastadasp.data.manifest import ManifestError
from fastadasp.errors import ConfigError
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Task
from fastadasp.tasks.er import ER
from fastadasp.tasks.sqa import SQA
from fastadasp.tasks.st import ST
from fastadasp.tasks.sv import SV

QUESTION = {"question": "What colour is the car?", "choices": ["red", "blue", "green", "black"], "answer": "Blue"}


def manifest(folder: Path, **fields: object) -> Path:
    folder.joinpath("a.wav").touch()
    path = folder / "manifest.jsonl"
    path.write_text(json.dumps({"id": "1", "audio": "a.wav", "seconds": 1.5, **fields}))
    return path


@pytest.mark.parametrize(
    ("task", "fields", "version", "instruction", "reference"),
    [
        (ASR, {"text": "hello there"}, 1, "Transcribe the speech.", "hello there"),
        (ST, {"translation": "Guten Tag."}, 1, "Translate the speech into German.", "Guten Tag."),
        (ER, {"label": "Excited"}, 1, "What is the speaker's emotion? Answer happy, sad, angry or neutral.", "happy"),
        (SV, {"label": "no"}, 1, "Is there only one speaker in the audio?", "no"),
        (SQA, QUESTION, 1, "What colour is the car? A. red; B. blue; C. green; D. black.", "B"),
    ],
)
def test_frozen_wording(
    tmp_path: Path, task: type[Task], fields: dict[str, object], version: int, instruction: str, reference: str
) -> None:
    (example,) = task(manifest(tmp_path, **fields)).examples()
    assert (task.version, example.instruction, example.reference) == (version, instruction, reference)
    assert (example.id, example.seconds, example.task) == ("1", 1.5, task.name)


def test_reference_field_language_and_labels_are_settings(tmp_path: Path) -> None:
    task = ST(manifest(tmp_path, translation_es="Hola."), reference="translation_es", language="Spanish")
    (example,) = task.examples()
    assert (example.instruction, example.reference) == ("Translate the speech into Spanish.", "Hola.")
    assert example.meta["language"] == "Spanish"
    labels = {"surprise": ["surprised"], "fear": []}
    (example,) = ER(manifest(tmp_path, emotion="surprised"), reference="emotion", labels=labels).examples()
    assert example.instruction.endswith("Answer surprise or fear.")
    assert example.reference == "surprise"


@pytest.mark.parametrize("answer", ["C", "c.", "green", "Green!"])
def test_a_reference_may_be_letter_or_text(tmp_path: Path, answer: str) -> None:
    (example,) = SQA(manifest(tmp_path, **{**QUESTION, "answer": answer})).examples()
    assert example.reference == "C"


def test_bad_lines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="line 1: field 'text' is missing"):
        ASR(manifest(tmp_path, transcript="x")).examples()
    with pytest.raises(ManifestError, match=r"line 1: field 'label' must be one of happy, .*; got 'bored'"):
        ER(manifest(tmp_path, label="bored")).examples()
    with pytest.raises(ManifestError, match=r"line 1: field 'answer' must be a letter from A to D or .*; got 'E'"):
        SQA(manifest(tmp_path, **{**QUESTION, "answer": "E"})).examples()
    with pytest.raises(ManifestError, match="at most 26 texts, got 27"):
        SQA(manifest(tmp_path, **{**QUESTION, "choices": [str(number) for number in range(27)]})).examples()


def test_bad_settings_name_the_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"task\.tokenize must be one of .*13a.*; got '14a'"):
        ST(tmp_path, tokenize="14a")
    with pytest.raises(ConfigError, match=r"task\.labels must name at least two"):
        ER(tmp_path, labels={"happy": []})
    with pytest.raises(ConfigError, match=r"task\.labels: .* one label: glad"):
        ER(tmp_path, labels={"happy": ["glad"], "pleased": ["glad"]})
