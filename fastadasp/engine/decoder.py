"""The decoder inside a transformers model: finding it, running its layers in two halves, reading what attention sees.

B rows (left-padded), Q queries, K keys, H query heads, G key-value heads, d channels per head, D hidden channels.
"""

import sys
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

from fastadasp.ops.log_sum_exp import LogSumExpTap

STANDARD_LAYERS = {
    "GraniteDecoderLayer",
    "LlamaDecoderLayer",
    "MistralDecoderLayer",
    "Qwen2DecoderLayer",
    "Qwen2_5OmniDecoderLayer",
    "Qwen3DecoderLayer",
}
"""Class names of layers that read `x += m * self_attn(input_layernorm(x)); x += m * mlp(post_attention_layernorm(x))`,
`m` being their `residual_multiplier`, if any. Add a class of your own that does the same."""

Layer = Any
"""A decoder layer: an nn.Module with the attributes above, which its type cannot tell."""


def find_decoder(model: nn.Module) -> Any:
    """The one text decoder (token embedding and a list of layers) of a causal LM or SpeechLM; ValueError if not one."""
    found = [
        module
        for module in model.modules()
        if hasattr(module, "embed_tokens") and isinstance(getattr(module, "layers", None), nn.ModuleList)
    ]
    if len(found) != 1:
        names = ", ".join(type(module).__name__ for module in found) or "none"
        raise ValueError(
            f"merging() needs a model with one text decoder; {type(model).__name__} has {len(found)} ({names}); "
            "pass the part that reads the audio and writes the text"
        )
    return found[0]


def check_layer(layer: Layer, *, proportional: bool = False) -> None:
    """Refuse a decoder layer that cannot be cut in two between attention and MLP, or whose masks are not known here.

    proportional: whether its kernel must also take a bias.
    """
    if STANDARD_LAYERS.isdisjoint(kind.__name__ for kind in type(layer).__mro__):
        raise ValueError(
            f"merging() does not support {type(layer).__name__}: it cuts a layer between attention and MLP, which is "
            f"known to be right for {', '.join(sorted(STANDARD_LAYERS))}; if this one reads "
            "x += self_attn(input_layernorm(x)); x += mlp(post_attention_layernorm(x)), add its name to "
            "fastadasp.engine.decoder.STANDARD_LAYERS"
        )
    implementation = _implementation(layer)
    if implementation not in ("eager", "sdpa") and "flash" not in implementation:
        raise ValueError(
            f"merging() does not support attention {implementation!r}; load the model with "
            "attn_implementation='sdpa', 'eager' or 'flash_attention_2'"
        )
    if proportional and "flash" in implementation:
        raise ValueError(
            f"merge.proportional=true adds log sizes to attention scores, and {implementation!r} takes no such bias; "
            "load the model with attn_implementation='sdpa' or 'eager' (hardware.attention), or set "
            "merge.proportional=false"
        )


def check_window(layer: Layer, keys: int) -> None:
    """Refuse attention that does not reach back to the first of `keys` tokens."""
    attention = layer.self_attn
    window = getattr(attention, "sliding_window", getattr(attention.config, "sliding_window", None))
    if window is not None and keys > window:
        raise ValueError(
            f"merging() does not support sliding-window attention beyond its window: {keys} tokens, window {window}; "
            "shorten the prompt or the answer, or load the model with sliding_window=None"
        )


def attend(layer: Layer, hidden_BTD: Tensor, **attention: Any) -> Tensor:
    """First half of a layer: the residual stream after attention."""
    update = layer.self_attn(hidden_states=layer.input_layernorm(hidden_BTD), **attention)[0]
    return _add(layer, hidden_BTD, update)


def feed_forward(layer: Layer, hidden_BTD: Tensor) -> Tensor:
    """Second half of a layer: the residual stream after the MLP."""
    return _add(layer, hidden_BTD, layer.mlp(layer.post_attention_layernorm(hidden_BTD)))


def _add(layer: Layer, residual_BTD: Tensor, update_BTD: Tensor) -> Tensor:
    multiplier = getattr(layer, "residual_multiplier", None)
    return residual_BTD + (update_BTD if multiplier is None else update_BTD * multiplier)


def attention_mask(
    layer: Layer, real_BK: Tensor | None, hidden_BQD: Tensor, keys: int, bias_BK: Tensor | None = None
) -> Tensor | None:
    """The mask that this layer's kernel wants for the last Q of `keys` positions; None where the kernel needs none.

    real_BK: False on padding, None without any. Padding sees itself, so that no kernel meets an empty row.
    bias_BK: what all queries add to the scores of each key, if anything.
    """
    implementation, queries = _implementation(layer), hidden_BQD.shape[1]
    if "flash" in implementation:
        return real_BK
    plain = real_BK is None and bias_BK is None
    if plain and (queries == 1 or (queries == keys and implementation == "sdpa")):
        return None
    column = torch.arange(keys, device=hidden_BQD.device)
    row = column[keys - queries :, None]
    mask = (column <= row)[None, None]
    if real_BK is not None:
        mask = (mask & real_BK[:, None, None]) | (column == row)
    if implementation == "sdpa" and bias_BK is None:
        return mask
    dtype = hidden_BQD.dtype
    added = torch.zeros_like(mask, dtype=dtype) if bias_BK is None else bias_BK[:, None, None].to(dtype)
    return added.masked_fill(~mask, torch.finfo(dtype).min)


def _implementation(layer: Layer) -> str:
    return str(layer.self_attn.config._attn_implementation)


class AttentionTap:
    """Records query, key and value of one attention call as its kernel gets them: after rotation, norms and cache.

    Fused kernels return no scores, and recomputing a projection would have to know each family's own. So for the one
    call inside `with`, the module's config names a kernel that takes notes and hands over to the real one.
    """

    _attn_implementation = "fastadasp_tap"

    lse_BHT: Tensor | None = None
    """(B, H, Q) float32: natural log-sum-exp of each query's scores; None where the kernel does not tell it."""

    def __init__(self, attention: Any) -> None:
        self.attention = attention
        self.config = attention.config

    def __getattr__(self, name: str) -> Any:
        return getattr(self.config, name)

    def __enter__(self) -> "AttentionTap":
        self.attention.config = self
        return self

    def __exit__(self, *_: object) -> None:
        self.attention.config = self.config

    def record(
        self, query_BHTd: Tensor, key_BGTd: Tensor, value_BGTd: Tensor, mask: Tensor | None, scaling: float
    ) -> None:
        """Keep what the kernel gets, and step aside."""
        self.query_BHTd, self.key_BGTd, self.value_BGTd = query_BHTd, key_BGTd, value_BGTd
        self.mask, self.scaling = mask, scaling
        self.attention.config = self.config


def _tapped_kernel(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, *args: Any, **kwargs: Any
) -> Any:
    tap: AttentionTap = module.config
    tap.record(query, key, value, attention_mask, kwargs["scaling"])
    family = _modelling_file(module)
    kernel = family.ALL_ATTENTION_FUNCTIONS.get_interface(
        module.config._attn_implementation, family.eager_attention_forward
    )
    if attention_mask is not None:  # only without a mask is attention known to be causal and nothing else
        return kernel(module, query, key, value, attention_mask, *args, **kwargs)
    with LogSumExpTap() as told:
        result = kernel(module, query, key, value, None, *args, **kwargs)
    tap.lse_BHT = told.lse_BHT(query)
    return result


def _modelling_file(module: Any) -> Any:
    """The module of transformers that defines this attention, or the class that this attention derives from."""
    files = (sys.modules[kind.__module__] for kind in type(module).__mro__)
    return next(file for file in files if hasattr(file, "eager_attention_forward"))


AttentionInterface.register(AttentionTap._attn_implementation, _tapped_kernel)
