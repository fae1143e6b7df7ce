"""Long recordings in windows: the cuts, the joined transcript, and one score for the whole."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
import soundfile

from fastadasp.errors import ConfigError
from fastadasp.tasks.asking import asked
from fastadasp.tasks.asr_long import ASRLong
from fastadasp.tasks.base import Example, Prediction
from fastadasp.tasks.counted import Counted
from fastadasp.tasks.normalizers import Normalizer
from fastadasp.tasks.reading.joining import joined

Evaluate = Callable[..., tuple[Path, float]]
RATE = 16000


def recording(folder: Path, *seconds: float) -> Path:
    """Recordings of noise with silence around each third second, and their manifest."""
    draw, lines = np.random.default_rng(0), []
    for number, length in enumerate(seconds):
        samples = 0.2 * draw.standard_normal(round(length * RATE))
        for second in range(3, int(length), 3):
            samples[round((second - 0.1) * RATE) : round((second + 0.1) * RATE)] = 0
        soundfile.write(folder / f"r{number}.wav", samples, RATE)
        lines.append({"id": f"r{number}", "audio": f"r{number}.wav", "text": f"one two three number {number}"})
    path = folder / "m.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_recording_is_cut_where_it_is_silent(tmp_path: Path) -> None:
    task = ASRLong(recording(tmp_path, 10.0, 2.0), window_seconds=4, search_seconds=2)
    examples = asked(task)
    first = [example for example in examples if example.meta["recording"] == "r0"]
    starts = [example.meta["start"] for example in first]
    assert starts == pytest.approx([0, 3, 6, 9], abs=0.1) or starts == pytest.approx([0, 3, 6], abs=0.1)
    assert sum(example.seconds for example in first) == pytest.approx(10.0)
    assert [example.reference for example in first][1:] == [""] * (len(first) - 1)
    assert [example.id for example in examples][-1] == "r1@1"
    assert {example.task for example in examples} == {"asr"}, "models word it as they word recognition"


def test_overlapping_windows_begin_before_the_end_of_the_last_one(tmp_path: Path) -> None:
    examples = asked(ASRLong(recording(tmp_path, 10.0), window_seconds=4, search_seconds=0, overlap_seconds=1))
    assert [example.meta["start"] for example in examples] == [0, 3, 6]
    assert [example.seconds for example in examples] == [4, 4, 4]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window_seconds": 0.5}, r"task\.window_seconds must be at least 1"),
        ({"search_seconds": 16}, r"task\.search_seconds must lie in \[0, 15\]"),
        ({"overlap_seconds": 28}, r"task\.overlap_seconds must be from 0 to less than 28"),
    ],
)
def test_windows_that_make_no_sense_are_refused(tmp_path: Path, settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ASRLong(tmp_path, **settings)


@pytest.mark.parametrize(
    ("texts", "overlap", "expected"),
    [
        (["a b", "c d"], 0, "a b c d"),
        (["one two three four", "three four five"], 1, "one two three four five"),
        (["he came to the old ho", "the old house and left"], 2, "he came to the old house and left"),
        (["He left. Then", "then she came."], 1, "He left. then she came."),
        (["one two", "three four"], 1, "one two three four"),
        (["", "one"], 1, "one"),
        (["one two", ""], 1, "one two"),
        (["the end of the", "of the day the end"], 1, "the end of the day the end"),
        (["a b c d e f", "a b c d e f"], 1, "a b c d e f"),
        (["one two three", "two three four", "three four five"], 1, "one two three four five"),
    ],
)
def test_what_windows_hold_twice_is_taken_once(texts: list[str], overlap: float, expected: str) -> None:
    assert joined(texts, overlap) == expected


def test_the_whole_text_comes_back_from_windows_of_it() -> None:
    draw = np.random.default_rng(3)
    for _ in range(50):
        words = [f"w{number}" for number in draw.integers(0, 400, 120)]
        windows = [" ".join(words[start : start + 30]) for start in range(0, 100, 22)]
        assert joined(windows, overlap_seconds=10 / 6) == " ".join(words[: 88 + 30])


def windows(recording: str, *answers: str, **more: Any) -> list[Prediction]:
    return [
        Prediction(f"{recording}@{n}", said, said, "one two three four five" if n == 1 else "",
                   meta={"recording": recording, "window": n}, seconds=3.0, **more)
        for n, said in enumerate(answers, 1)
    ]  # fmt: skip


def test_errors_are_counted_over_whole_recordings(tmp_path: Path) -> None:
    task = ASRLong(tmp_path, normalizer=Normalizer.none)
    found = [*windows("a", "one two", "three four five"), *windows("b", "one", "", "four")]
    scores = task.metrics(found[::-1])
    said = ["one two three four five", "one four"]
    assert scores["wer"] == pytest.approx(jiwer.wer(["one two three four five"] * 2, said))
    assert (scores["words"], scores["windows"], scores["deletions"]) == (10, 5, 3)
    counted = Counted.of(task, found)
    assert (len(counted.counts_NK), counted.clusters.count) == (2, 2), "a recording is one draw"


def test_a_window_that_failed_loses_its_words_alone(tmp_path: Path) -> None:
    task = ASRLong(tmp_path, normalizer=Normalizer.none)
    failed = windows("a", "one two", "x")
    failed[1] = Prediction("a@2", "", "", "", error="cut off", meta={"recording": "a", "window": 2})
    (one,) = task.gathered(failed)
    assert (one.error, one.answer, one.id) == (None, "one two", "a")
    assert task.metrics(failed)["deletions"] == 3
    (none,) = task.gathered([failed[1]])
    assert none.error == "cut off"


def test_a_run_scores_recordings_and_an_unreadable_one_fails(evaluate: Evaluate, tmp_path: Path) -> None:
    file = recording(tmp_path, 7.0, 3.0)
    (tmp_path / "r1.wav").write_bytes(b"RIFF")
    settings = (f"task.manifest={file}", "task.window_seconds=3", "task.search_seconds=1")
    folder, value = evaluate("task=asr_long", *settings)
    found = json.loads((folder / "metrics.json").read_text())
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == ["r0@1", "r0@2", "r0@3", "r1@1"]
    assert (found["examples"], found["failed"], found["quality"]["windows"]) == (4, 1, 4)
    assert found["quality"]["words"] == 6, "123 number 0"
    assert found["quality"]["wer"] == value
    assert found["intervals"]["wer"]["clips"] == 2
    folder, _ = evaluate("task=asr_long", *settings, "task.prompts=[Write it down.,What is said?]")
    found = json.loads((folder / "metrics.json").read_text())
    assert (found["examples"], len(found["prompts"]["scores"])) == (8, 2)
    assert (found["intervals"]["wer"]["clips"], found["intervals"]["wer"]["clusters"]) == (4, 2)


@pytest.mark.parametrize(
    ("text", "answer", "words"),
    [
        ("<|0.00|> hello there <|1.52|>", "<|0.00|> hello there <|1.52|>", "hello there"),
        ("[00:01.200 --> 00:02.400] good morning", "[00:01.200 --> 00:02.400] good morning", "good morning"),
        ("(0.00, 2.14) we met at 10:30", "(0.00, 2.14) we met at 10:30", "we met at 10 30"),
        ("[1.5s] yes [2s]", "[1.5s] yes [2s]", "yes"),
        ("00:00:01,000 --> 00:00:02,500\nin 1994", "00:00:01,000 --> 00:00:02,500 in 1994", "in 1994"),
        ("Sure, here is the transcription: <|0.00|> hello", "<|0.00|> hello", "hello"),
    ],
)
def test_time_stamps_stay_as_they_are_and_are_no_words(tmp_path: Path, text: str, answer: str, words: str) -> None:
    task = ASRLong(tmp_path, timestamps=True)
    assert task.parse(text, Example("1", (), "", words)) == answer
    scores = task.metrics([Prediction("1", text, answer, words, meta={"recording": "1", "window": 1})])
    assert (scores["wer"], scores["words"]) == (0, len(words.split()))
