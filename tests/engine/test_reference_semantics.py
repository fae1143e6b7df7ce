"""`merging()` against a plain re-statement of the released FastAdaSP block.

The reference below is written from the description of the released Qwen-Audio code alone: one row, eager attention with
full matrices, a Python loop over tokens, positions renumbered and right-aligned. It shares the model's weights with the
tested code, and nothing else. Proportional attention is told as what it stands for: a token's key and value are there
as often as it has members.
"""

import math

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from fastadasp import Average, FastAdaSP, MergeMethod, Schedule, merging
from tests.helpers.tiny_decoders import LAYERS, prompt, tiny_decoder

STEPS = 4


class Reference:
    """The released forward pass: prefill with reduction, then decoding, one token at a time."""

    def __init__(
        self,
        model: PreTrainedModel,
        ratio: float,
        first_layer: int,
        schedule: str,
        span: tuple[int, int],
        weighted: bool,
        proportional: bool = False,
    ) -> None:
        self.model, self.config, self.weighted = model.model, model.config, weighted
        self.head = model.lm_head
        self.ratio, self.first_layer, self.schedule = ratio, first_layer, schedule
        self.begin, self.end = span
        self.cache: list[tuple[Tensor, Tensor]] = []
        self.proportional = proportional
        self.copies: list[int] = []
        self.cached_copies: list[list[int]] = []
        self.seen = 0

    def ratio_at(self, layer: int) -> float:
        if layer < self.first_layer or (self.schedule == "once" and layer > self.first_layer):
            return 0.0
        if self.schedule != "decay" or layer == self.first_layer:
            return self.ratio
        return self.ratio * (1 - (layer - self.first_layer) / (LAYERS - 1 - self.first_layer))

    def rotate(self, x: Tensor, position: int) -> Tensor:
        """One token's heads (heads, d) at an absolute position."""
        half = x.shape[-1] // 2
        base = self.config.rope_parameters["rope_theta"]
        angle = position * torch.tensor([base ** (-i / half) for i in range(half)])
        one, two = x[:, :half], x[:, half:]
        return torch.cat([one * angle.cos() - two * angle.sin(), two * angle.cos() + one * angle.sin()], -1)

    def prefill(self, ids: Tensor) -> Tensor:
        """Logits at the last position."""
        self.seen = len(ids)
        self.copies = [1] * len(ids)
        h = self.model.embed_tokens(ids)
        for index, layer in enumerate(self.model.layers):
            h, probabilities, keys = self.attention(layer, h, past=None)
            if ratio := self.ratio_at(index):
                h = self.merge(h, probabilities, keys, ratio)
            h = h + layer.mlp(layer.post_attention_layernorm(h))
        return self.head(self.model.norm(h))[-1]

    def decode(self, token: int) -> Tensor:
        """Logits after one more token, whose position is the unreduced prompt's next in every layer."""
        self.seen += 1
        h = self.model.embed_tokens(torch.tensor([token]))
        for index, layer in enumerate(self.model.layers):
            h, _, _ = self.attention(layer, h, past=index)
            h = h + layer.mlp(layer.post_attention_layernorm(h))
        return self.head(self.model.norm(h))[-1]

    def attention(self, layer: torch.nn.Module, h: Tensor, past: int | None) -> tuple[Tensor, Tensor, Tensor]:
        """Residual stream after attention, probabilities (heads, T, T) and rotated keys (T, kv heads, d)."""
        attention, x = layer.self_attn, layer.input_layernorm(h)
        depth = self.config.hidden_size // self.config.num_attention_heads
        q, k, v = (proj(x).view(len(x), -1, depth) for proj in (attention.q_proj, attention.k_proj, attention.v_proj))
        start = self.seen - len(x)  # contiguous, right-aligned
        q = torch.stack([self.rotate(q[t], start + t) for t in range(len(x))])
        k = torch.stack([self.rotate(k[t], start + t) for t in range(len(x))])
        if past is None:
            self.cache.append((k, v))
            self.cached_copies.append(list(self.copies))
        else:
            self.cached_copies[past].append(1)
            k, v = torch.cat([self.cache[past][0], k]), torch.cat([self.cache[past][1], v])
            self.cache[past] = k, v
        group = q.shape[1] // k.shape[1]
        copies = torch.tensor(self.cached_copies[-1 if past is None else past])
        key = torch.arange(len(k)).repeat_interleave(copies)
        out, probabilities = [], []
        for head in range(q.shape[1]):
            scores = q[:, head] @ k[:, head // group].T / math.sqrt(depth)
            if past is None:
                scores = scores + torch.full_like(scores, -torch.inf).triu(1)
            attended = scores[:, key].softmax(-1)
            probabilities.append(torch.zeros_like(scores).index_add(1, key, attended))
            out.append(attended @ v[key, head // group])
        return h + attention.o_proj(torch.cat(out, -1)), torch.stack(probabilities), k

    def merge(self, h: Tensor, probabilities: Tensor, keys: Tensor, ratio: float) -> Tensor:
        """Fuse the span's most similar neighbours; the span's end moves along."""
        length = self.end - self.begin
        received = probabilities.sum((0, 1))
        weight = received if self.weighted else torch.ones_like(received)
        flat = keys.flatten(1)
        similarity = [
            float(torch.cosine_similarity(flat[t], flat[t + 1], dim=0, eps=1e-8))
            for t in range(self.begin, self.end - 1)
        ]
        best = sorted(range(length - 1), key=lambda i: (-similarity[i], i))[: int(length * ratio)]
        chosen = {self.begin + i for i in best}
        out, token = [h[: self.begin]], self.begin
        copies = self.copies[: self.begin]
        while token < self.end:
            last = token
            while last in chosen:
                last += 1
            members = range(token, last + 1)
            out.append(sum(weight[t] * h[t] for t in members)[None] / sum(weight[t] for t in members))
            copies.append(sum(self.copies[t] for t in members) if self.proportional else 1)
            token = last + 1
        out.append(h[self.end :])
        self.copies = copies + self.copies[self.end :]
        self.end -= len(chosen)
        return torch.cat(out)


@pytest.mark.crossed
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kv_heads", [4, 2], ids=["mha", "gqa"])
@pytest.mark.parametrize(("schedule", "ratio"), [("once", 0.5), ("constant", 0.1), ("decay", 0.15)])
@pytest.mark.parametrize(
    ("method_class", "proportional"), [(FastAdaSP, False), (Average, False), (FastAdaSP, True), (Average, True)]
)
@torch.no_grad()
def test_logits_equal_the_released_blocks(
    method_class: type[MergeMethod], proportional: bool, schedule: str, ratio: float, kv_heads: int, attention: str
) -> None:
    model = tiny_decoder(attention=attention, kv_heads=kv_heads)
    ids, audio_mask = prompt(6, 50, 9)
    method = method_class(layer_ratio=ratio, layer=3, schedule=Schedule[schedule], proportional=proportional)
    reference = Reference(model, ratio, 3, schedule, (6, 56), method_class is FastAdaSP, proportional)
    with merging(model, method, audio_mask[None]) as trace:
        out = model.generate(
            ids[None], max_new_tokens=STEPS, do_sample=False, output_logits=True, return_dict_in_generate=True
        )
    expected = reference.prefill(ids)
    for logits, token in zip(out.logits, out.sequences[0, len(ids) :].tolist(), strict=True):
        torch.testing.assert_close(logits[0], expected, atol=1e-4, rtol=1e-4)
        expected = reference.decode(token)
    cached = [layer.keys.shape[-2] for layer in out.past_key_values.layers]
    assert cached == [len(keys) - 1 for keys, _ in reference.cache]  # the reference has decoded one token more
    assert int(trace.audio_tokens[-1, 0]) == reference.end - reference.begin
