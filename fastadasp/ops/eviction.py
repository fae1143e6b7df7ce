"""Dropping tokens head by head. B rows (left-padded), T columns, G key-value heads."""

from collections.abc import Sequence

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
    heads, device = score_BGT.shape[1], score_BGT.device
    following_BGT = candidate_BGT.flip(2).cumsum(2).flip(2)
    newest_B1 = per_row(newest, device)
    safe_BGT = following_BGT <= (newest_B1 if isinstance(newest_B1, int) else newest_B1[..., None])
    removable = (candidate_BGT & ~safe_BGT).flatten(0, 1)
    counts = [count for count in removed for _ in range(heads)]
    # Finite, so that even what scores best goes before what is no candidate.
    worth = -score_BGT.flatten(0, 1).flip(1).float().clamp_max(3e38)
    dropped = choose_top(worth, removable.flip(1), counts).flip(1)
    kept = ~dropped if real_BT is None else ~dropped & real_BT.repeat_interleave(heads, 0)
    left = tuple(before - gone for before, gone in zip(tokens, removed, strict=True) for _ in range(heads))
    return keep_only(kept, left)
