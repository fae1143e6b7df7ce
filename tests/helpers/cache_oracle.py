"""A decoder written out token by token, one row and one head at a time, for the methods that shorten the cache.

It keeps each head's cache as lists, scores tokens with loops over the formulas of the papers (as the reference
implementations have them), and goes on decoding: its logits must be those of `merging()` inside generate().
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from fastadasp import merging
from fastadasp.reduction.cache_method import CacheMethod
from tests.helpers.tiny_decoders import Prompt, left_padded, prompt, tiny_decoder

LAYERS = 3
STEPS = 7
PROMPTS = [prompt(5, 40, 7, seed=1), prompt(3, 12, 2, 9, 5, seed=2), prompt(6, seed=3), prompt(0, 33, 4, seed=4)]


@dataclass
class Seen:
    """One layer's prompt, as an oracle sees it: H query heads, G key-value heads, S tokens, d channels."""

    query_HSd: Tensor
    key_GSd: Tensor
    value_GSd: Tensor
    unrotated_HSd: Tensor
    attention_HSS: Tensor
    frequency: Tensor
    output_DE: Tensor
    """The output projection; E = H · d."""
    layer: int
    audio: list[int]


Score = Callable[[Seen, CacheMethod, list[int]], list[list[float]]]
"""For each KV head and token of the prompt; the list holds the tokens that may be removed."""
Choice = Callable[[Any, list[list[float]], Sequence[int], int, set[int]], list[set[int]]]
"""From method, scores, removable tokens, how many of them to keep, and the safe ones: those that go from each head."""
Fold = Callable[["Seen", Any, Sequence[int], list[set[int]]], list[list[Tensor]]]
"""The values of all tokens of each head once those that go have left theirs to others."""


def lowest_of_each_head(
    _: Any, scores: list[list[float]], removable: Sequence[int], kept: int, safe: set[int]
) -> list[set[int]]:
    gone = []
    for score in scores:
        rest = sorted((j for j in removable if j not in safe), key=lambda j: (-score[j], j))
        gone.append(set(rest[kept - len(safe) :]))
    return gone


def received(seen: Seen, *_: Any) -> list[list[float]]:
    heads, groups = len(seen.query_HSd), len(seen.key_GSd)
    shared = heads // groups
    tokens = range(seen.key_GSd.shape[1])
    return [
        [float(seen.attention_HSS[group * shared : (group + 1) * shared, :, j].sum()) for j in tokens]
        for group in range(groups)
    ]


def small_norm(seen: Seen, *_: Any) -> list[list[float]]:
    return [[-math.sqrt(float((key**2).sum())) for key in keys] for keys in seen.key_GSd]


def unlike_the_mean(seen: Seen, *_: Any) -> list[list[float]]:
    scores = []
    for keys in seen.key_GSd:
        mean = torch.stack([key / key.norm() for key in keys]).mean(0)
        scores.append([-float(key @ mean / (key.norm() * mean.norm())) for key in keys])
    return scores


def newest_and_sinks(seen: Seen, method: Any, removable: list[int]) -> list[list[float]]:
    sinks = removable[: method.sinks]
    return [[math.inf if j in sinks else float(j) for j in range(seen.key_GSd.shape[1])]] * len(seen.key_GSd)


def last_query(seen: Seen, *_: Any) -> list[list[float]]:
    mean = seen.attention_HSS[:, -1].mean(0).tolist()
    mean[-1] = math.inf
    return [mean] * len(seen.key_GSd)


def observation_window(seen: Seen, method: Any, _: list[int]) -> list[list[float]]:
    heads, length, _ = seen.query_HSd.shape
    groups = len(seen.key_GSd)
    window = max(1, min(method.window, length // 2))
    outside = length - window
    scores = []
    for group in range(groups):
        total = [0.0] * outside
        for head in range(group * heads // groups, (group + 1) * heads // groups):
            mean = [float(seen.attention_HSS[head, outside:, j].sum()) / window for j in range(outside)]
            for j in range(outside):
                near = [mean[i] for i in range(j - method.kernel // 2, j + method.kernel // 2 + 1) if 0 <= i < outside]
                total[j] += sum(near) / method.kernel / (heads // groups)
        scores.append(total + [2.0 + j for j in range(window)])
    return scores


def expected_attention(seen: Seen, method: Any, _: list[int]) -> list[list[float]]:
    heads, length, channels = seen.query_HSd.shape
    groups, half = len(seen.key_GSd), channels // 2
    turn = torch.zeros(channels, channels)
    for position in range(length, length + method.future):
        for i, frequency in enumerate(seen.frequency.tolist()):
            cos, sin = math.cos(position * frequency), math.sin(position * frequency)
            turn[i, i] += cos
            turn[i + half, i + half] += cos
            turn[i, i + half] -= sin
            turn[i + half, i] += sin
    turn /= method.future
    scores = []
    for group in range(groups):
        total = torch.zeros(length)
        for head in range(group * heads // groups, (group + 1) * heads // groups):
            queries = seen.unrotated_HSd[head, method.sinks :]
            mean, covariance = turn @ queries.mean(0), turn @ torch.cov(queries.T, correction=0) @ turn.T
            logits = [
                float(mean @ key) / math.sqrt(channels) + float(key @ covariance @ key) / (2 * channels)
                for key in seen.key_GSd[group, method.sinks :]
            ]
            total[method.sinks :] += torch.tensor(logits).softmax(0) / (heads // groups)
        score = (total + method.epsilon) * seen.value_GSd[group].norm(dim=-1)
        score[: method.sinks] = math.inf
        scores.append(score.tolist())
    return scores


def rotated(x_HSd: Tensor, first: int, frequency: Tensor) -> Tensor:
    out = torch.empty_like(x_HSd)
    half = x_HSd.shape[-1] // 2
    for step in range(x_HSd.shape[1]):
        cos, sin = ((first + step) * frequency).cos(), ((first + step) * frequency).sin()
        first_half, second_half = x_HSd[:, step, :half], x_HSd[:, step, half:]
        out[:, step, :half] = first_half * cos - second_half * sin
        out[:, step, half:] = second_half * cos + first_half * sin
    return out


@dataclass
class OracleLayer:
    """One decoder layer with a cache of its own for each KV head."""

    layer: Any
    index: int
    method: CacheMethod
    audio: list[int]
    score: Score
    choose: Choice = lowest_of_each_head
    fold: Fold | None = None
    keys: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    sums: list[list[float]] = field(default_factory=list)
    free: list[list[bool]] = field(default_factory=list)
    newest: int = 0
    full: bool = False

    def read(self, hidden_SD: Tensor, position: int, frequency: Tensor, removable: list[int] | None) -> Tensor:
        attention = self.layer.self_attn
        x = self.layer.input_layernorm(hidden_SD)
        q, k, v = (
            project(x).view(len(x), -1, attention.head_dim).transpose(0, 1)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        unrotated, q, k = q, rotated(q, position, frequency), rotated(k, position, frequency)
        if removable is None:
            self.keys = [torch.cat([old, new]) for old, new in zip(self.keys, k, strict=True)]
            self.values = [torch.cat([old, new]) for old, new in zip(self.values, v, strict=True)]
        else:
            self.keys, self.values = list(k), list(v)
        shared, out, maps = len(q) // len(k), [], []
        for head in range(len(q)):
            keys, values = self.keys[head // shared], self.values[head // shared]
            logits = q[head] @ keys.T / math.sqrt(attention.head_dim)
            visible = torch.ones_like(logits).tril(len(keys) - len(x)).bool()
            maps.append(logits.masked_fill(~visible, -math.inf).softmax(-1))
            out.append(maps[-1] @ values)
        hidden_SD = hidden_SD + attention.o_proj(torch.cat(out, -1))
        if removable is not None:
            seen = Seen(
                q, k, v, unrotated, torch.stack(maps), frequency, attention.o_proj.weight, self.index, self.audio
            )
            self.evict_prompt(seen, removable)
        elif self.full and self.method.evicts_while_decoding:
            self.evict_step([sum(maps[h][0] for h in range(g * shared, (g + 1) * shared)) for g in range(len(k))])
        return hidden_SD + self.layer.mlp(self.layer.post_attention_layernorm(hidden_SD))

    def evict_prompt(self, seen: Seen, removable: list[int]) -> None:
        kept = (
            self.method.kept(len(removable), self.index, LAYERS) if self.index >= self.method.layer else len(removable)
        )
        self.full, self.newest = kept < len(removable), self.method.newest(kept)
        safe = set(removable[len(removable) - self.newest :])
        scores = self.score(seen, self.method, removable)
        gone = self.choose(self.method, scores, removable, kept, safe)
        if self.fold is not None:
            self.values = [torch.stack(values) for values in self.fold(seen, self.method, removable, gone)]
        for group, score in enumerate(scores):
            stay = [j for j in range(len(score)) if j not in gone[group]]
            self.keys[group], self.values[group] = self.keys[group][stay], self.values[group][stay]
            self.sums.append([score[j] for j in stay])
            self.free.append([j in removable for j in stay])

    def evict_step(self, attention_G: list[Tensor]) -> None:
        for group, attention in enumerate(attention_G):
            self.sums[group] = [old + float(new) for old, new in zip([*self.sums[group], 0.0], attention, strict=True)]
            self.free[group].append(True)
            columns = [j for j, free in enumerate(self.free[group]) if free]
            gone = min(columns[: len(columns) - self.newest], key=lambda j: (self.sums[group][j], -j))
            stay = [j for j in range(len(self.keys[group])) if j != gone]
            self.keys[group], self.values[group] = self.keys[group][stay], self.values[group][stay]
            self.sums[group] = [self.sums[group][j] for j in stay]
            self.free[group] = [self.free[group][j] for j in stay]


def oracle(model: PreTrainedModel, method: CacheMethod, row: Prompt, answer: Tensor, *rules: Any) -> Tensor:
    """(steps, vocabulary) logits after the prompt and after each token of `answer` but the last."""
    ids, audio = row
    removable = [j for j in range(len(ids)) if audio[j] or not method.protect_text]
    frequency = model.model.rotary_emb.inv_freq
    layers = [
        OracleLayer(layer, index, method, audio.nonzero().flatten().tolist(), *rules)
        for index, layer in enumerate(model.model.layers)
    ]
    logits = []
    for step, tokens in enumerate([ids, *answer[:-1].split(1)]):
        hidden = model.model.embed_tokens(tokens)
        for layer in layers:
            first = 0 if step == 0 else len(ids) + step - 1
            hidden = layer.read(hidden, first, frequency, removable if step == 0 else None)
        logits.append(model.lm_head(model.model.norm(hidden))[-1])
    return torch.stack(logits)


@torch.no_grad()
def check_against_oracle(method: CacheMethod, attention: str, *rules: Any) -> None:
    """The logits of a padded batch's answers are those of the oracle for each row; rules: score, choice and fold."""
    model = tiny_decoder(attention=attention, layers=LAYERS)
    ids, real, audio = left_padded(PROMPTS)
    settings = {"max_new_tokens": STEPS, "do_sample": False, "return_dict_in_generate": True, "output_logits": True}
    with merging(model, method, audio):
        out = model.generate(ids, attention_mask=real, **settings)
    logits_BSV = torch.stack(out.logits, 1)
    answers = out.sequences[:, ids.shape[1] :]
    for row, answer, logits_SV in zip(PROMPTS, answers, logits_BSV, strict=True):
        torch.testing.assert_close(logits_SV, oracle(model, method, row, answer, *rules), atol=2e-4, rtol=1e-4)
