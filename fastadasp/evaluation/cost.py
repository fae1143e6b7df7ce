"""What a run cost, from the stored predictions alone: tokens, FLOPs and cache (exact), time and memory (measured)."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median

from fastadasp.reduction.flops import DecoderShape, paper_flops, paper_prompt_flops, prefill_flops
from fastadasp.tasks.base import Prediction

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


def tokens_entering(prediction: Prediction) -> list[int]:
    """Prompt tokens, audio and text, entering each decoder layer, then those leaving the last one."""
    return [audio + prediction.text_tokens for audio in prediction.audio_tokens_per_layer]


def batches(predictions: Sequence[Prediction]) -> list[Mapping[str, float]]:
    """What was noted with each batch, once. A batch cut in two by a kill or a lack of memory counts as two."""
    return list({(cost["batch"], cost["prefill_s"]): cost for p in predictions if (cost := p.cost)}.values())


def warm(predictions: Sequence[Prediction]) -> list[Prediction]:
    """Those whose batch was not the first of its process, which also pays for set-up and compilation; all if none."""
    measured = [prediction for prediction in predictions if prediction.cost]
    return [prediction for prediction in measured if not prediction.cost.get("cold")] or measured


def reduction(predictions: Sequence[Prediction], layer: int) -> float:
    """Measured share of audio tokens removed, averaged over the layers after `layer`: what `merge.ratio` asks for.

    Corpus sums. A reduction at the last layer has no layer after it; what leaves that one counts there. For a method
    that acts before layer 0, `layer` is -1.
    """
    counted = [prediction for prediction in predictions if prediction.audio_tokens]
    if not counted:
        return 0.0
    last = len(counted[0].audio_tokens_per_layer) - 1
    layer = min(layer, last - 1)  # a method that has no use for it may name any
    after = slice(layer + 1, max(last, layer + 2))
    left = sum(fmean(prediction.audio_tokens_per_layer[after]) for prediction in counted)
    return 1 - left / sum(prediction.audio_tokens for prediction in counted)


def cache_reduction(predictions: Sequence[Prediction], layer: int) -> float:
    """The same for methods that shorten caches: share of audio tokens missing in the caches from `layer` on.

    Where any token may go, each that is gone counts as audio.
    """
    counted = [prediction for prediction in predictions if prediction.audio_tokens]
    if not counted:
        return 0.0
    left = sum(fmean(prediction.cached_tokens_per_layer[layer:]) - prediction.text_tokens for prediction in counted)
    return 1 - left / sum(prediction.audio_tokens for prediction in counted)


def exact_cost(predictions: Sequence[Prediction], shape: DecoderShape, dtype: str) -> dict[str, float]:
    """Means over the answered prompts that follow from token counts alone, hence are equal in every repetition.

    `flops_paper` is the formula of token-reduction papers, `flops_prefill` the true count of the matrix products;
    `kv_bytes` is the prompt's cache. Each comes with its value for full tokens and the share saved (corpus sums).
    """
    answered = [prediction for prediction in predictions if prediction.error is None]
    if not answered:
        return {}
    bytes_per_token = 2 * shape.kv_heads * shape.head_dim * BYTES[dtype]
    costs: dict[str, tuple[Callable[[Sequence[int]], float], Callable[[Prediction], Sequence[int]]]] = {
        "flops_paper": (
            lambda tokens: paper_prompt_flops(tokens, shape),
            tokens_entering,
        ),
        "flops_prefill": (lambda tokens: prefill_flops(tokens, shape), tokens_entering),
        "kv_bytes": (lambda tokens: sum(tokens) * bytes_per_token, lambda p: p.cached_tokens_per_layer),
    }
    result: dict[str, float] = {}
    for name, (cost, counts) in costs.items():
        reduced = fmean(cost(counts(p)) for p in answered)
        full = fmean(cost([p.audio_tokens + p.text_tokens] * len(counts(p))) for p in answered)
        result |= {name: reduced, f"{name}_full": full, f"{name}_saved": 1 - reduced / full}
    for name in ("audio_tokens", "text_tokens", "new_tokens"):
        result[name] = fmean(getattr(prediction, name) for prediction in answered)
    return result


def layer_cost(predictions: Sequence[Prediction], shape: DecoderShape, dtype: str) -> list[dict[str, float]]:
    """For each decoder layer, means over the answered prompts: `tokens` that enter it, and its part of what
    `exact_cost` sums up. The LM head is in no layer."""
    answered = [prediction for prediction in predictions if prediction.error is None]
    bytes_per_token = 2 * shape.kv_heads * shape.head_dim * BYTES[dtype]
    result = []
    for layer in range(shape.layers if answered else 0):
        through = [tokens_entering(p)[layer : layer + 2] for p in answered]
        result.append(
            {
                "tokens": fmean(entering for entering, _ in through),
                "flops_paper": fmean(paper_flops(pair[:1], shape.hidden, shape.intermediate) for pair in through),
                "flops_prefill": fmean(prefill_flops(pair, shape, logits=0) for pair in through),
                "kv_bytes": fmean(p.cached_tokens_per_layer[layer] for p in answered) * bytes_per_token,
            }
        )
    return result


def _busy(cost: Mapping[str, float]) -> float:
    """Seconds of a batch, recording of CUDA graphs included."""
    return cost["prefill_s"] + cost["decode_s"] + cost.get("capture_s", 0.0)


def measured_cost(predictions: Sequence[Prediction]) -> dict[str, float]:
    """Time and memory of the run, from what was noted with each batch.

    Seconds are medians over batches and rates are sums, both without each process's first batch where there are others
    (`warm`); `compute_s`, `batch_size`, `energy_j` and the peaks are of all. `ttft_s`: time to first token, `merge_s`:
    what the merge takes of a prefill, `merge_share` likewise; `rtf`: seconds of computing for a second of audio.
    `peak_bytes` is 0 where torch does not count memory. What no batch has noted is missing: `energy_j` (of the whole
    GPU) without NVML, `peak_bytes_above_weights` on a CPU.
    """
    measured = batches(predictions)
    if not measured:
        return {}
    answered = warm(predictions)
    timed = batches(answered)
    compute_s = sum(map(_busy, timed))
    decode_s = sum(cost["decode_s"] for cost in timed)
    steps = [cost["decode_s"] / cost["decode_steps"] for cost in timed if cost["decode_steps"]]
    result = {
        "batch_size": fmean(cost["batch_size"] for cost in measured),
        "prefill_s": median(cost["prefill_s"] for cost in timed),
        "decode_step_s": median(steps) if steps else 0.0,
        "compute_s": sum(map(_busy, measured)),
        "examples_per_s": len(answered) / compute_s,
        "tokens_per_s": sum(p.new_tokens for p in answered) / decode_s if decode_s else 0.0,
        "rtf": compute_s / max(sum(p.seconds for p in answered), 1e-9),
        "peak_bytes": max(cost["peak_bytes"] for cost in measured),
    }
    if all("ttft_s" in cost for cost in timed):
        result["ttft_s"] = median(cost["ttft_s"] for cost in timed)
        result["merge_s"] = median(cost["merge_s"] for cost in timed)
        result["merge_share"] = sum(cost["merge_s"] for cost in timed) / sum(cost["prefill_s"] for cost in timed)
    if above := [cost["peak_bytes_above_weights"] for cost in measured if "peak_bytes_above_weights" in cost]:
        result["peak_bytes_above_weights"] = max(above)
    if all("energy_j" in cost for cost in measured):
        result["energy_j"] = sum(cost["energy_j"] for cost in measured)
    return result
