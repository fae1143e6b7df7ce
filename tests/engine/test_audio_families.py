"""`merging()` in the speech language models of transformers, with sound in the prompt, as tiny random models."""

import pytest
import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMultimodalLM,
    PreTrainedModel,
    Qwen2_5OmniConfig,
    Qwen2_5OmniForConditionalGeneration,
    Qwen2_5OmniTalkerConfig,
    Qwen2_5OmniTalkerForConditionalGeneration,
)
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from fastadasp import FastAdaSP, SpeechPrune, VisPruner, merging
from fastadasp.engine.encoder import find_encoder
from fastadasp.engine.model import model_inside
from tests.engine.test_families import AUDIO, IDS, REAL, outcome
from tests.helpers.causal_families import shrunk, tiny_model
from tests.helpers.tiny_decoders import snapshot

AUDIO_TOKEN = 96
GREEDY = {"max_new_tokens": 3, "do_sample": False}
NOTHING = FastAdaSP(ratio=1e-9, layer=0)
IN_PIECES = "pieces that do not attend to each other"
HEARING = {
    "voxtral": ({"audio_token_id": AUDIO_TOKEN}, 3000, 1000, None),
    "qwen3_asr": ({"audio_token_id": AUDIO_TOKEN}, 1200, 156, IN_PIECES),
    "qwen3_omni_moe_thinker": ({"audio_token_id": AUDIO_TOKEN}, 400, 52, None),
    "qwen2_5_omni_thinker": ({"audio_token_index": AUDIO_TOKEN}, 400, 100, IN_PIECES),
}
"""Settings, mel frames, the audio tokens that these make, and why methods that listen to the encoder are refused."""


@pytest.mark.parametrize("name", sorted(HEARING))
@torch.no_grad()
def test_a_speech_model_reads_sound_as_before_and_loses_tokens_or_says_why_not(name: str) -> None:
    own, frames, tokens, refusal = HEARING[name]
    model = tiny_model(AutoModelForMultimodalLM, name, **own)
    model.config.audio_token_id = AUDIO_TOKEN
    before = snapshot(model)
    inputs = heard(model, name, frames, tokens)
    audio = inputs["input_ids"] == AUDIO_TOKEN
    plain = model.generate(**inputs, **GREEDY)
    with merging(model, NOTHING, audio):
        assert torch.equal(model.generate(**inputs, **GREEDY), plain)
    for method in (FastAdaSP(ratio=0.5, layer=0), SpeechPrune(0.5)):
        with merging(model, method, audio) as trace:
            model.generate(**inputs, **GREEDY)
        assert trace.audio_tokens[1].tolist() == [tokens - tokens // 2]
    assert find_encoder(model) is not None
    if refusal is None:
        with merging(model, VisPruner(0.5), audio):
            model.generate(**inputs, **GREEDY)
    else:
        with pytest.raises(ValueError, match=refusal), merging(model, VisPruner(0.5), audio):
            model.generate(**inputs, **GREEDY)
    assert snapshot(model) == before


def heard(model: PreTrainedModel, name: str, frames: int, tokens: int) -> dict[str, Tensor]:
    """A prompt of text, sound, text."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 90, (1, tokens + 8), generator=generator)
    ids[:, 4:-4] = AUDIO_TOKEN
    features = torch.randn(1, model.config.audio_config.num_mel_bins, frames, generator=generator)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "input_features": features}
    masks = {"qwen3_asr": "input_features_mask", "voxtral": None}
    if (mask := masks.get(name, "feature_attention_mask")) is not None:
        inputs[mask] = torch.ones(1, frames, dtype=torch.long)
    return inputs


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, AutoModelForMultimodalLM) for name in ("glmasr", "granite_speech", "moss_transcribe_diarize")),
        *((name, AutoModelForMultimodalLM) for name in ("qwen2_5_omni_thinker", "qwen3_omni_moe_thinker", "qwen3_asr")),
        ("phi4_multimodal", AutoModelForCausalLM),
    ],
)
def test_their_decoders_work_in_padded_batches_and_with_beams(name: str, kind: type) -> None:
    assert outcome(tiny_model(kind, name)) == "works"


def test_an_encoder_of_pictures_is_not_taken_for_one_of_sound() -> None:
    model = tiny_model(AutoModelForCausalLM, "phi4_multimodal")
    assert find_encoder(model) is None
    with (
        torch.no_grad(),
        pytest.raises(ValueError, match="does not show"),
        merging(model, VisPruner(0.5), AUDIO),
    ):
        model.generate(IDS, attention_mask=REAL, **GREEDY)


@torch.no_grad()
def test_in_a_model_that_also_speaks_the_part_that_hears_is_found() -> None:
    thinker = shrunk(CONFIG_MAPPING["qwen2_5_omni_thinker"]())
    torch.manual_seed(0)
    config = Qwen2_5OmniConfig(thinker_config={**thinker, "audio_token_index": AUDIO_TOKEN}, enable_audio_output=False)
    model = Qwen2_5OmniForConditionalGeneration(config).eval()
    rope = {"rope_theta": 1e4, "rope_type": "default", "mrope_section": [1, 1, 2]}
    talker = {**shrunk(CONFIG_MAPPING["qwen2_5_omni_talker"]()), "embedding_size": 32, "rope_parameters": rope}
    model.talker = Qwen2_5OmniTalkerForConditionalGeneration._from_config(Qwen2_5OmniTalkerConfig(**talker))
    model.speaker_map = {"Chelsie": {}}
    assert model_inside(model) is model.thinker

    def answer() -> Tensor:
        return model.generate(
            input_ids=IDS,
            attention_mask=REAL,
            thinker_max_new_tokens=4,
            thinker_do_sample=False,
            generation_mode="text",
        )

    plain = answer()
    with merging(model, NOTHING, AUDIO):
        assert torch.equal(answer(), plain)
    with merging(model, FastAdaSP(ratio=0.5, layer=0), AUDIO) as trace:
        answer()
    assert trace.audio_tokens[1].tolist() == [10, 10]
