"""Who goes where with which weight, and its application: the only place where tokens are moved.

B rows (left-padded), T columns of the sequence, S columns afterwards, D channels.

Where the host knows how many tokens are left, nothing here waits for a GPU. Hence `masked_fill` throughout: `where`
copies a number to the device first, and waits for that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import pad

from fastadasp.ops.layout import per_row


@dataclass(frozen=True, eq=False)
class Assignment:
    """A method's decision for a whole batch. Fusing and dropping may be mixed."""

    slot: Tensor
    """(B, T) int64: index of the output token in its row, -1 for dropped and padding; numbered by first tokens."""
    weight: Tensor
    """(B, T) >= 0: the token's weight inside its slot, on any scale. All zero in a slot means equal weights."""
    tokens: tuple[int, ...] | None = None
    """Output tokens per row, where the host knows them; otherwise reading them waits for the device."""
    fuses: bool = True
    """False if it is known that no slot holds more than one token: then they are just gathered."""
    mean: bool = True
    """False where a slot is the sum of its tokens, each times its weight, instead of their weighted mean."""

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Output tokens per row."""
        return tuple((self.slot.amax(1) + 1).tolist()) if self.tokens is None else self.tokens

    @property
    def width(self) -> int:
        """S: output tokens of the longest row."""
        return max(self.lengths)

    @cached_property
    def column(self) -> Tensor:
        """(B, T) int64 output column, rows right-aligned; any valid column for dropped tokens, whose weight is zero."""
        padding = per_row([self.width - length for length in self.lengths], self.slot.device)
        return (self.slot + padding).masked_fill_(self.slot < 0, 0)

    @cached_property
    def first(self) -> Tensor:
        """(B, S) int64 input column of each slot's first token; T on padding."""
        rows, length = self.slot.shape
        position = torch.arange(length, device=self.slot.device).expand(rows, -1).masked_fill(self.slot < 0, length)
        first = self.slot.new_full((rows, self.width), length)
        return first.scatter_reduce(1, self.column, position, "amin")

    @cached_property
    def normalized_weight(self) -> Tensor:
        """(B, T) float32 weights that sum to one in every slot if that is a mean, zero for dropped tokens."""
        kept = (self.slot >= 0).float()
        weight = self.weight.float() * kept
        if not self.mean:
            return weight
        weight = torch.where(self.total(weight).gather(1, self.column) > 0, weight, kept)
        total = self.total(weight).gather(1, self.column)
        return weight / total.masked_fill(~(total > 0), 1)  # nothing but padding has a total of 0

    def total(self, value_BT: Tensor) -> Tensor:
        """(B, S): the sum over each slot's tokens; 0 on padding."""
        if value_BT.is_cuda:
            return self.sums_in_order(value_BT[..., None])[..., 0]
        value_BT = value_BT.masked_fill(self.slot < 0, 0)
        return value_BT.new_zeros(len(value_BT), self.width).scatter_add_(1, self.column, value_BT)

    def sums_in_order(self, value_BTD: Tensor, weight_BT: Tensor | None = None) -> Tensor:
        """(B, S, D): the sum over each slot's tokens, in their order; float32 where there are weights.

        For GPUs, where `scatter_add` and `index_add` add in an order that differs from run to run.
        """
        order, starts = self._segments
        terms = value_BTD.flatten(0, 1).index_select(0, order)
        if weight_BT is not None:
            terms = terms * weight_BT.flatten().index_select(0, order)[:, None]
        sums = torch.segment_reduce(terms, "sum", offsets=starts, axis=0, unsafe=True, initial=0.0)
        return sums.view(len(value_BTD), self.width, -1)

    @cached_property
    def _segments(self) -> tuple[Tensor, Tensor]:
        """All B·T tokens sorted by row and output column, dropped ones last, and where each of B·S columns begins."""
        rows = len(self.slot)
        first_B1 = torch.arange(0, rows * self.width, self.width, device=self.slot.device)[:, None]
        target = (first_B1 + self.column).masked_fill(self.slot < 0, rows * self.width).flatten()
        target, order = target.sort(stable=True)
        return order, torch.searchsorted(target, torch.arange(rows * self.width + 1, device=target.device))

    def then(self, later: "Assignment") -> "Assignment":
        """Both decisions, which are means, as one; `later` is about this one's output tokens."""
        slot = later.slot.gather(1, self.column).masked_fill(self.slot < 0, -1)
        return Assignment(slot, self.normalized_weight * later.normalized_weight.gather(1, self.column), later.tokens)

    def with_norm_of(self, x_BTD: Tensor) -> "Assignment":
        """This decision, which is a mean, as sums that give each fused vector of `x_BTD` the weighted mean of its
        vectors' norms. Vectors that are fused with no other keep weight 1; so do those of a slot whose mean is zero."""
        x_BTD = x_BTD.float()
        norm_BS1 = apply(x_BTD.norm(dim=-1, keepdim=True), self)
        mean_BS = apply(x_BTD, self).norm(dim=-1)
        fused_BS = (self.total(torch.ones_like(self.normalized_weight)) > 1) & (mean_BS > 0)
        factor_BS = (norm_BS1[..., 0] / mean_BS.masked_fill(~fused_BS, 1)).masked_fill(~fused_BS, 1)
        weight_BT = self.normalized_weight * factor_BS.gather(1, self.column)
        return Assignment(self.slot, weight_BT, self.tokens, self.fuses, mean=False)


def apply(x_BTD: Tensor, assignment: Assignment) -> Tensor:
    """(B, S, D): each slot's weighted mean (or sum), added up in float32; order kept, padded with zeros on the left."""
    if not assignment.fuses:
        kept_BS = assignment.first < x_BTD.shape[1]
        index = assignment.first.clamp_max(x_BTD.shape[1] - 1)[..., None].expand(-1, -1, x_BTD.shape[2])
        return x_BTD.gather(1, index).masked_fill_(~kept_BS[..., None], 0)
    if x_BTD.is_cuda:
        return assignment.sums_in_order(x_BTD, assignment.normalized_weight).to(x_BTD.dtype)
    weighted = x_BTD.float() * assignment.normalized_weight[..., None]
    out = weighted.new_zeros(len(x_BTD), assignment.width, x_BTD.shape[-1])
    rows = torch.arange(len(x_BTD), device=x_BTD.device)[:, None]
    target = (rows * assignment.width + assignment.column).flatten()
    out.view(-1, x_BTD.shape[-1]).index_add_(0, target, weighted.flatten(0, 1))
    return out.to(x_BTD.dtype)


def fuse_pairs(
    pair_BT: Tensor, weight_BT: Tensor, real_BT: Tensor | None, tokens: tuple[int, ...] | None
) -> Assignment:
    """Fuse token t with t + 1 wherever `pair_BT[:, t]`: a stretch of chosen pairs becomes one token.

    real_BT: False on padding. tokens: what each row is left with, if known.
    """
    starts = ~pad(pair_BT[:, :-1], (1, 0))
    if real_BT is not None:
        starts &= real_BT
    slot = starts.cumsum(1) - 1
    if real_BT is not None:
        slot = slot.masked_fill(~real_BT, -1)
    return Assignment(slot, weight_BT, tokens)


def fuse_groups(
    into_BT: Tensor, weight_BT: Tensor, real_BT: Tensor | None, tokens: tuple[int, ...] | None
) -> Assignment:
    """Fuse all tokens that name the same column in `into_BT`, adjacent or not, in the place of the first of them.

    A token that names T, beyond the last column, is dropped. real_BT: False on padding.
    """
    rows, length = into_BT.shape
    column = torch.arange(length, device=into_BT.device)
    first_BT = into_BT.new_full((rows, length + 1), length)
    first_BT = first_BT.scatter_reduce(1, into_BT, column.expand(rows, -1), "amin").gather(1, into_BT)
    kept_BT = into_BT < length
    if real_BT is not None:
        kept_BT &= real_BT
    number_BT = ((first_BT == column) & kept_BT).cumsum(1) - 1
    slot = number_BT.gather(1, first_BT.clamp_max(length - 1)).masked_fill(~kept_BT, -1)
    return Assignment(slot, weight_BT, tokens)


def keep_only(keep_BT: Tensor, tokens: tuple[int, ...] | None) -> Assignment:
    """Drop every token that `keep_BT` does not mark."""
    slot = (keep_BT.cumsum(1) - 1).masked_fill(~keep_BT, -1)
    return Assignment(slot, torch.ones_like(slot, dtype=torch.float32), tokens, fuses=False)


def choose_top(score_BT: Tensor, candidate_BT: Tensor, counts: Sequence[int]) -> Tensor:
    """(B, T) bool: each row's `counts[b]` candidates with the largest scores; of equal ones, the earlier column."""
    order = score_BT.float().masked_fill(~candidate_BT, -torch.inf).argsort(dim=1, descending=True, stable=True)
    rank = torch.arange(score_BT.shape[1], device=score_BT.device).expand_as(order)
    chosen = rank < per_row(counts, score_BT.device)
    return torch.zeros_like(candidate_BT).scatter_(1, order, chosen)
