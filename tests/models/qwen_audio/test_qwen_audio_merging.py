"""Token reduction inside Qwen-Audio, against the released FastAdaSP code's block told slowly."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fastadasp import FastAdaSP, MergeMethod, Samp, Schedule, merging
from fastadasp.decoding import generate
from fastadasp.models.base import Generation
from fastadasp.models.qwen_audio.adapter import AudioSpan, QwenAudio
from fastadasp.models.qwen_audio.convert import convert_qwen_audio
from fastadasp.reduction.schedule import Plan
from tests.helpers.qwen_audio_files import write_checkpoint
from tests.helpers.qwen_audio_restated import Reduction, Restatement

LAYERS = 4
SHORT = 64
"""Tokens from which on log-n attention and dynamic NTK act here."""
GREEDY = Generation(max_new_tokens=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("qwen_audio")


@pytest.fixture(scope="module")
def restated(folder: Path) -> Restatement:
    model = write_checkpoint(folder / "original", seq_length=SHORT, layers=LAYERS)
    convert_qwen_audio(folder / "original", folder / "converted")
    return model


@pytest.fixture(scope="module")
def adapter(folder: Path, restated: Restatement) -> QwenAudio:
    adapter = QwenAudio(path=str(folder / "converted"), chat=False)
    adapter.load(device="cpu", dtype="float32", attention="sdpa")
    return adapter


def released_span(adapter: QwenAudio) -> QwenAudio:
    """The same loaded model with the other setting."""
    other = replace(adapter, span=AudioSpan.released)
    other.__dict__.update({name: adapter.__dict__[name] for name in ("processor", "config", "_model")})
    return other


def row(adapter: QwenAudio, *seconds: float) -> dict[str, Tensor]:
    generator = np.random.default_rng(len(seconds))
    clips = [(0.1 * generator.standard_normal(round(16_000 * length))).astype(np.float32) for length in seconds]
    return adapter._processed(adapter._prompt(len(clips), "<|startofanalysis|><|en|>What is said?"), clips)


@pytest.mark.crossed
@pytest.mark.parametrize("span", AudioSpan)
@pytest.mark.parametrize(("schedule", "ratio"), [("once", 0.4), ("constant", 0.15)])
@pytest.mark.parametrize("seconds", [1.5, 3.2, 6.0])
@torch.no_grad()
def test_logits_are_those_of_the_released_block_in_the_old_model(
    adapter: QwenAudio, restated: Restatement, seconds: float, schedule: str, ratio: float, span: AudioSpan
) -> None:
    """6 s are more tokens than either rule's limit, which the reduction moves to and fro across it layer by layer."""
    chosen = adapter if span is AudioSpan.features else released_span(adapter)
    prepared = row(chosen, seconds)
    inputs = chosen.encode([prepared])
    mel, frames = prepared["input_features"][0], int(prepared["feature_attention_mask"].sum())
    audio = chosen.audio_mask(inputs)[0].nonzero().flatten().tolist()
    assert audio == list(range(0 if span is AudioSpan.released else 1, audio[-1] + 1))
    reduction = Reduction(audio[0], audio[-1] + 1, ratio, 1, schedule)
    following = restated.prefill(prepared["input_ids"].tolist(), [(mel, frames)], reduction)[-1]
    method = FastAdaSP(layer_ratio=ratio, layer=1, schedule=Schedule[schedule])
    with merging(chosen.model, method, chosen.audio_mask(inputs)) as trace:
        out = chosen.model.generate(
            **inputs, max_new_tokens=5, do_sample=False, output_logits=True, return_dict_in_generate=True
        )
    for logits, token in zip(out.logits, out.sequences[0, len(prepared["input_ids"]) :].tolist(), strict=True):
        torch.testing.assert_close(logits[0], following, atol=2e-5, rtol=1e-4)
        following = restated.decode(token)
    assert int(trace.audio_tokens[-1, 0]) == reduction.end - reduction.begin


def answers(adapter: QwenAudio, method: MergeMethod, rows: list, generation: Generation = GREEDY) -> list[list[int]]:
    inputs = adapter.encode(rows)
    with merging(adapter.model, method, adapter.audio_mask(inputs)):
        return adapter.generate(inputs, generation)[0].tolist()


@pytest.mark.parametrize("beams", [1, 3])
def test_a_ratio_of_zero_is_the_unpatched_model(adapter: QwenAudio, beams: int) -> None:
    rows = [row(adapter, 1.0), row(adapter, 4.0)]
    generation = replace(GREEDY, num_beams=beams)
    plain = adapter.generate(adapter.encode(rows), generation)[0].tolist()
    for method in (FastAdaSP(), FastAdaSP(ratio=1e-6, layer=0)):
        assert answers(adapter, method, rows, generation) == plain


def engine_answers(adapter: QwenAudio, method: MergeMethod, rows: list, generation: Generation) -> list[list[int]]:
    inputs = adapter.encode(rows)
    limits = {"max_new_tokens": generation.max_new_tokens, "num_beams": generation.num_beams}
    return generate(adapter.model, inputs, method, adapter.audio_mask(inputs), **limits).ids.tolist()


@pytest.mark.crossed
@pytest.mark.parametrize("answer", [answers, engine_answers], ids=["transformers", "static"])
@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("schedule", [Schedule.once, Schedule.constant])
def test_a_row_of_a_batch_gives_what_it_gives_alone(
    adapter: QwenAudio, answer: Callable[..., list[list[int]]], schedule: Schedule, beams: int
) -> None:
    rows = [row(adapter, 1.0), row(adapter, 2.4, 0.5), row(adapter, 5.2)]
    method = FastAdaSP(ratio=0.4, layer=1, schedule=schedule)
    generation = replace(GREEDY, num_beams=beams)
    together = answer(adapter, method, rows, generation)
    assert together == [answer(adapter, method, [alone], generation)[0] for alone in rows]
    assert together != answer(adapter, FastAdaSP(), rows, generation)
    assert together == answers(adapter, method, rows, generation)


@pytest.mark.parametrize("schedule", Schedule)
def test_every_layer_holds_the_tokens_of_the_schedule(adapter: QwenAudio, schedule: Schedule) -> None:
    method = FastAdaSP(layer_ratio=0.2, layer=1, schedule=schedule)
    rows = [row(adapter, 1.0), row(adapter, 3.0)]
    for chosen, extra in ((adapter, 0), (released_span(adapter), 1)):
        inputs = chosen.encode(rows)
        with merging(chosen.model, method, chosen.audio_mask(inputs)) as trace:
            chosen.model.generate(**inputs, max_new_tokens=1)
        for index, tokens in enumerate((25 + extra, 75 + extra)):
            expected = Plan.of(method, LAYERS).audio_tokens(tokens)
            assert trace.audio_tokens[:, index].tolist() == list(expected[1:])
            assert chosen.prompt_tokens(rows[index]) == (tokens, len(rows[index]["input_ids"]) - tokens)


def test_methods_that_listen_to_the_encoder_know_its_tokens(adapter: QwenAudio) -> None:
    inputs = adapter.encode([row(adapter, 3.0)])
    with merging(adapter.model, Samp(ratio=0.5), adapter.audio_mask(inputs)) as trace:
        adapter.model.generate(**inputs, max_new_tokens=1)
    assert trace.audio_tokens[-1].tolist() == [38]
