"""Open answers against SQuAD's scores and ROUGE-L of torchmetrics, and questions that are heard."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torchmetrics.functional.text import rouge_score, squad

from fastadasp.data.manifest import ManifestError
from fastadasp.tasks.asking import asked
from fastadasp.tasks.base import Example, Prediction
from fastadasp.tasks.open_qa import OpenQA
from fastadasp.tasks.sqa import SQA
from tests.helpers.miniatures import tone

PAIRS = [
    ("the blue car", ["a blue car"]),
    ("It was in Paris, I think.", ["Paris", "the city of Paris"]),
    ("London", ["Paris"]),
    ("red and green and red", ["green red", "yellow"]),
    ("her older brother", ["brother of her mother"]),
]


def scored(task: OpenQA, *pairs: tuple[str, list[str]]) -> dict[str, float]:
    found = [
        Prediction(str(n), said, said, right[0], meta={"references": right}) for n, (said, right) in enumerate(pairs)
    ]
    return task.metrics(found)


@pytest.mark.parametrize("pair", PAIRS)
def test_f1_and_exact_match_are_those_of_squad(tmp_path: Path, pair: tuple[str, list[str]]) -> None:
    said, right = pair
    target = [{"answers": {"text": right, "answer_start": [0] * len(right)}, "id": "1"}]
    expected = squad([{"prediction_text": said, "id": "1"}], target)
    found = scored(OpenQA(tmp_path), pair)
    assert found["token_f1"] == pytest.approx(expected["f1"].item() / 100)
    assert found["exact_match"] == expected["exact_match"].item() / 100


def test_rouge_l_is_that_of_torchmetrics_and_the_best_answer_counts(tmp_path: Path) -> None:
    said, right = "her older brother went home", ["brother home", "older brother of her"]
    expected = max(rouge_score(said, one, rouge_keys="rougeL")["rougeL_fmeasure"].item() for one in right)
    assert scored(OpenQA(tmp_path), (said, right))["rouge_l"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("said", "right", "held"),
    [
        ("It happened in Paris.", "paris", 1),
        ("about twenty one dollars", "$21", 1),
        ("comparison", "paris", 0),
        ("Paris or London", "London Paris", 0),
        ("", "Paris", 0),
    ],
)
def test_an_answer_holds_the_right_one_word_by_word(tmp_path: Path, said: str, right: str, held: float) -> None:
    assert scored(OpenQA(tmp_path), (said, [right]))["containment"] == held


def test_answers_without_spaces_are_compared_by_characters(tmp_path: Path) -> None:
    found = scored(OpenQA(tmp_path, language="Chinese"), ("在巴黎", ["巴黎"]))
    assert (found["token_f1"], found["containment"], found["exact_match"]) == (pytest.approx(0.8), 1, 0)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is Paris.", "Paris."),
        ("The final answer is: the blue car", "the blue car"),
        ("Answer: 42", "42"),
        ("<think>Rome? No.</think> Paris", "Paris"),
        ("Die Antwort lautet: Berlin", "Berlin"),
        ("答案是巴黎", "巴黎"),
        ("**Paris**", "Paris"),
        ("He answered the phone", "He answered the phone"),
        ("", ""),
    ],
)
def test_what_stands_around_an_answer_is_cut(tmp_path: Path, text: str, answer: str) -> None:
    assert OpenQA(tmp_path).parse(text, Example("1", (), "", "")) == answer


def lines(folder: Path, *fields: dict[str, Any]) -> Path:
    written = []
    for number, line in enumerate(fields):
        tone(folder / f"p{number}.wav", 0.4)
        tone(folder / f"q{number}.wav", 0.3, hertz=330)
        audio = [f"p{number}.wav", f"q{number}.wav"]
        written.append({"id": str(number), "audio": audio, **line})
    path = folder / "m.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in written))
    return path


@pytest.mark.parametrize(
    ("answer", "choices", "right"),
    [
        ("Paris", None, ["Paris"]),
        (["Paris", "paris, France"], None, ["Paris", "paris, France"]),
        (1994, None, ["1994"]),
        ("B", ["red", "blue"], ["blue"]),
        ("blue", ["red", "blue"], ["blue"]),
    ],
)
def test_right_answers_come_in_several_forms(tmp_path: Path, answer: object, choices: object, right: list[str]) -> None:
    more = {} if choices is None else {"choices": choices}
    (example,) = OpenQA(lines(tmp_path, {"question": "Where?", "answer": answer, **more})).examples()
    assert (example.instruction, example.reference, example.meta["references"]) == ("Where?", right[0], right)


@pytest.mark.parametrize("answer", [None, "", [], ["x", " "], True, {"a": 1}, [["x"]]])
def test_answers_that_are_none_are_refused(tmp_path: Path, answer: object) -> None:
    with pytest.raises(ManifestError, match="field 'answer' must be a text, a number or a list of these"):
        OpenQA(lines(tmp_path, {"question": "Where?", "answer": answer})).examples()


def test_a_question_that_is_heard_needs_no_text(tmp_path: Path) -> None:
    file = lines(tmp_path, {"answer": "B", "choices": ["red", "blue"]})
    with pytest.raises(ManifestError, match="field 'question' is missing"):
        SQA(file).examples()
    (example,) = asked(SQA(file, instruction="Answer the question in the audio. {choices}."))
    assert example.instruction == "Answer the question in the audio. A. red; B. blue."
    assert [Path(str(source)).name for source in example.audio] == ["p0.wav", "q0.wav"], "the question comes last"
    (example,) = asked(OpenQA(file, instruction="Answer the question in the audio."))
    assert (example.instruction, example.reference) == ("Answer the question in the audio.", "blue")


Evaluate = Callable[..., tuple[Path, float]]


@pytest.mark.parametrize("task", ["open_qa", "spoken_qa", "spoken_sqa"])
def test_runs_answer_and_score_open_and_spoken_questions(evaluate: Evaluate, tmp_path: Path, task: str) -> None:
    line = {"question": "Which colour?", "answer": "B", "choices": ["red", "blue"], "speaker": "s"}
    folder, value = evaluate(f"task={task}", f"task.manifest={lines(tmp_path, line, line)}", "merge.ratio=0.3")
    found = json.loads((folder / "metrics.json").read_text())
    answers = [json.loads(text) for text in (folder / "predictions.jsonl").read_text().splitlines()]
    names = ["accuracy"] if task == "spoken_sqa" else ["token_f1", "exact_match", "containment", "rouge_l"]
    assert found["quality"][names[0]] == value
    assert set(names) <= set(found["intervals"])
    assert all(answer["audio_tokens"] > 5 for answer in answers)
    assert found["scorer"]["task_version"] >= 1
