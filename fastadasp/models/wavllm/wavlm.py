"""WavLM over whole recordings: rows of a batch as if each were alone, and attention that long audio does not burst.

R recordings, S samples, F frames, D channels, H heads of d channels, Q frames that ask.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils.rnn import pad_sequence
from transformers import WavLMModel
from transformers.models.wavlm.modeling_wavlm import WavLMAttention

from fastadasp.models.wavllm.lengths import Convolutions

BLOCK_SCORES = 2**25
"""Biases held at once: 128 MiB in float32. Four minutes of audio have 12 x 12,000 x 12,000 of them."""


class BlockedAttention(WavLMAttention):  # type: ignore[misc]  # transformers is untyped
    """WavLM's self-attention with gated relative positions, computed for blocks of queries.

    The class that it replaces keeps three tensors of heads x frames x frames. What a head adds to a score depends on
    the distance alone, so that one number for each distance is enough to hand from layer to layer.
    """

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        position_bias: Tensor | None = None,
        index: int = 0,
        **_: Any,
    ) -> tuple[Tensor, None, Tensor]:
        """hidden_states: (R, F, D); attention_mask: (R, F) bool, False on padding; position_bias: (H, 2F - 1)."""
        rows, frames = hidden_states.shape[:2]
        bias_HE = self._bias_by_distance(frames) if position_bias is None else position_bias
        query, key, value = (
            project(hidden_states).view(rows, frames, self.num_heads, -1).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        gate_RHF1 = self._gate(hidden_states)
        hidden_R11F = None if attention_mask is None else ~attention_mask.bool()[:, None, None]
        block = max(1, BLOCK_SCORES // (rows * self.num_heads * frames))
        parts = []
        for first in range(0, frames, block):
            asking = slice(first, min(first + block, frames))
            added_RHQF = gate_RHF1[:, :, asking] * _between(bias_HE, asking, frames)
            if hidden_R11F is not None:
                added_RHQF = added_RHQF.masked_fill(hidden_R11F, -torch.inf)
            parts.append(scaled_dot_product_attention(query[:, :, asking], key, value, attn_mask=added_RHQF))
        joined = torch.cat(parts, 2).transpose(1, 2).reshape(rows, frames, -1)
        return self.out_proj(joined), None, bias_HE

    def _bias_by_distance(self, frames: int) -> Tensor:
        """(H, 2F - 1): for a key that lies -(F - 1) to F - 1 frames after the query."""
        device = self.rel_attn_embed.weight.device
        distance = torch.arange(1 - frames, frames, device=device)
        bias: Tensor = self.rel_attn_embed(self._relative_positions_bucket(distance)).T
        return bias

    def _gate(self, hidden_RFD: Tensor) -> Tensor:
        """(R, H, F, 1): how much each frame minds positions."""
        by_head = hidden_RFD.view(*hidden_RFD.shape[:2], self.num_heads, -1).transpose(1, 2)
        halves: Tensor = self.gru_rel_pos_linear(by_head).view(*by_head.shape[:-1], 2, 4).sum(-1)
        gate, reset = torch.sigmoid(halves).chunk(2, dim=-1)
        scaled: Tensor = gate * (reset * self.gru_rel_pos_const - 1.0) + 2.0
        return scaled


def _between(bias_HE: Tensor, asking: slice, frames: int) -> Tensor:
    """(H, Q, F): what is added where the frames `asking` look at each frame. Row i begins at distance -i."""
    windows_HFF = bias_HE.unfold(-1, frames, 1)
    return windows_HFF[:, frames - asking.stop : frames - asking.start].flip(1)


class WavLMStream(nn.Module):
    """The weighted sum of all layers' outputs, and of what enters the first."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        config._attn_implementation = "eager"  # the only kernel that the class knows; the one above is its own
        self.model = WavLMModel(config)
        for index, layer in enumerate(self.model.encoder.layers):
            layer.attention = BlockedAttention(
                config.hidden_size,
                config.num_attention_heads,
                num_buckets=config.num_buckets,
                max_distance=config.max_bucket_distance,
                has_relative_position_bias=index == 0,
            )
        self.output_weights = nn.Parameter(torch.ones(config.num_hidden_layers + 1))
        self.convolutions = Convolutions(config.conv_kernel, config.conv_stride)

    def forward(self, samples_RS: Tensor, samples: Sequence[int]) -> tuple[Tensor, list[int]]:
        """(R, F, D) and the frames of each recording, of which the first `samples` count."""
        frames_RFD, lengths = self._front_end(samples_RS, samples)
        heard_RF = None
        if min(lengths) < max(lengths):
            columns = torch.arange(frames_RFD.shape[1], device=frames_RFD.device)
            heard_RF = columns < torch.tensor(lengths, device=frames_RFD.device)[:, None]
            frames_RFD = frames_RFD.masked_fill(~heard_RF[..., None], 0)
        encoder = self.model.encoder
        hidden_RFD = encoder.layer_norm(frames_RFD + encoder.pos_conv_embed(frames_RFD))
        mixing = self.output_weights.softmax(0)
        total_RFD, bias = mixing[0] * hidden_RFD, None
        for index, layer in enumerate(encoder.layers):
            hidden_RFD, bias = layer(hidden_RFD, attention_mask=heard_RF, position_bias=bias, index=index)[:2]
            total_RFD = total_RFD + mixing[index + 1].to(hidden_RFD.device) * hidden_RFD
        return total_RFD, lengths

    def _front_end(self, samples_RS: Tensor, samples: Sequence[int]) -> tuple[Tensor, list[int]]:
        """One recording after the other: the first layer's norm is over time, and padding would change it."""
        dtype = self.model.feature_projection.projection.weight.dtype
        features = [
            self.model.feature_extractor(row[None, :count].to(dtype))[0].T
            for row, count in zip(samples_RS, samples, strict=True)
        ]
        projected = self.model.feature_projection(pad_sequence(features, batch_first=True))[0]
        return projected, [len(row) for row in features]
