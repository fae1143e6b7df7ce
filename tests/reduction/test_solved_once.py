"""A target is solved once for each shape of a prompt, however many batches bring such prompts."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from fastadasp import FastAdaSP, Schedule
from fastadasp.merge.average import Average
from fastadasp.ops.layout import Layout
from fastadasp.reduction import schedule, stages
from fastadasp.reduction.flops import PaperFlops
from fastadasp.reduction.stages import Stages
from tests.helpers.method_states import masks


@dataclass(frozen=True)
class Listed(Average):
    """A user's method that cannot be looked up, as a list has no hash."""

    notes: list[str] = field(default_factory=list)


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The prompts for which a ratio is solved."""
    prompts: list[tuple[int, int]] = []
    solve = stages.solve_ratio

    def watched(method: Any, given: Any, layers: int, flops: Any) -> Any:
        prompts.extend(given)
        return solve(method, given, layers, flops)

    monkeypatch.setattr(stages, "solve_ratio", watched)
    stages._solve_once.cache_clear()
    return prompts


def removals(method: Any, rows: list[tuple[int, int, int]], hidden: int = 64) -> tuple[int, ...] | None:
    """What one batch loses at layer 2, its block and its FLOPs formula being made anew."""
    layout = Layout.of(*map(torch.Tensor.bool, masks(rows)))
    return Stages.of(method, 8).for_rows(layout, PaperFlops(hidden, 4 * hidden)).n_remove(2, [layout.audio] * 3)


def test_batches_of_equal_prompts_solve_once(solved: list[tuple[int, int]]) -> None:
    rows = [(3, 60, 5), (3, 90, 5), (3, 60, 5)]
    first = removals(FastAdaSP(flops_reduction=0.3), rows)
    assert solved == [(60, 8), (90, 8)]
    assert removals(FastAdaSP(flops_reduction=0.3), rows[::-1]) == tuple(reversed(first or ()))
    assert len(solved) == 2, "the second batch looks both up"


def test_another_target_method_or_decoder_is_solved_by_itself(solved: list[tuple[int, int]]) -> None:
    rows = [(3, 60, 5)]
    removed = {
        removals(FastAdaSP(flops_reduction=0.3), rows),
        removals(FastAdaSP(flops_reduction=0.2), rows),
    }
    removals(Average(flops_reduction=0.3), rows)
    removals(FastAdaSP(flops_reduction=0.3), rows, hidden=8)
    assert len(solved) == 4 and len(removed) == 2


def test_a_method_without_a_hash_works_all_the_same(solved: list[tuple[int, int]]) -> None:
    rows = [(3, 60, 5)]
    assert removals(Listed(flops_reduction=0.3), rows) == removals(Average(flops_reduction=0.3), rows)


def test_a_schedule_is_solved_once_for_all_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[float] = []
    bisect = schedule.bisect
    monkeypatch.setattr(schedule, "bisect", lambda *args: solved.append(args[1]) or bisect(*args))
    schedule.solve_layer_ratio.cache_clear()
    method = FastAdaSP(ratio=0.31, schedule=Schedule.constant)
    first, second = (removals(method, [(3, 60, 5)]) for _ in range(2))
    assert first == second
    assert solved == [0.31]
