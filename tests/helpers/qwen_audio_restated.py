"""Qwen-Audio told anew from its description, slowly and for one prompt, under the released names of its weights.

Nothing of the tested code is used. `Reduction` adds what the released FastAdaSP code does inside a block of this model:
of the span from `begin` up to `end`, the most similar neighbours are fused after the attention's residual.

T tokens, D channels, d channels per head, F mel frames.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, silu

PUBLISHED: dict[str, Any] = {
    "architectures": ["QWenLMHeadModel"],
    "model_type": "qwen",
    "hidden_size": 4096,
    "intermediate_size": 22016,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "kv_channels": 128,
    "layer_norm_epsilon": 1e-05,
    "max_position_embeddings": 8192,
    "no_bias": True,
    "rotary_emb_base": 10000,
    "rotary_pct": 1.0,
    "scale_attn_weights": True,
    "seq_length": 2048,
    "tie_word_embeddings": False,
    "vocab_size": 155947,
    "use_dynamic_ntk": True,
    "use_logn_attn": True,
    "audio": {
        "n_mels": 80,
        "n_ctx": 1500,
        "n_state": 1280,
        "n_head": 20,
        "n_layer": 32,
        "output_dim": 4096,
        "avg_pool": True,
        "add_audio_bos_eos_token": True,
        "audio_start_id": 155163,
    },
}
"""The released config.json, as far as the weights and their use depend on it."""


def scaled_down(vocabulary: int, audio_start: int, *, layers: int = 3, seq_length: int = 2048) -> dict[str, Any]:
    """The released config with small dimensions."""
    audio = {"n_state": 24, "n_head": 2, "n_layer": layers, "output_dim": 32, "audio_start_id": audio_start}
    return {
        **PUBLISHED,
        "hidden_size": 32,
        "intermediate_size": 96,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "kv_channels": 8,
        "seq_length": seq_length,
        "vocab_size": vocabulary,
        "audio": {**PUBLISHED["audio"], **audio},
    }


@dataclass
class Reduction:
    """What the released FastAdaSP code does from layer `first` on; `end` moves as tokens go."""

    begin: int
    end: int
    ratio: float
    first: int
    schedule: str = "once"

    def ratio_at(self, layer: int) -> float:
        acts = layer >= self.first if self.schedule == "constant" else layer == self.first
        return self.ratio if acts else 0.0

    def fuse(self, h_TD: Tensor, probabilities: Tensor, keys: Tensor, ratio: float) -> Tensor:
        weight = probabilities.sum((0, 1))
        flat = keys.flatten(1)
        similarity = torch.cosine_similarity(flat[self.begin : self.end - 1], flat[self.begin + 1 : self.end], dim=1)
        count = int((self.end - self.begin) * ratio)
        chosen = {self.begin + index for index in similarity.argsort(descending=True, stable=True)[:count].tolist()}
        out, token = [h_TD[: self.begin]], self.begin
        while token < self.end:
            last = token
            while last in chosen:
                last += 1
            members = slice(token, last + 1)
            out.append((weight[members, None] * h_TD[members]).sum(0, keepdim=True) / weight[members].sum())
            token = last + 1
        out.append(h_TD[self.end :])
        self.end -= len(chosen)
        return torch.cat(out)


class Norm(nn.Module):
    """Root-mean-square norm."""

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(channels)), eps

    def forward(self, x: Tensor) -> Tensor:
        return x / (x.pow(2).mean(-1, keepdim=True) + self.eps).sqrt() * self.weight


class Block(nn.Module):
    """A layer of Qwen-7B."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        size, inner = config["hidden_size"], config["intermediate_size"] // 2
        self.ln_1, self.ln_2 = (Norm(size, config["layer_norm_epsilon"]) for _ in range(2))
        self.attn, self.mlp = nn.Module(), nn.Module()
        self.attn.c_attn, self.attn.c_proj = nn.Linear(size, 3 * size), nn.Linear(size, size, bias=False)
        self.mlp.w1, self.mlp.w2 = (nn.Linear(size, inner, bias=False) for _ in range(2))
        self.mlp.c_proj = nn.Linear(inner, size, bias=False)


class AudioBlock(nn.Module):
    """A layer of the Whisper-shaped encoder."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads, self.attn = heads, nn.Module()
        self.attn.query, self.attn.value, self.attn.out = (nn.Linear(size, size) for _ in range(3))
        self.attn.key = nn.Linear(size, size, bias=False)
        self.attn_ln, self.mlp_ln = nn.LayerNorm(size), nn.LayerNorm(size)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(), nn.Linear(4 * size, size))

    def forward(self, x_TD: Tensor) -> Tensor:
        normed, heads = self.attn_ln(x_TD), []
        depth = x_TD.shape[1] // self.heads
        q, k, v = (getattr(self.attn, name)(normed) for name in ("query", "key", "value"))
        for head in range(self.heads):
            part = slice(head * depth, (head + 1) * depth)
            scores = (q[:, part] * depth**-0.25) @ (k[:, part] * depth**-0.25).T
            heads.append(scores.softmax(-1) @ v[:, part])
        x_TD = x_TD + self.attn.out(torch.cat(heads, -1))
        return x_TD + self.mlp(self.mlp_ln(x_TD))


class Restatement(nn.Module):
    """The whole model; `prefill` reads a prompt, each `decode` one token more."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        audio, size = config["audio"], config["hidden_size"]
        self.transformer, encoder = nn.Module(), nn.Module()
        self.transformer.wte = nn.Embedding(config["vocab_size"], size)
        self.transformer.h = nn.ModuleList(Block(config) for _ in range(config["num_hidden_layers"]))
        self.transformer.ln_f = Norm(size, config["layer_norm_epsilon"])
        encoder.conv1 = nn.Conv1d(audio["n_mels"], audio["n_state"], 3, padding=1)
        encoder.conv2 = nn.Conv1d(audio["n_state"], audio["n_state"], 3, stride=2, padding=1)
        encoder.register_buffer("positional_embedding", torch.zeros(audio["n_ctx"], audio["n_state"]))
        encoder.blocks = nn.ModuleList(AudioBlock(audio["n_state"], audio["n_head"]) for _ in range(audio["n_layer"]))
        encoder.ln_post = nn.LayerNorm(audio["n_state"])
        encoder.proj = nn.Linear(audio["n_state"], audio["output_dim"])
        encoder.audio_bos_eos_token = nn.Embedding(2, audio["output_dim"])
        self.transformer.audio = encoder
        self.lm_head = nn.Linear(size, config["vocab_size"], bias=False)

    def encode(self, mel_CF: Tensor, frames: int) -> Tensor:
        """(tokens + 2, D): start marker, features and end marker of a clip with `frames` mel frames of sound."""
        encoder = self.transformer.audio
        states = (frames - 1) // 2 + 1
        x = gelu(encoder.conv1(mel_CF[None, :, : 2 * states]))
        x_TD = gelu(encoder.conv2(x))[0].T
        x_TD = x_TD + encoder.positional_embedding[: len(x_TD)]
        for block in encoder.blocks:
            x_TD = block(x_TD)
        pooled = (x_TD[0 : 2 * (states // 2) : 2] + x_TD[1 : 2 * (states // 2) : 2]) / 2
        features = encoder.proj(encoder.ln_post(pooled))
        marker = encoder.audio_bos_eos_token.weight
        return torch.cat([marker[:1], features, marker[1:]])

    def prefill(
        self, ids: Sequence[int], clips: Sequence[tuple[Tensor, int]], reduction: Reduction | None = None
    ) -> Tensor:
        """(T, V) logits of a prompt with as many clips (mel, frames) as start markers."""
        self.cache: list[tuple[Tensor, Tensor]] = []
        self.seen, limit = len(ids), self.config["seq_length"]
        doublings = math.ceil(math.log(len(ids) / limit, 2) + 1)
        self.factor = max(2**doublings - 1, 1) if self.config["use_dynamic_ntk"] else 1
        h = self.transformer.wte(torch.tensor(ids)).clone()
        starts = [index for index, token in enumerate(ids) if token == self.config["audio"]["audio_start_id"]]
        for start, clip in zip(starts, clips, strict=True):
            span = self.encode(*clip)
            assert ids[start + len(span) - 1] == self.config["audio"]["audio_start_id"] + 1
            h[start : start + len(span)] = span
        for index, block in enumerate(self.transformer.h):
            h, probabilities, keys = self._attend(index, block, h)
            if reduction is not None and (ratio := reduction.ratio_at(index)):
                h = reduction.fuse(h, probabilities, keys, ratio)
            h = self._feed_forward(block, h)
        return self.lm_head(self.transformer.ln_f(h))

    def decode(self, token: int) -> Tensor:
        """(V,) logits after one more token."""
        self.seen += 1
        h = self.transformer.wte(torch.tensor([token]))
        for index, block in enumerate(self.transformer.h):
            h = self._feed_forward(block, self._attend(index, block, h)[0])
        return self.lm_head(self.transformer.ln_f(h))[0]

    def _attend(self, index: int, block: Block, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Residual stream after attention, probabilities (heads, queries, keys), rotated keys (keys, heads, d)."""
        heads, depth = self.config["num_attention_heads"], self.config["kv_channels"]
        parts = block.attn.c_attn(block.ln_1(h)).split(heads * depth, -1)
        q, k, v = (part.view(-1, heads, depth) for part in parts)
        first = self.seen - len(h)
        q, k = (torch.stack([self._rotate(row, first + t) for t, row in enumerate(x)]) for x in (q, k))
        if index < len(self.cache):
            k, v = torch.cat([self.cache[index][0], k]), torch.cat([self.cache[index][1], v])
            self.cache[index] = k, v
        else:
            self.cache.append((k, v))
        before = len(k) - len(q)
        if self.config["use_logn_attn"]:
            limit = self.config["seq_length"]
            grown = [max(1.0, math.log(before + t + 1) / math.log(limit)) for t in range(len(q))]
            q = q * torch.tensor(grown)[:, None, None]
        out, probabilities = [], []
        hidden = torch.ones(len(q), len(k), dtype=torch.bool).triu(before + 1)
        for head in range(heads):
            scores = (q[:, head] @ k[:, head].T / depth**0.5).masked_fill(hidden, -torch.inf)
            probabilities.append(scores.softmax(-1))
            out.append(probabilities[-1] @ v[:, head])
        return h + block.attn.c_proj(torch.cat(out, -1)), torch.stack(probabilities), k

    def _rotate(self, x: Tensor, position: int) -> Tensor:
        """One token's heads (heads, d) at a position."""
        depth = x.shape[-1]
        base = self.config["rotary_emb_base"] * self.factor ** (depth / (depth - 2))
        angle = position * (1.0 / base ** (torch.arange(0, depth, 2).float() / depth))  # single precision, as released
        one, two = x[:, : depth // 2], x[:, depth // 2 :]
        return torch.cat([one * angle.cos() - two * angle.sin(), two * angle.cos() + one * angle.sin()], -1)

    def _feed_forward(self, block: Block, h: Tensor) -> Tensor:
        x, mlp = block.ln_2(h), block.mlp
        return h + mlp.c_proj(mlp.w1(x) * silu(mlp.w2(x)))


def drawn(config: dict[str, Any], seed: int = 0) -> Restatement:
    """The model with random weights that are large enough for every token to matter; nothing is at its default."""
    torch.manual_seed(seed)
    model = Restatement(config).eval().requires_grad_(False)
    for name, tensor in model.state_dict().items():
        if "ln" in name and name.endswith("weight"):
            tensor.normal_(1.0, 0.2)
        else:
            tensor.normal_(0.0, 0.25 if tensor.ndim > 1 else 0.1)
    return model
