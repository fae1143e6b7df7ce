"""Fusing and dropping against a loop that anyone can read."""

import random

import pytest
import torch
from torch import Tensor

from fastadasp.merge.assignment import Assignment, apply, choose_top, fuse_pairs, keep_only

CASES = 300


def oracle(x: Tensor, slot: list[int], weight: Tensor) -> Tensor:
    """One row, token by token."""
    rows = []
    for target in range(max(slot) + 1):
        members = [t for t, s in enumerate(slot) if s == target]
        total = sum(float(weight[t]) for t in members)
        rows.append(sum(float(weight[t]) / total * x[t].double() for t in members))
    return torch.stack(rows)


def random_slots(draw: random.Random, length: int) -> list[int]:
    """Slots of one row: padding or drops anywhere, runs of any length, never empty."""
    slots, current = [], -1
    for _ in range(length):
        action = draw.random()
        if action < 0.2:
            slots.append(-1)
        else:
            current += action < 0.6 or current < 0
            slots.append(current)
    return slots if max(slots) >= 0 else [0] * length


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_apply_equals_the_loop_on_random_assignments(dtype: torch.dtype) -> None:
    for case in range(CASES):
        draw = random.Random(case)
        torch.manual_seed(case)
        rows, length, channels = draw.randint(1, 4), draw.randint(1, 40), draw.randint(1, 8)
        slots = [random_slots(draw, length) for _ in range(rows)]
        x, weight = torch.randn(rows, length, channels).to(dtype), torch.rand(rows, length) + 1e-3
        assignment = Assignment(torch.tensor(slots), weight)
        out = apply(x, assignment)
        assert out.dtype == dtype
        assert assignment.lengths == tuple(max(row) + 1 for row in slots)
        for row in range(rows):
            expected = oracle(x[row], slots[row], weight[row])
            padding = assignment.width - len(expected)
            assert torch.equal(out[row, :padding], torch.zeros(padding, channels, dtype=dtype))
            tolerance = {"atol": 1e-6, "rtol": 1e-6} if dtype == torch.float32 else {"atol": 1e-2, "rtol": 1e-2}
            torch.testing.assert_close(out[row, padding:].double(), expected, **tolerance)


def test_fuse_pairs_equals_a_walk_over_the_tokens() -> None:
    for case in range(CASES):
        draw = random.Random(case)
        length, padding = draw.randint(1, 30), draw.randint(0, 5)
        chosen = [draw.random() < 0.4 for _ in range(length - 1)] + [False]
        walk = [-1] * padding
        for token in range(length):
            walk.append(max(max(walk), 0) if token and chosen[token - 1] else max(walk, default=-1) + 1)
        pair = torch.tensor([[False] * padding + chosen])
        real = torch.tensor([[False] * padding + [True] * length]) if padding else None
        assignment = fuse_pairs(pair, torch.ones(1, padding + length), real, None)
        assert assignment.slot.tolist() == [walk]
        assert assignment.lengths == (length - sum(chosen),)


def test_keep_only_is_boolean_indexing() -> None:
    torch.manual_seed(0)
    x, keep = torch.randn(1, 50, 3), torch.rand(1, 50) < 0.5
    assert torch.equal(apply(x, keep_only(keep, None))[0], x[keep])


def test_golden_vectors_of_the_released_merge() -> None:
    h = torch.arange(1.0, 7).view(1, 6, 1)
    weight = torch.tensor([[1.0, 1, 2, 1, 1, 4]])
    similarity = torch.tensor([[0.9, 0.1, 0.95, 0.92, 0.3, 0]])
    pairs = choose_top(similarity, torch.tensor([[True] * 5 + [False]]), [int(6 * 0.5)])
    assert pairs[0].nonzero().flatten().tolist() == [0, 2, 3]
    assert apply(h, fuse_pairs(pairs, weight, None, (3,))).flatten().tolist() == [1.5, 3.75, 6]
    assert apply(h, fuse_pairs(pairs, torch.ones(1, 6), None, (3,))).flatten().tolist() == [1.5, 4, 6]


def test_a_slot_whose_weights_are_all_zero_is_a_plain_mean() -> None:
    assignment = Assignment(torch.tensor([[0, 0, 1]]), torch.tensor([[0.0, 0.0, 0.0]]))
    assert apply(torch.tensor([[[1.0], [3.0], [7.0]]]), assignment).flatten().tolist() == [2, 7]


def test_single_tokens_pass_bit_for_bit_whatever_their_weight() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 9, 4, dtype=torch.bfloat16)
    slot = torch.arange(9).expand(2, 9)
    for weight in (torch.rand(2, 9), torch.rand(2, 9) * 1e-38, torch.rand(2, 9) * 1e30):
        assert torch.equal(apply(x, Assignment(slot, weight)), x)


def test_first_is_the_input_column_of_each_slots_first_token() -> None:
    assignment = Assignment(torch.tensor([[-1, 0, 0, -1, 1, 1], [0, 1, 1, 2, 2, 3]]), torch.ones(2, 6))
    assert assignment.first.tolist() == [[6, 6, 1, 4], [0, 1, 3, 5]]


def test_of_equal_scores_the_earlier_is_chosen() -> None:
    score = torch.tensor([[1.0, 2, 2, 2, 1], [3.0, 3, 3, 3, 3]])
    candidate = torch.tensor([[True] * 5, [False, True, False, True, True]])
    assert choose_top(score, candidate, [2, 2]).int().tolist() == [[0, 1, 1, 0, 0], [0, 1, 0, 1, 0]]
