"""Greedy choices of tokens that are unlike each other. The loops go over picks; all rows pick at once.

B rows, N candidates, K picks.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

NOTHING_NEW = 1e-5
"""Share of its first gain below which a token adds nothing but rounding errors: such tokens count as equal."""


def determinantal_choice(kernel_BNN: Tensor, candidate_BN: Tensor, counts: Sequence[int]) -> Tensor:
    """(B, N) bool: the `counts[b]` candidates (all, if there are fewer) of a determinantal point process's greedy MAP.

    Each pick adds the most to log det of the chosen part of the kernel; of equal ones, the first. Incremental Cholesky
    factors (Chen et al., NeurIPS 2018): O(N·K) per pick. Gains that vanish do not turn into NaN, as in the releases.
    """
    rows, length = candidate_BN.shape
    kernel_BNN = kernel_BNN.float()
    gain_BN = kernel_BNN.diagonal(dim1=1, dim2=2).masked_fill(~candidate_BN, -torch.inf)
    least_BN = NOTHING_NEW * gain_BN.clamp_min(0)
    picks = min(max(counts), length)
    count_B1 = torch.tensor(counts, device=gain_BN.device)[:, None]
    factor_BKN = kernel_BNN.new_zeros(rows, picks, length)
    chosen_BN = torch.zeros_like(candidate_BN)
    for pick in range(picks):
        best_B1 = gain_BN.argmax(1, keepdim=True)
        gain_B1 = gain_BN.gather(1, best_B1)
        chosen_BN.scatter_(1, best_B1, chosen_BN.gather(1, best_B1) | ((gain_B1 >= 0) & (pick < count_B1)))
        column_B1N = kernel_BNN.gather(1, best_B1[..., None].expand(-1, 1, length))
        known_BKN = factor_BKN[:, :pick]
        weight_BK1 = known_BKN.gather(2, best_B1[..., None].expand(-1, pick, 1))
        rest_BN = column_B1N[:, 0] - (weight_BK1 * known_BKN).sum(1)
        factor_BN = torch.where(gain_B1 > 0, rest_BN * gain_B1.clamp_min(1e-30).rsqrt(), 0)
        factor_BKN[:, pick] = factor_BN
        gain_BN = gain_BN - factor_BN.square()
        gain_BN = gain_BN.where((gain_BN > least_BN) | (gain_BN == -torch.inf), 0).scatter(1, best_B1, -torch.inf)
    return chosen_BN


def farthest_choice(distance_BNN: Tensor, candidate_BN: Tensor, counts: Sequence[int]) -> Tensor:
    """(B, N) bool: `counts[b]` candidates, each the farthest from those chosen before it (max-min diversity).

    The first is the one whose nearest neighbour is farthest away; of equal ones, the first.
    """
    absent_BNN = ~(candidate_BN[:, None] & candidate_BN[..., None])
    own = torch.eye(candidate_BN.shape[1], dtype=torch.bool, device=candidate_BN.device)
    distance_BNN = distance_BNN.float().masked_fill(absent_BNN | own, torch.inf)
    count_B1 = torch.tensor(counts, device=candidate_BN.device)[:, None]
    nearest_BN = distance_BNN.amin(2).masked_fill(~candidate_BN, -torch.inf)
    chosen_BN = torch.zeros_like(candidate_BN)
    for pick in range(max(counts)):
        best_B1 = nearest_BN.argmax(1, keepdim=True)
        wanted_B1 = pick < count_B1
        chosen_BN.scatter_(1, best_B1, chosen_BN.gather(1, best_B1) | wanted_B1)
        to_best_BN = distance_BNN.gather(1, best_B1[..., None].expand(-1, 1, chosen_BN.shape[1]))[:, 0]
        nearest_BN = to_best_BN if pick == 0 else nearest_BN.minimum(to_best_BN)
        nearest_BN = nearest_BN.masked_fill(chosen_BN | ~candidate_BN, -torch.inf)
    return chosen_BN
