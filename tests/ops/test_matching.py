"""Disjoint pairs of neighbours, as many as asked for: against counts worked out by hand and a loop over stretches."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from fastadasp.merge.a_tome import ATome
from fastadasp.ops.matching import add_pairs
from tests.helpers.method_states import layer_state, rows_of


def best_first(scores: list[float]) -> list[int]:
    taken: list[int] = []
    for pair in sorted(range(len(scores) - 1), key=lambda t: -scores[t]):
        if not {pair - 1, pair + 1} & set(taken):
            taken.append(pair)
    return taken


def moved(single: list[int], taken: list[int], scores: list[float], count: int) -> list[int]:
    """The pairs of one run once there are `count`: two single tokens at a time get all that is between them moved."""
    stretches = list(zip(single[0::2], single[1::2], strict=False))
    stretches.sort(key=lambda ends: -min(scores[ends[0] : ends[1] : 2]))
    for start, end in stretches[: max(0, count - len(taken))]:
        taken = [t for t in taken if not start < t < end] + list(range(start, end, 2))
    return sorted(taken)


def test_pairs_are_added_until_half_of_a_run_is_fused() -> None:
    torch.manual_seed(1)
    for case in range(200):
        length = 2 + case % 23
        score = torch.randn(1, length)
        scores = score[0].tolist()
        taken = best_first(scores)
        single = [t for t in range(length) if t not in taken and t - 1 not in taken]
        chosen = torch.zeros(1, length, dtype=torch.bool)
        chosen[0, taken] = True
        for count in range(len(taken), length // 2 + 2):
            expected = moved(single, taken, scores, count)
            assert len(expected) == min(count, length // 2)
            added = add_pairs(score, torch.ones_like(chosen), chosen, [count])
            assert added[0].nonzero().flatten().tolist() == expected


@pytest.mark.parametrize("ratio", [0.35, 0.45, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_a_tome_fuses_as_many_pairs_as_there_can_be(ratio: float, seed: int) -> None:
    state = layer_state(ratio, seed, rows=[(3, 21, 4), (5, 34, 2), (2, 9, 3, 14, 5, 7), (7, 1, 6), (2, 3), (9,)])
    assignment = ATome(ratio=ratio).assign(state)
    for row in rows_of(state):
        runs = Counter(map(row.run, row.audio))
        groups = row.groups(assignment)
        assert sum(len(group) == 2 for group in groups) == min(row.gone, sum(m // 2 for m in runs.values()))
        assert all(len(group) <= 2 and len(set(map(row.run, group))) == 1 for group in groups)


def test_a_tome_meets_budgets_up_to_half_a_layer() -> None:
    state = layer_state(0.45, rows=[(2, 400, 3), (2, 399, 3), (1, 9), (9,)])
    for removed in ((180, 179, 4, 0), (200, 199, 4, 0), (134, 0, 3, 0)):
        lengths = ATome(ratio=0.45).assign(replace(state, n_remove=removed)).slot.amax(1) + 1
        assert (torch.tensor(state.layout.tokens) - lengths).tolist() == list(removed)
