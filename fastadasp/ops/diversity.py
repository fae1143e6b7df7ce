"""Greedy choices of tokens that are unlike each other. The loops go over picks; all rows pick at once.

B rows, N columns, K picks; M columns of candidates left, E even and O odd ones among them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from fastadasp.ops.groups import gather_columns
from fastadasp.ops.layout import per_row

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
    count_B1 = per_row(counts, gain_BN.device)
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
        factor_BN = (rest_BN * gain_B1.clamp_min(1e-30).rsqrt()).masked_fill(~(gain_B1 > 0), 0)
        factor_BKN[:, pick] = factor_BN
        gain_BN = gain_BN - factor_BN.square()
        gain_BN = gain_BN.masked_fill(~((gain_BN > least_BN) | (gain_BN == -torch.inf)), 0)
        gain_BN = gain_BN.scatter(1, best_B1, -torch.inf)
    return chosen_BN


def farthest_choice(distance_BNN: Tensor, candidate_BN: Tensor, counts: Sequence[int]) -> Tensor:
    """(B, N) bool: `counts[b]` candidates, each the farthest from those chosen before it (max-min diversity).

    The first is the one whose nearest neighbour is farthest away; of equal ones, the first.
    """
    absent_BNN = ~(candidate_BN[:, None] & candidate_BN[..., None])
    own = torch.eye(candidate_BN.shape[1], dtype=torch.bool, device=candidate_BN.device)
    distance_BNN = distance_BNN.float().masked_fill(absent_BNN | own, torch.inf)
    count_B1 = per_row(counts, candidate_BN.device)
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


def thinned_choice(
    similarity_BNN: Tensor, candidate_BN: Tensor, candidates: Sequence[int], counts: Sequence[int], at_once: int = 4
) -> Tensor:
    """(B, N) bool: what is left of each row's `candidates[b]` when those that resemble others are dropped until there
    are `counts[b]` (VisPruner).

    Each round drops the `at_once` tokens at even places that are most similar to any at an odd place; the next round
    counts places anew over the even ones left, most similar first, and then the odd ones.
    """
    left = list(candidates)
    column_BM, _ = gather_columns(candidate_BN, left)
    while left != list(counts):
        gone = [min(at_once, now - most, (now + 1) // 2) for now, most in zip(left, counts, strict=True)]
        even_BE, odd_BO = column_BM[:, 0::2], column_BM[:, 1::2]
        left_B1, gone_B1 = (per_row(numbers, column_BM.device) for numbers in (left, gone))
        evens_B1 = (left_B1 + 1) // 2
        place_E, place_O = (torch.arange(part.shape[1], device=part.device) for part in (even_BE, odd_BO))
        cosine_BEN = similarity_BNN.gather(1, even_BE[..., None].expand(-1, -1, similarity_BNN.shape[2]))
        cosine_BEO = cosine_BEN.gather(2, odd_BO[:, None].expand(-1, even_BE.shape[1], -1))
        absent_BO = (place_O >= left_B1 // 2).expand_as(odd_BO)
        best_BE = cosine_BEO.masked_fill(absent_BO[:, None], -2).amax(2)
        best_BE = best_BE.masked_fill(place_E >= evens_B1, -3)
        even_BE = even_BE.gather(1, best_BE.argsort(dim=1, descending=True, stable=True))
        left = [now - less for now, less in zip(left, gone, strict=True)]
        width = max(left)
        # The places of what stays; `width` for the rest.
        even_to = (place_E - gone_B1).expand_as(even_BE).masked_fill((place_E < gone_B1) | (place_E >= evens_B1), width)
        odd_to = (place_O + evens_B1 - gone_B1).expand_as(odd_BO).masked_fill(absent_BO, width)
        column_BM = column_BM.new_zeros(len(left), width + 1).scatter(1, even_to, even_BE).scatter(1, odd_to, odd_BO)
        column_BM = column_BM[:, :width]
    place = torch.arange(column_BM.shape[1], device=column_BM.device)
    real_BM = (place < per_row(left, column_BM.device)).expand_as(column_BM)
    return torch.zeros_like(candidate_BN).scatter_reduce(1, column_BM, real_BM, "amax")
