"""What the oracle of `cache_oracle` needs for the methods that build on others' scores, and for FINCH and chance."""

import math
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import torch
from torch import Tensor

from fastadasp.merge.cam import CaM
from tests.helpers.cache_oracle import (
    LAYERS,
    Score,
    Seen,
    received,
)

Scores = list[list[float]]


def of_scorer(score: Score) -> Score:
    return lambda seen, method, removable: score(seen, method.scorer, removable)


def runs(tokens: Sequence[int]) -> list[list[int]]:
    """Stretches of adjacent tokens."""
    stretches: list[list[int]] = []
    for token in tokens:
        if stretches and stretches[-1][-1] == token - 1:
            stretches[-1].append(token)
        else:
            stretches.append([token])
    return stretches


def question(seen: Seen, method: Any, removable: list[int]) -> Scores:
    heads, length = seen.attention_HSS.shape[:2]
    groups = len(seen.key_GSd)
    after = length - 1 - max(seen.audio) if seen.audio else 0
    asking = range(length - max(1, after), length)
    scores = []
    for group in range(groups):
        sharing = range(group * heads // groups, (group + 1) * heads // groups)
        total = [
            sum(
                float(seen.attention_HSS[h, q, j]) * (q + 1 if method.normalise else 1) for h in sharing for q in asking
            )
            for j in range(length)
        ]
        mean = [x / len(asking) / len(sharing) for x in total]
        scores.append([1e6 + j if j in asking else x for j, x in enumerate(mean)])
    return scores


def by_chunk(score: Score) -> Score:
    def ranked(seen: Seen, method: Any, removable: list[int]) -> Scores:
        heads = score(seen, method.scorer, removable)
        total = [sum(min(head[j], 1e30) for head in heads) for j in range(len(heads[0]))]
        chunks = [run[i : i + method.chunk] for run in runs(removable) for i in range(0, len(run), method.chunk)]
        chunks.sort(key=lambda chunk: -sum(total[j] for j in chunk) / len(chunk))
        order = [j for chunk in chunks for j in sorted(chunk, key=lambda j: -total[j])]
        return [[-order.index(j) if j in order else 0.0 for j in range(len(total))]] * len(heads)

    return ranked


def critical(score: Score) -> Score:
    def rescored(seen: Seen, method: Any, removable: list[int]) -> Scores:
        kept = method.kept(len(removable), seen.layer, LAYERS) if seen.layer >= method.layer else len(removable)
        shared, channels = len(seen.query_HSd) // len(seen.key_GSd), seen.value_GSd.shape[2]
        out = []
        for group, scores in enumerate(score(seen, method.scorer, removable)):
            best = sorted(removable, key=lambda j: -scores[j])[: int(kept * method.first_stage)]
            columns = [
                seen.output_DE[:, head * channels : (head + 1) * channels]
                for head in range(group * shared, (group + 1) * shared)
            ]
            effect = [
                sum(float((weight @ value).abs().sum()) for weight in columns) / shared
                for value in seen.value_GSd[group]
            ]
            row = [(min(x, 1e30) + method.epsilon) * effect[j] for j, x in enumerate(scores)]
            out.append([math.inf if j in best else x for j, x in enumerate(row)])
        return out

    return rescored


def drawn(seen: Seen, method: Any, removable: list[int]) -> Scores:
    groups, length = seen.key_GSd.shape[:2]
    generator = torch.Generator().manual_seed(crc32(f"{method.seed} {seen.layer} {len(removable)}".encode()))
    numbers = torch.rand(groups, len(removable), generator=generator).tolist()
    return [[dict(zip(removable, head, strict=True)).get(j, 0.0) for j in range(length)] for head in numbers]


def lowest_of_all_heads(
    method: Any, scores: Scores, removable: Sequence[int], kept: int, safe: set[int]
) -> list[set[int]]:
    safeguard = (method.scorer if isinstance(method, CaM) else method).safeguard
    rest = [j for j in removable if j not in safe]
    free = []
    for head, score in enumerate(scores):
        guarded = sorted(rest, key=lambda j: (-score[j], j))[: int((kept - len(safe)) * safeguard)]
        free += [(score[j], -j, -head) for j in rest if j not in guarded]
    worst = sorted(free)[: len(scores) * (len(removable) - kept)]
    return [{-j for _, j, h in worst if h == -head} for head in range(len(scores))]


def folded(seen: Seen, method: Any, removable: Sequence[int], gone: list[set[int]]) -> list[list[Tensor]]:
    attention = received(seen)
    values = []
    for group, lost in enumerate(gone):
        weight = attention[group]
        joined: dict[int, list[int]] = {}
        for run in runs(removable):
            stay = [j for j in run if j not in lost]
            for j in run:
                if j in lost and stay:
                    joined.setdefault(min(stay, key=lambda k: (abs(k - j), k)), []).append(j)
        head = list(seen.value_GSd[group])
        for target, sources in joined.items():
            own = seen.value_GSd[group]
            if method.fold.name == "mean":
                total = weight[target] + sum(weight[j] for j in sources)
                parts = [weight[j] * own[j] for j in (target, *sources)]
                head[target] = torch.stack(parts).sum(0) / total
            else:
                head[target] = own[target] + sum(min(1.0, weight[j] / weight[target]) * own[j] for j in sources)
        values.append(head)
    return values
