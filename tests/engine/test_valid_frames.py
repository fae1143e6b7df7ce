"""An encoder that reads valid frames only: against the unpatched class, and encoders that must be left alone."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    AudioFlamingo3Config,
    AudioFlamingo3EncoderConfig,
    AudioFlamingo3ForConditionalGeneration,
    GlmAsrConfig,
    GlmAsrForConditionalGeneration,
    PreTrainedModel,
)
from transformers.models.qwen2_audio.modeling_qwen2_audio import Qwen2AudioEncoder

from fastadasp import merging, valid_frames
from fastadasp.merge.fastadasp import FastAdaSP
from fastadasp.merge.samp import Samp
from fastadasp.reduction.method import MergeMethod
from tests.helpers.tiny_speech import AUDIO_TOKEN, FRAMES, MELS, speech_batch, speech_prompt, tiny_speech_model

DECODER: dict[str, Any] = {
    "model_type": "qwen2",
    "vocab_size": AUDIO_TOKEN + 1,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
ROWS = [(4, 10, 6), (3, 50, 2), (5, 12, 3), (2, 7, 2, 30, 4)]
"""Clips of 10, 50, 12, 7 and 30 audio tokens, of 60 that fit: three groups of like lengths."""


def _batch() -> dict[str, Tensor]:
    return speech_batch([speech_prompt(row, seed) for seed, row in enumerate(ROWS)])


def _frames_computed(model: PreTrainedModel, encoder: Any, inputs: dict[str, Tensor]) -> tuple[Tensor, list[int]]:
    """Logits, and clips times frames of each run of the encoder's first layer."""
    runs: list[int] = []
    hook = encoder.layers[0].register_forward_hook(
        lambda _, args, output: runs.append((output[0] if isinstance(output, tuple) else output).shape[:2].numel())
    )
    logits = model(**inputs).logits
    hook.remove()
    return logits, runs


@pytest.mark.parametrize(("attention", "dtype"), [("sdpa", torch.float64), ("eager", torch.float32)])
@torch.no_grad()
def test_valid_frames_give_what_the_unpatched_class_gives(attention: str, dtype: torch.dtype) -> None:
    """To rounding; each group of clips is read at its own length, and afterwards the class is as before."""
    model, inputs = tiny_speech_model(attention).to(dtype), _batch()
    encoder, real = model.model.audio_tower, inputs["attention_mask"].bool()
    expected, whole = _frames_computed(model, encoder, inputs)
    with valid_frames(model):
        model(**inputs)  # the first call also proves that the class masks its padding
        got, runs = _frames_computed(model, encoder, inputs)
    bound = 1e-10 if dtype == torch.float64 else 1e-4
    torch.testing.assert_close(got[real], expected[real], rtol=bound, atol=bound)
    assert whole == [5 * FRAMES // 2]
    assert runs == [104, 64, 2 * 32, 16]  # 100, 60, 24 and 20, 14 frames, and the margin
    assert _frames_computed(model, encoder, inputs)[1] == whole
    assert "forward" not in vars(encoder)


@torch.no_grad()
def test_a_single_clip_reads_as_in_a_batch() -> None:
    model = tiny_speech_model().double()
    rows = [speech_prompt(row, seed) for seed, row in enumerate(ROWS)]
    with valid_frames(model):
        together = model(**speech_batch(rows)).logits
        for row, logits in zip(rows, together, strict=True):
            alone = model(**speech_batch([row])).logits[0]
            torch.testing.assert_close(logits[-len(alone) :], alone, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_method_that_asks_the_encoder_works_inside_an_open_block() -> None:
    """It hears all clips in one call, also where `valid_frames` was opened before."""
    model, inputs = tiny_speech_model().double(), _batch()
    audio = inputs["input_ids"] == AUDIO_TOKEN
    with merging(model, Samp(ratio=0.5), audio):
        expected = model(**inputs).logits
    with valid_frames(model), merging(model, Samp(ratio=0.5), audio):
        torch.testing.assert_close(model(**inputs).logits, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", [FastAdaSP(ratio=0.5, layer=1, schedule="once"), Samp(ratio=0.5)])
@torch.no_grad()
def test_merging_reads_valid_frames_and_decides_as_before(method: MergeMethod, monkeypatch: pytest.MonkeyPatch) -> None:
    """A method inside the decoder and one that listens to the encoder, against blocks that leave the encoder whole."""
    model, inputs = tiny_speech_model().double(), _batch()
    encoder, audio = model.model.audio_tower, inputs["input_ids"] == AUDIO_TOKEN
    with merging(model, method, audio) as trace:
        model(**inputs)
        got, runs = _frames_computed(model, encoder, inputs)
    monkeypatch.setattr("fastadasp.engine.merging.valid_frames", lambda *_, **__: nullcontext())
    with merging(model, method, audio) as expected_trace:
        expected, whole = _frames_computed(model, encoder, inputs)
    assert sum(runs) < sum(whole) == 5 * FRAMES // 2
    assert torch.equal(trace.tokens, expected_trace.tokens)
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


class Unmasked(Qwen2AudioEncoder):
    """A class that only derives from one that masks its padding."""

    def forward(self, input_features: Tensor, attention_mask: Tensor | None = None, **kwargs: Any) -> Any:
        return super().forward(input_features, None, **kwargs)


@pytest.mark.parametrize("first", [None, (2, 58, 2), (2, 50, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_an_encoder_that_ignores_its_mask_is_left_whole(first: tuple[int, ...] | None, dtype: torch.dtype) -> None:
    """Found by numbers; a first batch with little or no padding to leave out proves nothing for the next one."""
    model, inputs = tiny_speech_model().to(dtype), _batch()
    model.model.audio_tower.__class__ = Unmasked
    if first is not None:
        with valid_frames(model):
            model(**speech_batch([speech_prompt(first, 7)]))
    expected, whole = _frames_computed(model, model.model.audio_tower, inputs)
    with valid_frames(model):
        model(**inputs)
        got, runs = _frames_computed(model, model.model.audio_tower, inputs)
    assert runs == whole
    assert torch.equal(got, expected)


@torch.no_grad()
def test_audio_flamingo_reads_valid_frames() -> None:
    """Another class, which is given its mask frame by frame."""
    torch.manual_seed(0)
    audio = {"num_mel_bins": MELS, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    encoder = AudioFlamingo3EncoderConfig(**audio, intermediate_size=32, max_source_positions=FRAMES // 2)
    config = AudioFlamingo3Config(audio_config=encoder, text_config=DECODER, audio_token_id=AUDIO_TOKEN)
    model = AudioFlamingo3ForConditionalGeneration(config).eval().double()
    inputs = _batch()
    inputs |= {
        "input_features": inputs["input_features"].double(),
        "input_features_mask": inputs.pop("feature_attention_mask"),
    }
    expected, whole = _frames_computed(model, model.model.audio_tower, inputs)
    with valid_frames(model):
        model(**inputs)
        got, runs = _frames_computed(model, model.model.audio_tower, inputs)
    assert sum(runs) < sum(whole)
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_encoders_without_a_mask_and_those_asked_for_hidden_states_are_left_whole() -> None:
    """GLM-ASR attends to its padding; hidden states of all layers have the length of the whole input."""
    torch.manual_seed(0)
    audio = {"num_mel_bins": MELS, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = GlmAsrConfig(
        audio_config={"model_type": "glmasr_encoder", **audio, "intermediate_size": 32}, text_config=DECODER
    )
    glm = GlmAsrForConditionalGeneration(config).eval().model.audio_tower
    features = torch.randn(2, MELS, FRAMES)
    expected = glm(features).last_hidden_state
    with valid_frames(glm):
        assert torch.equal(glm(features).last_hidden_state, expected)
    model, inputs = tiny_speech_model(), _batch()
    encoder = model.model.audio_tower
    with valid_frames(model):
        states = encoder(inputs["input_features"], attention_mask=_mask(inputs), output_hidden_states=True)
    assert states.hidden_states[0].shape[1] == FRAMES // 2


def _mask(inputs: dict[str, Tensor]) -> Tensor:
    """(C, 1, S, S) bool, as Qwen2-Audio gives its encoder."""
    lengths = (inputs["feature_attention_mask"].sum(1) - 1) // 2 + 1
    mask: Tensor = torch.arange(FRAMES // 2) < lengths[:, None]
    return mask[:, None, None].expand(-1, 1, FRAMES // 2, -1)
