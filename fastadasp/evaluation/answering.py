"""Answering one encoded batch under a reduction method, and noting what that took."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fastadasp.decoding import generate, obstacle
from fastadasp.errors import ConfigError
from fastadasp.evaluation.clock import GenerationClock
from fastadasp.hooks import MergeTrace, merging
from fastadasp.merge.base import MergeMethod
from fastadasp.models.base import Engine, Generation, ModelAdapter

if TYPE_CHECKING:
    from transformers import BatchFeature


@dataclass(frozen=True)
class Answers:
    """What came back for a batch of B rows."""

    ids: Tensor
    """(B, new) int64."""
    texts: list[str]
    trace: MergeTrace
    cost: Mapping[str, float]
    """Seconds of prefill and decoding, decoding steps, and device memory in use at the worst moment."""


def answer(
    adapter: ModelAdapter, method: MergeMethod, generation: Generation, inputs: "BatchFeature", audio_BT: Tensor
) -> Answers:
    """Answer with the engine that `generation` asks for; ConfigError where that cannot decode so."""
    reason = _obstacle(adapter, method, generation, audio_BT)
    if generation.engine is Engine.static and reason:
        raise ConfigError(f"generation.engine=static is not possible: {reason}; use generation.engine=auto")
    if generation.engine is Engine.static or (generation.engine is Engine.auto and not reason and not audio_BT.is_cuda):
        return _static(adapter, method, generation, inputs, audio_BT)
    clock = GenerationClock(adapter.model, audio_BT.device)
    with merging(adapter.model, method, audio_BT) as trace, clock:
        ids, texts = adapter.generate(inputs, generation)
    return Answers(ids, texts, trace, _cost(clock.prefill_s, clock.decode_s, clock.decode_steps, clock.peak_bytes))


def _obstacle(adapter: ModelAdapter, method: MergeMethod, generation: Generation, audio_BT: Tensor) -> str | None:
    """Why the static engine cannot answer."""
    if generation.do_sample or generation.repetition_penalty != 1.0:
        return "it knows neither sampling nor a repetition penalty"
    return obstacle(adapter.model, method, audio_BT.shape[1] + generation.max_new_tokens)


def _static(
    adapter: ModelAdapter, method: MergeMethod, generation: Generation, inputs: "BatchFeature", audio_BT: Tensor
) -> Answers:
    device = audio_BT.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    done = generate(
        adapter.model,
        inputs,
        method,
        audio_BT,
        max_new_tokens=generation.max_new_tokens,
        num_beams=generation.num_beams,
        length_penalty=generation.length_penalty,
    )
    peak_bytes = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    cost = _cost(done.prefill_s, done.decode_s, done.decode_steps, peak_bytes)
    return Answers(done.ids, adapter.texts(done.ids), done.trace, cost)


def _cost(prefill_s: float, decode_s: float, decode_steps: int, peak_bytes: int) -> dict[str, float]:
    return {"prefill_s": prefill_s, "decode_s": decode_s, "decode_steps": decode_steps, "peak_bytes": peak_bytes}
