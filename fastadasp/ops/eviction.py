"""Dropping tokens head by head. B rows (left-padded), T columns, G key-value heads."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fastadasp.ops.assignment import Assignment, choose_top, keep_only
from fastadasp.ops.layout import per_row


def evict_lowest(
    score_BGT: Tensor,
    candidate_BGT: Tensor,
    real_BT: Tensor | None,
    newest: Sequence[int],
    removed: Sequence[int],
    tokens: Sequence[int],
) -> Assignment:
    """Drop from each head of row b the `removed[b]` candidates that score lowest; an assignment of B x G rows.

    The last `newest[b]` candidates are safe; of equal scores, the later one goes. tokens: of each row, before.
    """
    heads = score_BGT.shape[1]
    removable = (candidate_BGT & ~_newest(candidate_BGT, newest)).flatten(0, 1)
    counts = [count for count in removed for _ in range(heads)]
    # Finite, so that even what scores best goes before what is no candidate.
    worth = -score_BGT.flatten(0, 1).flip(1).float().clamp_max(3e38)
    dropped = choose_top(worth, removable.flip(1), counts).flip(1)
    kept = ~dropped if real_BT is None else ~dropped & real_BT.repeat_interleave(heads, 0)
    left = tuple(before - gone for before, gone in zip(tokens, removed, strict=True) for _ in range(heads))
    return keep_only(kept, left)


def all_but_lowest(score_BGT: Tensor, candidate_BGT: Tensor, newest: Sequence[int]) -> Tensor:
    """(B, G, T - 1) int64: the columns that stay when each head drops what `evict_lowest` drops of one.

    Without sorting and without counting what stays, since decoding does this at each step in each layer. Padding stays.
    Each head must have a candidate that is not among the newest.
    """
    removable_BGT = candidate_BGT & ~_newest(candidate_BGT, newest)
    later_first_BGT = score_BGT.float().clamp_max(3e38).masked_fill(~removable_BGT, torch.inf).flip(2)
    width = score_BGT.shape[2]
    lowest_BG1 = width - 1 - later_first_BGT.argmin(2, keepdim=True)  # of equal scores, argmin takes the first
    column_T = torch.arange(width - 1, device=score_BGT.device)
    return column_T + (column_T >= lowest_BG1)


def evict_lowest_of_all_heads(
    score_BGT: Tensor,
    candidate_BGT: Tensor,
    real_BT: Tensor | None,
    newest: Sequence[int],
    least: Sequence[int],
    removed: Sequence[int],
) -> Assignment:
    """Evict `G * removed[b]` candidates of row b in all, those with the lowest scores in any of its G heads.

    So the heads of a row lose `removed[b]` candidates on average, and unlike numbers each. Each head keeps the
    `least[b]` candidates that score best in this head, beside the newest; the other arguments are those of
    `evict_lowest`.

    How many tokens a head is left with is known to the device alone.
    """
    rows, heads, length = score_BGT.shape
    removable_BGT = candidate_BGT & ~_newest(candidate_BGT, newest)
    each_head = [count for count in least for _ in range(heads)]
    best = choose_top(score_BGT.flatten(0, 1), removable_BGT.flatten(0, 1), each_head)
    removable_BGT = removable_BGT & ~best.view_as(removable_BGT)
    # All heads of a token side by side, so that of equal scores the later token's go, whatever their heads.
    worth = -score_BGT.transpose(1, 2).flatten(1).flip(1).float().clamp_max(3e38)
    removable = removable_BGT.transpose(1, 2).flatten(1).flip(1)
    dropped = choose_top(worth, removable, [count * heads for count in removed]).flip(1)
    kept = ~dropped.view(rows, length, heads).transpose(1, 2).flatten(0, 1)
    return keep_only(kept if real_BT is None else kept & real_BT.repeat_interleave(heads, 0), None)


def _newest(candidate_BGT: Tensor, newest: Sequence[int]) -> Tensor:
    """(B, G, T) bool: the last `newest[b]` candidates of each head."""
    following_BGT = candidate_BGT.flip(2).cumsum(2).flip(2)
    newest_B1 = per_row(newest, candidate_BGT.device)
    return candidate_BGT & (following_BGT <= (newest_B1 if isinstance(newest_B1, int) else newest_B1[..., None]))
