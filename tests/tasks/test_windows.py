"""Recordings above the model's limit: refused, or cut into windows where answers can be joined."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sacrebleu

from fastadasp.errors import ConfigError
from fastadasp.evaluation.setup import validate
from fastadasp.tasks.asking import asked
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.asr_long import ASRLong
from fastadasp.tasks.base import Prediction
from fastadasp.tasks.st import ST
from tests.helpers.configs import composed
from tests.tasks.test_asr_long import recording

Evaluate = Callable[..., tuple[Path, float]]


def quality(folder: Path) -> Any:
    return json.loads((folder / "metrics.json").read_text())


def test_recognition_with_windows_asks_what_the_task_for_long_recordings_asks(tmp_path: Path) -> None:
    file = recording(tmp_path, 10.0, 2.0)
    cut = asked(ASR(file, window_seconds=4.0))
    assert list(cut) == list(asked(ASRLong(file, window_seconds=4.0)))
    assert [example.id for example in asked(ASR(file))] == ["r0", "r1"], "without windows nothing is cut"


def test_translations_of_windows_are_joined_and_scored_against_the_whole(tmp_path: Path) -> None:
    reference = "Wir gehen heute in den Wald und morgen an den See."
    parts = ["Wir gehen heute in den Wald", "und morgen an die See."]
    found = [
        Prediction(f"a@{n}", part, part, reference if n == 1 else "", meta={"recording": "a", "window": n})
        for n, part in enumerate(parts, 1)
    ]
    task = ST(tmp_path, window_seconds=30.0)
    scores = task.metrics(found[::-1])
    assert scores["bleu"] == pytest.approx(sacrebleu.corpus_bleu([" ".join(parts)], [[reference]]).score)
    assert scores["windows"] == 2
    assert "windows" not in ST(tmp_path).metrics(found[:1])


def test_a_recording_above_the_limit_fails_with_the_remedy_and_is_answered_in_windows(
    evaluate: Evaluate, tmp_path: Path
) -> None:
    settings = (f"task.manifest={recording(tmp_path, 7.0)}", "model.max_seconds=4")
    folder, _ = evaluate("task=asr", *settings)
    (line,) = map(json.loads, (folder / "predictions.jsonl").read_text().splitlines())
    assert "over the limit of 4 s" in line["error"] and "task.window_seconds=30" in line["error"]
    folder, _ = evaluate("task=asr", *settings, "task.window_seconds=3", "task.search_seconds=1")
    found = quality(folder)
    assert (found["failed"], found["quality"]["windows"], found["quality"]["words"]) == (0, 3, 3)


@pytest.mark.parametrize("task", ["er", "sqa", "sv", "open_qa"])
def test_tasks_whose_answers_cannot_be_joined_have_no_windows_and_say_which_have(task: str) -> None:
    with pytest.raises(ConfigError, match=r"task\.window_seconds does not exist.*\(task=asr\|asr_long\|st has"):
        validate(composed(f"task={task}", "+task.window_seconds=30"))


def test_several_recordings_of_one_line_are_not_cut(tmp_path: Path) -> None:
    file = recording(tmp_path, 3.0, 3.0)
    line = {"id": "both", "audio": ["r0.wav", "r1.wav"], "text": "one"}
    file.write_text(json.dumps(line) + "\n")
    with pytest.raises(ConfigError, match=r"task\.window_seconds=30.*the line has several"):
        asked(ASR(file, window_seconds=30.0))
    assert len(asked(ASR(file))) == 1


def test_overlaps_are_refused_where_words_have_no_spaces(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"task\.overlap_seconds must be 0 for Chinese"):
        ST(tmp_path, language="Chinese", window_seconds=30.0, overlap_seconds=1.0)
    assert ASR(tmp_path, language="Chinese", window_seconds=30.0).window_seconds == 30
