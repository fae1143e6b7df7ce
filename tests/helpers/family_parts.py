"""The models and processors of which tiny checkpoints of speech language models are made."""

from collections.abc import Callable
from typing import Any

import transformers as t

DECODER = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
WHISPER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
EIGHT_CHANNELS = {**DECODER, "head_dim": 8}


def whisper_like(name: str, decoder: str, mels: int = 128, **settings: Any) -> Callable[[int], Any]:
    """A model of an encoder shaped like Whisper's and a decoder of a known type."""

    def build(audio: int) -> Any:
        encoder = {
            "model_type": f"{settings.get('kind', name.lower())}_encoder",
            **WHISPER,
            "num_mel_bins": mels,
            **settings.get("encoder", {}),
        }
        text = {
            **(EIGHT_CHANNELS if decoder == "qwen3" else DECODER),
            "model_type": decoder,
            **settings.get("text", {}),
        }
        config = getattr(t, f"{name}Config")(
            audio_config=encoder, text_config=text, audio_token_id=audio, **settings.get("config", {})
        )
        return getattr(t, f"{name}ForConditionalGeneration")(config)

    return build


def with_extractor(name: str, extractor: Callable[[], Any], **settings: Any) -> Callable[[Any, str], Any]:
    """A processor of a feature extractor and a tokenizer."""

    def build(tokenizer: Any, template: str) -> Any:
        return getattr(t, f"{name}Processor")(extractor(), tokenizer, chat_template=template, **settings)

    return build


def whisper_extractor() -> Any:
    return t.WhisperFeatureExtractor(feature_size=128)


def vibevoice(audio: int) -> Any:
    tower = {"num_filters": 4, "downsampling_ratios": [8, 8, 50], "depths": [1, 1, 1, 1]}
    return t.VibeVoiceAsrForConditionalGeneration(
        t.VibeVoiceAsrConfig(
            acoustic_tokenizer_encoder_config={**tower, "hidden_size": 16},
            semantic_tokenizer_encoder_config={**tower, "hidden_size": 24},
            text_config={**DECODER, "model_type": "qwen2"},
            audio_token_id=audio,
        )
    )


def granite(name: str) -> Callable[[int], Any]:
    def build(audio: int) -> Any:
        encoder = {"input_dim": 160, "num_layers": 2, "hidden_dim": 32, "feedforward_mult": 2, "num_heads": 2}
        encoder |= {"dim_head": 16, "output_dim": 12, "context_size": 50, "max_pos_emb": 64}
        projector = {"model_type": "blip_2_qformer", "hidden_size": 32, "num_hidden_layers": 1}
        projector |= {"num_attention_heads": 2, "intermediate_size": 48, "encoder_hidden_size": 32}
        config = getattr(t, f"{name}Config")(
            encoder_config=encoder,
            projector_config=projector,
            text_config={**DECODER, "model_type": "granite", "residual_multiplier": 0.22, "attention_multiplier": 0.3},
            audio_token_index=audio,
            has_lora_adapter=False,
        )
        return getattr(t, f"{name}ForConditionalGeneration")(config)

    return build


def omni(audio: int) -> Any:
    """The thinker, saved as a part of the whole model, as published checkpoints hold it."""
    encoder = {"num_mel_bins": 128, "d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2}
    encoder |= {"encoder_ffn_dim": 48, "output_dim": DECODER["hidden_size"], "n_window": 50}
    pictures = {
        "depth": 1,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": DECODER["hidden_size"],
    }
    rotary = {"mrope_section": [2, 1, 1], "rope_type": "default", "rope_theta": 10000.0}
    return t.Qwen2_5OmniThinkerForConditionalGeneration(
        t.Qwen2_5OmniThinkerConfig(
            audio_config=encoder,
            vision_config=pictures,
            text_config={**DECODER, "rope_parameters": rotary},
            audio_token_index=audio,
            **_ids_of_pictures(),
        )
    )


def omni_moe(audio: int) -> Any:
    encoder = {"num_mel_bins": 128, "d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2}
    encoder |= {
        "encoder_ffn_dim": 48,
        "output_dim": DECODER["hidden_size"],
        "n_window": 50,
        "downsample_hidden_size": 16,
    }
    pictures = {
        "depth": 1,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": DECODER["hidden_size"],
    }
    pictures |= {"deepstack_visual_indexes": [0]}
    rotary = {"mrope_section": [2, 1, 1], "rope_type": "default", "rope_theta": 10000.0, "mrope_interleaved": True}
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "decoder_sparse_step": 1}
    return t.Qwen3OmniMoeThinkerForConditionalGeneration(
        t.Qwen3OmniMoeThinkerConfig(
            audio_config=encoder,
            vision_config=pictures,
            text_config={**EIGHT_CHANNELS, **experts, "rope_parameters": rotary},
            audio_token_id=audio,
            **_ids_of_pictures(),
        )
    )


def _ids_of_pictures() -> dict[str, int]:
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id", "audio_start_token_id")
    return {name: 300 + place for place, name in enumerate(names)}


def phi4(audio: int) -> Any:
    encoder = {"hidden_size": 32, "intermediate_size": 48, "num_blocks": 1, "num_attention_heads": 2}
    encoder |= {"nemo_conv_channels": 32, "ext_pw_out_channel": 32, "depthwise_separable_out_channel": 32}
    encoder |= {"audio_token_id": audio, "downsample_rate": 1, "bias_max_distance": 100, "conv_channels": 32}
    pictures = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    return t.Phi4MultimodalForCausalLM(
        t.Phi4MultimodalConfig(
            **DECODER,
            audio_config=encoder,
            vision_config={**pictures, "image_size": 28, "patch_size": 14, "crop_size": 28, "image_token_id": 300},
            pad_token_id=257,
            bos_token_id=256,
            eos_token_id=256,
        )
    )


def of_omni(name: str) -> Callable[[Any, str], Any]:
    return lambda tokenizer, template: getattr(t, f"{name}Processor")(
        t.Qwen2VLImageProcessor(),
        t.Qwen2VLVideoProcessor(),
        t.WhisperFeatureExtractor(feature_size=128),
        tokenizer,
        chat_template=template,
    )


OMNI_NAMES = {
    "image_token": "<|IMAGE|>",
    "video_token": "<|VIDEO|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
}
