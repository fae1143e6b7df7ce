"""What a run cost, from the stored predictions alone: tokens, FLOPs and cache (exact), time and memory (measured).

L layers, N prompts.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastadasp.evaluation.totals import Batches, Numbers, Total, cached, tokens_entering
from fastadasp.reduction.flops import DecoderShape, paper_flops, paper_prompt_flops, prefill_flops
from fastadasp.tasks.base import Prediction

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


class Reduction(Total):
    """Measured share of audio tokens removed, averaged over the layers after `layer`: what `merge.ratio` asks for.

    Corpus sums. A reduction at the last layer has no layer after it; what leaves that one counts there. For a method
    that acts before layer 0, `layer` is -1. in_caches: for methods that shorten caches, the share missing in the caches
    from `layer` on; where any token may go, each that is gone counts as audio.
    """

    def __init__(self, layer: int, in_caches: bool = False) -> None:
        self._layer, self._in_caches = layer, in_caches
        self._left = self._full = 0.0

    def add(self, predictions: Sequence[Prediction]) -> None:
        """Take further predictions into account."""
        counted = [prediction for prediction in predictions if prediction.audio_tokens]
        if not counted:
            return
        self._full += sum(prediction.audio_tokens for prediction in counted)
        if self._in_caches:
            text = sum(prediction.text_tokens for prediction in counted)
            self._left += float(cached(counted)[self._layer :].mean(axis=0).sum()) - text
            return
        audio_NL = np.array([prediction.audio_tokens_per_layer for prediction in counted], dtype=np.float64)
        last = audio_NL.shape[1] - 1
        layer = min(self._layer, last - 1)  # a method that has no use for it may name any
        self._left += float(audio_NL[:, layer + 1 : max(last, layer + 2)].mean(axis=1).sum())

    @property
    def share(self) -> float:
        """The share; 0 where there is no audio."""
        return 1 - self._left / self._full if self._full else 0.0


class ExactCost(Total):
    """What follows from token counts alone, hence is equal in every repetition: means over the answered prompts.

    `flops_paper` is the formula of token-reduction papers, `flops_prefill` the true count of the matrix products;
    `kv_bytes` is the prompt's cache. Each comes with its value for full tokens and the share saved (corpus sums).
    """

    def __init__(self, shape: DecoderShape, dtype: str) -> None:
        self._shape, self._count = shape, 0
        self._per_token = 2 * shape.kv_heads * shape.head_dim * BYTES[dtype]
        self._sums: dict[str, float] = {}
        self._layers = np.zeros((shape.layers, 4))

    def add(self, predictions: Sequence[Prediction]) -> None:
        """Take further predictions into account."""
        answered = [prediction for prediction in predictions if prediction.error is None]
        if not answered:
            return
        self._count += len(answered)
        tokens_LN, cached_LN = tokens_entering(answered), cached(answered)
        full_N = np.array([prediction.audio_tokens + prediction.text_tokens for prediction in answered], np.float64)
        costs: dict[str, tuple[Callable[[Any], Any], Numbers]] = {
            "flops_paper": (lambda tokens: paper_prompt_flops(tokens, self._shape), tokens_LN),
            "flops_prefill": (lambda tokens: prefill_flops(tokens, self._shape), tokens_LN),
            "kv_bytes": (lambda tokens: sum(tokens) * self._per_token, cached_LN),
        }
        for name, (cost, counts_LN) in costs.items():
            self._add(name, np.sum(cost(list(counts_LN))))
            self._add(f"{name}_full", np.sum(cost([full_N] * len(counts_LN))))
        for name in ("audio_tokens", "text_tokens", "new_tokens"):
            self._add(name, sum(getattr(prediction, name) for prediction in answered))
        for layer in range(min(self._shape.layers, len(cached_LN))):
            self._layers[layer] += self._of_layer(list(tokens_LN[layer : layer + 2]), cached_LN[layer])

    def _add(self, name: str, value: float) -> None:
        self._sums[name] = self._sums.get(name, 0.0) + float(value)

    def _of_layer(self, pair: list[Numbers], cached_N: Numbers) -> Numbers:
        paper = paper_flops(pair[:1], self._shape.hidden, self._shape.intermediate)  # type: ignore[arg-type]
        prefill = prefill_flops(pair, self._shape, logits=0)  # type: ignore[arg-type]
        return np.array([np.sum(pair[0]), np.sum(paper), np.sum(prefill), cached_N.sum() * self._per_token])

    @property
    def means(self) -> dict[str, float]:
        """By name; empty where no prompt was answered."""
        result: dict[str, float] = {}
        for name in ("flops_paper", "flops_prefill", "kv_bytes") if self._count else ():
            reduced, full = self._sums[name] / self._count, self._sums[f"{name}_full"] / self._count
            result |= {name: reduced, f"{name}_full": full, f"{name}_saved": 1 - reduced / full}
        for name in ("audio_tokens", "text_tokens", "new_tokens") if self._count else ():
            result[name] = self._sums[name] / self._count
        return result

    @property
    def layers(self) -> list[dict[str, float]]:
        """For each decoder layer `tokens` that enter it, and its part of the `means`. The LM head is in no layer."""
        names = ("tokens", "flops_paper", "flops_prefill", "kv_bytes")
        rows = (self._layers / self._count).tolist() if self._count else []
        return [dict(zip(names, row, strict=True)) for row in rows]


def cost_of(batches: Batches) -> dict[str, float]:
    """Time and memory of a run, from what was noted with each batch.

    Seconds are medians over batches and rates are sums, both without each process's first batch where there are others;
    `compute_s`, `batch_size`, `energy_j` and the peaks are of all. `ttft_s`: time to first token, `merge_s`: what the
    merge takes of a prefill, `merge_share` likewise; `rtf`: seconds of computing for a second of audio. `peak_bytes` is
    0 where torch does not count memory. What no batch has noted is missing: `energy_j` (of the whole GPU) without NVML,
    `peak_bytes_above_weights` on a CPU.
    """
    if not len(batches):
        return {}
    of, warm = batches.column, batches.warm
    prefill_B, decode_B, steps_B = (of(name, warm=True) for name in ("prefill_s", "decode_s", "decode_steps"))
    new_tokens_N, seconds_N = batches.examples
    compute_s, decode_s = float(_busy(batches, warm=True).sum()), float(decode_B.sum())
    stepping_B = steps_B > 0
    result = {
        "batch_size": float(of("batch_size").mean()),
        "prefill_s": float(np.median(prefill_B)),
        "decode_step_s": float(np.median(decode_B[stepping_B] / steps_B[stepping_B])) if stepping_B.any() else 0.0,
        "compute_s": float(_busy(batches).sum()),
        "examples_per_s": int(warm.sum()) / compute_s,
        "tokens_per_s": float(new_tokens_N[warm].sum()) / decode_s if decode_s else 0.0,
        "rtf": compute_s / max(float(seconds_N[warm].sum()), 1e-9),
        "peak_bytes": int(of("peak_bytes").max()),
    }
    ttft_B, merge_B = of("ttft_s", warm=True), of("merge_s", warm=True)
    if not np.isnan(ttft_B).any():
        result["ttft_s"], result["merge_s"] = float(np.median(ttft_B)), float(np.median(merge_B))
        result["merge_share"] = float(merge_B.sum() / prefill_B.sum())
    if not np.isnan(above_B := of("peak_bytes_above_weights")).all():
        result["peak_bytes_above_weights"] = int(np.nanmax(above_B))
    if not np.isnan(energy_B := of("energy_j")).any():
        result["energy_j"] = float(energy_B.sum())
    return result


def _busy(batches: Batches, warm: bool = False) -> Numbers:
    """Seconds of each batch, recording of CUDA graphs included."""
    of = batches.column
    return of("prefill_s", warm) + of("decode_s", warm) + np.nan_to_num(of("capture_s", warm))
