"""What each task asks, word for word. A changed wording makes scores incomparable: raise `version` with it."""

import json
import sys
from pathlib import Path

import pytest

from fastadasp.config.build import build
from fastadasp.data.manifest import ManifestError
from fastadasp.errors import ConfigError
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Example, Task
from fastadasp.tasks.er import ER
from fastadasp.tasks.sqa import SQA
from fastadasp.tasks.st import ST
from fastadasp.tasks.sv import SV
from tests.helpers.configs import composed

QUESTION = {"question": "What colour is the car?", "choices": ["red", "blue", "green", "black"], "answer": "Blue"}


def manifest(folder: Path, **fields: object) -> Path:
    folder.joinpath("a.wav").touch()
    path = folder / "manifest.jsonl"
    path.write_text(json.dumps({"id": "1", "audio": "a.wav", "seconds": 1.5, **fields}))
    return path


@pytest.mark.parametrize(
    ("task", "fields", "version", "instruction", "reference"),
    [
        (ASR, {"text": "hello there"}, 2, "Transcribe the speech.", "hello there"),
        (ST, {"translation": "Guten Tag."}, 2, "Translate the speech into German.", "Guten Tag."),
        (ER, {"label": "Excited"}, 2, "What is the speaker's emotion? Answer happy, sad, angry or neutral.", "happy"),
        (SV, {"label": "no"}, 2, "Is there only one speaker in the audio?", "no"),
        (SQA, QUESTION, 2, "What colour is the car? A. red; B. blue; C. green; D. black.", "B"),
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
    with pytest.raises(
        ManifestError, match=r"line 1: field 'label' must be one of happy, sad, angry, neutral, .*; got 'bored'"
    ):
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


@pytest.mark.parametrize(
    ("choices", "answer"),
    [
        (["red", "blue", "green"], "(B)"),
        (["red", "blue", "green"], "b."),
        (["red", "blue", "green"], "B. blue"),
        (["red", "blue", "green"], "b) Blue"),
        (["(A) red", "(B) blue", "(C) green"], "B"),
        (["A. red", "B. blue", "C. green"], "B. blue"),
        (["a) red", "b) blue", "c) green"], "blue"),
        (["\uff21\uff0e red", "\uff22\uff0e blue", "\uff23\uff0e green"], "\uff22"),
        (["red", "blue", "green"], "\uff08\uff22\uff09"),
        (["1. red", "2. blue", "3. green"], "2"),
        (["(0) red", "(1) blue", "(2) green"], 1),
        ({"A": "red", "B": "blue", "C": "green"}, "B"),
        ({"1": "red", "2": "blue", "3": "green"}, "2"),
        ({"1": "red", "2": "blue", "3": "green"}, 2),
        ({"0": "red", "1": "blue", "2": "green"}, 1),
        ({"label": ["A", "B", "C"], "text": ["red", "blue", "green"]}, "B"),
        ([{"label": "A", "text": "red"}, {"label": "B", "text": "blue"}, {"label": "C", "text": "green"}], "blue"),
    ],
)
def test_choices_and_answers_are_read_in_every_form_in_use(tmp_path: Path, choices: object, answer: object) -> None:
    (example,) = SQA(manifest(tmp_path, question="Which colour?", choices=choices, answer=answer)).examples()
    assert example.instruction == "Which colour? A. red; B. blue; C. green."
    assert (example.reference, example.meta["choices"]) == ("B", ["red", "blue", "green"])


@pytest.mark.parametrize("choices", [["1.5 kg", "2.5 kg"], ["1. May", "3. May"], ["1", "2"]])
def test_numbers_that_belong_to_a_choice_stay(tmp_path: Path, choices: list[str]) -> None:
    (example,) = SQA(manifest(tmp_path, question="Which?", choices=choices, answer=choices[1])).examples()
    assert (example.reference, example.meta["choices"]) == ("B", choices)


def many(folder: Path, *answers: object) -> Path:
    folder.joinpath("a.wav").touch()
    lines = [
        {"id": str(n), "audio": "a.wav", "question": "Q?", "choices": ["p", "q", "r"], "answer": answer, "seconds": 1}
        for n, answer in enumerate(answers)
    ]
    path = folder / "many.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_numbers_count_from_where_the_manifest_shows_that_they_do(tmp_path: Path) -> None:
    assert [example.reference for example in SQA(many(tmp_path, 0, 1, 2)).examples()] == ["A", "B", "C"]
    assert [example.reference for example in SQA(many(tmp_path, "1", "3", "2")).examples()] == ["A", "C", "B"]
    assert [example.reference for example in SQA(many(tmp_path, 1, 2), first_choice=1).examples()] == ["A", "B"]
    assert [example.reference for example in SQA(many(tmp_path, 1, 2), first_choice=0).examples()] == ["B", "C"]
    with pytest.raises(
        ManifestError, match=r"does not show whether the first choice is 0 or 1: set task\.first_choice"
    ):
        SQA(many(tmp_path, 1, 2)).examples()
    with pytest.raises(ManifestError, match=r"line 2: .* must be a letter from A to C .*got 7"):
        SQA(many(tmp_path, 0, 7)).examples()


def test_a_number_that_is_a_choice_is_that_choice(tmp_path: Path) -> None:
    (example,) = SQA(manifest(tmp_path, question="How many?", choices=[3, 4, 7, 12], answer=7)).examples()
    assert (example.reference, example.meta["choices"]) == ("C", ["3", "4", "7", "12"])


@pytest.mark.parametrize(
    ("choices", "answer", "message"),
    [
        (["red", "blue"], "B. red", "must be a letter from A to B or the text of one choice; got 'B. red'"),
        (["red", "blue"], None, "field 'answer' must be a letter"),
        (["red", "blue"], True, "field 'answer' must be a letter"),
        (["red", ""], "A", "field 'choices' must be a list of at least two texts"),
        ("red or blue", "A", "field 'choices' must be a list of at least two texts"),
        (["red"], "A", "field 'choices' must be a list of at least two texts"),
        ({"A": "red", "a ": {"x": 1}}, "A", "field 'choices' must be a list of at least two texts"),
    ],
)
def test_choices_without_a_plain_meaning_are_refused(
    tmp_path: Path, choices: object, answer: object, message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        SQA(manifest(tmp_path, question="Which?", choices=choices, answer=answer)).examples()


@pytest.mark.parametrize(
    ("code", "label"),
    [("hap", "happy"), ("exc", "happy"), ("ANG", "angry"), ("fru", "angry"), ("neu", "neutral"), ("sad", "sad")],
)
def test_emotions_may_be_codes_of_iemocap(tmp_path: Path, code: str, label: str) -> None:
    (example,) = ER(manifest(tmp_path, label=code)).examples()
    assert example.reference == label


@pytest.mark.parametrize("code", ["sur", "xxx", "oth", 3])
def test_codes_of_other_emotions_are_refused(tmp_path: Path, code: object) -> None:
    with pytest.raises(ManifestError, match="must be one of happy, sad, angry, neutral, or a word for one of them"):
        ER(manifest(tmp_path, label=code)).examples()


def test_labels_may_be_numbers_and_truth_values(tmp_path: Path) -> None:
    (example,) = ER(manifest(tmp_path, label=1), labels={"0": ["no cough"], "1": ["cough"]}).examples()
    assert example.reference == "1"
    (example,) = SV(manifest(tmp_path, label=True)).examples()
    assert example.reference == "yes"


@pytest.mark.parametrize(
    ("language", "tokenizer"),
    [
        ("German", "13a"),
        ("Chinese", "zh"),
        ("zh-CN", "zh"),
        ("Mandarin", "zh"),
        ("Simplified Chinese", "zh"),
        ("Japanese", "ja-mecab"),
        ("ko", "ko-mecab"),
        ("Thai", "char"),
        ("Klingon", "13a"),
    ],
)
def test_the_tokeniser_of_bleu_follows_the_language(tmp_path: Path, language: str, tokenizer: str) -> None:
    assert ST(tmp_path, language=language).tokenizer == tokenizer
    assert ST(tmp_path, language=language, tokenize="char").tokenizer == "char"


def test_a_tokeniser_without_its_package_is_refused_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.tokenizers.tokenizer_ja_mecab", None)
    with pytest.raises(ConfigError, match=r"BLEU for Japanese needs .*ja-mecab.*pip install 'sacrebleu\[ja\]'"):
        ST(tmp_path, language="Japanese").check_ready()
    ST(tmp_path, language="Chinese").check_ready()


def test_labels_can_be_given_on_the_command_line(tmp_path: Path) -> None:
    task = build(composed("task=er", "task.labels={yes:[],no:[nope]}").task, "task")
    assert task.parse("nope", Example("1", (), "", "")) == "no"
