"""Likelihoods of given answers where each token has several positions (the thinker of Qwen2.5-Omni)."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

from fastadasp import FastAdaSP, MergeMethod, NoReduction, merging
from fastadasp.decoding.options import score
from fastadasp.decoding.prefill import has_several_positions
from tests.helpers.weights import enlarge

AUDIO_TOKEN, BEGIN, END = 199, 195, 196
MELS = 16


def thinker() -> Qwen2_5OmniThinkerForConditionalGeneration:
    """Random weights, large enough that every token matters."""
    config = Qwen2_5OmniThinkerConfig(
        audio_config={
            **{"num_mel_bins": MELS, "d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2},
            **{"encoder_ffn_dim": 32, "max_source_positions": 100, "n_window": 10, "output_dim": 32},
        },
        vision_config={"depth": 1, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32},
        text_config={
            **{"vocab_size": 200, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4},
            **{"num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0, "eos_token_id": None},
            "rope_parameters": {"mrope_section": [2, 1, 1], "rope_type": "default", "rope_theta": 10000.0},
        },
        **{"audio_token_index": AUDIO_TOKEN, "image_token_index": 198, "video_token_index": 197},
        **{"audio_start_token_id": BEGIN, "audio_end_token_id": END},
        **{"vision_start_token_id": 193, "vision_end_token_id": 194},
    )
    torch.manual_seed(0)
    model = Qwen2_5OmniThinkerForConditionalGeneration(config).eval()
    enlarge(model)
    model.generation_config.eos_token_id = None
    return model


def prompt(audio: int, text: int, seed: int) -> tuple[Tensor, Tensor]:
    """Ids (T,) and mel frames (mels, frames)."""
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(2, 190, (text,), generator=generator)
    ids = torch.cat([words[:3], torch.tensor([BEGIN, *[AUDIO_TOKEN] * audio, END]), words])
    return ids, torch.randn(MELS, 4 * audio, generator=generator)


def batch(rows: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    width, frames = max(len(ids) for ids, _ in rows), max(mel.shape[1] for _, mel in rows)
    return {
        "input_ids": torch.stack([pad(ids, (width - len(ids), 0)) for ids, _ in rows]),
        "attention_mask": torch.stack([pad(torch.ones_like(ids), (width - len(ids), 0)) for ids, _ in rows]),
        "input_features": torch.stack([pad(mel, (0, frames - mel.shape[1])) for _, mel in rows]),
        "feature_attention_mask": torch.stack(
            [pad(torch.ones(mel.shape[1], dtype=torch.long), (0, frames - mel.shape[1])) for _, mel in rows]
        ),
    }


@pytest.mark.parametrize("method", [NoReduction(), FastAdaSP(ratio=0.4, layer=1)], ids=["full", "reduced"])
def test_scores_are_those_of_generate(method: MergeMethod) -> None:
    model, rows = thinker(), [prompt(20, 6, seed=1), prompt(30, 9, seed=2)]
    assert has_several_positions(model)
    given = [[torch.tensor([5, 6, 7]), torch.tensor([9])], [torch.tensor([11, 12])]]
    inputs = batch(rows)
    found = score(model, inputs, method, inputs["input_ids"] == AUDIO_TOKEN, given).likelihoods
    for row, options, told in zip(rows, given, found, strict=True):
        alone = batch([row])
        length = alone["input_ids"].shape[1]
        for answer, scores in zip(options, told, strict=True):
            allowed = iter(answer.tolist())
            with merging(model, method, alone["input_ids"] == AUDIO_TOKEN):
                out = model.generate(
                    **alone,
                    max_new_tokens=len(answer),
                    do_sample=False,
                    prefix_allowed_tokens_fn=lambda *_, allowed=allowed: [next(allowed)],
                    output_logits=True,
                    return_dict_in_generate=True,
                )
            assert out.sequences[0, length:].tolist() == answer.tolist()
            expected = [float(step.log_softmax(-1)[0, token]) for step, token in zip(out.logits, answer, strict=True)]
            assert scores == pytest.approx(expected, abs=1e-4)
