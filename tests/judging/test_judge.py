"""Answers go to a judge and come back with scores."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from fastadasp.cli.compare import compare
from fastadasp.cli.judge import judge, main
from fastadasp.errors import InputError
from tests.helpers.finished_run import write_answers

CLIPS = 12
Judged = Callable[..., Path]


def run(root: Path, merge: str, **settings: Any) -> Path:
    lines = [
        {
            "id": f"q{number}",
            "text": f"answer {number}",
            "answer": f"answer {number}",
            "reference": "right",
            "meta": {"question": f"Question {number}?", "references": ["right", "also right"]},
        }
        for number in range(CLIPS)
    ]
    task = {"_target_": "fastadasp.tasks.open_qa.OpenQA", "manifest": "qa.jsonl"}
    return write_answers(root, merge, "open_qa", task, {"token_f1": 0.0}, lines, **settings)


def exported(folder: Path, out: Path, *more: str) -> list[dict[str, Any]]:
    judge(["export", str(folder), "--out", str(out), *more])
    return [json.loads(line) for line in out.read_text().splitlines()]


def judged(lines: list[dict[str, Any]], file: Path, right: int, **scale: float) -> Path:
    scores = [scale.get("high", 1) if number < right else scale.get("low", 0) for number in range(len(lines))]
    text = [json.dumps({**line, "score": score}) for line, score in zip(lines, scores, strict=True)]
    file.write_text("\n".join(text) + "\n")
    return file


def test_each_answer_goes_out_with_a_prompt(tmp_path: Path) -> None:
    folder = run(tmp_path, "none")
    first, *others = exported(folder, tmp_path / "out.jsonl")
    assert len(others) == CLIPS - 1
    assert (first["id"], first["question"], first["score"]) == ("q0", "Question 0?", None)
    assert "Right answer: right; also right\nGiven answer: answer 0\n" in first["prompt"]
    (first, *_) = exported(folder, tmp_path / "own.jsonl", "--form", "{answer} to {question}?")
    assert first["prompt"] == "answer 0 to Question 0??"
    with pytest.raises(InputError, match=r"--form '\{words\}' cannot be filled \('words'\).*\{question\}"):
        exported(folder, tmp_path / "own.jsonl", "--form", "{words}")


def test_scores_come_back_with_an_interval_and_can_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [run(tmp_path, "none"), run(tmp_path, "a", ratio=0.3)]
    for folder, right in zip(folders, (11, 4), strict=True):
        file = judged(exported(folder, tmp_path / "out.jsonl"), tmp_path / "in.jsonl", right, low=1, high=5)
        judge(["import", str(folder), str(file), "--judge", "some/model", "--lowest", "1", "--highest", "5"])
        low, high = proportion_confint(right, CLIPS, method="wilson")
        assert f"mean score {right / CLIPS:.4f} [{low:.4f}, {high:.4f}]" in capsys.readouterr().out
    compare([*map(str, folders), "--metric", "judge:some/model", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["metric"] == "judge:some/model"
    assert found["comparisons"][0]["test"]["p"] == pytest.approx(mcnemar([[4, 7], [0, 1]], exact=True).pvalue)
    assert found["comparisons"][0]["gain"]["value"] == pytest.approx(-7 / CLIPS)
    with pytest.raises(InputError, match="holds no judgements by 'other': fastadasp judge import"):
        compare([*map(str, folders), "--metric", "judge:other"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], r"1 of 12 answers are not judged, the first is 'q11'"),
        (lambda lines: [*lines, lines[0]], r"line 13: 'q0' is judged a second time"),
        (
            lambda lines: [{**lines[0], "score": None}, *lines[1:]],
            r"line 1: score must be a number from 0 to 1.*got None",
        ),
        (lambda lines: [{**lines[0], "score": 7}, *lines[1:]], r"line 1: score must be a number from 0 to 1.*got 7"),
        (lambda lines: [{**lines[0], "answer": "x"}, *lines[1:]], r"line 1: another answer was judged: 'x'"),
        (lambda lines: [{**lines[0], "id": "z"}, *lines[1:]], r"line 1: the run has no answer 'z'"),
        (lambda lines: [{**lines[0], "id": ["q0"]}, *lines[1:]], r"line 1: the run has no answer \['q0'\]"),
        (lambda lines: [[1], *lines[1:]], r"line 1: must be an object with id and score"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    tmp_path: Path, change: Callable[[list[Any]], list[Any]], message: str
) -> None:
    folder = run(tmp_path, "none")
    lines = [{**line, "score": True} for line in exported(folder, tmp_path / "out.jsonl")]
    file = tmp_path / "in.jsonl"
    file.write_text("\n".join(map(json.dumps, change(lines))))
    with pytest.raises(InputError, match=message):
        judge(["import", str(folder), str(file)])
    assert not (folder / "judgements").exists()


def test_a_judges_name_makes_no_path(tmp_path: Path) -> None:
    folder = run(tmp_path, "none")
    file = judged(exported(folder, tmp_path / "out.jsonl"), tmp_path / "in.jsonl", 3)
    judge(["import", str(folder), str(file), "--judge", "../../x"])
    assert [path.parent for path in tmp_path.rglob("x.jsonl")] == [folder / "judgements"]


def test_errors_end_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(["import", str(run(tmp_path, "none")), str(tmp_path / "gone.jsonl")])
    assert "gone.jsonl" in capsys.readouterr().err
