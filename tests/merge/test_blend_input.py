"""Blend before the decoder, row by row against the cheapest of all divisions."""

from functools import cache

import pytest
import torch
from torch import Tensor

from fastadasp.errors import ConfigError
from fastadasp.merge.blend_input import BlendInput
from fastadasp.ops.assignment import apply
from tests.helpers.method_states import Row, input_state, rows_of


def scatter(x_ND: Tensor, weight_N: Tensor) -> float:
    mean_D = (x_ND * weight_N[:, None]).sum(0) / weight_N.sum()
    return float((weight_N[:, None] * (x_ND - mean_D) ** 2).sum())


def compared(row: Row, space: str) -> Tensor:
    hidden = row.of(row.state.hidden_BTD)
    return hidden / hidden.norm(dim=1, keepdim=True) if space == "direction" else hidden


def weight(row: Row, weights: str) -> Tensor:
    hidden = row.of(row.state.hidden_BTD)
    if weights == "encoder":
        return row.of(row.state.encoder.received_BT("mean")).clamp_min(1e-6)  # text receives none
    return hidden.norm(dim=1) if weights == "norm" else torch.ones(len(hidden))


def cheapest(row: Row, segments: int, longest: int, x_ND: Tensor, weight_N: Tensor) -> float:
    """The cost of the best division of the row's audio, by recursion over the last segment."""

    @cache
    def upto(end: int, left: int) -> float:
        if end == 0 or left == 0:
            return 0.0 if end == left == 0 else float("inf")
        costs = [float("inf")]
        for start in range(max(0, end - longest), end):
            tokens = row.audio[start:end]
            if row.run(tokens[0]) == row.run(tokens[-1]):
                costs.append(upto(start, left - 1) + scatter(x_ND[tokens], weight_N[tokens]))
        return min(costs)

    return upto(len(row.audio), segments)


@pytest.mark.parametrize(
    ("ratio", "seed", "weights", "space"),
    [
        (0.3, 0, "norm", "direction"),
        (0.5, 1, "plain", "raw"),
        (0.5, 2, "encoder", "direction"),
        (0.8, 3, "norm", "raw"),
    ],
)
def test_no_division_into_as_many_segments_is_better(ratio: float, seed: int, weights: str, space: str) -> None:
    state = input_state(ratio, seed)
    assignment = BlendInput(ratio=ratio, longest=4, weights=weights, space=space).assign(state)
    merged = apply(state.hidden_BTD, assignment)
    for row in rows_of(state):
        x_ND, weight_N, hidden = compared(row, space), weight(row, weights), row.of(state.hidden_BTD)
        runs = state.layout.runs[row.index]
        kept = max(len(row.audio) - row.gone, runs)
        groups = row.groups(assignment)
        audio = [group for group in groups if group[0] in row.audio]
        assert sorted(token for group in groups for token in group) == list(range(len(hidden)))
        assert len(audio) == kept
        longest = max(4, max(map(len, audio), default=0))
        found = sum(scatter(x_ND[group], weight_N[group]) for group in audio)
        assert found == pytest.approx(cheapest(row, kept, longest, x_ND, weight_N), rel=1e-4, abs=1e-4)
        for number, group in enumerate(groups):
            assert row.run(group[0]) == row.run(group[-1])
            mean = (hidden[group] * weight_N[group, None]).sum(0) / weight_N[group].sum()
            column = merged.shape[1] - len(groups) + number
            torch.testing.assert_close(merged[row.index, column], mean, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("longest", [2, 3, 8])
def test_segments_are_no_longer_than_allowed_where_that_is_possible(longest: int) -> None:
    state = input_state(0.4, rows=[(2, 30, 3), (1, 12, 2)])
    assignment = BlendInput(ratio=0.4, longest=longest).assign(state)
    assert max(len(group) for row in rows_of(state) for group in row.groups(assignment)) <= longest


def test_settings_out_of_range_name_their_key() -> None:
    with pytest.raises(ConfigError, match=r"merge\.longest must be a whole number from 2 up, got 1"):
        BlendInput(longest=1)
    with pytest.raises(ConfigError, match=r"merge\.weights must be one of plain, norm, encoder"):
        BlendInput(weights="size")
