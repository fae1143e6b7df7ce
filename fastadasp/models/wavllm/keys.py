"""Where each weight of the released checkpoint goes: names, shapes, and the order of channels in queries and keys."""

import re
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fastadasp.models.converting import Output
from fastadasp.models.wavllm.configuration import WavLLMConfig
from fastadasp.models.wavllm.decoder import by_halves
from fastadasp.models.wavllm.modeling import WavLLMForConditionalGeneration

WRAPPERS = ("_checkpoint_wrapped_module.",)
"""What activation checkpointing may have left in the keys."""
_LLAMA = "gpt_model.model_llama"
_RENAMED = (
    (r"audio\.whisper\.", "audio_encoder.model."),
    (r"audio\.whisper_connector\.", "audio_encoder."),
    (r"audio\.wavlm\.model\.", "wavlm_encoder.model."),
    (r"audio\.wavlm\.", "wavlm_encoder."),
    (r"audio\.wavlm_connector\.", "wavlm_encoder."),
    (r"audio\.projection\.", "wavlm_audio_proj."),
    (r"gate\.fc_(\d)\.", rf"{_LLAMA}.scale_fc_\1."),
    (r"gate\.attention\.", f"{_LLAMA}.scale_weight_attention."),
    (r"lm_head\.", f"{_LLAMA}.output."),
    (r"language_model\.embed_tokens\.", f"{_LLAMA}.tok_embeddings."),
    (r"language_model\.norm\.", f"{_LLAMA}.norm."),
    (r"language_model\.(layers\.\d+)\.self_attn\.(\w)_proj\.(lora_\w)", rf"{_LLAMA}.\1.attention.w\2_\3"),
    (r"language_model\.(layers\.\d+)\.self_attn\.(\w)_proj\.", rf"{_LLAMA}.\1.attention.w\2."),
    (r"language_model\.(layers\.\d+)\.mlp\.gate_proj\.", rf"{_LLAMA}.\1.feed_forward.w1."),
    (r"language_model\.(layers\.\d+)\.mlp\.down_proj\.", rf"{_LLAMA}.\1.feed_forward.w2."),
    (r"language_model\.(layers\.\d+)\.mlp\.up_proj\.", rf"{_LLAMA}.\1.feed_forward.w3."),
    (r"language_model\.(layers\.\d+)\.input_layernorm\.", rf"{_LLAMA}.\1.attention_norm."),
    (r"language_model\.(layers\.\d+)\.post_attention_layernorm\.", rf"{_LLAMA}.\1.ffn_norm."),
)
"""Beginnings of names here, and what they are in the checkpoint; the first that fits counts."""
_WEIGHT_NORM = (("parametrizations.weight.original0", "weight_g"), ("parametrizations.weight.original1", "weight_v"))
"""WavLM's positional convolution, as transformers names it now and as it did when the checkpoint was written."""


def weights(config: WavLLMConfig, found: Collection[str] = ()) -> list[Output]:
    """Every weight of the model, in its order, and what it is made of.

    found: keys of the checkpoint, which tell by which of two names it knows WavLM's positional convolution.
    """
    with torch.device("meta"):
        model = WavLLMForConditionalGeneration(config)
    text: Any = config.text_config
    head_dim = text.hidden_size // text.num_attention_heads
    outputs = []
    for name, tensor in model.state_dict().items():
        key = released_name(name)
        for present, former in _WEIGHT_NORM:
            if key not in found:
                key = key.replace(present, former)
        outputs.append(Output(name, tuple(tensor.shape), (key,), _order(name, head_dim)))
    return outputs


def unused(config: WavLLMConfig) -> dict[str, tuple[int, ...]]:
    """Weights of the checkpoint that its own code never uses once there are two encoders."""
    text: Any = config.text_config
    return {
        "audio_proj.weight": (text.hidden_size, config.projected_size),
        "audio_proj.bias": (text.hidden_size,),
    }


def released_name(name: str) -> str:
    """The checkpoint's name of a weight of the model."""
    for pattern, released in _RENAMED:
        renamed, count = re.subn(f"^{pattern}", released, name)
        if count:
            return renamed
    raise KeyError(name)


def _order(name: str, head_dim: int) -> Callable[[Tensor], Tensor]:
    """How a weight must be reordered for the rotation of transformers."""
    if not re.match(r"language_model\..*self_attn\.[qk]_proj\.(weight|lora_B)$", name):
        return torch.Tensor.contiguous
    return partial(_reordered, head_dim, name.endswith("weight"))


def _reordered(head_dim: int, outputs_first: bool, tensor: Tensor) -> Tensor:
    """Rows of a projection, or columns of a LoRA factor, by halves of each head."""
    return by_halves(tensor.T, head_dim).T if outputs_first else by_halves(tensor, head_dim)
