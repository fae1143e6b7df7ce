"""Affinity pooling against a scan in time, one row at a time; ragged batches, several clips, no audio."""

import pytest
import torch

from fastadasp import AffinityPooling, DeepAffinityPooling
from fastadasp.errors import ConfigError
from fastadasp.merge.chain import Chain
from fastadasp.reduction.stages import Stages
from tests.helpers.method_states import Row, best, dot, input_state, joined, layer_state, rows_of


def pooled(row: Row, threshold: float, window: int, mean: bool) -> tuple[list[list[int]], dict[int, float]]:
    """A scan in time; also with which affinity each token joined."""
    hidden = row.of(row.state.hidden_BTD)
    groups: list[list[int]] = []
    affinity = {}
    for token in range(len(hidden)):
        if token in row.audio and token - 1 in row.audio:
            cosines = [dot(hidden[token], hidden[member]) for member in groups[-1][-window:]]
            value = sum(cosines) / len(cosines) if mean else max(cosines)
            if value > threshold:
                affinity[token] = value
                groups[-1].append(token)
                continue
        groups.append([token])
    return groups, affinity


@pytest.mark.parametrize("affinity", ["any", "mean"])
@pytest.mark.parametrize("window", [1, 2, 3, 7])
@pytest.mark.parametrize("seed", range(3))
def test_affinity_pooling_is_a_scan_in_time(window: int, affinity: str, seed: int) -> None:
    state = layer_state(0.0, seed)
    assignment = DeepAffinityPooling(threshold=0.8, window=window, affinity=affinity).assign(state)
    for row in rows_of(state):
        assert row.groups(assignment) == pooled(row, 0.8, window, affinity == "mean")[0]


@pytest.mark.parametrize("threshold", [None, 0.5])
@pytest.mark.parametrize("window", [1, 3])
def test_affinity_pooling_with_a_ratio_lets_the_closest_join(window: int, threshold: float | None) -> None:
    state = layer_state(0.4)
    assignment = DeepAffinityPooling(ratio=0.4, threshold=threshold, window=window).assign(state)
    for row in rows_of(state):
        _, joins = pooled(row, -2 if threshold is None else threshold, window, mean=False)
        chosen = best(list(joins), row.gone, joins)
        assert row.groups(assignment) == joined(row, [t - 1 for t in chosen])


@pytest.mark.parametrize(("window", "expected"), [(1, [[0, 1, 2], [3], [4, 5, 6]]), (3, [[0, 1, 2, 3], [4, 5, 6]])])
def test_affinity_poolings_golden_vectors(window: int, expected: list[list[int]]) -> None:
    state = layer_state(0.0, rows=[(0, 7)])
    angle = torch.tensor([0.0, 20, 50, 10, 95, 100, 100]).deg2rad()
    state.hidden_BTD[..., :2] = torch.stack([angle.cos(), angle.sin()], -1)
    state.hidden_BTD[..., 2:] = 0
    assignment = DeepAffinityPooling(threshold=0.8, window=window).assign(state)
    assert rows_of(state)[0].groups(assignment) == expected


@pytest.mark.parametrize(("layers", "layer"), [(32, 29), (12, 10), (4, 3), (1, 0)])
def test_deep_affinity_pooling_acts_as_deep_in_any_decoder(layers: int, layer: int) -> None:
    """Layer 29 of 32 in the paper."""
    chain = Chain(decoder=DeepAffinityPooling(ratio=0.5))
    for method in (DeepAffinityPooling(ratio=0.5), chain):
        decoder = Stages.of(method, layers).decoder
        assert decoder is not None
        assert decoder.layer == layer
    assert DeepAffinityPooling(layer=1).at_depth(layers).layer == 1
    with pytest.raises(ConfigError, match=r"merge\.layer must be a whole number from 0 up, got -1"):
        DeepAffinityPooling(layer=-1)


def test_affinity_pooling_of_the_input_compares_neighbours() -> None:
    state = input_state(0.3)
    assignment = AffinityPooling(ratio=0.3).assign(state)
    for row in rows_of(state):
        hidden = row.of(state.hidden_BTD)
        pairs = [t for t in row.audio if t + 1 in row.audio]
        chosen = best(pairs, row.gone, {t: dot(hidden[t], hidden[t + 1]) for t in pairs})
        assert sorted(t for group in row.groups(assignment) for t in group[:-1]) == chosen
