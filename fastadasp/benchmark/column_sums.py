"""What the column sums of a layer's attention take beside one pass of that attention, and how exact they are.

H query heads, G key-value heads, T tokens, N of them audio, d channels per head.
"""

from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from fastadasp.benchmark.shapes import SpeechShape
from fastadasp.measuring.meters import best_time
from fastadasp.ops.attention import attention_received_by_group
from fastadasp.ops.log_sum_exp import LogSumExpTap
from fastadasp.reduction.flops import column_sum_flops

BLOCK = 1024
"""Queries held at once in float64."""


@torch.inference_mode()
def profile(shape: SpeechShape, seconds: float, device: torch.device, dtype: torch.dtype) -> dict[str, float | None]:
    """Seconds and largest relative errors at one row of `seconds` of audio, on random queries and keys.

    attention_s: one causal pass of PyTorch's fused attention. told_s, told_error: of the column sums with the
    log-sum-exp that this pass gives; None if it gives none. untold_s, untold_error: of those that find it themselves.
    told_count: share of the pass that the first take by FLOPs. Errors are of the first key-value head, against float64.
    """
    audio = shape.audio_tokens(seconds)
    length, columns = audio + shape.text_tokens, slice(shape.text_before, shape.text_before + audio)
    torch.manual_seed(0)
    queries, keys, values = (
        torch.randn(1, heads, length, shape.head_dim, device=device, dtype=dtype)
        for heads in (shape.heads, shape.kv_heads, shape.kv_heads)
    )
    scaling, repeats = shape.head_dim**-0.5, shape.heads // shape.kv_heads

    def attend() -> Tensor:
        return scaled_dot_product_attention(queries, keys, values, is_causal=True, enable_gqa=repeats > 1)

    def summed(lse_BHT: Tensor | None) -> Tensor:
        return attention_received_by_group(queries, keys, columns, None, scaling, None, lse_BHT)

    with LogSumExpTap() as told:
        attend()
    lse_BHT = told.lse_BHT(queries)
    exact_N = _exact(queries[0, :repeats], keys[0, 0], columns, scaling)
    ways: dict[str, Tensor | None] = {"untold": None} if lse_BHT is None else {"told": lse_BHT, "untold": None}
    found: dict[str, float | None] = {"told_s": None, "told_error": None, "attention_s": best_time(attend, device)}
    for name, lse in ways.items():
        found[f"{name}_error"] = float(((summed(lse)[0, 0] - exact_N).abs() / exact_N).max())
        found[f"{name}_s"] = best_time(partial(summed, lse), device)
    pass_flops = 2 * column_sum_flops(length, 0, shape)
    return {"seconds": seconds, **found, "told_count": column_sum_flops(audio, shape.text_after, shape) / pass_flops}


def _exact(queries_HTd: Tensor, keys_Td: Tensor, columns: slice, scaling: float) -> Tensor:
    """(N,) float64: attention that the keys of one head get from the queries that share it."""
    keys_Td = keys_Td.double()
    column = torch.arange(len(keys_Td), device=keys_Td.device)
    received = keys_Td.new_zeros(len(keys_Td))
    for first in range(0, len(keys_Td), BLOCK):
        scores = queries_HTd[:, first : first + BLOCK].double() @ keys_Td.T * scaling
        unseen = column > column[first : first + BLOCK, None]
        received += scores.masked_fill_(unseen, -torch.inf).softmax(-1).sum((0, 1))
    return received[columns]
