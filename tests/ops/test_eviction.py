"""Dropping one token of each head without sorting, held to the drop of any number."""

import pytest
import torch

from fastadasp.ops.assignment import apply
from fastadasp.ops.eviction import all_but_lowest, evict_lowest


@pytest.mark.parametrize("newest", [(1, 1), (3, 0)])
@pytest.mark.parametrize("seed", range(4))
def test_what_stays_is_what_the_general_eviction_of_one_leaves(newest: tuple[int, int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    score_BGT = torch.randint(0, 4, (2, 3, 9), generator=generator).float()  # many ties
    candidate_BGT = torch.rand(2, 3, 9, generator=generator) < 0.6
    candidate_BGT[..., -4:] = True
    candidate_BGT[1, :, :2] = False  # padding of the second row
    real_BT = torch.tensor([[True] * 9, [False] * 2 + [True] * 7])
    assignment = evict_lowest(score_BGT, candidate_BGT, real_BT, newest, (1, 1), (9, 7))
    index_BGS = all_but_lowest(score_BGT, candidate_BGT, newest)
    column = torch.arange(1, 10).float().expand(6, -1)[..., None]
    expected = apply(column, assignment)[..., 0]
    found = column[..., 0].gather(1, index_BGS.flatten(0, 1))
    torch.testing.assert_close(found[:3], expected[:3], rtol=0, atol=0)
    torch.testing.assert_close(found[3:, 2:], expected[3:, 2:], rtol=0, atol=0)
    assert (found[3:, :2] == torch.tensor([1.0, 2.0])).all(), "padding stays where it is"
