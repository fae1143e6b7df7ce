"""Blend against FastAdaSP where it must be the same, and against loops over tokens where it must not."""

import pytest
import torch
from method_states import Row, Scores, dot, layer_state, rows_of

from fastadasp.errors import ConfigError
from fastadasp.merge.assignment import apply
from fastadasp.merge.attention import attention_rows
from fastadasp.merge.blend import Blend
from fastadasp.merge.fastadasp import FastAdaSP

CASES = [(ratio, seed) for ratio in (0.1, 0.33, 0.5, 0.8) for seed in range(3)]


def pairs_of(row: Row) -> list[int]:
    return [t for t in row.audio if t + 1 in row.audio]


def order(row: Row, scores: Scores, longest: int) -> list[int]:
    """Pairs in the order in which they are fused: those that touch no better one and stay short, then the others."""
    sizes = row.of(row.state.size_BT).tolist()
    ranked = sorted(pairs_of(row), key=lambda t: (-scores[t], t))
    first: list[int] = []
    for pair in ranked:
        if sizes[pair] + sizes[pair + 1] <= longest and not {pair - 1, pair + 1} & set(first):
            first.append(pair)
    return first + [pair for pair in ranked if pair not in first]


def joined(row: Row, pairs: list[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    for token in range(row.state.layout.tokens[row.index]):
        if token - 1 in pairs:
            groups[-1].append(token)
        else:
            groups.append([token])
    return groups


@pytest.mark.parametrize(("ratio", "seed"), CASES)
def test_it_is_fastadasp_where_told_so(ratio: float, seed: int) -> None:
    state = layer_state(ratio, seed)
    same = Blend(ratio=ratio, similarity="keys", weights="received", longest=0).assign(state)
    wanted = FastAdaSP(ratio=ratio).assign(state)
    torch.testing.assert_close(same.slot, wanted.slot)
    torch.testing.assert_close(apply(state.hidden_BTD, same), apply(state.hidden_BTD, wanted))


@pytest.mark.parametrize("similarity", ["keys", "unrotated_keys", "values", "hidden"])
@pytest.mark.parametrize(("ratio", "seed"), CASES)
def test_pairs_that_stay_short_go_first(ratio: float, seed: int, similarity: str) -> None:
    state = layer_state(ratio, seed)
    assignment = Blend(ratio=ratio, similarity=similarity, longest=4).assign(state)
    heads = {
        "keys": state.keys_BGTd,
        "unrotated_keys": state.unrotated_keys_BGTd,
        "values": state.values_BGTd,
        "hidden": state.hidden_BTD[:, None],
    }[similarity]
    for row in rows_of(state):
        vectors = row.heads(heads).transpose(0, 1).flatten(1)
        cosines = {t: dot(vectors[t], vectors[t + 1]) for t in pairs_of(row)}
        count = min(row.gone, len(cosines))
        assert row.groups(assignment) == joined(row, order(row, cosines, 4)[:count])


@pytest.mark.parametrize("weights", ["received", "per_query", "question", "size", "plain"])
def test_each_token_weighs_what_was_asked_for(weights: str) -> None:
    state = layer_state(0.5)
    assignment = Blend(ratio=0.5, weights=weights).assign(state)
    fused_BTD = apply(state.hidden_BTD, assignment)
    rows_BHTT = attention_rows(state.queries_BHTd, state.keys_BGTd, 0, state.real_BT, state.scaling)
    fusions = 0
    for row in rows_of(state):
        tokens = state.layout.tokens[row.index]
        matrix = rows_BHTT[row.index][:, row.columns, row.columns].sum(0)
        weight = {
            "received": matrix.sum(0),
            "per_query": matrix.sum(0) / torch.arange(tokens, 0, -1),
            "question": matrix[row.question].sum(0) if row.question else matrix.sum(0),
            "size": row.of(state.size_BT),
            "plain": torch.ones(tokens),
        }[weights]
        groups = row.groups(assignment)
        output = fused_BTD[row.index, fused_BTD.shape[1] - len(groups) :]
        for group, token in zip(groups, output, strict=True):
            fusions += len(group) > 1
            share = weight[group] / weight[group].sum()
            torch.testing.assert_close(token, share @ row.of(state.hidden_BTD)[group], rtol=1e-4, atol=1e-5)
    assert fusions > 10


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"longest": 1}, "at least 2"), ({"longest": -1}, "from 0 up"), ({"similarity": "ears"}, "unrotated_keys")],
)
def test_settings_that_make_no_sense_are_refused(setting: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Blend(**setting)
