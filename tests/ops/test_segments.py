"""The best division into segments, held to a search of all divisions."""

from itertools import combinations, pairwise, product

import pytest
import torch

from fastadasp.ops.segments import best_segments, scatter_of_segments


def spread(x_ND: torch.Tensor, weight_N: torch.Tensor) -> float:
    mean_D = (x_ND * weight_N[:, None]).sum(0) / weight_N.sum()
    return float((weight_N[:, None] * (x_ND - mean_D) ** 2).sum())


def cheapest(x_ND: torch.Tensor, weight_N: torch.Tensor, segments: int, longest: int) -> float:
    """The cost of the best of all divisions."""
    costs = []
    for cuts in combinations(range(1, len(x_ND)), segments - 1):
        edges = [0, *cuts, len(x_ND)]
        spans = list(pairwise(edges))
        if max(end - start for start, end in spans) <= longest:
            costs.append(sum(spread(x_ND[start:end], weight_N[start:end]) for start, end in spans))
    return min(costs)


@pytest.mark.parametrize("longest", [2, 3, 9])
def test_no_division_is_better_than_the_one_found(longest: int) -> None:
    generator = torch.Generator().manual_seed(longest)
    items, segments = (9, 7, 1, 5), (5, 4, 1, 3)
    x_BND = torch.randn(4, 9, 3, generator=generator)
    weight_BN = torch.rand(4, 9, generator=generator) + 0.1
    last_BN = best_segments(
        scatter_of_segments(x_BND, weight_BN, torch.ones(4, 9, dtype=torch.int64), [longest] * 4), items, segments
    )
    for row, (count, parts) in enumerate(zip(items, segments, strict=True)):
        ends = (last_BN[row].nonzero()[:, 0] + 1).tolist()
        assert len(ends) == parts
        assert ends[-1] == count
        starts = [0, *ends[:-1]]
        found = sum(spread(x_BND[row, a:b], weight_BN[row, a:b]) for a, b in zip(starts, ends, strict=True))
        best = cheapest(x_BND[row, :count], weight_BN[row, :count], parts, longest)
        assert found == pytest.approx(best, rel=1e-5, abs=1e-6)
        assert max(b - a for a, b in zip(starts, ends, strict=True)) <= longest


def test_the_cost_of_a_segment_is_the_scatter_of_its_items_about_their_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    x_BND, weight_BN = torch.randn(2, 6, 4, generator=generator), torch.rand(2, 6, generator=generator) + 0.1
    run_BN, longest = torch.tensor([[1, 1, 1, 2, 2, 2], [1, 1, 1, 1, 1, 1]]), [2, 3]
    cost_BNL = scatter_of_segments(x_BND, weight_BN, run_BN, longest)
    for row, end, length in product(range(2), range(6), range(1, 4)):
        start, found = end - length + 1, float(cost_BNL[row, end, length - 1])
        if start >= 0 and length <= longest[row] and run_BN[row, start] == run_BN[row, end]:
            expected = spread(x_BND[row, start : end + 1], weight_BN[row, start : end + 1])
            assert found == pytest.approx(expected, abs=1e-5)
        else:
            assert found == float("inf")
