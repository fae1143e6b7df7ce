"""A tiny Qwen2-Audio with random weights, its encoder included, and left-padded prompts for it."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import Qwen2AudioConfig, Qwen2AudioEncoderConfig, Qwen2AudioForConditionalGeneration, Qwen2Config

from tests.helpers.weights import enlarge

AUDIO_TOKEN = 96
LAYERS = 4
FRAMES = 240
"""Mel frames that the encoder reads of each clip: 60 audio tokens."""
MELS = 8

Prompt = Sequence[int]
"""Tokens of text, audio, text, audio, ... in turns; each stretch of audio is a clip."""


def tiny_speech_model(attention: str = "sdpa") -> Qwen2AudioForConditionalGeneration:
    """Weights are large enough that every token matters."""
    encoder = Qwen2AudioEncoderConfig(
        num_mel_bins=MELS,
        d_model=32,
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        max_source_positions=FRAMES // 2,
    )
    decoder = Qwen2Config(
        vocab_size=AUDIO_TOKEN + 1,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        eos_token_id=None,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    config = Qwen2AudioConfig(audio_config=encoder, text_config=decoder, audio_token_index=AUDIO_TOKEN)
    model = Qwen2AudioForConditionalGeneration._from_config(config, attn_implementation=attention).eval()
    enlarge(model)
    model.generation_config.eos_token_id = None
    return model


def speech_prompt(prompt: Prompt, seed: int) -> dict[str, Tensor]:
    """Ids (T,), features (clips, mels, frames) and their mask of one row; random text and sound."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(2, AUDIO_TOKEN, (sum(prompt),), generator=generator)
    clips = prompt[1::2]
    column = 0
    for index, length in enumerate(prompt):
        if index % 2:
            ids[column : column + length] = AUDIO_TOKEN
        column += length
    mask = torch.zeros(len(clips), FRAMES, dtype=torch.long)
    for clip, tokens in enumerate(clips):
        mask[clip, : tokens * 4] = 1
    return {"ids": ids, "features": torch.randn(len(clips), MELS, FRAMES, generator=generator), "mask": mask}


def speech_batch(rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Keyword arguments of `generate()`."""
    width = max(len(row["ids"]) for row in rows)
    padding = [width - len(row["ids"]) for row in rows]
    pad = torch.nn.functional.pad
    return {
        "input_ids": torch.stack([pad(row["ids"], (gap, 0)) for row, gap in zip(rows, padding, strict=True)]),
        "attention_mask": torch.stack(
            [pad(torch.ones_like(row["ids"]), (gap, 0)) for row, gap in zip(rows, padding, strict=True)]
        ),
        "input_features": torch.cat([row["features"] for row in rows]),
        "feature_attention_mask": torch.cat([row["mask"] for row in rows]),
    }
