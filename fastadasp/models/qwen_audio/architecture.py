"""Qwen-Audio's model: Qwen2-Audio's class of transformers, and what Qwen-7B's attention does beyond 2048 tokens.

Up to `seq_length` tokens (2048 in the released models) both classes compute the same. Beyond it Qwen-7B, in eval mode,
scales each query by the logarithm of how many tokens that query sees (log-n attention), and slows the rotation of all
positions down by a factor that follows from the prompt's length (dynamic NTK). Source: QwenLM/Qwen-Audio,
modeling_qwen.py, commit b50fb95.

B rows (left-padded; beams expanded), T prompt tokens, Q new tokens, K cached and new tokens, D hidden channels,
d channels per head.
"""

import math
import weakref
from typing import Any

import torch
from torch import Tensor
from transformers import Qwen2AudioForConditionalGeneration, Qwen2Config, Qwen2Model
from transformers.conversion_mapping import get_checkpoint_conversion_mapping, register_checkpoint_conversion_mapping
from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention, Qwen2RotaryEmbedding


class QwenAudioForConditionalGeneration(Qwen2AudioForConditionalGeneration):  # type: ignore[misc]  # untyped
    """Loads the same weights under the same names as its parent; only the decoder's attention differs, beyond 2048."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.model.language_model = QwenAudioDecoder(config.text_config)
        self.post_init()


# transformers saves and loads its own classes' weights under older names, and would not do so for this one.
register_checkpoint_conversion_mapping(
    QwenAudioForConditionalGeneration.__name__, get_checkpoint_conversion_mapping("qwen2_audio"), overwrite=True
)


class QwenAudioDecoder(Qwen2Model):  # type: ignore[misc]  # transformers is untyped
    """Qwen-7B as `transformers`' Qwen2, with its two rules for long prompts.

    config: also holds `seq_length`, `use_logn_attn` and `use_dynamic_ntk`, as the released config.json does.
    """

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__(config)
        self.rotary_emb = SlowedRotaryEmbedding(config)
        for index, layer in enumerate(self.layers):
            layer.self_attn = LogNAttention(config, index)
        self._slowed: weakref.WeakKeyDictionary[Any, Tensor | None] = weakref.WeakKeyDictionary()
        """By cache: what the prompt in it set the rotation to."""
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Any = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Run the decoder; arguments and results are those of `Qwen2Model.forward`.

        A prompt sets the rotation for itself and for all tokens that are later read with its cache.
        """
        rotary = self.rotary_emb
        if past_key_values is None or past_key_values.get_seq_length() == 0:
            width = input_ids.shape[1] if input_ids is not None else inputs_embeds.shape[1]
            rotary.frequencies_B1d = self._frequencies(width, attention_mask, position_ids)
        else:  # a cache that took over another's content is not known here: then the latest prompt's counts
            rotary.frequencies_B1d = self._slowed.get(past_key_values, rotary.frequencies_B1d)
        output = super().forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            **kwargs,
        )
        if output.past_key_values is not None:
            self._slowed.setdefault(output.past_key_values, rotary.frequencies_B1d)
        return output

    def _frequencies(self, width: int, mask: Any, position_ids: Tensor | None) -> Tensor | None:
        """(1 or B, 1, d/2) rotation per position of each row; None where no row is long enough for another than usual.

        width: columns of the prompt.
        """
        if self.training or not self.config.use_dynamic_ntk or width <= self.config.seq_length:
            return None
        if isinstance(mask, Tensor) and mask.ndim == 2:
            tokens = mask.sum(1).tolist()
        else:
            tokens = [width] if position_ids is None else (position_ids[:, -1] + 1).tolist()
        rows = [self.rotary_emb.slowed(ntk_factor(count, self.config.seq_length)) for count in tokens]
        return torch.stack(rows)[:, None]


def ntk_factor(tokens: int, seq_length: int) -> int:
    """By how much a prompt of `tokens` raises the rotary base: 1 up to `seq_length`, 3 up to twice that, then 7, 15."""
    doublings = max(0, math.ceil(math.log2(tokens / seq_length)))
    return (2 << doublings) - 1


class SlowedRotaryEmbedding(Qwen2RotaryEmbedding):  # type: ignore[misc]  # transformers is untyped
    """Rotary positions whose base may differ from row to row."""

    frequencies_B1d: Tensor | None = None
    """Radians per position, (B, 1, d/2) float32; None for the config's own in all rows."""

    def slowed(self, factor: int) -> Tensor:
        """(d/2,) float32: radians per position once `factor` raises the base, so that the slowest turn fits in."""
        channels = 2 * self.inv_freq.numel()
        base = self.config.rope_parameters["rope_theta"] * factor ** (channels / (channels - 2))
        exponent = torch.arange(0, channels, 2, dtype=torch.float32, device=self.inv_freq.device) / channels
        frequencies: Tensor = 1.0 / (base**exponent)
        return frequencies

    def forward(self, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin, (1 or B, T, d), of positions (1 or B, T), in the dtype of `x`."""
        if self.frequencies_B1d is None:
            rotary: tuple[Tensor, Tensor] = super().forward(x, position_ids)
            return rotary
        angle_BTd = position_ids[..., None].float() * self.frequencies_B1d.to(x.device)
        angle_BTd = torch.cat((angle_BTd, angle_BTd), dim=-1)
        return angle_BTd.cos().to(x.dtype), angle_BTd.sin().to(x.dtype)


class LogNAttention(Qwen2Attention):  # type: ignore[misc]  # transformers is untyped
    """Attention whose queries grow with the logarithm of the number of tokens that they see."""

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor | None = None,
        past_key_values: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Run attention; arguments and results are those of `Qwen2Attention.forward`."""
        arguments = (hidden_states, position_embeddings, attention_mask, past_key_values)
        factor_BQ1 = self._factor(hidden_states, attention_mask, past_key_values, kwargs.get("shared_prompt"))
        if factor_BQ1 is None:
            return super().forward(*arguments, **kwargs)
        # A factor of its own for each query passes through the rotation unchanged.
        handle = self.q_proj.register_forward_hook(lambda *call: call[-1] * factor_BQ1)
        try:
            return super().forward(*arguments, **kwargs)
        finally:
            handle.remove()

    def _factor(self, hidden_BQD: Tensor, mask: Tensor | None, cache: Any, shared_prompt: Any) -> Tensor | None:
        """(1 or B, 1 or Q, 1) in the hidden states' dtype; None where no query sees more than `seq_length` tokens."""
        if self.training or not self.config.use_logn_attn:
            return None
        keys = hidden_BQD.shape[1] + (0 if cache is None else int(cache.get_seq_length(self.layer_idx)))
        if shared_prompt is not None:
            keys = shared_prompt.prompt_lengths[self.layer_idx] + shared_prompt.columns
        if keys <= self.config.seq_length:
            return None
        if shared_prompt is not None:
            visible_BQ = shared_prompt.visible(self.layer_idx)
        else:
            visible_BQ = visible_keys(mask, hidden_BQD, keys)
        factor_BQ: Tensor = (visible_BQ.float().log() / math.log(self.config.seq_length)).clamp_min(1.0)
        return factor_BQ[..., None].to(hidden_BQD.dtype)


def visible_keys(mask: Tensor | None, hidden_BQD: Tensor, keys: int) -> Tensor:
    """(1 or B, Q) int64: how many of `keys` tokens, its own included, each of the last Q sees; padding is not counted.

    mask: what the attention kernel gets: None for all before it, (B, K) bool for flash attention, else (B, 1, Q, K), a
    bool or what is added to the scores.
    """
    queries = hidden_BQD.shape[1]
    if mask is None:
        return torch.arange(keys - queries + 1, keys + 1, device=hidden_BQD.device)[None]
    if mask.ndim == 2:
        return mask.long().cumsum(1)[:, -queries:]
    seen_BQK = mask[:, 0] if mask.dtype == torch.bool else mask[:, 0] > torch.finfo(mask.dtype).min / 2
    return seen_BQK.sum(-1)
