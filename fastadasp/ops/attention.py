"""Attention probabilities that fused kernels do not return, recomputed from a layer's own queries and keys.

B rows (left-padded), H query heads, G key-value heads, Q queries, T keys, d channels per head.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from fastadasp.ops.kernels import try_column_sums

CPU_BLOCK, GPU_BLOCK = 2**20, 2**25
"""Scores held at once by `attention_received_by_group`: what a CPU caches, what keeps a GPU busy."""


@dataclass(frozen=True, eq=False)
class ScoreShape:
    """The changes that a layer makes to its scores besides the product, the scaling and the softmax."""

    softcap: float | None = None
    """c: scores s become c · tanh(s / c) (Gemma 2); None for no cap."""
    sinks_H: Tensor | None = None
    """A score for each head that takes part in the softmax and belongs to no token (gpt-oss); None without sinks."""

    @property
    def plain(self) -> bool:
        """Whether there is nothing of the kind."""
        return self.softcap is None and self.sinks_H is None

    def capped(self, scores: Tensor) -> Tensor:
        """Scores below the cap; in place."""
        return scores if self.softcap is None else scores.div_(self.softcap).tanh_().mul_(self.softcap)

    def softmax(self, scores_BHQK: Tensor) -> Tensor:
        """Probabilities of the keys alone: with sinks, a row sums to less than 1."""
        if self.sinks_H is None:
            return scores_BHQK.softmax(-1)
        sinks_H = self.sinks_H.to(scores_BHQK.device, scores_BHQK.dtype).flatten()
        sinks_BHQ1 = sinks_H[None, :, None, None].expand(*scores_BHQK.shape[:-1], 1)
        return torch.cat((scores_BHQK, sinks_BHQ1), -1).softmax(-1)[..., :-1]


PLAIN = ScoreShape()


def attention_rows(
    queries_BHQd: Tensor,
    keys_BGTd: Tensor,
    first: int,
    real_BT: Tensor | None,
    scaling: float,
    bias_BT: Tensor | None = None,
    shape: ScoreShape = PLAIN,
) -> Tensor:
    """(B, H, Q, K) float32 causal attention of queries in columns `first` to `first` + Q, over K = `first` + Q keys.

    Products are summed in float32, as fused kernels do: in float16 they overflow before they are scaled. real_BT: False
    on padding, None without any; the rows of padded queries mean nothing. bias_BT: what each key's scores gain, if
    anything.
    """
    batch, heads, length, channels = queries_BHQd.shape
    groups, visible = keys_BGTd.shape[1], first + length
    grouped = queries_BHQd.reshape(batch, groups, heads // groups * length, channels)
    keys_BGKd = keys_BGTd[:, :, :visible].float()
    scores = (grouped.float() @ keys_BGKd.transpose(2, 3)).view(batch, heads, length, visible).mul_(scaling)
    scores = shape.capped(scores)
    if bias_BT is not None:
        scores += bias_BT[:, None, None, :visible]
    column = torch.arange(length, device=scores.device)
    scores[..., first:].masked_fill_(column > column[:, None], -torch.inf)
    if real_BT is not None:
        # Finite, so that a padded query, which sees padding only, does not become NaN.
        scores.masked_fill_(~real_BT[:, None, None, :visible], torch.finfo(torch.float32).min)
    return shape.softmax(scores)


def attention_received_by_group(
    queries_BHTd: Tensor,
    keys_BGTd: Tensor,
    columns: slice,
    real_BT: Tensor | None,
    scaling: float,
    bias_BT: Tensor | None = None,
    lse_BHT: Tensor | None = None,
    shape: ScoreShape = PLAIN,
) -> Tensor:
    """(B, G, N) float32: the attention that each key of `columns` gets from all real queries, summed over the query
    heads that share it.

    These are column sums of the causal attention matrix, which is never held: queries are taken in blocks, at 2·T·N·d
    multiply-accumulates per head beyond the softmax, and O(block·T) memory. With `lse_BHT`, the natural log-sum-exp of
    each query's scores (bias included) as the layer's own attention has found it, no softmax is computed again and
    keys outside `columns` are not looked at. On CUDA by a Triton kernel, tile by tile, where Triton can compile it and
    scores have neither bias nor cap nor sinks.
    """
    if queries_BHTd.is_cuda and bias_BT is None and shape.plain:
        by_kernel = try_column_sums(queries_BHTd, keys_BGTd, columns, real_BT, scaling, lse_BHT)
        if by_kernel is not None:
            return by_kernel
    batch, heads, length, _ = queries_BHTd.shape
    groups = keys_BGTd.shape[1]
    scores = CPU_BLOCK if queries_BHTd.device.type == "cpu" else GPU_BLOCK
    block = max(1, scores // (batch * heads * length))
    keys_BGTd = keys_BGTd.float()  # once for all blocks
    received = queries_BHTd.new_zeros(batch, groups, columns.stop - columns.start, dtype=torch.float32)
    for first in range(columns.start, length, block):  # earlier queries see none of the columns
        queries_BHQd = queries_BHTd[:, :, first : first + block]
        if lse_BHT is None:
            rows = attention_rows(queries_BHQd, keys_BGTd, first, real_BT, scaling, bias_BT, shape)[..., columns]
        else:
            lse_BHQ = lse_BHT[:, :, first : first + block]
            rows = _normalised_rows(queries_BHQd, keys_BGTd, first, columns, scaling, lse_BHQ, bias_BT, shape)
        if real_BT is not None:  # not a product: where a log-sum-exp means nothing, exp may be infinite
            rows = rows.masked_fill(~real_BT[:, None, first : first + block, None], 0)
        received[..., : rows.shape[-1]] += rows.view(batch, groups, -1, *rows.shape[2:]).sum((2, 3))
    return received if real_BT is None else received.masked_fill_(~real_BT[:, None, columns], 0)


def _normalised_rows(
    queries_BHQd: Tensor,
    keys_BGTd: Tensor,
    first: int,
    columns: slice,
    scaling: float,
    lse_BHQ: Tensor,
    bias_BT: Tensor | None,
    shape: ScoreShape,
) -> Tensor:
    """(B, H, Q, N) float32: what `attention_rows` has in `columns`, or in as many of them as the last query sees.

    The first query is not left of the first of `columns`.
    Rows of padded queries, and columns of padding, mean nothing.
    """
    batch, heads, length, channels = queries_BHQd.shape
    groups, stop = keys_BGTd.shape[1], min(columns.stop, first + length)
    grouped = queries_BHQd.reshape(batch * groups, heads // groups * length, channels).float()
    keys = keys_BGTd[:, :, columns.start : stop].flatten(0, 1)
    minus_lse = -lse_BHQ.reshape(batch * groups, -1, 1)
    if shape.softcap is None:
        rows = torch.baddbmm(minus_lse, grouped, keys.transpose(1, 2), alpha=scaling).view(batch, heads, length, -1)
    else:
        rows = shape.capped(grouped @ keys.transpose(1, 2) * scaling).add_(minus_lse).view(batch, heads, length, -1)
    if bias_BT is not None:
        rows += bias_BT[:, None, None, columns.start : stop]
    unseen = min(first, stop)  # columns from here on are not seen by all of these queries
    column = torch.arange(unseen, stop, device=rows.device)
    row = torch.arange(first, first + length, device=rows.device)[:, None]
    rows[..., unseen - columns.start :].masked_fill_(column > row, -torch.inf)
    return rows.exp_()
