"""LLaMA with LoRA weights in its attention that a gate scales, channel by channel.

B rows, T tokens, D channels, P tokens of an instruction.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaModel
from transformers import initialization as init
from transformers.masking_utils import create_causal_mask
from transformers.models.llama.modeling_llama import (
    ALL_ATTENTION_FUNCTIONS,
    LlamaAttention,
    apply_rotary_pos_emb,
    eager_attention_forward,
)

Gates = tuple[Tensor, Tensor]
"""(B, 1, D) twice: for values and outputs, and in the order of channels that queries and keys have."""


class GatedLinear(nn.Linear):
    """`x W + (x A B) * gate`; without a gate plainly `x W`."""

    def __init__(self, in_features: int, out_features: int, rank: int) -> None:
        super().__init__(in_features, out_features, bias=False)
        self.lora_A = nn.Parameter(torch.empty(in_features, rank))
        self.lora_B = nn.Parameter(torch.empty(rank, out_features))

    def forward(self, x_BTD: Tensor, gate_B1D: Tensor | None = None) -> Tensor:
        """(B, T, D)."""
        plain = super().forward(x_BTD)
        return plain if gate_B1D is None else plain + (x_BTD @ self.lora_A @ self.lora_B) * gate_B1D


class GatedAttention(LlamaAttention):  # type: ignore[misc]  # transformers is untyped
    """LLaMA's attention, whose four projections have LoRA weights that share one gate."""

    def __init__(self, config: Any, layer_idx: int, rank: int) -> None:
        super().__init__(config, layer_idx)
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            plain = getattr(self, name)
            setattr(self, name, GatedLinear(plain.in_features, plain.out_features, rank))

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor | None = None,
        past_key_values: Any = None,
        lora_gates: Gates | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """Run attention, with the arguments of `LlamaAttention.forward`.

        Without `lora_gates`, the LoRA weights are not used.
        """
        gate, gate_by_halves = (None, None) if lora_gates is None else lora_gates
        rows, tokens, _ = hidden_states.shape
        query, key, value = (
            project(hidden_states, scaled_by).view(rows, tokens, -1, self.head_dim).transpose(1, 2)
            for project, scaled_by in (
                (self.q_proj, gate_by_halves),
                (self.k_proj, gate_by_halves),
                (self.v_proj, gate),
            )
        )
        query, key = apply_rotary_pos_emb(query, key, *position_embeddings)
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention_forward)
        dropout = self.attention_dropout if self.training else 0.0
        heads, weights = attend(
            self, query, key, value, attention_mask, dropout=dropout, scaling=self.scaling, **kwargs
        )
        return self.o_proj(heads.reshape(rows, tokens, -1), gate), weights


class GatedLlama(LlamaModel):  # type: ignore[misc]  # transformers is untyped
    """LLaMA without its head. Its layers are LLaMA's own but for what their attention adds."""

    persistent_inputs = ("lora_gate",)
    """Arguments of `forward` that stay the same from the prompt to the last token of an answer."""

    def __init__(self, config: Any, rank: int) -> None:
        super().__init__(config)
        for index, layer in enumerate(self.layers):
            layer.self_attn = GatedAttention(config, index, rank)

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, GatedLinear):
            for weight in (module.lora_A, module.lora_B):
                init.normal_(weight, std=self.config.initializer_range)

    def forward(
        self, *args: Any, lora_gate: Tensor | None = None, prompt_length: int | None = None, **kwargs: Any
    ) -> Any:
        """As LlamaModel.

        lora_gate: (B, D), None to leave the LoRA weights out. prompt_length: tokens of the prompt, where the call reads
        but the first part of it; changes nothing here, but `merging()` must know.
        """
        if lora_gate is not None:
            gate_B1D = lora_gate[:, None]
            kwargs["lora_gates"] = gate_B1D, by_halves(gate_B1D, self.layers[0].self_attn.head_dim)
        return super().forward(*args, **kwargs)

    def read_plainly(self, ids_UP: Tensor) -> Tensor:
        """(U, P, D): right-padded texts after the last layer and before the final norm, without LoRA and cache.

        The layers' parts are called one by one: inside `merging()` the layers themselves expect a prompt.
        """
        hidden_UPD: Tensor = self.embed_tokens(ids_UP)
        positions = torch.arange(ids_UP.shape[1], device=hidden_UPD.device)[None]
        rotary = self.rotary_emb(hidden_UPD, position_ids=positions)
        mask = create_causal_mask(
            config=self.config,
            inputs_embeds=hidden_UPD,
            attention_mask=None,
            past_key_values=None,
            position_ids=positions,
        )
        for layer in self.layers:
            normed = layer.input_layernorm(hidden_UPD)
            update = layer.self_attn(hidden_states=normed, position_embeddings=rotary, attention_mask=mask)[0]
            hidden_UPD = hidden_UPD.to(update.device) + update
            hidden_UPD += layer.mlp(layer.post_attention_layernorm(hidden_UPD))
        return hidden_UPD


def by_halves(x: Tensor, head_dim: int) -> Tensor:
    """The last dimension of `x`, a channel of queries or keys each, in the order that transformers' rotation expects.

    The released weights rotate neighbouring channels of a head together, transformers its first half with its second.
    """
    return x.reshape(*x.shape[:-1], -1, head_dim // 2, 2).transpose(-1, -2).flatten(-3)
