"""The best division of a sequence into segments of neighbours, by dynamic programming.

B rows of at most N items with D channels; segments hold at most L items.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from fastadasp.ops.layout import per_row

BLOCK = 32
"""Items whose inner products with their neighbours are taken at once."""


def scatter_of_segments(x_BND: Tensor, weight_BN: Tensor, run_BN: Tensor, longest: Sequence[int]) -> Tensor:
    """(B, N, L) float32: for the segment of the l + 1 items that end with item n, the weighted sum of the squared
    distances of its items to their weighted mean; infinite for what is no segment of row b: more than `longest[b]`
    items, items of several runs, or more items than the row has up to there.

    x_BND: float32. weight_BN: float32, above 0. run_BN: int64, above 0, a number that the items of one run share.
    """
    longest_B1 = per_row(longest, x_BND.device)
    product_BNL = _products(x_BND * weight_BN[..., None], max(longest))  # of an item and one l before it
    mass_BN, first_run_BN = weight_BN, run_BN
    energy_BN = product_BNL[..., 0] / weight_BN
    total_BN, across_BN = product_BNL[..., 0], torch.zeros_like(weight_BN)  # |weighted sum of a segment|^2
    before = mass_BN, energy_BN, total_BN
    cost = [torch.zeros_like(energy_BN)]
    for length in range(2, max(longest) + 1):
        # The segment of one item less that ends one item before, and what its items have in common with the new one.
        mass, energy, total = (_later(x) for x in before)
        first_run_BN = _later(first_run_BN)
        across_BN = across_BN + product_BNL[..., length - 1]
        total_BN = total + product_BNL[..., 0] + 2 * across_BN
        mass_BN, energy_BN = mass + weight_BN, energy + product_BNL[..., 0] / weight_BN
        before = mass_BN, energy_BN, total_BN
        found_BN = (energy_BN - total_BN / mass_BN).clamp_min(0)
        cost.append(found_BN.masked_fill((first_run_BN != run_BN) | (longest_B1 < length), torch.inf))
    return torch.stack(cost, 2)


def _products(x_BND: Tensor, longest: int) -> Tensor:
    """(B, N, L) float32: the inner product of item n and the item l before it, 0 where there is none.

    By products of matrices, of BLOCK items with themselves and those just before, so that each item is read once."""
    batch, width, channels = x_BND.shape
    blocks = -(-width // BLOCK)
    padded_BND = pad(x_BND, (0, 0, longest - 1, blocks * BLOCK - width))
    own_BKWD = padded_BND[:, longest - 1 :].reshape(batch, blocks, BLOCK, channels)
    product_BKWV = own_BKWD @ padded_BND.unfold(1, BLOCK + longest - 1, BLOCK)
    at_WL = torch.arange(BLOCK, device=x_BND.device)[:, None] + torch.arange(longest - 1, -1, -1, device=x_BND.device)
    found_BKWL: Tensor = product_BKWV.gather(3, at_WL.expand(batch, blocks, -1, -1))
    return found_BKWL.flatten(1, 2)[:, :width]


def _later(x: Tensor) -> Tensor:
    """Each item's value at the next item (dimension 1), zero at the first."""
    return pad(x[:, :-1], (1, 0))


def best_segments(cost_BNL: Tensor, items: Sequence[int], segments: Sequence[int]) -> Tensor:
    """(B, N) bool: the last item of each segment, when the first `items[b]` items of row b are divided into exactly
    `segments[b]` segments such that the sum of their costs is smallest (optimal partitioning, Bellman 1961).

    cost_BNL: float32, of the segment of the l + 1 items that end with item n; infinite where that is no segment. Of
    equal divisions, the last segments are the shortest. S segments of N items need O(S (N - S) L) operations, in S
    steps one after the other. Where no division has a finite cost the result means nothing.
    """
    # s segments hold s + e items, e from 0 up to the largest N - S: that band alone is computed. Column r stands for
    # the e that is r below the largest, so that a segment of l + 1 items leads from column r + l to column r.
    batch, width, longest = cost_BNL.shape
    steps, device = max(segments), cost_BNL.device
    spare = [count - parts for count, parts in zip(items, segments, strict=True)]
    band = max(spare) + 1
    cost_BLN = pad(cost_BNL.detach().mT.flip(2), (max(0, steps + band - 1 - width), 0), value=torch.inf)
    first = cost_BLN.shape[2] - band  # of the columns that the first segment needs; one less for each further one
    best_BR = cost_BLN.new_full((batch, band + longest - 1), torch.inf)
    best_BR[:, band - 1] = 0.0
    before_BLR, found_BR = best_BR.unfold(1, band, 1), best_BR[:, :band]
    sum_BLR = cost_BLN.new_empty(batch, longest, band)
    length_BR = torch.empty(batch, band, dtype=torch.int64, device=device)
    choices_SBR = torch.empty(steps, batch, band, dtype=_smallest(longest), device=device)
    for step in range(steps):
        torch.add(before_BLR, cost_BLN[..., first - step : first - step + band], out=sum_BLR)
        torch.min(sum_BLR, 1, out=(found_BR, length_BR))
        choices_SBR[step] = length_BR
    at_B1 = torch.full((batch, 1), band - 1, device=device) - per_row(spare, device)
    more_SB1 = choices_SBR.new_zeros(steps, batch, 1)
    for step in range(steps - 1, -1, -1):
        torch.gather(choices_SBR[step], 1, at_B1, out=more_SB1[step])
        if step >= min(segments):  # rows that have fewer segments begin later
            more_SB1[step] *= per_row([int(parts > step) for parts in segments], device)
        at_B1 += more_SB1[step]
    used_SB1 = torch.arange(steps, device=device)[:, None, None] < per_row(segments, device)
    held_BS = (more_SB1.long() + used_SB1).cumsum(0)[..., 0].T  # after its last segment, a row repeats its items
    return torch.zeros(batch, width + 1, dtype=torch.bool, device=device).scatter(1, held_BS, True)[:, 1:]


def _smallest(longest: int) -> torch.dtype:
    """The smallest type of integers that holds lengths below `longest`."""
    return torch.uint8 if longest <= 256 else torch.int64
