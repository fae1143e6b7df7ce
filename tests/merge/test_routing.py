"""HeadRouter against a loop over heads and tokens, one row at a time; and its file."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fastadasp.errors import ConfigError
from fastadasp.merge.head_router import HeadRouter, read_routing, spread, text_to_audio
from tests.helpers.method_states import GROUPS, HEAD_DIM, HEADS, Row, best, layer_state, rows_of

CASES = [(0.1, 0), (0.33, 0), (0.5, 0), (0.8, 0), (0.97, 1)]


def head_router(row: Row, prefilter: float, routing: dict[str, Any] | None) -> list[int]:
    state, n = row.state, len(row.audio)
    text = [t for t in range(state.layout.tokens[row.index]) if t not in row.audio]
    query = row.heads(state.unrotated_queries_BHTd)
    key = row.heads(state.unrotated_keys_BGTd).repeat_interleave(HEADS // GROUPS, 0)
    probe = torch.stack(
        [
            torch.stack([(key[head, row.audio] @ query[head, t] * state.scaling).softmax(0) for t in text]).mean(0)
            for head in range(HEADS)
        ]
    )
    weight = [1.0] * HEADS
    if routing:
        selective = [
            1 + sum(float(p) * math.log(p) for p in probe[head]) / math.log(max(2, n)) for head in range(HEADS)
        ]
        mean = sum(selective) / HEADS
        spread = math.sqrt(sum((s - mean) ** 2 for s in selective) / HEADS)
        say = {
            c: math.exp(-((spread - mu) ** 2) / (2 * routing["width"] ** 2)) for c, mu in routing["centroids"].items()
        }
        weight = [sum(say[c] * routing["weights"][c][head] for c in say) for head in range(HEADS)]
    importance = {t: sum(weight[h] * float(probe[h, i]) for h in range(HEADS)) for i, t in enumerate(row.audio)}
    thinned = n - int(row.gone * prefilter)
    return best([row.audio[int(i * n / thinned)] for i in range(thinned)], n - row.gone, importance)


ROUTING = {
    "layer": 1,
    "centroids": {"semantic": 0.03, "uniform": 0.05, "acoustic": 0.08},
    "weights": {"semantic": [0.7, 0.1, 0.1, 0.1], "uniform": [0.25] * 4, "acoustic": [0.0, 0.0, 0.2, 0.8]},
    "width": 0.02,
}


@pytest.mark.parametrize("routed", [False, True])
@pytest.mark.parametrize(("ratio", "seed"), CASES)
def test_head_router_weighs_heads_by_the_spread_of_their_selectivity(
    ratio: float, seed: int, routed: bool, tmp_path: Path
) -> None:
    path = tmp_path / "routing.json"
    path.write_text(json.dumps(ROUTING))
    state = layer_state(ratio, seed)
    method = HeadRouter(ratio=ratio, routing=str(path) if routed else None, prefilter=0.4)
    assignment = method.assign(state)
    for row in rows_of(state):
        expected = head_router(row, 0.4, ROUTING if routed else None) if row.audio else []
        assert row.kept_audio(assignment) == expected


def test_head_router_needs_text() -> None:
    with pytest.raises(ValueError, match="row 1 of the batch has no text"):
        HeadRouter(ratio=0.5).assign(layer_state(0.5, rows=[(3, 9, 2), (0, 8)]))


def test_head_router_reads_large_queries_of_half_precision() -> None:
    """Against float64 on the same numbers; q · k overflows float16."""
    state = layer_state(0.5, rows=[(3, 21, 4)])
    queries, keys = ((150 + x).half() for x in (state.queries_BHTd, state.keys_BGTd))
    still = torch.ones(1, 28, HEAD_DIM), torch.zeros(1, 28, HEAD_DIM)
    state = replace(state, queries_BHTd=queries, keys_BGTd=keys, rotary=still)
    text = [*range(3), *range(24, 28)]
    key = keys[0, :, 3:24].double().repeat_interleave(HEADS // GROUPS, 0)
    probe = (queries[0, :, text].double() @ key.transpose(1, 2) * state.scaling).softmax(-1).mean(1)
    torch.testing.assert_close(text_to_audio(state)[0, :, 3:24].double(), probe, atol=2e-2, rtol=0)


def test_spread_is_the_standard_deviation_of_selectivity() -> None:
    even, sure, half = [0.25] * 4, [1.0, 0, 0, 0], [0.5, 0.5, 0, 0]  # selective by 0, 1 and 1/2
    probe = torch.tensor([[even, sure, half, half], [sure, sure, sure, sure]])
    torch.testing.assert_close(spread(probe, (4, 4)), torch.tensor([math.sqrt(1 / 8), 0.0]))


def test_head_router_says_what_is_wrong_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "routing.json"
    unequal = {**ROUTING, "weights": {**ROUTING["weights"], "uniform": [1.0]}}
    for content in ("{}", "", "[]", *map(json.dumps, (unequal, {**ROUTING, "width": 0}, {**ROUTING, "weights": {}}))):
        path.write_text(content)
        read_routing.cache_clear()
        with pytest.raises(ConfigError, match=r"merge.routing=.*routing.json cannot be read \(.{15,}\)"):
            HeadRouter(routing=str(path))
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**ROUTING, "layer": 5}))
    with pytest.raises(ConfigError, match="is for layer 5 of a model with 4 heads, but this is layer 1 of one with 4"):
        HeadRouter(ratio=0.5, routing=str(other)).assign(layer_state(0.5))
