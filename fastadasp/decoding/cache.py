"""A static key-value cache whose prompt is stored once per row, however many beams read it.

B rows, K beams (1 for greedy decoding), G key-value heads, H query heads, S prompt tokens that a layer has cached
(after a reduction each layer has its own S), N new tokens at most, d channels per head.

Transformers gives every beam a copy of the prompt's cache and moves all of them after each step. Here beams are queries
of one row: step t appends their K keys as columns t·K to t·K + K, where they stay, and a mask of who descends from whom
(B x K x N·K bits) is all that a beam search reorders.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, Cache, DynamicCache

from fastadasp.engine.decoder import layers_of
from fastadasp.engine.device import input_device
from fastadasp.engine.examination import examine
from fastadasp.engine.halves import Halves

KERNEL = "fastadasp_shared_prompt"


class SharedPromptCache(Cache):  # type: ignore[misc]  # transformers is not typed
    """Takes over what a prefill has cached, layer by layer, with room for `new_tokens` of each beam.

    Every tensor keeps its address, and no step depends on a value that only the device knows: a step can be captured in
    a CUDA graph and replayed.
    """

    def __init__(
        self,
        prompt: DynamicCache,
        masks: list[Tensor | None],
        biases: list[Tensor | None],
        beams: int,
        new_tokens: int,
    ) -> None:
        """Empties `prompt`. For each layer, masks: (B, S) bool, False on padding; None without any; biases: (B, S)
        float32, added to the scores of the prompt's keys; None for nothing."""
        super().__init__(layers=[])
        self.beams = beams
        self.prompt_lengths: list[int] = [layer.keys.shape[2] for layer in prompt.layers]
        rows, device = prompt.layers[0].keys.shape[0], prompt.layers[0].keys.device
        self._hidden = [None if mask is None else ~mask[:, None, None, None] for mask in masks]
        self._bias = [None if bias is None else bias[:, None, None, None].to(device) for bias in biases]
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []
        for layer in prompt.layers:
            self.keys.append(_with_room(layer.keys, beams * new_tokens))
            self.values.append(_with_room(layer.values, beams * new_tokens))
            # Frees the original: at no time is more than one layer held twice. `reset()` may but fill it with zeros.
            layer.keys = layer.values = None
            layer.is_initialized = False
        self.step = torch.zeros((), dtype=torch.int64, device=device)
        """Tokens that each beam has cached so far."""
        self.unrelated_BKM = torch.ones(rows, beams, beams * new_tokens, dtype=torch.bool, device=device)
        """Which columns of the new tokens a beam does not descend from."""
        self.columns = beams
        """M: how many columns of the new tokens attention looks at; set by the host, at least K times the steps."""
        self._own_K = torch.arange(beams, device=device)
        self.column_K = self._own_K.clone()
        """Where each beam's next key and value go."""

    def begin_step(self) -> None:
        """Give each beam a column for the token that it is about to read."""
        torch.add(self._own_K, self.step, alpha=self.beams, out=self.column_K)
        index = self.column_K.expand(len(self.unrelated_BKM), -1)[..., None]
        self.unrelated_BKM.scatter_(2, index, False)
        self.step += 1

    def reorder(self, parent_BK: Tensor) -> None:
        """Let beam k go on from where beam `parent_BK[:, k]` stands. No key or value moves."""
        index = parent_BK[..., None].expand_as(self.unrelated_BKM)
        self.unrelated_BKM.copy_(self.unrelated_BKM.gather(1, index))

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """Store the step's (B, G, K, d) keys and values; returns all that there is to see, (B, G, S + M, d) each."""
        start = self.prompt_lengths[layer_idx]
        seen = []
        for stored, new in ((self.keys[layer_idx], key_states), (self.values[layer_idx], value_states)):
            stored[:, :, start:].index_copy_(2, self.column_K, new)
            seen.append(stored[:, :, : start + self.columns])
        return seen[0], seen[1]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Prompt tokens of a layer; positions are given explicitly, so nothing counts on the new ones."""
        return self.prompt_lengths[layer_idx]

    def visible(self, layer_idx: int) -> Tensor:
        """(1 or B, 1) int64: how many tokens each beam sees in a layer, its own newest one included."""
        hidden, prompt = self._hidden[layer_idx], self.prompt_lengths[layer_idx]
        padding = 0 if hidden is None else hidden.flatten(1).sum(1, keepdim=True)
        return prompt - padding + self.step.view(1, 1)

    @property
    def nbytes(self) -> int:
        """Bytes of all keys and values, room for new tokens included."""
        return sum(tensor.nbytes for tensor in (*self.keys, *self.values))

    def hide(self, scores_BGRKM: Tensor, layer: int) -> None:
        """Mask, in place, the scores (B, G, H/G, K, S + M) of what a beam must not see, and add the biases."""
        start, hidden, bias = self.prompt_lengths[layer], self._hidden[layer], self._bias[layer]
        if bias is not None:
            scores_BGRKM[..., :start] += bias
        if hidden is not None:
            scores_BGRKM[..., :start].masked_fill_(hidden, -torch.inf)
        if self.columns > 1:
            unrelated = self.unrelated_BKM[:, None, None, :, : self.columns]
            scores_BGRKM[..., start:].masked_fill_(unrelated, -torch.inf)


def _with_room(tensor_BGSd: Tensor, room: int) -> Tensor:
    rows, heads, length, channels = tensor_BGSd.shape
    grown = tensor_BGSd.new_zeros(rows, heads, length + room, channels)
    grown[:, :, :length] = tensor_BGSd
    return grown


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: None,
    *,
    scaling: float,
    shared_prompt: SharedPromptCache,
    **_: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface for queries (B, H, K, d); returns (B, K, H, d).

    All queries that share a key-value head are rows of one product, so that each key and value is read once.
    """
    rows, heads, beams, channels = query.shape
    groups = key.shape[1]
    grouped = query.reshape(rows, groups, heads // groups * beams, channels) * scaling
    scores = (grouped @ key.transpose(2, 3)).float()
    shared_prompt.hide(scores.view(rows, groups, heads // groups, beams, -1), module.layer_idx)
    out = scores.softmax(-1).to(value.dtype) @ value
    return out.view(rows, heads, beams, channels).transpose(1, 2).contiguous(), None


AttentionInterface.register(KERNEL, _attend)


@contextmanager
def shared_prompt_attention(decoder: Any) -> Iterator[None]:
    """Inside, `decoder` attends with the kernel above; needs `shared_prompt=` in each call."""
    proofs, _ = examine(decoder, input_device(decoder))
    attentions: list[Any] = [
        layer.get_submodule(proof.attention)
        for layer, proof in zip(layers_of(decoder), proofs, strict=True)
        if isinstance(proof, Halves)
    ]
    configs = {id(attention.config): attention.config for attention in attentions}.values()
    before = [config._attn_implementation for config in configs]
    try:
        for config in configs:
            config._attn_implementation = KERNEL
        yield
    finally:
        for config, implementation in zip(configs, before, strict=True):
            config._attn_implementation = implementation
