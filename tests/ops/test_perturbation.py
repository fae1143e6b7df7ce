"""The identity and the bound of docs/theory.md, written out token by token."""

import math

import pytest
import torch
from torch import Tensor

from experiments.tools.perturbation import change, shrunk

SEGMENTS = [[0], [1, 2, 3], [4, 5], [6]]
SEGMENT_T = torch.tensor([0, 1, 1, 1, 2, 2, 3])
VISIBLE_QT = torch.ones(1, 7, dtype=torch.bool)


def drawn(seed: int, spread: float) -> tuple[Tensor, Tensor, Tensor]:
    """One head: a query (1, 1, 4), keys and values (1, 7, 4)."""
    generator = torch.Generator().manual_seed(seed)
    query, key, value = (torch.randn(1, n, 4, generator=generator, dtype=torch.float64) for n in (1, 7, 7))
    return query * 2, shrunk(key, SEGMENT_T, spread), shrunk(value, SEGMENT_T, spread)


def attend(query: Tensor, keys: list[Tensor], values: list[Tensor], sizes: list[int]) -> Tensor:
    weights = [size * math.exp(float(query @ key) / 2) for key, size in zip(keys, sizes, strict=True)]
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("spread", [1.0, 0.1])
def test_the_change_is_that_of_attention_written_out_and_stays_below_its_bound(seed: int, spread: float) -> None:
    query, key, value = drawn(seed, spread)
    found = change(query, key, value, SEGMENT_T, VISIBLE_QT)
    before = attend(query[0, 0], list(key[0]), list(value[0]), [1] * 7)
    keys, values = ([x[0][group].mean(0) for group in SEGMENTS] for x in (key, value))
    sizes = [len(group) for group in SEGMENTS]
    after, unbiased = attend(query[0, 0], keys, values, sizes), attend(query[0, 0], keys, values, [1] * 4)
    assert float(found.output) == pytest.approx(float(before.norm()))
    assert float(found.error) == pytest.approx(float((before - after).norm()))
    assert float(found.unbiased) == pytest.approx(float((before - unbiased).norm()))
    assert float(found.identity) < 1e-12
    assert float(found.error) <= float(found.bound)


@pytest.mark.parametrize("seed", range(3))
def test_halving_the_distances_inside_segments_quarters_the_change(seed: int) -> None:
    wide, narrow = (change(*drawn(seed, spread), SEGMENT_T, VISIBLE_QT) for spread in (0.02, 0.01))
    assert float(narrow.error / wide.error) == pytest.approx(0.25, rel=0.05)
    assert float(narrow.unbiased / wide.unbiased) > 0.8, "without the sizes an error of order zero is left"
