"""Scans over neighbouring tokens, written without a loop over tokens.

B rows, N columns, W look-back tokens, D channels.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad


def disjoint_pairs(score_BN: Tensor, pair_BN: Tensor) -> Tensor:
    """(B, N) bool: pairs (t, t + 1) taken best first (of equal ones the earlier), none touching one before.

    score_BN: of pair (t, t + 1); pair_BN: which pairs there are. Going down from a local maximum, every second pair is
    taken; where two slopes meet, the lowest pair is taken only if neither of its neighbours is.
    """
    score_BN = score_BN.float().masked_fill(~pair_BN, -torch.inf)
    column = torch.arange(score_BN.shape[1], device=score_BN.device)
    below_left = pair_BN & (pad(score_BN[:, :-1], (1, 0), value=-torch.inf) >= score_BN)
    below_right = pair_BN & (pad(score_BN[:, 1:], (0, 1), value=-torch.inf) > score_BN)
    peak_left = column.masked_fill(below_left, 0).cummax(1).values
    peak_right = column.masked_fill(below_right, len(column)).flip(1).cummin(1).values.flip(1)
    return pair_BN & ((column - peak_left) % 2 == 0) & ((peak_right - column) % 2 == 0)


def chain(next_BN: Tensor) -> Tensor:
    """(B, N) bool: the columns on the way from 0 that goes from t to `next_BN[:, t]` > t; N is the end.

    Pointer doubling: log2(N) rounds.
    """
    length = next_BN.shape[1]
    jump = pad(next_BN, (0, 1), value=length)
    visited = torch.zeros_like(jump)
    visited[:, 0] = 1
    for _ in range(length.bit_length()):
        visited = visited.scatter_reduce(1, jump, visited, "amax")
        jump = jump.gather(1, jump)
    return visited[:, :length].bool()


def look_back_affinity(x_BND: Tensor, window: int, *, mean: bool) -> Tensor:
    """(B, N, W) float32: the largest (or mean) cosine of token t with the 1, 2, ... `window` tokens before it."""
    x_BND = normalize(x_BND.float(), dim=-1)
    cosines = [
        pad((x_BND[:, back:] * x_BND[:, :-back]).sum(-1), (min(back, x_BND.shape[1]), 0), value=-1.0)
        for back in range(1, window + 1)
    ]
    cosine_BNW = torch.stack(cosines, -1)
    if mean:
        return cosine_BNW.cumsum(-1) / torch.arange(1, window + 1, device=x_BND.device)
    return cosine_BNW.cummax(-1).values


def look_back_groups(affinity_BNW: Tensor, follows_BN: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """A scan in time: token t joins the open group if its affinity with the group's last W tokens exceeds `threshold`.

    affinity_BNW: with the 1 to W tokens before t, of which those count that are in the group. follows_BN: which tokens
    may join the one before. Returns (B, N) bool, which tokens start a group, and (B, N), the affinity with which each
    of the others joined.
    """
    length, window = affinity_BNW.shape[1:]
    column = torch.arange(length, device=affinity_BNW.device)
    apart_BNW = (affinity_BNW <= threshold) | ~follows_BN[..., None]
    # From a group's start, the first token apart from it: by its first tokens only while the group is that short.
    apart_from_full = column.masked_fill(~apart_BNW[..., -1], length).flip(1).cummin(1).values.flip(1)
    next_BN = pad(apart_from_full, (0, window), value=length)[:, window:]
    for members in range(window - 1, 0, -1):
        apart = pad(apart_BNW[:, members:, members - 1], (0, min(members, length)), value=True)
        next_BN = (column + members).clamp_max(length).where(apart, next_BN)
    starts_BN = chain(next_BN)
    members_BN = column - column.masked_fill(~starts_BN, 0).cummax(1).values
    return starts_BN, affinity_BNW.gather(2, (members_BN.clamp(1, window) - 1)[..., None])[..., 0]


def mean_similarity_groups(similarity_BNN: Tensor, follows_BN: Tensor, threshold: float) -> Tensor:
    """(B, N) bool, the tokens that start a group in a scan in time: token t joins the open group if its similarity to
    the group's tokens is at least `threshold` on average.

    follows_BN: which tokens may join the one before.
    """
    length = similarity_BNN.shape[-1]
    column = torch.arange(length, device=similarity_BNN.device)
    # [g, t]: the sum over g..t-1, begun at t - 1 so that short groups lose no digits; apart also where t <= g.
    total_BNN = similarity_BNN.float().triu(1).flip(1).cumsum(1).flip(1)
    apart_BNN = (total_BNN < threshold * (column - column[:, None])) | ~follows_BN[:, None]
    return chain(column.masked_fill(~(apart_BNN & (column > column[:, None])), length).amin(2))
