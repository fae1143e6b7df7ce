"""Whole evaluations of generated tones by the shipped Qwen2-Audio class with random weights."""

import csv
import dataclasses
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import pytest
import torch
from filelock import FileLock

from fastadasp.errors import ConfigError, InputError
from fastadasp.evaluation import module, run
from fastadasp.evaluation.module import EvalModule
from fastadasp.models.qwen2_audio_random import Qwen2AudioRandom
from tests.helpers.stored_runs import lines, metrics

Evaluate = Callable[..., tuple[Path, float]]


def test_a_run_scores_every_example_and_says_what_it_cost(
    evaluate: Evaluate, asr: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, objective = evaluate(*asr)
    found, answers = metrics(folder), lines(folder)
    assert [line["id"] for line in answers] == [f"tone-{number}" for number in range(1, 6)], "in the manifest's order"
    assert objective == found["quality"]["wer"]
    assert found["quality"]["wer"] == pytest.approx(
        jiwer.wer([line["reference"].lower() for line in answers], [line["answer"].lower() for line in answers]),
        abs=0.3,
    )
    assert (found["examples"], found["failed"], found["failures"]) == (5, 0, {})
    # `constant` on 4 layers from layer 1: layers 2 and 3 together miss half of the audio tokens.
    layers = [line["audio_tokens_per_layer"] for line in answers]
    assert all(counts[0] == counts[1] == line["audio_tokens"] for counts, line in zip(layers, answers, strict=True))
    left = sum(counts[2] + counts[3] for counts in layers)
    measured = 1 - left / (2 * sum(line["audio_tokens"] for line in answers))
    asked = {"ratio": 0.5, "layer": 1, "layer_ratio": None, "flops_reduction": None, "tokens_kept": None}
    assert found["reduction"] == {**asked, "measured": pytest.approx(measured)}
    assert measured == pytest.approx(0.5, abs=0.05)
    assert 0 < found["cost"]["kv_bytes_saved"] < found["cost"]["flops_prefill_saved"] < 0.5
    assert found["config"]["merge"]["schedule"] == "constant"
    assert found["provenance"]["libraries"]["torch"] == torch.__version__.split("+")[0]
    cost = json.loads((folder / "cost.json").read_text())
    assert cost["prefill_s"] > 0
    assert cost["batch_size"] == 5 / 3
    with (folder / "csv" / "metrics.csv").open() as file:
        (logged,) = csv.DictReader(file)
    assert float(logged["wer"]) == found["quality"]["wer"]
    assert float(logged["prefill_s"]) == cost["prefill_s"]
    assert "audio tokens removed" in capsys.readouterr().out


def test_a_layer_left_open_is_settled_by_the_models_depth(evaluate: Evaluate, tones: Path) -> None:
    folder, _ = evaluate("task=asr", f"task.manifest={tones}", "merge=affinity_pooling_deep", "merge.ratio=0.5")
    assert metrics(folder)["reduction"]["layer"] == 3
    for line in lines(folder):
        audio = line["audio_tokens"]
        assert line["audio_tokens_per_layer"] == [audio] * 4 + [audio - audio // 2]


def test_flops_to_save_are_met_over_the_whole_run_by_one_ratio(evaluate: Evaluate, asr: tuple[str, ...]) -> None:
    asr = (*(setting for setting in asr if not setting.startswith("merge.ratio")), "merge.flops_reduction=0.05")
    folder, objective = evaluate(*asr)
    found = metrics(folder)
    assert found["cost"]["flops_paper_saved"] == pytest.approx(0.05, abs=0.01)
    assert found["reduction"]["flops_reduction"] == 0.05
    again = [setting for setting in asr if not setting.startswith("merge.flops")]
    by_ratio, same = evaluate(*again, f"merge.ratio={found['reduction']['ratio']!r}")
    keys = ("id", "text", "audio_tokens_per_layer")
    assert [[line[key] for key in keys] for line in lines(by_ratio)] == [
        [line[key] for key in keys] for line in lines(folder)
    ]
    assert same == objective
    with pytest.raises(
        ConfigError, match=r"merge\.flops_reduction=0\.9 is out of reach: constant from layer 1 on of 4"
    ):
        evaluate(*asr[:-1], "merge.flops_reduction=0.9")


def test_a_damaged_budget_is_solved_again(
    evaluate: Evaluate, asr: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    asr = (*(setting for setting in asr if not setting.startswith("merge.ratio")), "merge.flops_reduction=0.05")
    folder, value = evaluate(*asr)
    whole = (folder / "ratio.json").read_text()
    cut, other = '{"flops_reduction": 0.05, "rat', '{"flops_reduction": 0.05, "ratio": "x"}'
    for damaged in ("", cut, "[]", "\0\0", other, "{}"):
        caplog.clear()
        (folder / "ratio.json").write_text(damaged)
        assert evaluate(*asr) == (folder, value), damaged
        assert (folder / "ratio.json").read_text() == whole, damaged
        assert "The ratio is solved again" in caplog.text, damaged


def test_a_number_of_tokens_to_keep_is_that_of_each_prompt(evaluate: Evaluate, asr: tuple[str, ...]) -> None:
    asr = tuple(setting for setting in asr if not setting.startswith("merge.ratio"))
    folder, _ = evaluate(*asr, "merge.schedule=once", "merge.tokens_kept=7")
    for line in lines(folder):
        audio = line["audio_tokens"]
        assert line["audio_tokens_per_layer"] == [audio, audio, *[min(audio, 7)] * 3]


def test_what_a_prompt_cannot_keep_is_told_before_any_answer(
    evaluate: Evaluate, asr: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asr = (*(setting for setting in asr if not setting.startswith("merge.ratio")), "merge=a_tome")
    monkeypatch.setattr(Qwen2AudioRandom, "load", lambda *_, **__: pytest.fail("nothing is to be answered"))
    for kept in (2, 0.2):
        with pytest.raises(ConfigError, match=r"a prompt of this run has \d+ audio and \d+ other tokens: .*0\.5"):
            evaluate(*asr, "merge.schedule=once", f"merge.tokens_kept={kept}")


def test_an_input_method_may_name_any_layer(evaluate: Evaluate, asr: tuple[str, ...]) -> None:
    folder, _ = evaluate(*asr, "merge=stride", "merge.layer=20")
    audio = [line["audio_tokens"] for line in lines(folder)]
    assert metrics(folder)["reduction"]["measured"] == sum(count // 2 for count in audio) / sum(audio)


def test_a_batch_answers_as_each_example_alone(evaluate: Evaluate, asr: tuple[str, ...]) -> None:
    together, alone = (evaluate(*asr, f"hardware.batch_size={size}")[0] for size in (5, 1))
    assert together != alone
    keys = ("id", "text", "audio_tokens_per_layer", "text_tokens", "new_tokens")
    assert [[line[key] for key in keys] for line in lines(together)] == [
        [line[key] for key in keys] for line in lines(alone)
    ]


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


def test_unreadable_audio_counts_as_wrong_and_is_listed(evaluate: Evaluate, asr: tuple[str, ...], tones: Path) -> None:
    (tones.parent / "4.wav").write_bytes(b"this is no audio")
    (tones.parent / "5.wav").write_bytes(b"")
    folder, _ = evaluate(*asr)
    found = metrics(folder)
    assert (found["examples"], found["failed"], set(found["failures"])) == (5, 2, {"tone-4", "tone-5"})
    assert "5.wav: the file is empty" in found["failures"]["tone-5"]
    assert found["quality"]["words"] == 5 * 3, "the failed references stay in the score"
    broken = lines(folder)[3]
    assert (broken["text"], broken["answer"], broken["audio_tokens"]) == ("", "", 0)


def test_audio_that_is_all_unreadable_still_ends_in_a_score(
    evaluate: Evaluate, asr: tuple[str, ...], tones: Path
) -> None:
    for audio in tones.parent.glob("*.wav"):
        audio.write_bytes(b"nothing")
    folder, objective = evaluate(*asr)
    assert objective == 1.0
    assert metrics(folder)["failed"] == 5


def test_where_memory_runs_out_batches_are_halved(
    evaluate: Evaluate, asr: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {line["id"]: line["text"] for line in lines(evaluate(*asr, "hardware.batch_size=1")[0])}
    generate = Qwen2AudioRandom.generate

    def hungry(self: Qwen2AudioRandom, inputs: Any, generation: Any) -> Any:
        if len(inputs["input_ids"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nDetails")
        return generate(self, inputs, generation)

    monkeypatch.setattr(Qwen2AudioRandom, "generate", hungry)
    folder, _ = evaluate(*asr, "hardware.batch_size=5", "generation.engine=transformers")
    assert {line["id"]: line["text"] for line in lines(folder)} == expected
    assert sorted(line["cost"]["batch_size"] for line in lines(folder)) == [1, 2, 2, 2, 2]


def test_a_single_example_that_does_not_fit_stops_the_run(
    evaluate: Evaluate, asr: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 90.00 GiB.\nDetails")

    monkeypatch.setattr(Qwen2AudioRandom, "generate", too_large)
    with pytest.raises(InputError, match=r"out of memory with the single example tone-5: CUDA out of memory\. Tried"):
        evaluate(*asr, "generation.engine=transformers")


def test_a_layer_that_the_model_does_not_have_stops_before_the_weights(
    evaluate: Evaluate, asr: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Qwen2AudioRandom, "load", lambda *_, **__: pytest.fail("the weights were loaded"))
    with pytest.raises(ConfigError, match=r"merge\.layer must lie in \[0, 3\], got 4"):
        evaluate(*asr, "merge.layer=4")


def test_a_trainer_argument_that_does_not_exist_is_named(evaluate: Evaluate, asr: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"hardware\.trainer .*speed"):
        evaluate(*asr, "+hardware.trainer.speed=11")


def test_wandb_gets_the_results_offline_under_the_runs_own_name(
    evaluate: Evaluate, asr: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)
    folder, _ = evaluate(*asr, "task.limit=1", "logger=wandb")
    assert [path.name.rsplit("-", 1)[1] for path in (folder / "wandb").glob("offline-run-*")] == [folder.name]
    shutil.rmtree(folder / "wandb")
    monkeypatch.setenv("WANDB_RUN_ID", "given-by-agent")
    evaluate(*asr, "task.limit=1", "logger=wandb")
    assert list((folder / "wandb").glob("offline-run-*-given-by-agent")), "a sweep agent's name wins"


def test_a_run_that_would_send_results_without_a_key_is_refused_before_anything_is_answered(
    evaluate: Evaluate, asr: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(ConfigError, match=r"there is no key: run `wandb login`, set WANDB_API_KEY"):
        evaluate(*asr, "task.limit=1", "logger=wandb", "logger.wandb.offline=false")
    assert not list(tmp_path.rglob("predictions*.jsonl"))


def test_answers_that_were_cut_off_are_counted_and_warned_of(
    evaluate: Evaluate, asr: tuple[str, ...], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = evaluate(*asr, "generation.max_new_tokens=3")
    assert all(line["truncated"] and line["new_tokens"] == 3 for line in lines(folder))
    assert metrics(folder)["truncated"] == 5
    assert "5 of 5 answers were cut off at generation.max_new_tokens=3" in caplog.text
    generate = module.answer

    def ending(*args: Any) -> Any:
        """Answers that end, one of them with the last token that it may have."""
        answers = generate(*args)
        ids, end = answers.ids.clone(), args[0].model.generation_config.eos_token_id
        ids[:, 1], ids[0, 1], ids[0, 2] = end, 7, end
        return dataclasses.replace(answers, ids=ids)

    monkeypatch.setattr(module, "answer", ending)
    folder, _ = evaluate(*asr, "generation.max_new_tokens=3", "seed=1")
    assert metrics(folder)["truncated"] == 0
    assert {line["new_tokens"] for line in lines(folder)} == {2, 3}


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


def test_a_memory_error_of_the_processor_halves_the_batch_too(
    evaluate: Evaluate, asr: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    generate = Qwen2AudioRandom.generate

    def hungry(self: Qwen2AudioRandom, inputs: Any, generation: Any) -> Any:
        if len(inputs["input_ids"]) > 2:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")
        return generate(self, inputs, generation)

    monkeypatch.setattr(Qwen2AudioRandom, "generate", hungry)
    folder, _ = evaluate(*asr, "hardware.batch_size=5", "generation.engine=transformers")
    assert sorted(line["cost"]["batch_size"] for line in lines(folder)) == [1, 2, 2, 2, 2]
