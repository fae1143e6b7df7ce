"""Every causal-LM family of transformers as a tiny random model, where one can be built."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tests.helpers.weights import enlarge

VOCABULARY, HIDDEN, LAYERS = 99, 32, 2

_SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "d_model": HIDDEN,
    "n_embd": HIDDEN,
    "embed_dim": HIDDEN,
    "emb_dim": HIDDEN,
    "dim": HIDDEN,
    "decoder_hidden_size": HIDDEN,
    "word_embed_proj_dim": HIDDEN,
    "embedding_size": HIDDEN,
    "intermediate_size": 48,
    "moe_intermediate_size": 24,
    "shared_expert_intermediate_size": 24,
    "intermediate_size_mlp": 48,
    "ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "encoder_ffn_dim": 48,
    "ffn_hidden_size": 48,
    "n_inner": 48,
    "num_hidden_layers": LAYERS,
    "n_layer": LAYERS,
    "n_layers": LAYERS,
    "num_layers": LAYERS,
    "decoder_layers": LAYERS,
    "encoder_layers": LAYERS,
    "num_attention_heads": 4,
    "n_head": 4,
    "n_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_attention_heads": 4,
    "attention_heads": 4,
    "num_key_value_heads": 2,
    "num_kv_heads": 2,
    "head_dim": 8,
    "global_head_dim": 8,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "qk_head_dim": 16,
    "v_head_dim": 8,
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "num_local_experts": 4,
    "num_experts": 4,
    "n_routed_experts": 4,
    "moe_num_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "rotary_dim": 4,
    "max_position_embeddings": 128,
    "n_positions": 128,
    "max_seq_len": 128,
    "block_size": 128,
    "hidden_size_per_layer_input": 8,
    "vocab_size_per_layer_input": VOCABULARY,
    "num_kv_shared_layers": 0,
    "first_k_dense_replace": 1,
    "eos_token_id": None,
    "bos_token_id": 1,
    "pad_token_id": 0,
    "is_decoder": True,
    "layerdrop": 0.0,
}


_ONE_HEAD_EACH = {"kv_lora_rank", "kv_channels"}
"""Where a config has one of these, queries and keys have equally many heads."""

_MAMBA = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_ssm": 64, "mamba_d_state": 8, "mamba_chunk_size": 8}
_VISION = {
    "depth": 1,
    "num_heads": 4,
    "out_hidden_size": HIDDEN,
    "deepstack_visual_indexes": [0],
    "num_position_embeddings": 16,
    "fullatt_block_indexes": [0],
}
_OWN: dict[str, dict[str, Any]] = {
    "bamba": {**_MAMBA, "attn_layer_indices": [1]},
    "falcon_h1": _MAMBA,
    "granitemoehybrid": {**_MAMBA, "layer_types": ["linear_attention", "full_attention"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 0, "mamba_dt_rank": 4},
    "nemotron_h": {
        "layers_block_type": ["linear_attention", "full_attention"],
        "mamba_num_heads": 4,
        "mamba_head_dim": 16,
        "ssm_state_size": 8,
        "n_groups": 2,
    },
    "dots1": {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1},
    "lfm2_moe": {"layer_types": ["full_attention", "conv"], "num_dense_layers": 1},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 256},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 2, "state_size": 8},
    "zaya": {"num_experts_per_tok": 1},
    "gemma4_text": {"per_layer_config": {}, "hidden_size_per_layer_input": 8},
    "gemma4_unified_text": {"per_layer_config": {}},
    "recurrent_gemma": {"block_types": ["recurrent", "attention"]},
    "gemma3n_text": {"laurel_rank": 4},
    "qwen4_exp_text": {
        "layer_types": ["indexed_attention"] * LAYERS,
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 8,
        "indexer_budget": 8,
        "indexer_compress_ratio": 4,
        "ngram_vocab_size_base": 64,
        "make_ngram_vocab_size_divisible_by": 8,
        "hc_lowrank": 4,
        "split_ngram_parts": 1,
    },
    "cohere_compass_text": {"rope_parameters": {"full_attention": {"rope_theta": 10000.0, "rope_type": "default"}}},
    "phi4_multimodal_audio": {
        "num_blocks": 2,
        "ext_pw_out_channel": HIDDEN,
        "depthwise_separable_out_channel": HIDDEN,
        "nemo_conv_channels": 16,
    },
    "qwen3_omni_moe_audio_encoder": {"downsample_hidden_size": 16, "output_dim": HIDDEN},
    "qwen3_omni_moe_vision_encoder": _VISION,
    "qwen2_5_omni_audio_encoder": {"output_dim": HIDDEN},
    "qwen2_5_omni_vision_encoder": _VISION,
    "qwen2_5_omni_thinker": {"vision_start_token_id": 90, "vision_end_token_id": 91},
    "qwen3_omni_moe_thinker": {"vision_start_token_id": 90, "vision_end_token_id": 91},
    "qwen2_5_omni_text": {"rope_parameters": {"rope_theta": 1e4, "rope_type": "default", "mrope_section": [1, 1, 2]}},
    "qwen3_asr": {"eos_token_id": 98},
    "qwen3_asr_encoder": {"downsample_hidden_size": 16, "output_dim": HIDDEN},
    "fun_asr_nano_adaptor": {"intermediate_size": HIDDEN // 4},
    "phi4_multimodal_vision": {"image_size": 28, "crop_size": 28},
}
"""What single families want besides."""


def family_names() -> list[str]:
    """The model types that transformers has a causal LM for."""
    return sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def tiny_family(name: str) -> PreTrainedModel:
    """A random model of 2 layers and hidden size 32 with weights large enough that every token matters.

    Raises whatever transformers raises where there is no such small model.
    """
    return tiny_model(AutoModelForCausalLM, name)


def tiny_model(auto_class: Any, name: str, **own: Any) -> PreTrainedModel:
    """As `tiny_family`, by another auto class of transformers; `own` goes into the config."""
    with _within_seconds(5):
        config = CONFIG_MAPPING[name](**shrunk(CONFIG_MAPPING[name]()), **own)
        torch.manual_seed(0)
        model: PreTrainedModel = auto_class.from_config(config).eval()
    if sum(parameter.numel() for parameter in model.parameters()) > 5_000_000:
        raise ValueError(f"{name} does not get small by the usual settings")
    enlarge(model)
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model


def shrunk(standard: PreTrainedConfig) -> dict[str, Any]:
    """The arguments that make a family's config small, those of the configs inside included."""
    held = standard.to_dict()
    small = {key: value for key, value in _SIZES.items() if key in held or _settable(standard, key)}
    if _ONE_HEAD_EACH & held.keys():
        small["num_key_value_heads"] = 4
    kinds = getattr(standard, "layer_types", None)
    if isinstance(kinds, list) and _settable(standard, "layer_types"):
        small["layer_types"] = (list(dict.fromkeys(kinds)) * LAYERS)[:LAYERS]
    for key in held:
        inside = vars(standard).get(key)
        if isinstance(inside, PreTrainedConfig):
            small[key] = {**shrunk(inside), "model_type": inside.model_type}
    return small | _OWN.get(standard.model_type, {})


def _settable(config: PreTrainedConfig, key: str) -> bool:
    found = getattr(type(config), config.attribute_map.get(key, key), None)
    if isinstance(found, property):
        return found.fset is not None
    try:
        return hasattr(config, key)
    except Exception:  # an attribute of single layers, which the whole does not have
        return False


@contextmanager
def _within_seconds(seconds: int) -> Iterator[None]:
    """TimeoutError for a model that is built with its full size."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"not built within {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
