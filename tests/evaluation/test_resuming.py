"""The folder of a run: what a resumed, a finished and another run find there."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from fastadasp.errors import InputError
from fastadasp.evaluation import run
from fastadasp.evaluation.module import EvalModule
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from tests.helpers.stored_runs import lines, metrics

Evaluate = Callable[..., tuple[Path, float]]


@pytest.mark.parametrize(
    ("generation", "done"),
    [
        ("greedy", ["tone-5", "tone-4", "tone-3"]),  # killed within the second batch
        ("sample", ["tone-5", "tone-4"]),
    ],
)
def test_a_resumed_run_is_an_unbroken_one(
    evaluate: Evaluate, asr: tuple[str, ...], generation: str, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, objective = evaluate(*asr, f"generation={generation}")
    whole, answers = (folder / "metrics.json").read_bytes(), {line["id"]: line for line in lines(folder)}
    for name in ("metrics.json", "cost.json"):
        (folder / name).unlink()
    left = "".join(json.dumps(answers[id]) + "\n" for id in done) + '{"id": "tone-1", "te'
    (folder / "predictions.jsonl").write_text(left)
    read = []
    prepare = Qwen2AudioRandom.prepare
    monkeypatch.setattr(
        Qwen2AudioRandom, "prepare", lambda self, example: (read.append(example.id), prepare(self, example))[1]
    )
    assert evaluate(*asr, f"generation={generation}") == (folder, objective)
    assert (folder / "metrics.json").read_bytes() == whole
    assert sorted(read + done) == sorted(answers), "no clip runs twice"
    assert all(line == answers[line["id"]] for line in lines(folder) if line["id"] in done)


def test_a_run_told_to_end_during_its_last_batch_does_not_go_on_to_the_next(
    evaluate: Evaluate, asr: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = EvalModule.test_step

    def told(self: EvalModule, *args: Any) -> None:
        step(self, *args)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(EvalModule, "test_step", told)
        evaluate(*asr, "hardware.batch_size=64")
    assert signal.getsignal(signal.SIGTERM) == before
    monkeypatch.setattr(Qwen2AudioRandom, "load", lambda *_, **__: pytest.fail("every clip was answered"))
    folder, _ = evaluate(*asr, "hardware.batch_size=64")
    assert len(lines(folder)) == 5


def test_a_finished_run_is_read_again_without_the_model(
    evaluate: Evaluate, asr: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = evaluate(*asr)
    whole = (first[0] / "metrics.json").read_bytes()
    monkeypatch.setattr(Qwen2AudioRandom, "load", lambda *_, **__: pytest.fail("nothing is left to run"))
    assert evaluate(*asr) == first
    assert (first[0] / "metrics.json").read_bytes() == whole


def test_what_answers_come_from_stays_with_them(
    evaluate: Evaluate, asr: tuple[str, ...], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = evaluate(*asr)
    whole, known = (folder / "metrics.json").read_bytes(), metrics(folder)["provenance"]
    assert metrics(folder)["origins"] == [{**known, "examples": 5}]
    here = run.provenance
    monkeypatch.setattr(run, "provenance", lambda place: {**here(place), "commit": "f" * 40, "device": "another"})
    evaluate(*asr)
    assert (folder / "metrics.json").read_bytes() == whole, "a finished run keeps what computed it"
    file = folder / "predictions.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:3]))
    evaluate(*asr)
    found = metrics(folder)
    assert found["provenance"] == known and [origin["examples"] for origin in found["origins"]] == [3, 2]
    assert found["origins"][1]["commit"] == "f" * 40
    assert "2 states of code or machine, which differ in commit, device (3, 2 examples)" in caplog.text


def test_two_unlike_runs_do_not_share_a_folder(evaluate: Evaluate, asr: tuple[str, ...], tmp_path: Path) -> None:
    place = f"hydra.run.dir={tmp_path}/same"
    folder, _ = evaluate(*asr, place)
    stored = (folder / "predictions.jsonl").read_bytes(), (folder / "metrics.json").read_bytes()
    settings = (folder / ".hydra" / "overrides.yaml").read_text()
    with pytest.raises(InputError, match=r"same holds another run: its fingerprint is \w{12}, that of these settings"):
        evaluate(*asr, place, "merge=none", "merge.ratio=0")
    assert ((folder / "predictions.jsonl").read_bytes(), (folder / "metrics.json").read_bytes()) == stored
    assert (folder / ".hydra" / "overrides.yaml").read_text() == settings
    evaluate(*asr, place)


def test_a_finished_run_in_a_folder_that_can_only_be_read_is_read(
    evaluate: Evaluate, asr: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = evaluate(*asr)
    before = {file: file.stat().st_mtime_ns for file in first[0].rglob("*")}
    capsys.readouterr()

    def read_only(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(FileLock, "acquire", read_only)
    monkeypatch.setattr(Path, "replace", read_only)
    assert evaluate(*asr) == first
    assert "audio tokens removed" in capsys.readouterr().out
    assert {file: file.stat().st_mtime_ns for file in first[0].rglob("*")} == before
    (first[0] / "predictions.jsonl").write_text("")
    with pytest.raises(InputError, match="can only be read, and not all of its examples have an answer yet"):
        evaluate(*asr)
