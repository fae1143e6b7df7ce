"""Training under merging: the example learns, goes on where it stopped, and writes a checkpoint that answers alike."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
import torch

import fastadasp
from experiments.training.under_merging.adapt import Recipe, Training, solved_method
from experiments.training.under_merging.lessons import IGNORED, Lesson, encode, loss
from fastadasp import FastAdaSP, SpeechModel, merging
from fastadasp.config.paths import PACKAGE

CLIPS = PACKAGE / "assets" / "benchmark" / "asr"
HALF = FastAdaSP(ratio=0.5, layer=1)
RECIPE = Recipe(steps=3, batch=2, rank=2, learning_rate=5e-3, warm_steps=1)


def model() -> SpeechModel:
    return fastadasp.load("tiny", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def lessons() -> list[Lesson]:
    lines = sorted(
        map(json.loads, (CLIPS / "manifest.jsonl").read_text().splitlines()), key=lambda line: line["seconds"]
    )
    return [Lesson(soundfile.read(CLIPS / line["audio"], dtype="float32")[0], line["text"]) for line in lines[:2]]


def forever(lessons: list[Lesson]) -> Iterator[list[Lesson]]:
    while True:
        yield lessons


def test_a_few_steps_lower_the_loss_under_the_method_and_can_be_broken_off(
    lessons: list[Lesson], tmp_path: Path
) -> None:
    whole = Training(model(), HALF, RECIPE, tmp_path / "whole")
    whole.run(forever(lessons), every=2)
    assert whole.losses[-1] < whole.losses[0]
    again = Training(model(), HALF, RECIPE, tmp_path / "whole")  # after step 2, the last that was kept
    assert again.losses == whole.losses[:2]
    again.run(forever(lessons), every=2)
    assert again.losses == pytest.approx(whole.losses, rel=1e-4)
    with torch.no_grad():
        expected = float(loss(again.network, HALF, encode(again.model, lessons)))
    again.export({"method": "fastadasp"})
    told = json.loads((tmp_path / "whole" / "training.json").read_text())
    assert len(told["losses"]) == RECIPE.steps
    exported = fastadasp.load(tmp_path / "whole" / "model", device="cpu", dtype="float32")
    with torch.no_grad():
        found = float(loss(exported.transformers_model, HALF, encode(exported, lessons)))
    assert found == pytest.approx(expected, rel=0.02), "the weights are rounded to bfloat16"


def test_the_loss_is_that_of_the_answer_written_token_by_token(lessons: list[Lesson]) -> None:
    """For each row alone, from transformers' generate() with the answer forced."""
    speech = model()
    network = speech.transformers_model
    with torch.no_grad():
        together = float(loss(network, HALF, encode(speech, lessons)))
    scores, tokens = 0.0, 0
    for lesson in lessons:
        batch = encode(speech, [lesson])
        answer = [int(one) for one in batch.labels_BN[0] if one != IGNORED]
        forced = iter(answer)
        with merging(network, HALF, batch.audio_BT):
            said = network.generate(
                **batch.inputs,
                max_new_tokens=len(answer),
                prefix_allowed_tokens_fn=lambda *_, forced=forced: [next(forced)],
                output_logits=True,
                return_dict_in_generate=True,
                do_sample=False,
            )
        for logits, token in zip(said.logits, answer, strict=True):
            scores -= float(logits[0].float().log_softmax(-1)[token])
        tokens += len(answer)
    assert together == pytest.approx(scores / tokens, rel=1e-4)


def test_the_ratio_is_solved_for_the_share_of_flops(lessons: list[Lesson]) -> None:
    speech = model()
    method = solved_method(speech, lessons, "fastadasp", 0.3)
    assert 0.3 < method.ratio < 0.6
    assert solved_method(speech, lessons, "fastadasp", 0.0).ratio == 0.0
