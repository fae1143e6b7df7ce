"""Column sums of causal attention as two Triton kernels, for `fastadasp.ops.attention` on CUDA.

The first computes the log-sum-exp of each query's scores, the second recomputes the scores tile by tile and sums
exp(score - lse) down the columns. Nothing of size T x T leaves the chip. Where the layer's own attention has told its
log-sum-exp (`ops.log_sum_exp`: flash attention over rows without padding), the first is not run. What is left, one
product of queries and keys, is half of a pass of flash attention (`reduction.flops.column_sum_flops`), and
no exact way can do with less: a sum takes every probability, and flash attention knows none before its last key.

B rows (left-padded), H query heads, G key-value heads, T columns, N columns summed, d channels per head.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

LOG2_E = 1.4426950408889634
BLOCK = 64
"""Queries and keys in one tile."""


@triton.jit  # type: ignore[untyped-decorator]
def _scores(query, key, rows, columns, start, scale: tl.constexpr):  # type: ignore[no-untyped-def]
    """Base-2 scores of a tile; -inf above the diagonal and on padding."""
    score = tl.dot(query, key, input_precision="ieee") * scale
    return tl.where((columns[None, :] <= rows[:, None]) & (columns[None, :] >= start), score, float("-inf"))


@triton.jit  # type: ignore[untyped-decorator]
def _load(pointer, index, length, stride, CHANNELS: tl.constexpr, PADDED: tl.constexpr):  # type: ignore[no-untyped-def]
    """(len(index), PADDED) rows of a matrix whose last dimension is dense; zeros beyond it."""
    channel = tl.arange(0, PADDED)
    inside = (index[:, None] < length) & (channel[None, :] < CHANNELS)
    return tl.load(pointer + index[:, None].to(tl.int64) * stride + channel[None, :], mask=inside, other=0.0)


@triton.jit  # type: ignore[untyped-decorator]
def _log_sum_exp_kernel(  # type: ignore[no-untyped-def]
    query_pointer, key_pointer, start_pointer, lse_pointer, first, length,
    query_row, query_head, query_column, key_row, key_head, key_column,
    HEADS: tl.constexpr, REPEATS: tl.constexpr, CHANNELS: tl.constexpr, PADDED: tl.constexpr,
    SCALE: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """lse[b, h, t] for the queries t of one tile; programs: (tiles of `first` to `length`, B·H)."""
    row, head = tl.program_id(1) // HEADS, tl.program_id(1) % HEADS
    begin = first + tl.program_id(0) * TILE
    queries = begin + tl.arange(0, TILE)
    start = tl.load(start_pointer + row)
    query_pointer += row.to(tl.int64) * query_row + head * query_head
    key_pointer += row.to(tl.int64) * key_row + (head // REPEATS) * key_head
    query = _load(query_pointer, queries, length, query_column, CHANNELS, PADDED)
    highest = tl.full((TILE,), -1.0e38, tl.float32)  # finite: a padded query sees nothing, and inf - inf is NaN
    total = tl.zeros((TILE,), tl.float32)
    for key_begin in range(start // TILE * TILE, begin + TILE, TILE):
        keys = key_begin + tl.arange(0, TILE)
        key = _load(key_pointer, keys, length, key_column, CHANNELS, PADDED)
        score = _scores(query, tl.trans(key), queries, keys, start, SCALE)
        higher = tl.maximum(highest, tl.max(score, 1))
        total = total * tl.exp2(highest - higher) + tl.sum(tl.exp2(score - higher[:, None]), 1)
        highest = higher
    lse = highest + tl.log2(tl.maximum(total, 1.0e-38))
    tl.store(lse_pointer + tl.program_id(1).to(tl.int64) * length + queries, lse, mask=queries < length)


@triton.jit  # type: ignore[untyped-decorator]
def _column_sum_kernel(  # type: ignore[no-untyped-def]
    query_pointer, key_pointer, start_pointer, lse_pointer, sum_pointer, first, stop, length,
    query_row, query_head, query_column, key_row, key_head, key_column,
    HEADS: tl.constexpr, REPEATS: tl.constexpr, CHANNELS: tl.constexpr, PADDED: tl.constexpr,
    SCALE: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """sum[b, h, n] for the keys of one tile; programs: (tiles of `first` to `stop`, B·H)."""
    row, head = tl.program_id(1) // HEADS, tl.program_id(1) % HEADS
    begin = first + tl.program_id(0) * TILE
    keys = begin + tl.arange(0, TILE)
    start = tl.load(start_pointer + row)
    query_pointer += row.to(tl.int64) * query_row + head * query_head
    key_pointer += row.to(tl.int64) * key_row + (head // REPEATS) * key_head
    lse_pointer += tl.program_id(1).to(tl.int64) * length
    key = tl.trans(_load(key_pointer, keys, length, key_column, CHANNELS, PADDED))
    received = tl.zeros((TILE, TILE), tl.float32)  # summed down its columns once: that takes all warps of the program
    for query_begin in range(begin, length, TILE):  # earlier queries do not see these keys
        queries = query_begin + tl.arange(0, TILE)
        query = _load(query_pointer, queries, length, query_column, CHANNELS, PADDED)
        real = (queries >= start) & (queries < length)
        lse = tl.load(lse_pointer + queries, mask=real, other=float("inf"))
        received += tl.exp2(_scores(query, key, queries, keys, start, SCALE) - lse[:, None])
    offset = tl.program_id(1).to(tl.int64) * (stop - first) + keys - first
    tl.store(sum_pointer + offset, tl.sum(received, 0), mask=keys < stop)


def column_sums(
    queries_BHTd: Tensor,
    keys_BGTd: Tensor,
    columns: slice,
    real_BT: Tensor | None,
    scaling: float,
    lse_BHT: Tensor | None = None,
) -> Tensor:
    """(B, G, N) float32: the attention that each key of `columns` gets from real queries, summed over its query heads.

    Scores are kept in float32 throughout. real_BT: False on padding, which is on the left; None without any.
    lse_BHT: float32, natural log-sum-exp of each real query's scores; None computes it.
    The sum over heads is taken last and in a fixed order: the result is the same in every run.
    """
    rows, heads, length, channels = queries_BHTd.shape
    queries, keys = _dense_rows(queries_BHTd), _dense_rows(keys_BGTd)
    start_B = torch.zeros(rows, dtype=torch.int64, device=queries.device)
    if real_BT is not None:
        start_B = (~real_BT).sum(1)
    width = columns.stop - columns.start
    received_BHN = torch.empty(rows, heads, width, dtype=torch.float32, device=queries.device)
    constants: dict[str, Any] = {
        "HEADS": heads,
        "REPEATS": heads // keys.shape[1],
        "CHANNELS": channels,
        "PADDED": max(16, triton.next_power_of_2(channels)),
        "SCALE": scaling * LOG2_E,
        "TILE": BLOCK,
    }
    strides = (*queries.stride()[:3], *keys.stride()[:3])
    query_tiles, key_tiles = triton.cdiv(length - columns.start, BLOCK), triton.cdiv(width, BLOCK)
    with _current(queries.device):
        if lse_BHT is None:
            lse = torch.empty(rows, heads, length, dtype=torch.float32, device=queries.device)
            _log_sum_exp_kernel[(query_tiles, rows * heads)](
                queries, keys, start_B, lse, columns.start, length, *strides, **constants
            )
        else:
            lse = (lse_BHT * LOG2_E).contiguous()
        _column_sum_kernel[(key_tiles, rows * heads)](
            queries, keys, start_B, lse, received_BHN, columns.start, columns.stop, length, *strides, **constants
        )
    return received_BHN.view(rows, keys.shape[1], -1, width).sum(2)


def _current(device: torch.device) -> AbstractContextManager[object]:
    """Triton launches on the current GPU, wherever the tensors are; its interpreter needs none."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _dense_rows(x: Tensor) -> Tensor:
    return x if x.stride(-1) == 1 else x.contiguous()
