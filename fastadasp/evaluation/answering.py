"""Answering one encoded batch under a reduction method, and noting what that took."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from fastadasp.decoding import generate, obstacle
from fastadasp.decoding.options import score
from fastadasp.engine.merging import MergeTrace, merging
from fastadasp.errors import ConfigError
from fastadasp.measuring.clock import EncoderClock, GenerationClock, MergeClock
from fastadasp.measuring.energy import energy_j, energy_since
from fastadasp.models.base import NOT_STATIC, Engine, Generation, ModelAdapter
from fastadasp.models.encoder_cache import attached
from fastadasp.reduction.method import MergeMethod

if TYPE_CHECKING:
    from transformers import BatchFeature

_latest: WeakKeyDictionary[nn.Module, MergeMethod] = WeakKeyDictionary()
"""The method under which each model answered last: the first batch under another also pays for what is set up then."""


@dataclass(frozen=True)
class Answers:
    """What came back for a batch of B rows."""

    ids: Tensor
    """(B, new) int64."""
    texts: list[str]
    trace: MergeTrace
    cost: Mapping[str, float]
    """What the batch took; of answers that are both generated and scored, generating.

    `prefill_s`, `decode_s`, `decode_steps`; `capture_s`: recording of CUDA graphs, of the static engine only;
    `ttft_s`: until the first token is chosen; `encoder_s`, `merge_s`: of the prefill, what went into the audio encoder
    and into reducing tokens;
    `clips_known`: with a cache of encoder outputs, clips that the encoder did not have to read;
    `prompt_copies`: of each row, as many as beams where each beam reads the prompt itself;
    `cold`: 1 for a process's first batch under a method; `peak_bytes`: device memory in use at the worst moment, 0 on
    a CPU. On a GPU only: `peak_bytes_above_weights` and, where NVML tells it, `energy_j` of the whole device.
    """
    audio_tokens: Sequence[int] = ()
    """Audio tokens of each prompt, before any reduction."""
    likelihoods: Sequence[Mapping[str, tuple[tuple[float, ...], ...]]] = ()
    """Where given answers were scored, of each row: by option, for each wording, the log-likelihood of each token."""


def answer(adapter: ModelAdapter, method: MergeMethod, generation: Generation, inputs: "BatchFeature") -> Answers:
    """Answer with the engine that `generation` asks for; ConfigError where that cannot decode so."""
    audio_BT = adapter.audio_mask(inputs)
    reason = _obstacle(adapter, method, generation, audio_BT)
    if generation.engine is Engine.static and reason:
        raise ConfigError(f"generation.engine=static is not possible: {reason}; use generation.engine=auto")
    static = generation.engine is Engine.static or (
        generation.engine is Engine.auto and not reason and not audio_BT.is_cuda
    )
    engine = partial(_static if static else _transformers, adapter, method, generation, inputs, audio_BT)
    return _measured(adapter, method, audio_BT, engine)


def score_options(
    adapter: ModelAdapter,
    method: MergeMethod,
    inputs: "BatchFeature",
    options: Sequence[Mapping[str, Sequence[str]]],
) -> Answers:
    """Score each row's `options`, by key the wordings of each, instead of generating; ids and texts stay empty."""
    audio_BT = adapter.audio_mask(inputs)

    def scored(watch: MergeClock) -> Answers:
        ids = [[adapter.answer_ids(text) for texts in row.values() for text in texts] for row in options]
        done = score(adapter.model, inputs, method, audio_BT, ids, watch)
        cost = {"prefill_s": done.prefill_s, "ttft_s": done.prefill_s, "decode_s": done.answers_s}
        cost |= {"decode_steps": done.passes, "prompt_copies": 1}
        by_key = [_by_option(row, scores) for row, scores in zip(options, done.likelihoods, strict=True)]
        empty = torch.zeros(len(options), 0, dtype=torch.int64, device=audio_BT.device)
        return Answers(empty, [""] * len(options), done.trace, cost, likelihoods=by_key)

    return _measured(adapter, method, audio_BT, scored)


def _by_option(
    options: Mapping[str, Sequence[str]], scores: Sequence[Sequence[float]]
) -> dict[str, tuple[tuple[float, ...], ...]]:
    """The scores of all wordings, given one after the other, option by option."""
    left = iter(scores)
    return {key: tuple(tuple(next(left)) for _ in texts) for key, texts in options.items()}


def _measured(
    adapter: ModelAdapter, method: MergeMethod, audio_BT: Tensor, engine: Callable[[MergeClock], Answers]
) -> Answers:
    """What `engine` answers under a clock's watch, with the merge's time, memory and energy noted."""
    device, cold = audio_BT.device, _latest.get(adapter.model) is not method
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    began_j, cache = energy_j(device), attached(adapter.model)
    known = 0 if cache is None else cache.found
    clock = MergeClock()
    with EncoderClock(adapter.model, device) as encoder:
        answers = engine(clock)
    _latest[adapter.model] = method
    cost = {**answers.cost, "merge_s": clock.seconds, "encoder_s": encoder.seconds, "cold": int(cold)}
    if cache is not None:
        cost["clips_known"] = cache.found - known
    counts = audio_BT.sum(1).tolist()
    return replace(answers, cost=cost | _on_gpu(adapter.model, device, began_j), audio_tokens=counts)


def _on_gpu(model: nn.Module, device: torch.device, began_j: float | None) -> dict[str, float]:
    """Memory since the peak was set back, and energy since `began_j`."""
    if device.type != "cuda":
        return {"peak_bytes": 0}
    peak = torch.cuda.max_memory_allocated(device)
    weights = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()) if tensor.device == device)
    used_j = energy_since(began_j, device)
    energy = {} if used_j is None else {"energy_j": used_j}
    return {"peak_bytes": peak, "peak_bytes_above_weights": peak - weights, **energy}


def _obstacle(adapter: ModelAdapter, method: MergeMethod, generation: Generation, audio_BT: Tensor) -> str | None:
    """Why the static engine cannot answer."""
    if generation.do_sample or generation.repetition_penalty != 1.0:
        return NOT_STATIC
    return obstacle(adapter.model, method, audio_BT.shape[1] + generation.max_new_tokens)


def _transformers(
    adapter: ModelAdapter,
    method: MergeMethod,
    generation: Generation,
    inputs: "BatchFeature",
    audio_BT: Tensor,
    watch: MergeClock,
) -> Answers:
    clock = GenerationClock(adapter.model, audio_BT.device)
    with merging(adapter.model, method, audio_BT, watch=watch) as trace, clock:
        ids, texts = adapter.generate(inputs, generation)
    cost = {"prefill_s": clock.prefill_s, "ttft_s": clock.ttft_s, "decode_s": clock.decode_s}
    return Answers(
        ids, texts, trace, {**cost, "decode_steps": clock.decode_steps, "prompt_copies": generation.num_beams}
    )


def _static(
    adapter: ModelAdapter,
    method: MergeMethod,
    generation: Generation,
    inputs: "BatchFeature",
    audio_BT: Tensor,
    watch: MergeClock,
) -> Answers:
    done = generate(
        adapter.model,
        inputs,
        method,
        audio_BT,
        max_new_tokens=generation.max_new_tokens,
        num_beams=generation.num_beams,
        length_penalty=generation.length_penalty,
        watch=watch,
    )
    cost = {"prefill_s": done.prefill_s, "ttft_s": done.prefill_s, "decode_s": done.decode_s}
    cost |= {"decode_steps": done.decode_steps, "prompt_copies": 1, "capture_s": done.capture_s}
    return Answers(done.ids, adapter.texts(done.ids), done.trace, cost)
