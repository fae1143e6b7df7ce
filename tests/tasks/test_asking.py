"""Several prompts for each clip, and examples as text before the question."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastadasp.errors import ConfigError
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from fastadasp.tasks.asking import asked
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Example
from fastadasp.tasks.er import ER
from fastadasp.tasks.sqa import SQA
from tests.helpers.miniatures import tone

Evaluate = Callable[..., tuple[Path, float]]


def manifest(folder: Path, name: str, *lines: dict[str, Any]) -> Path:
    written = []
    for number, line in enumerate(lines):
        tone(folder / f"{name}-{number}.wav", 0.4)
        written.append({"id": f"{name}-{number}", "audio": f"{name}-{number}.wav", **line})
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in written))
    return path


def test_each_clip_is_asked_under_each_prompt(tmp_path: Path) -> None:
    task = ER(
        manifest(tmp_path, "e", {"label": "sad"}, {"label": "hap"}),
        prompts=["Emotion? {labels}.", "How does it sound: {labels}?"],
    )
    examples = asked(task)
    assert [example.id for example in examples] == ["e-0@1", "e-0@2", "e-1@1", "e-1@2"]
    assert examples[1].instruction == "How does it sound: happy, sad, angry or neutral?"
    assert [example.meta["clip"] for example in examples] == ["e-0", "e-0", "e-1", "e-1"]
    assert [example.reference for example in examples] == ["sad", "sad", "happy", "happy"]
    assert asked(ER(task.manifest)) == ER(task.manifest).checked_examples(), "without prompts nothing changes"


def test_a_prompt_stands_as_it_is_whatever_the_models_own_wording() -> None:
    model = Qwen2AudioRandom(instructions={"asr": "<|en|> {instruction}"})
    plain = Example("1", (), "Write it down.", "", task="asr")
    assert model.wording(plain) == "<|en|> Write it down."
    assert model.wording(Example("1", (), "Write it down.", "", task="asr", verbatim=True)) == "Write it down."
    shown = Example("1", (), "Write it down.", "", task="asr", context="Speech: a\n")
    assert model.wording(shown) == "Speech: a\n<|en|> Write it down."


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prompts": ["a", "a"]}, r"task\.prompts must be unlike texts, none of them blank"),
        ({"prompts": ["a", " "]}, r"task\.prompts must be unlike texts, none of them blank"),
        ({"shots": -1}, r"task\.shots must be 0 or a number of examples"),
        ({"shots": 1}, r"task\.shots=1 needs task\.shots_manifest"),
        ({"shots": 3, "shots_manifest": "shown"}, r"task\.shots=3, but .*shown\.jsonl holds 2 examples"),
        ({"shots": 1, "shots_manifest": "e"}, r"shows the recording of example 'e-0' together with its answer"),
        ({"shots": 1, "shots_manifest": "shown", "shots_form": "{words}"}, r"cannot be filled \('words'\).*\{text\}"),
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    files = {name: manifest(tmp_path, name, *[{"text": "it rains"}] * 2) for name in ("e", "shown")}
    if "shots_manifest" in settings:
        settings["shots_manifest"] = files[settings["shots_manifest"]]
    with pytest.raises(ConfigError, match=message):
        asked(ASR(files["e"], **settings))


def test_examples_are_shown_as_text_and_leave_the_question_alone(tmp_path: Path) -> None:
    line = {"question": "Which colour?", "choices": ["red", "blue"]}
    shown = manifest(
        tmp_path, "shown", {**line, "answer": "A", "text": "a red car"}, {**line, "answer": "B", "text": "sky"}
    )
    task = SQA(manifest(tmp_path, "q", {**line, "answer": "B", "text": "secret"}), shots=2, shots_manifest=shown)
    (example,) = asked(task)
    question = "Which colour? A. red; B. blue."
    assert example.context == (
        f"Speech: a red car\nQuestion: {question}\nAnswer: A\n\nSpeech: sky\nQuestion: {question}\nAnswer: B\n\n"
    )
    assert example.instruction == question
    assert task.parse("B", example) == "B"


def test_a_run_reports_the_spread_over_prompts_and_goes_on_where_it_stopped(
    evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = manifest(tmp_path, "e", *[{"label": label} for label in ("sad", "hap", "ang")])
    settings = ("task=er", f"task.manifest={file}", "task.prompts=[Emotion?,How does it sound?,Which mood?]")
    folder, value = evaluate(*settings, "hardware.batch_size=2")
    found = json.loads((folder / "metrics.json").read_text())
    lines = (folder / "predictions.jsonl").read_text().splitlines(keepends=True)
    assert (len(lines), found["examples"]) == (9, 9)
    prompts = found["prompts"]
    right = dict.fromkeys((1, 2, 3), 0)
    for line in map(json.loads, lines):
        right[line["meta"]["prompt"]] += line["answer"] == line["reference"]
    assert [one["score"] for one in prompts["scores"]] == pytest.approx([count / 3 for count in right.values()])
    assert [one["prompt"] for one in prompts["scores"]] == ["Emotion?", "How does it sound?", "Which mood?"]
    assert prompts["mean"] == pytest.approx(value)
    interval = found["intervals"]["accuracy"]
    assert (interval["clips"], interval["clusters"], interval["cluster"]) == (9, 3, "clip"), "one clip is one draw"
    (folder / "metrics.json").unlink()
    (folder / "predictions.jsonl").write_text("".join(lines[:4]))
    read = []
    prepare = Qwen2AudioRandom.prepare
    monkeypatch.setattr(Qwen2AudioRandom, "prepare", lambda self, one: (read.append(one.id), prepare(self, one))[1])
    assert evaluate(*settings, "hardware.batch_size=2") == (folder, value)
    assert len(read) == 5
    assert json.loads((folder / "metrics.json").read_text()) == found


def test_a_run_with_examples_in_its_prompts_reads_longer_prompts(evaluate: Evaluate, tmp_path: Path) -> None:
    file, shown = (manifest(tmp_path, name, *[{"text": "it rains"}] * 2) for name in ("e", "shown"))
    folders = [
        evaluate("task=asr", f"task.manifest={file}", f"task.shots={shots}", f"task.shots_manifest={shown}")[0]
        for shots in (0, 2)
    ]
    text = [json.loads((folder / "predictions.jsonl").read_text().splitlines()[0])["text_tokens"] for folder in folders]
    assert text[1] > text[0] + 10
