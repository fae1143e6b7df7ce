"""Whole evaluations of generated tones by the shipped Qwen2-Audio class with random weights."""

import csv
import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import pytest
import torch

from fastadasp.errors import ConfigError, InputError
from fastadasp.evaluation import module
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
