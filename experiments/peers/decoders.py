"""Tiny decoders and prompts that are the same in every environment: each number is a hash of its name and its place.

No random generator and no stored weights: `torch.manual_seed` promises nothing across versions, and a formula is
smaller than a checkpoint. Uses only what old and new releases of transformers share.
"""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

VOCABULARY = 256
LAYERS = 4
HEADS = 4
DECODERS = {
    "llama": (LlamaConfig, LlamaForCausalLM, 2),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, 1),  # biased projections
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, 4),  # queries and keys normed
}
"""By name: config, model, key-value heads."""


@dataclass(frozen=True)
class Prompt:
    """Text, audio and text again, in tokens."""

    before: int
    audio: int
    after: int

    @property
    def length(self) -> int:
        """Of all tokens."""
        return self.before + self.audio + self.after

    @property
    def ids(self) -> Tensor:
        """(1, T) int64. No token comes twice: in layer 0, equal tokens have keys of equal norm, which would tie."""
        order = uniform(f"prompt {self.length}", VOCABULARY).argsort(kind="stable")
        return torch.from_numpy(order[: self.length].astype(np.int64))[None]

    @property
    def audio_mask(self) -> Tensor:
        """(1, T) bool."""
        column = torch.arange(self.length)
        return ((column >= self.before) & (column < self.before + self.audio))[None]


def decoder(name: str, attention: str, nudge: float = 0.0) -> PreTrainedModel:
    """The decoder of `DECODERS` called so, in float32; `nudge` changes each weight by up to that share of itself."""
    config_class, model_class, kv_heads = DECODERS[name]
    config = config_class(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=kv_heads,
        head_dim=16,
        tie_word_embeddings=False,
        attn_implementation=attention,
    )
    model = model_class(config).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            fill(parameter_name, parameter, nudge)
    return model


def fill(name: str, parameter: nn.Parameter, nudge: float) -> None:
    """Matrices get a variance of 2 / columns: attention is then neither flat nor on one token. Gains lie around 1."""
    values = torch.from_numpy(uniform(name, parameter.numel()).astype(np.float32)).view(parameter.shape) * 2 - 1
    if parameter.ndim == 2:
        values = values * (6 / (1 if "embed" in name else parameter.shape[1])) ** 0.5
    elif "norm" in name:
        values = 1 + values / 4
    noise = torch.from_numpy(uniform(f"nudge {name}", parameter.numel()).astype(np.float32)).view(parameter.shape)
    parameter.copy_(values * (1 + nudge * (noise * 2 - 1)))


def uniform(name: str, count: int) -> np.ndarray:
    """`count` numbers in [0, 1) with 24 bits, which float32 holds exactly: splitmix64 of name and index."""
    state = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(crc32(name.encode()))
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((state ^ (state >> np.uint64(31))) >> np.uint64(40)).astype(np.float64) / 2**24
