"""The best division of a sequence into segments of neighbours, by dynamic programming.

B rows of at most N items with D channels; segments hold at most L items.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from fastadasp.ops.layout import per_row


def scatter_of_segments(x_BND: Tensor, weight_BN: Tensor, run_BN: Tensor, longest: Sequence[int]) -> Tensor:
    """(B, N, L) float32: for the segment of the l + 1 items that end with item n, the weighted sum of the squared
    distances of its items to their weighted mean; infinite for what is no segment of row b: more than `longest[b]`
    items, items of several runs, or more items than the row has up to there.

    x_BND: float32. weight_BN: float32, above 0. run_BN: int64, above 0, a number that the items of one run share.
    """
    longest_B1 = per_row(longest, x_BND.device)
    mass_BN, total_BND = weight_BN, x_BND * weight_BN[..., None]
    energy_BN = (total_BND * x_BND).sum(2)
    first = mass_BN, total_BND, energy_BN, run_BN  # of the first item of each segment
    cost = [torch.zeros_like(energy_BN)]
    for length in range(2, max(longest) + 1):
        first = _later(first[0]), _later(first[1]), _later(first[2]), _later(first[3])
        mass_BN, total_BND, energy_BN = mass_BN + first[0], total_BND + first[1], energy_BN + first[2]
        found_BN = (energy_BN - total_BND.square().sum(2) / mass_BN).clamp_min(0)
        cost.append(found_BN.masked_fill((first[3] != run_BN) | (longest_B1 < length), torch.inf))
    return torch.stack(cost, 2)


def _later(x: Tensor) -> Tensor:
    """Each item's value at the next item (dimension 1), zero at the first."""
    return torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1)


def best_segments(cost_BNL: Tensor, items: Sequence[int], segments: Sequence[int]) -> Tensor:
    """(B, N) bool: the last item of each segment, when the first `items[b]` items of row b are divided into exactly
    `segments[b]` segments such that the sum of their costs is smallest (optimal partitioning, Bellman 1961).

    cost_BNL: float32, of the segment of the l + 1 items that end with item n; infinite where that is no segment. Of
    equal divisions, the last segments are the shortest. Needs O(S N L) steps for S segments, S of them in sequence.
    Where no division has a finite cost the result means nothing.
    """
    batch, width, longest = cost_BNL.shape
    device = cost_BNL.device
    best_BN = pad(cost_BNL.new_zeros(batch, 1), (longest, width), value=torch.inf)  # column `longest` + j: j items
    choices = []
    for _ in range(max(segments)):
        before_BNL = best_BN.unfold(1, longest, 1)[:, 1 : width + 1].flip(2)
        found_BN, length_BN = (before_BNL + cost_BNL).min(2)
        best_BN = pad(found_BN, (longest + 1, 0), value=torch.inf)
        choices.append(length_BN)
    last_BN = torch.zeros(batch, width, dtype=torch.bool, device=device)
    zero_B1 = torch.zeros(batch, 1, dtype=torch.int64, device=device)
    end_B1, segments_B1 = zero_B1 + per_row(items, device) - 1, zero_B1 + per_row(segments, device)
    for step in range(max(segments), 0, -1):
        active_B1, at_B1 = segments_B1 >= step, end_B1.clamp_min(0)
        last_BN = last_BN.scatter(1, at_B1, active_B1 | last_BN.gather(1, at_B1))
        end_B1 = torch.where(active_B1, end_B1 - choices[step - 1].gather(1, at_B1) - 1, end_B1)
    return last_BN
