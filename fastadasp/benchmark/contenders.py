"""The ways to answer a prompt that the benchmark compares."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from fastadasp.benchmark.cases import LongAudioCases, Way
from fastadasp.benchmark.released import released_approach
from fastadasp.benchmark.shapes import Prompt
from fastadasp.decoding import generate
from fastadasp.engine.merging import MergeTrace, merging
from fastadasp.measuring.clock import GenerationClock, MergeClock
from fastadasp.measuring.meters import Meter
from fastadasp.merge.fastadasp import FastAdaSP
from fastadasp.merge.none import NoReduction
from fastadasp.reduction.method import MergeMethod, Schedule
from fastadasp.reduction.schedule import Plan, solve_layer_ratio


@dataclass(frozen=True)
class Contender:
    """One way to answer, at one schedule."""

    path: Way
    schedule: Schedule | None
    """None: full tokens."""
    ratio: float
    """Share of the audio tokens removed, averaged over the layers after `layer`."""
    layer: int

    @property
    def tokens(self) -> str:
        """What the paper's tables call the row."""
        return "full" if self.schedule is None else f"{1 - self.ratio:.0%} {self.schedule.name}"

    def method(self, layers: int) -> MergeMethod:
        """The reduction, by the released code's rule of truncation, so that all paths keep equally many tokens."""
        if self.schedule is None:
            return NoReduction()
        layer_ratio = solve_layer_ratio(self.schedule, self.ratio, self.layer, layers)
        return FastAdaSP(layer_ratio=layer_ratio, layer=self.layer, schedule=self.schedule)

    def audio_tokens(self, prompt: int, layers: int) -> tuple[int, ...]:
        """Audio tokens entering each layer, and leaving the last."""
        return Plan.of(self.method(layers), layers).audio_tokens(prompt)


def contenders(benchmark: LongAudioCases, paths: Sequence[Way]) -> list[Contender]:
    """On each path full tokens, then every schedule."""
    schedules: list[Schedule | None] = [None, *benchmark.schedules]
    return [Contender(path, schedule, benchmark.ratio, benchmark.layer) for path in paths for schedule in schedules]


@dataclass(frozen=True)
class Sample:
    """One measured answer; None: cannot be told."""

    prefill_s: float
    ttft_s: float
    """Until the first token is chosen."""
    merge_s: float | None
    """Of the prefill, what goes into deciding what to merge and moving it; None for the released approach."""
    decode_s: float
    decode_steps: int
    capture_s: float
    """Recording of CUDA graphs, which `decode_s` leaves out."""
    cache_bytes: int | None
    """What keys and values really take, beams and padding included: of the prompt, on the path `static` of the answers
    too."""
    peak_bytes: int | None
    """Above what was in use before, the weights among it."""
    energy_j: float | None
    """Of the whole GPU."""


@torch.inference_mode()
def answer(model: PreTrainedModel, contender: Contender, prompt: Prompt, beams: int, new_tokens: int) -> Sample:
    """Answer `prompt` as `contender` does and measure it."""
    device = prompt.embeddings_BTD.device
    method = contender.method(model.config.num_hidden_layers)
    meter, merge = Meter(device), MergeClock()
    cache_bytes: int | None
    inputs = {
        "inputs_embeds": prompt.embeddings_BTD,
        "attention_mask": torch.ones_like(prompt.audio_BT, dtype=torch.long),
    }
    if contender.path is Way.static:
        with meter:
            done = generate(
                model, inputs, method, prompt.audio_BT, max_new_tokens=new_tokens, num_beams=beams, watch=merge
            )
        timing, ttft_s = (done.prefill_s, done.decode_s, done.decode_steps), done.prefill_s
        capture_s, cache_bytes = done.capture_s, int(done.cache_bytes)
    else:
        clock = GenerationClock(model, device)
        with _reading(model, contender, method, prompt, merge) as trace, meter, clock:
            model.generate(
                **inputs, num_beams=beams, do_sample=False, max_new_tokens=new_tokens, min_new_tokens=new_tokens
            )
        timing, ttft_s = (clock.prefill_s, clock.decode_s, clock.decode_steps), clock.ttft_s
        capture_s, cache_bytes = 0.0, None if trace is None else trace.cache_bytes
    prefill_s, decode_s, steps = timing
    return Sample(
        prefill_s=prefill_s,
        ttft_s=ttft_s,
        merge_s=None if contender.path is Way.released else merge.seconds,
        decode_s=decode_s if steps else 0.0,
        decode_steps=steps,
        capture_s=capture_s,
        cache_bytes=cache_bytes,
        peak_bytes=meter.peak_bytes,
        energy_j=meter.energy_j,
    )


def _reading(
    model: PreTrainedModel, contender: Contender, method: MergeMethod, prompt: Prompt, watch: MergeClock
) -> AbstractContextManager[MergeTrace | None]:
    if contender.path is Way.merging:
        return merging(model, method, prompt.audio_BT, watch=watch)
    return _released(model, contender, method, prompt)


@contextmanager
def _released(model: PreTrainedModel, contender: Contender, method: MergeMethod, prompt: Prompt) -> Iterator[None]:
    """The released approach, for which the model's attention is made eager."""
    fused = model.config._attn_implementation
    begin, end = prompt.span
    model.set_attn_implementation("eager")
    try:
        with released_approach(
            model,
            layer_ratio=method.layer_ratio or 0.0,
            layer=contender.layer,
            schedule=method.schedule,
            begin=begin,
            end=end,
        ):
            yield
    finally:
        model.set_attn_implementation(fused)
