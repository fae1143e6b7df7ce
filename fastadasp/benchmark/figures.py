"""From measured samples to the columns of the paper's tables 3 and 4, memory, and shares of the device's limits."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from statistics import median
from typing import Any

from fastadasp.benchmark.cases import Case, Way
from fastadasp.benchmark.ceiling import Limits
from fastadasp.benchmark.contenders import Contender, Sample
from fastadasp.benchmark.shapes import SpeechShape
from fastadasp.evaluation.cost import BYTES
from fastadasp.evaluation.roofline import decoding_cache, weight_bytes
from fastadasp.reduction.flops import paper_flops, paper_prompt_flops, prefill_flops


def prompt_tokens(shape: SpeechShape, contender: Contender, seconds: float) -> list[int]:
    """Tokens of one row that enter each layer, and that leave the last one."""
    audio = contender.audio_tokens(shape.audio_tokens(seconds), shape.layers)
    return [tokens + shape.text_tokens for tokens in audio]


def cache_bytes(shape: SpeechShape, tokens: Sequence[int], dtype: str) -> int:
    """Keys and values of one row's prompt, stored once. tokens: L + 1 counts."""
    return sum(tokens[:-1]) * 2 * shape.kv_heads * shape.head_dim * BYTES[dtype]


def figures(
    case: Case, contender: Contender, sample: Sample, shape: SpeechShape, dtype: str, limits: Limits
) -> dict[str, Any]:
    """One row of the result: of a whole batch, but for what is saved."""
    rows = case.batch_size
    tokens = prompt_tokens(shape, contender, case.seconds)
    full = [tokens[0]] * len(tokens)
    flops = prefill_flops(tokens, shape)
    copies = 1 if contender.path is Way.static else case.beams
    cache = cache_bytes(shape, tokens, dtype)
    step_cache = decoding_cache(shape, dtype, tokens[:-1], copies, case.beams, sample.decode_steps)
    read = weight_bytes(shape, dtype) + rows * step_cache
    return {
        "path": contender.path.name,
        "tokens": contender.tokens,
        "flops_paper_saved": 1 - _paper(tokens, shape) / _paper(full, shape),
        "flops_saved": 1 - flops / prefill_flops(full, shape),
        "prefill_s": sample.prefill_s,
        "ttft_s": sample.ttft_s,
        "merge_s": sample.merge_s,
        "merge_share": None if sample.merge_s is None else sample.merge_s / sample.prefill_s,
        "decode_s": sample.decode_s,
        "decode_step_s": sample.decode_s / max(sample.decode_steps, 1),
        "capture_s": sample.capture_s,
        "tokens_per_s": rows * sample.decode_steps / sample.decode_s if sample.decode_steps else 0.0,
        "rtf": (sample.prefill_s + sample.decode_s + sample.capture_s) / (rows * case.seconds),
        "cache_bytes": rows * copies * cache,
        "cache_bytes_measured": sample.cache_bytes,
        "peak_bytes": sample.peak_bytes,
        "energy_j": sample.energy_j,
        "prefill_mfu": rows * copies * flops / (sample.prefill_s * limits.flops),
        "decode_mbu": sample.decode_steps * read / (sample.decode_s * limits.bandwidth) if sample.decode_steps else 0.0,
    }


def medians(samples: Sequence[Sample]) -> Sample:
    """Of each column, without samples that cannot tell it."""
    columns: dict[str, Any] = {}
    for name in asdict(samples[0]):
        told = [value for sample in samples if (value := getattr(sample, name)) is not None]
        columns[name] = median(told) if told else None
    return Sample(**columns | {"decode_steps": int(columns["decode_steps"])})


def _paper(tokens: Sequence[int], shape: SpeechShape) -> float:
    return paper_prompt_flops(tokens, shape)


def with_ratios(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of one case, each with its speed-up over full tokens on the same path, and over the released approach at
    the same tokens; beside the speed-up of the prefill that the FLOPs predict."""
    known = {(row["path"], row["tokens"]): row for row in rows if "error" not in row}
    result = []
    for row in rows:
        ratios: dict[str, float] = {}
        for name, rival in (
            ("over_full", known.get((row["path"], "full"))),
            ("over_released", known.get((Way.released.name, row["tokens"]))),
        ):
            if "error" in row or rival is None:
                continue
            ratios[f"prefill_{name}"] = rival["prefill_s"] / row["prefill_s"]
            if row["decode_s"] and rival["decode_s"]:
                ratios[f"decode_{name}"] = rival["decode_step_s"] / row["decode_step_s"]
        if "error" not in row:
            ratios["prefill_predicted"] = 1 / (1 - row["flops_saved"])
        result.append({**row, **ratios})
    return result


def layer_figures(shape: SpeechShape, tokens: Sequence[int], dtype: str) -> dict[str, list[float]]:
    """Of each layer in the prefill of one row: FLOPs by both counts, and bytes cached. tokens: L + 1 counts."""
    return {
        "flops_paper": [paper_flops([entering], shape.hidden, shape.intermediate) for entering in tokens[:-1]],
        "flops": [prefill_flops(pair, shape, logits=0) for pair in pairwise(tokens)],
        "cache_bytes": [cache_bytes(shape, [entering, 0], dtype) for entering in tokens[:-1]],
    }
