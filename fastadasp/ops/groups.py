"""Choices under a quota for each group of tokens, and tokens gathered from wherever they stand.

B rows, T columns, M gathered columns, G groups.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from fastadasp.ops.assignment import choose_top
from fastadasp.ops.layout import per_row


def choose_by_quota(
    score_BT: Tensor, candidate_BT: Tensor, group_BT: Tensor, quota_BG: Tensor, counts: Sequence[int]
) -> Tensor:
    """(B, T) bool: from each group its `quota_BG` candidates with the largest scores, then, wherever they are, the best
    of the others until a row has `counts[b]`.

    group_BT: index of each candidate's group. The quotas of a row must not sum to more than its count.
    """
    order = score_BT.masked_fill(~candidate_BT, -torch.inf).argsort(dim=1, descending=True, stable=True)
    group_BT = group_BT.masked_fill(~candidate_BT, quota_BG.shape[1]).gather(1, order)
    by_group = group_BT.argsort(dim=1, stable=True)
    order, group_BT = order.gather(1, by_group), group_BT.gather(1, by_group)
    column = torch.arange(order.shape[1], device=order.device).expand_as(order)
    new_group = torch.ones_like(candidate_BT)
    new_group[:, 1:] = group_BT[:, 1:] != group_BT[:, :-1]
    place = column - column.masked_fill(~new_group, 0).cummax(1).values
    quota = torch.nn.functional.pad(quota_BG, (0, 1)).gather(1, group_BT)  # none for what is no candidate
    granted = torch.zeros_like(candidate_BT).scatter(1, order, place < quota)
    return choose_top(score_BT.masked_fill(granted, torch.inf), candidate_BT, counts)


def gather_columns(mask_BT: Tensor, counts: Sequence[int]) -> tuple[Tensor, Tensor]:
    """(B, M) columns that `mask_BT` marks, in order, and (B, M) bool, which of them exist: row b has `counts[b]`."""
    column_BM = mask_BT.int().argsort(dim=1, descending=True, stable=True)[:, : max(counts)]
    place = torch.arange(column_BM.shape[1], device=mask_BT.device)
    return column_BM, (place < per_row(counts, mask_BT.device)).expand_as(column_BM)


def take(x_BTD: Tensor, column_BM: Tensor) -> Tensor:
    """(B, M, D): the tokens at these columns."""
    return x_BTD.gather(1, column_BM[..., None].expand(-1, -1, x_BTD.shape[-1]))
