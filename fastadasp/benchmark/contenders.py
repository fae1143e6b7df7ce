"""The ways to answer a prompt that the benchmark compares."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from fastadasp.benchmark.long_audio import Path
from fastadasp.benchmark.meters import Meter, timed
from fastadasp.benchmark.released import released_approach
from fastadasp.benchmark.shapes import Prompt
from fastadasp.decoding import generate
from fastadasp.evaluation.clock import GenerationClock
from fastadasp.hooks import merging
from fastadasp.merge.assignment import Assignment, apply
from fastadasp.merge.base import MergeMethod, Schedule
from fastadasp.merge.fastadasp import FastAdaSP
from fastadasp.merge.none import NoReduction
from fastadasp.merge.schedule import Plan, solve_layer_ratio
from fastadasp.merge.state import LayerState


@dataclass(frozen=True)
class Contender:
    """One way to answer, at one schedule."""

    path: Path
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


@dataclass(frozen=True)
class Sample:
    """One measured answer."""

    prefill_s: float
    decode_s: float
    decode_steps: int
    peak_bytes: int
    """Above the weights; 0 where it cannot be told."""
    energy_j: float
    """Of the whole GPU; 0 where it cannot be told."""


@torch.inference_mode()
def answer(model: PreTrainedModel, contender: Contender, prompt: Prompt, beams: int, new_tokens: int) -> Sample:
    """Answer `prompt` as `contender` does and measure it."""
    meter = Meter(prompt.embeddings_BTD.device)
    method = contender.method(model.config.num_hidden_layers)
    inputs = {
        "inputs_embeds": prompt.embeddings_BTD,
        "attention_mask": torch.ones_like(prompt.audio_BT, dtype=torch.long),
    }
    if contender.path is Path.static:
        with meter:
            done = generate(model, inputs, method, prompt.audio_BT, max_new_tokens=new_tokens, num_beams=beams)
        timing = done.prefill_s, done.decode_s, done.decode_steps
    else:
        clock = GenerationClock(model, meter.device)
        with _reading(model, contender, method, prompt), meter, clock:
            model.generate(
                **inputs, num_beams=beams, do_sample=False, max_new_tokens=new_tokens, min_new_tokens=new_tokens
            )
        timing = clock.prefill_s, clock.decode_s, clock.decode_steps
    prefill_s, decode_s, steps = timing
    return Sample(prefill_s, decode_s if steps else 0.0, steps, meter.peak_bytes, meter.energy_j)


def _reading(
    model: PreTrainedModel, contender: Contender, method: MergeMethod, prompt: Prompt
) -> AbstractContextManager[object]:
    if contender.path is Path.merging:
        return merging(model, method, prompt.audio_BT)
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


@torch.inference_mode()
def merge_seconds(model: PreTrainedModel, contender: Contender, prompt: Prompt) -> float:
    """Seconds of one prefill that go into deciding what to merge and moving it, each layer's part timed on its own."""
    method = contender.method(model.config.num_hidden_layers)
    device, taken, assign = prompt.embeddings_BTD.device, [], method.assign

    def timed_assign(state: LayerState) -> Assignment:
        decided: list[Assignment] = []

        def decide_and_move() -> None:
            decided.append(assign(state))
            apply(state.hidden_BTD, decided[0])

        taken.append(timed(decide_and_move, device))
        return decided[0]

    object.__setattr__(method, "assign", timed_assign)  # the dataclass is frozen, and this instance ours
    with merging(model, method, prompt.audio_BT):
        model.get_decoder()(inputs_embeds=prompt.embeddings_BTD, use_cache=True)
    return sum(taken)
