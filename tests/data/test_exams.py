"""Records of multiple-choice questions: choices and answers in the forms of published benchmarks."""

from pathlib import Path
from typing import Any

import pytest

from fastadasp.data.corpora.air_bench import AIRBench
from fastadasp.data.corpora.audio_marathon import AudioMarathon
from fastadasp.data.exams import asked, records
from fastadasp.data.rows import Bad, CorpusError, LeftOut, Row
from fastadasp.tasks.choices import choice_texts, letter_of
from tests.helpers.mini.parts import text, tone

CLIP = Path("a.wav")
COLOURS = {"choice_a": "red", "choice_b": "blue", "choice_c": "green"}


@pytest.mark.parametrize(
    ("raw", "letter"),
    [
        ({**COLOURS, "answer_gt": "blue"}, "B"),
        ({**COLOURS, "answer_gt": " Blue. "}, "B"),
        ({**COLOURS, "answer_gt": "C"}, "C"),
        ({**COLOURS, "answer_gt": "(c)"}, "C"),
        ({**COLOURS, "choice_d": None, "answer": "red"}, "A"),
        ({"choices": ["red", "blue"], "answer": "blue"}, "B"),
        ({"choices": {"A": "red", "B": "blue"}, "answer_gt": "B"}, "B"),
        ({"options": ["red", "blue"], "answer": "A"}, "A"),
        ({"choices": ["(A) red", "(B) blue"], "answer": "blue"}, "B"),
        ({"choices": ["(A) red", "(B) blue"], "answer": "(B) blue"}, "B"),
        ({"choices": ["B", "A", "C"], "answer": "A"}, "B"),  # chords: the text is meant, not the letter
        ({"choices": [1, 2, 3], "answer": 2}, "B"),
        ({"choices": ["same", "same", "other"], "answer": "other"}, "C"),
    ],
)
def test_the_task_reads_the_same_choice_that_the_record_means(raw: dict[str, Any], letter: str) -> None:
    row = asked("entry 1", {"question": "Which?", **raw}, "1", CLIP, "a")
    assert isinstance(row, Row)
    assert letter_of(row.fields["answer"], choice_texts(row.fields["choices"]), None) == letter


def test_what_cannot_be_scored_is_left_out_or_told() -> None:
    assert asked("e", {"question": "?", **COLOURS, "answer_gt": "pink"}, "1", CLIP, "a") == LeftOut(
        "answer is none of the choices"
    )
    assert asked("e", {"question": "?", **COLOURS, "answer_gt": ""}, "1", CLIP, "a") == LeftOut("no answer published")
    for raw in ({"question": "?", "choices": ["one"], "answer": "one"}, {"question": 3}, [1], None):
        assert isinstance(asked("e", raw, "1", CLIP, "a"), Bad)


def test_tables_of_other_content_are_refused(tmp_path: Path) -> None:
    assert records(text(tmp_path / "a.json", '{"tasks": [1]}')) == [1]
    assert records(text(tmp_path / "b.jsonl", '{"a": 1}\n\n{"a": 2}\n')) == [{"a": 1}, {"a": 2}]
    for name, content, message in (("c.json", "{}", "must hold a list"), ("d.jsonl", "{", "line 1")):
        with pytest.raises(CorpusError, match=message):
            records(text(tmp_path / name, content))


def test_air_benchs_open_questions_have_answers_without_choices(tmp_path: Path) -> None:
    tone(tmp_path / "Chat" / "speech_QA_iemocap" / "x.wav")
    entry = (
        '{"path": "x.wav", "task_name": "speech_QA", "dataset_name": "iemocap", "question": "Why?", "answer_gt": "So."}'
    )
    text(tmp_path / "Chat" / "Chat_meta.json", f"[{entry}]")
    (row,) = AIRBench(tmp_path, part="chat").rows()
    assert isinstance(row, Row)
    assert (row.fields["question"], row.fields["answer"], "choices" in row.fields) == ("Why?", "So.", False)


def test_audio_marathons_folders_without_a_table_are_read(tmp_path: Path) -> None:
    for name in ("HAD/real/r.wav", "HAD/fake/f.wav", "Long/61/70968/61-70968-0000.flac", "Long/61/70968/own.flac"):
        tone(tmp_path / name)
    text(tmp_path / "Long/61/70968/61-70968.trans.txt", "61-70968-0000 HE BEGAN\n")
    text(tmp_path / "Long/61/70968/own.txt", "A TEXT\nOF TWO LINES\n")
    had = {row.id: row.fields["answer"] for row in AudioMarathon(tmp_path, part="had").rows() if isinstance(row, Row)}
    assert had == {"real-r": "real", "fake-f": "fake"}
    rows = [row for row in AudioMarathon(tmp_path / "Long", part="librispeech").rows() if isinstance(row, Row)]
    assert {row.id: row.fields["text"] for row in rows} == {"61-70968-0000": "HE BEGAN", "own": "A TEXT OF TWO LINES"}
    assert {row.fields["speaker"] for row in rows} == {"61"}
