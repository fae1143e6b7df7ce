"""Whole runs against a server: the scores, what happens to failures, and resuming."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from fastadasp.config.compose import compose
from fastadasp.config.fingerprint import fingerprint
from fastadasp.config.paths import REPOSITORY
from fastadasp.errors import ConfigError
from fastadasp.evaluation.store import StoreError
from fastadasp.models.served import client as client_module
from fastadasp.models.served.troubles import ASKS_AGAIN, ServerError
from fastadasp.report.runs import Run
from fastadasp.report.tabulate import facts
from tests.helpers.chat_server import KEY, MODEL, ChatServer, ask, repeated, serving, settings
from tests.helpers.configs import composed, with_value

BENCHMARK = REPOSITORY / "fastadasp" / "assets" / "benchmark"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def server(tones: Path) -> Iterator[ChatServer]:
    with serving(ChatServer.of(tones)) as state:
        yield state


@pytest.fixture
def asr(tones: Path) -> tuple[str, ...]:
    return ("task=asr", f"task.manifest={tones}")


def lines(task: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (BENCHMARK / task / "manifest.jsonl").read_text().splitlines()]


def read(folder: Path, name: str = "metrics.json") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / name).read_text())
    return content


def stored(folder: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for file in folder.glob("predictions*.jsonl") for line in file.read_text().splitlines()]
    return {one["id"]: one for one in found}


def test_recognition_scores_as_jiwer_does_with_failures_as_empty_answers(tmp_path: Path) -> None:
    clips = lines("asr")[:24]
    said = {clip["id"]: clip["text"] for clip in clips}
    for number, id in enumerate(said):
        words = said[id].split()
        said[id] = " ".join(words[1:] if number % 3 == 0 else [*words, "indeed"] if number % 3 == 1 else words)
    faults = {
        **{"asr-001": ["429", "cut", "no JSON"], "asr-002": ["reset"], "asr-007": ["abort"], "asr-020": ["503"]},
        **{"asr-005": ["400"], "asr-009": ["filter"], "asr-011": ["500"] * 6},  # for good
    }
    state = ChatServer.of(BENCHMARK / "asr" / "manifest.jsonl", said, faults=faults)
    with serving(state):
        folder = ask(tmp_path, state.url, "task=asr", "task.limit=24", "model.stream=true")
    heard = said | dict.fromkeys(("asr-005", "asr-009", "asr-011"), "")
    normalize = EnglishTextNormalizer()
    expected = jiwer.wer([normalize(clip["text"]) for clip in clips], [normalize(heard[clip["id"]]) for clip in clips])
    metrics, cost, answers = read(folder), read(folder, "cost.json"), stored(folder)
    assert metrics["quality"]["wer"] == pytest.approx(expected)
    assert (metrics["examples"], metrics["failed"]) == (24, 3)
    assert sorted(metrics["failures"]) == ["asr-005", "asr-009", "asr-011"]
    assert {id: answers[id]["text"] for id in answers} == heard
    assert cost["attempts"] == 21 + 3 + 1 + 1 + 1
    assert cost["requests"] == 21
    prompts = [10 + round(answers[clip["id"]]["seconds"] * 25) for clip in clips if heard[clip["id"]]]
    assert metrics["cost"]["prompt_tokens"] == pytest.approx(np.mean(prompts))
    assert metrics["cost"]["new_tokens"] == pytest.approx(
        np.mean([len(heard[clip["id"]].split()) + 1 for clip in clips if heard[clip["id"]]])
    )
    costs = [one["cost"] for one in answers.values() if one["cost"]]
    assert cost["latency_s"] == pytest.approx(np.median([one["latency_s"] for one in costs]))
    assert cost["ttft_p95_s"] == pytest.approx(np.percentile([one["ttft_s"] for one in costs], 95))
    assert cost["examples_per_s"] == pytest.approx(21 / sum(one["wall_s"] for one in costs))
    assert all(0 < one["ttft_s"] <= one["latency_s"] for one in costs)
    assert metrics["reduction"]["measured"] is None
    assert metrics["provenance"]["server"]["name"] == MODEL


@pytest.mark.parametrize("task", ["sqa", "er"])
def test_choices_score_as_a_loop_counts_them(task: str, tmp_path: Path) -> None:
    clips = lines(task)[:8]
    field = "answer" if task == "sqa" else "label"
    given = {clip["id"]: clip[field] if number % 3 else clips[0][field] for number, clip in enumerate(clips)}
    right = sum(given[clip["id"]] == clip[field] for clip in clips)
    assert 4 < right < 8
    state = ChatServer.of(BENCHMARK / task / "manifest.jsonl", given)
    with serving(state):
        folder = ask(tmp_path, state.url, f"task={task}", "task.limit=8")
    assert read(folder)["quality"]["accuracy"] == pytest.approx(right / 8)
    texts = {body["messages"][0]["content"][1]["text"] for body in state.bodies}
    assert all(any(str(clip.get("question", "")) in text for text in texts) for clip in clips)


def test_a_long_recording_is_asked_window_by_window_and_scored_as_a_whole(tmp_path: Path, tones: Path) -> None:
    state = ChatServer.of(tones)
    with serving(state):
        folder = ask(tmp_path, state.url, "task=asr_long", f"task.manifest={tones}")
    assert read(folder)["quality"]["wer"] == 0
    assert sorted(state.asked) == [f"tone-{number}" for number in range(1, 6)]


def test_a_finished_run_is_read_without_a_server(
    server: ChatServer, asr: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ask(tmp_path, server.url, *asr)
    before = {name: (folder / name).read_bytes() for name in ("predictions.jsonl", "server.json")}
    scored = read(folder)
    assert len(server.asked) == 5
    again = ask(tmp_path, server.url, *asr, "model.concurrency=2", "model.attempts=1", "hardware.batch_size=3")
    assert (again, len(server.asked)) == (folder, 5)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert read(folder) | {"config": None} == scored | {"config": None}  # which holds how the server is asked
    assert "not known: the server's matter" in capsys.readouterr().out


def test_what_the_server_was_in_trouble_for_is_asked_again_by_the_next_run(
    server: ChatServer, asr: tuple[str, ...], tmp_path: Path
) -> None:
    server.faults = {"tone-4": ["500"] * 2, "tone-2": ["filter"]}
    folder = ask(tmp_path, server.url, *asr, "model.attempts=2")
    first = read(folder)
    assert ASKS_AGAIN in first["failures"]["tone-4"]
    assert (first["failed"], first["quality"]["wer"]) == (2, pytest.approx(2 / 5))
    server.asked.clear()
    ask(tmp_path, server.url, *asr, "model.attempts=2")
    second = read(folder)
    assert server.asked[-1] == "tone-4"
    assert [body["max_tokens"] for body in server.bodies[-2:]] == [1, 128]  # the first asks how tokens are counted
    assert len(server.asked) == 2
    assert (list(second["failures"]), second["quality"]["wer"]) == (["tone-2"], pytest.approx(1 / 5))


def test_a_server_that_refuses_everything_ends_the_run_and_no_clip_counts_as_failed(
    server: ChatServer, asr: tuple[str, ...], tmp_path: Path
) -> None:
    server.faults = {"*": ["400"] * 9}
    with pytest.raises(ServerError, match=r"last 3 clips all failed \(model.stop_after\).*Unknown field: ratoi"):
        ask(tmp_path, server.url, *asr, "model.stop_after=3", "model.concurrency=1")
    server.faults = {"*": ["400"] * 5}
    with pytest.raises(ServerError, match="None of the 5 clips was answered"):
        ask(tmp_path, server.url, *asr)
    assert not list(tmp_path.rglob("predictions.jsonl"))
    folder = ask(tmp_path, server.url, *asr)
    assert (read(folder)["failed"], len(stored(folder))) == (0, 5)


def test_clips_that_are_too_long_fail_one_by_one_however_many(
    server: ChatServer, asr: tuple[str, ...], tmp_path: Path
) -> None:
    server.most = 16
    folder = ask(tmp_path, server.url, *asr, "model.stop_after=1", "model.concurrency=1")
    assert sorted(read(folder)["failures"]) == ["tone-2", "tone-3", "tone-4", "tone-5"]
    assert repeated(server) == {}


def test_a_key_that_is_refused_in_the_middle_ends_the_run_and_the_same_command_goes_on(
    server: ChatServer, asr: tuple[str, ...], tmp_path: Path
) -> None:
    server.faults = {"tone-3": ["401"]}  # the longest clip comes first
    with pytest.raises(ServerError, match=r"401.*OPENAI_API_KEY is not set"):
        ask(tmp_path, server.url, *asr, "model.concurrency=1")
    (folder,) = (file.parent for file in tmp_path.rglob("predictions.jsonl"))
    assert set(stored(folder)) == {"tone-5", "tone-4"}
    ask(tmp_path, server.url, *asr)
    assert read(folder)["failed"] == 0


def test_answers_of_two_servers_are_not_mixed(server: ChatServer, asr: tuple[str, ...], tmp_path: Path) -> None:
    server.faults = {"tone-3": ["401"]}
    with pytest.raises(ServerError):
        ask(tmp_path, server.url, *asr, "model.concurrency=1")
    server.kept = 0.5
    with pytest.raises(StoreError, match=r"counts \d+ prompt tokens of tone-5, and counted 35 .*model\.note="):
        ask(tmp_path, server.url, *asr)
    server.kept, server.models = 1.0, ("another",)
    with pytest.raises(StoreError, match=rf"name: {MODEL} before, now another.*model\.note="):
        ask(tmp_path, server.url, *asr)
    folder = ask(tmp_path, server.url, *asr, "model.note=another")
    assert read(folder)["failed"] == 0


def test_unreadable_audio_fails_without_a_request(server: ChatServer, asr: tuple[str, ...], tmp_path: Path) -> None:
    server.clips["tone-2"].write_bytes(b"no sound")
    folder = ask(tmp_path, server.url, *asr)
    assert list(read(folder)["failures"]) == ["tone-2"]
    assert "tone-2" not in server.asked


def test_so_many_requests_are_under_way_as_asked_for(server: ChatServer, asr: tuple[str, ...], tmp_path: Path) -> None:
    meeting, came, under_way, most = threading.Barrier(3), 0, 0, 0
    original = server.heard

    def heard(messages: Sequence[Any]) -> tuple[str, float]:
        nonlocal came, under_way, most
        with server.lock:
            came, under_way = came + 1, under_way + 1
            most = max(most, under_way)
            first = came <= 3
        if first:
            meeting.wait(30)  # fails where fewer than three come together
        with server.lock:
            under_way -= 1
        return original(messages)

    server.heard = heard  # type: ignore[method-assign]
    folder = ask(tmp_path, server.url, *asr, "model.concurrency=3")
    assert (most, came, read(folder)["failed"]) == (3, 5, 0)


def test_a_ratio_of_the_server_is_swept_by_the_requests_field(
    server: ChatServer, asr: tuple[str, ...], tmp_path: Path
) -> None:
    key = "model.extra_body.mm_processor_kwargs.ratio"
    folders = [ask(tmp_path, server.url, *asr, f"{key}={ratio}") for ratio in (0, 0.4)]
    assert folders[0] != folders[1]
    assert [body["mm_processor_kwargs"] for body in server.bodies] == [{"ratio": 0}] * 5 + [{"ratio": 0.4}] * 5
    full, reduced = (read(folder)["cost"]["prompt_tokens"] for folder in folders)
    seconds = 0.2 * np.arange(1, 6)
    assert full == pytest.approx(10 + np.mean([round(one * 25) for one in seconds]))
    assert reduced == pytest.approx(10 + np.mean([round(one * 25 * 0.6) for one in seconds]))
    run = Run.read(folders[1])
    assert (facts(run)["audio_tokens_removed"], facts(run)["failed"]) == (None, 0)


def test_no_key_is_left_anywhere(
    server: ChatServer, asr: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = KEY
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.faults = {"tone-2": ["429", "401"]}
    with pytest.raises(ServerError) as caught:
        ask(tmp_path, server.url, *asr, "model.concurrency=1")
    ask(tmp_path, server.url, *asr)
    assert KEY not in str(caught.value)
    written = [file for file in tmp_path.rglob("*") if file.is_file() and "tones" not in file.parts]
    assert len(written) > 5
    assert not [file for file in written if KEY.encode() in file.read_bytes()]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["merge=blend", "merge.ratio=0.3"], "merge: Blend reduces tokens inside a model of this process"),
        (["generation=beam"], r"generation.num_beams=4: .* has no beam search"),
        (["generation.engine=static"], "the server decodes by its own engine"),
        (["task=sqa", "task.scoring=likelihood"], "the likelihood of given options is not known"),
        (["task=er", "task.scoring=both"], "the likelihood of given options is not known"),
        (["hardware.trainer.devices=2"], r"asked by one process, and this run has 2 .*model\.concurrency"),
    ],
)
def test_what_needs_the_inside_of_the_model_is_refused(overrides: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        ask(tmp_path, "http://127.0.0.1:1/v1", *overrides)
    assert not list(tmp_path.iterdir())


def test_commands_that_look_inside_a_model_say_that_a_server_shows_none(tones: Path) -> None:
    from fastadasp.evaluation.setup import validate

    setup = validate(compose("model=openai", "task=asr", f"task.manifest={tones}"))
    with pytest.raises(ConfigError, match="needs the inside of a model, which model=openai does not show"):
        _ = setup.local


def test_the_name_of_a_run_depends_on_the_server_and_not_on_how_it_is_asked(tones: Path) -> None:
    cfg = composed("model=openai", "task=asr", f"task.manifest={tones}")
    same = {
        **{"model.concurrency": 3, "model.attempts": 2, "model.timeout_s": 9.0, "model.stream": True},
        **{"model.requests_per_minute": 5.0, "model.tokens_per_minute": 5.0, "model.longest_wait_s": 2.0},
        **{"model.stop_after": 2, "model.api_key_env": "OTHER", "hardware.batch_size": 2, "hardware.dtype": "bfloat16"},
    }
    other = {
        **{"model.base_url": "http://other:8000/v1", "model.name": "other", "model.note": "other", "seed": 1},
        **{"model.samples": "float32", "model.audio_part": "audio_url", "model.system": "other"},
    }
    own = fingerprint(cfg)
    assert {fingerprint(with_value(cfg, key, value)) for key, value in same.items()} == {own}
    more = composed("model=openai", "task=asr", f"task.manifest={tones}", "model.extra_body.ratio=0.5")
    others = [more, *(with_value(cfg, key, value) for key, value in other.items())]
    assert len({own, *map(fingerprint, others)}) == 2 + len(other)


def test_a_killed_run_asks_only_for_what_is_missing(server: ChatServer, asr: tuple[str, ...], tmp_path: Path) -> None:
    server.hold_after = 2
    command = [sys.executable, REPOSITORY / "run.py", *settings(tmp_path, server.url), *asr, "model.concurrency=2"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 400
        while len(server.asked) < 4 and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        (folder,) = (file.parent for file in tmp_path.rglob("predictions.jsonl"))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert set(stored(folder)) == {"tone-5", "tone-4"}  # the longest come first; two more were under way
    server.go.set()
    server.asked.clear()
    assert ask(tmp_path, server.url, *asr) == folder
    assert server.asked[0] in ("tone-5", "tone-4")  # how tokens are counted
    assert sorted(server.asked[1:]) == ["tone-1", "tone-2", "tone-3"]
    assert read(folder)["quality"]["wer"] == 0


def test_sigterm_ends_a_run_at_once_and_keeps_its_answers(
    server: ChatServer, asr: tuple[str, ...], tmp_path: Path
) -> None:
    server.hold_after = 1
    command = [sys.executable, REPOSITORY / "run.py", *settings(tmp_path, server.url), *asr, "model.concurrency=2"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 400
    while len(server.asked) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.terminate()
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 143
    assert "Stopped by SIGTERM. What was answered is kept" in errors
    assert "Traceback" not in errors
    (folder,) = (file.parent for file in tmp_path.rglob("predictions.jsonl"))
    assert len(stored(folder)) == 1
