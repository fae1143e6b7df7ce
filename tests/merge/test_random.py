"""The random baselines against loops over what was drawn, and the draws themselves."""

from dataclasses import replace

import pytest
import torch

from fastadasp import RandomEvict, RandomMerge
from fastadasp.ops.assignment import apply
from fastadasp.reduction.method import MergeMethod
from tests.helpers.method_states import Row, best, layer_state, rows_of


def draws(row: Row, seed: int) -> dict[int, float]:
    """By token."""
    return {t: float(row.of(row.state.random_BT(seed))[t]) for t in row.audio}


@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize("ratio", [0.3, 0.8])
def test_random_merge_fuses_the_pairs_drawn_weighted_by_attention(ratio: float, seed: int) -> None:
    state = layer_state(ratio)
    assignment = RandomMerge(ratio=ratio, seed=seed).assign(state)
    merged = apply(state.hidden_BTD, assignment)
    for row in rows_of(state):
        pairs = [t for t in row.audio if t + 1 in row.audio]
        chosen = best(pairs, row.gone, draws(row, seed))
        groups = row.groups(assignment)
        assert [t for group in groups for t in group[:-1]] == chosen
        hidden, weight = row.of(state.hidden_BTD), row.of(state.attention_received_BT)
        for column, group in enumerate(groups, merged.shape[1] - len(groups)):
            mean = sum(weight[t] * hidden[t] for t in group) / sum(weight[t] for t in group)
            torch.testing.assert_close(merged[row.index, column], mean if len(group) > 1 else hidden[group[0]])


@pytest.mark.parametrize("seed", [0, 3])
def test_random_evict_drops_the_tokens_drawn(seed: int) -> None:
    state = layer_state(0.4)
    assignment = RandomEvict(ratio=0.4, seed=seed).assign(state)
    for row in rows_of(state):
        gone = best(row.audio, row.gone, draws(row, seed))
        assert row.kept_audio(assignment) == [t for t in row.audio if t not in gone]


@pytest.mark.parametrize("method", [RandomMerge, RandomEvict])
def test_another_seed_or_layer_draws_otherwise(method: type[MergeMethod]) -> None:
    state = layer_state(0.4)
    slots = [method(ratio=0.4, seed=seed).assign(state).slot for seed in (0, 1, 2, 0)]
    slots.append(method(ratio=0.4).assign(replace(state, layer=2)).slot)
    same = [[torch.equal(one, other) for other in slots] for one in slots]
    assert same[0] == [True, False, False, True, False]
    assert same[1] == [False, True, False, False, False]


def test_draws_are_even_and_a_rows_own() -> None:
    state = layer_state(0.4, rows=[(2, 400, 3), (1, 300), (4, 400)])
    drawn = [torch.stack([row.of(state.random_BT(seed))[row.audio] for seed in range(20)]) for row in rows_of(state)]
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0][:, :300], drawn[1])
    for numbers in drawn:
        assert numbers.min() >= 0 and numbers.max() < 1
        assert numbers.mean() == pytest.approx(0.5, abs=0.02)
        between_seeds = torch.corrcoef(numbers) - torch.eye(20)
        assert between_seeds.abs().max() < 0.25
