"""Pairs of neighbours, none touching another, once the best-first choice has used up the places for more of them.

B rows, T columns.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from fastadasp.ops.layout import per_row


def add_pairs(score_BT: Tensor, token_BT: Tensor, chosen_BT: Tensor, counts: Sequence[int]) -> Tensor:
    """(B, T) bool: the pairs (t, t + 1) of `chosen_BT`, rearranged until there are `counts[b]` or no more are possible.

    chosen_BT: disjoint pairs, with room for none where they are fewer than `counts`. token_BT: runs of tokens; one of m
    holds at most m // 2 pairs. Between a run's first and second, third and fourth, ... single token all are paired;
    moved by one token, these pairs and the two single tokens make one pair more. Stretches go first whose lowest score
    is then highest.
    """
    single_BT = token_BT & ~chosen_BT & ~pad(chosen_BT[:, :-1], (1, 0))
    begins_BT, ends_BT = _stretches(token_BT, single_BT)
    column = torch.arange(token_BT.shape[1], device=token_BT.device)
    first_BT = column.expand_as(begins_BT).masked_fill(~begins_BT, 0).cummax(1).values
    inside_BT = begins_BT.cumsum(1) > pad(ends_BT.cumsum(1)[:, :-1], (1, 0))
    moved_BT = inside_BT & ~ends_BT & ((column - first_BT) % 2 == 0)
    lowest_BT = torch.full_like(score_BT, torch.inf, dtype=torch.float32)
    lowest_BT = lowest_BT.scatter_reduce(1, first_BT, score_BT.float().masked_fill(~moved_BT, torch.inf), "amin")
    order_BT = lowest_BT.masked_fill(~begins_BT, -torch.inf).argsort(dim=1, descending=True, stable=True)
    missing_B1 = (per_row(counts, token_BT.device) - chosen_BT.sum(1, keepdim=True)).expand(-1, 1)
    moves_BT = torch.zeros_like(begins_BT).scatter(1, order_BT, column < missing_B1) & begins_BT
    return moved_BT.where(inside_BT & moves_BT.gather(1, first_BT), chosen_BT)


def _stretches(token_BT: Tensor, single_BT: Tensor) -> tuple[Tensor, Tensor]:
    """(B, T) bool each: single tokens that a stretch begins and ends with, the 1st and 2nd, 3rd and 4th of a run."""
    count_BT = single_BT.cumsum(1)
    before_BT = count_BT - single_BT.long()
    run_starts_BT = token_BT & ~pad(token_BT[:, :-1], (1, 0))
    # The number of a single token among those of its run, from 1.
    number_BT = count_BT - before_BT.masked_fill(~run_starts_BT, 0).cummax(1).values
    ends_BT = single_BT & (number_BT % 2 == 0)
    # A begin has its end in the same run if the next single token is one.
    column = torch.arange(token_BT.shape[1], device=token_BT.device)
    width = len(column)
    later_BT = pad(column.expand_as(single_BT).masked_fill(~single_BT, width)[:, 1:], (0, 1), value=width)
    next_BT = later_BT.flip(1).cummin(1).values.flip(1)
    begins_BT = single_BT & (number_BT % 2 == 1) & pad(ends_BT, (0, 1)).gather(1, next_BT)
    return begins_BT, ends_BT
