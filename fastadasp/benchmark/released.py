"""The peer to beat: the approach of FastAdaSP's released Qwen-Audio code, restated for any standard decoder.

What makes it slow is kept: attention weights are materialised in every layer, each builds its mask anew, and merging is
a Python loop that asks the device about every token. As there, all rows of a batch share one audio layout.

B rows (beams expanded), S tokens of the current sequence, D hidden channels, H heads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from transformers import PreTrainedModel

from fastadasp.engine.decoder import find_decoder
from fastadasp.engine.halves import Layer
from fastadasp.reduction.method import Schedule
from fastadasp.reduction.schedule import layer_ratios


@dataclass
class AudioSpan:
    """Where the audio of every row lies; `end` moves as tokens fuse."""

    begin: int
    end: int


@contextmanager
def released_approach(
    model: PreTrainedModel, *, layer_ratio: float, layer: int, schedule: Schedule, begin: int, end: int
) -> Iterator[None]:
    """Inside, `model` reads prompts as the released code does, merging the audio tokens in columns `begin` to `end`.

    layer_ratio: the released code's ratio, on what is left at each merging layer; 0 merges nothing and leaves the eager
    attention, which is what its speed-ups are measured against. Needs a model with `attn_implementation="eager"`.
    """
    decoder = find_decoder(model)
    if decoder.config._attn_implementation != "eager":
        raise ValueError(
            "the released approach reads attention weights: load the model with attn_implementation='eager', not "
            f"{decoder.config._attn_implementation!r}"
        )
    ratios = layer_ratios(schedule, layer_ratio, layer, len(decoder.layers))
    span = AudioSpan(begin, end)

    def restart(_: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        if kwargs["past_key_values"].get_seq_length() == 0:
            span.begin, span.end = begin, end

    hook = decoder.register_forward_pre_hook(restart, with_kwargs=True)
    try:
        for module, ratio in zip(decoder.layers, ratios, strict=True):
            if not {"self_attn", "input_layernorm", "mlp", "post_attention_layernorm"} <= set(module._modules):
                raise ValueError(
                    f"the released approach is written for layers like Llama's, not {type(module).__name__}"
                )
            module.forward = partial(_forward, module, span, ratio)
        yield
    finally:
        hook.remove()
        for module in decoder.layers:
            module.__dict__.pop("forward", None)


def _forward(
    layer: Layer,
    span: AudioSpan,
    ratio: float,
    hidden_states: Tensor,
    *,
    position_embeddings: tuple[Tensor, Tensor],
    past_key_values: Any,
    **_: Any,
) -> Tensor:
    """A decoder layer: eager attention with a fresh triangular mask, merging, MLP."""
    length, index = hidden_states.shape[1], layer.self_attn.layer_idx
    attended, weights_BHSS = layer.self_attn(
        hidden_states=layer.input_layernorm(hidden_states),
        position_embeddings=tuple(table[:, -length:] for table in position_embeddings),
        attention_mask=_triangle(hidden_states, past_key_values.get_seq_length(index) + length),
        past_key_values=past_key_values,
    )
    hidden_states = hidden_states + attended
    if ratio > 0 and length > 1:
        hidden_states = _merge(hidden_states, weights_BHSS, past_key_values.layers[index].keys, span, ratio)
    updated: Tensor = hidden_states + layer.mlp(layer.post_attention_layernorm(hidden_states))
    return updated


def _triangle(hidden_BSD: Tensor, keys: int) -> Tensor:
    queries = hidden_BSD.shape[1]
    visible = torch.ones(keys, keys, dtype=torch.bool, device=hidden_BSD.device).tril()[keys - queries :]
    mask = torch.zeros(1, 1, queries, keys, dtype=hidden_BSD.dtype, device=hidden_BSD.device)
    return mask.masked_fill_(~visible, torch.finfo(hidden_BSD.dtype).min)


def _merge(hidden_BSD: Tensor, weights_BHSS: Tensor, keys_BGSd: Tensor, span: AudioSpan, ratio: float) -> Tensor:
    """Fuse runs of the most similar neighbours, weighted by the column sums of attention."""
    count = int((span.end - span.begin) * ratio)
    if count == 0:
        return hidden_BSD
    weight_BN = weights_BHSS.sum(dim=(1, 2))[:, span.begin : span.end]
    keys_BNC = keys_BGSd.transpose(1, 2).flatten(2)[:, span.begin : span.end]
    similarity_BN = cosine_similarity(keys_BNC[:, :-1], keys_BNC[:, 1:], dim=-1)
    chosen_K = similarity_BN.topk(count, dim=-1).indices.sort(dim=-1).values[0]
    audio_BND, merged, token = hidden_BSD[:, span.begin : span.end], [], 0
    while token < audio_BND.shape[1]:
        last = token
        while last in chosen_K:  # waits for the device, once per token
            last += 1
        share_BM1 = weight_BN[:, token : last + 1, None]
        merged.append(
            (audio_BND[:, token : last + 1] * share_BM1).sum(1, keepdim=True) / share_BM1.sum(1, keepdim=True)
        )
        token = last + 1
    out = torch.cat([hidden_BSD[:, : span.begin], *merged, hidden_BSD[:, span.end :]], dim=1)
    span.end -= count
    return out
