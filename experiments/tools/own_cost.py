"""What our methods cost themselves, in processor seconds of a long prefill.

`python -m experiments.tools.own_cost --out experiments/results/own_method/own_cost.json` reads prompts of the long-
audio benchmark in Qwen2-0.5B's shape (random weights, bfloat16, one thread; `experiments/long_audio_cpu.yaml`) with
full tokens and under each method in turns. Of each prefill its processor seconds are noted, and those of them that go
into deciding and moving. Processor seconds, since a clock on the wall also counts what else the machine does.
"""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch

from fastadasp.benchmark.shapes import Prompt, SpeechShape, build, prompt
from fastadasp.config.paths import REPOSITORY
from fastadasp.engine.merging import merging
from fastadasp.files.yaml_text import read_yaml
from fastadasp.merge.blend import Blend
from fastadasp.merge.blend_input import BlendInput
from fastadasp.merge.none import NoReduction
from fastadasp.reduction.flops import paper_prompt_flops
from fastadasp.reduction.method import MergeMethod, Positions, Schedule
from fastadasp.reduction.target import solve_ratio

EARLY: dict[str, Any] = {"positions": Positions.original, "proportional": True, "weights": "size", "longest": 8}
METHODS: dict[str, MergeMethod] = {
    "full tokens": NoReduction(),
    "blend_input": BlendInput(flops_reduction=0.5),
    "blend_early": Blend(flops_reduction=0.5, layer=0, schedule=Schedule.early, **EARLY),
    "blend_early, once at layer 0": Blend(flops_reduction=0.5, layer=0, schedule=Schedule.once, **EARLY),
}


class ProcessorClock:
    """Counts the processor seconds of reductions; a `watch` of `merging()`."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def reducing(self, device: torch.device) -> Iterator[None]:
        """Count what the block takes."""
        began = time.process_time()
        yield
        self.seconds += time.process_time() - began


@torch.inference_mode()
def read(model: Any, method: MergeMethod, given: Prompt) -> dict[str, float]:
    """One prefill."""
    clock, began = ProcessorClock(), time.process_time()
    ones = torch.ones(given.audio_BT.shape, dtype=torch.int64)
    with merging(model, method, given.audio_BT, watch=clock):
        model(inputs_embeds=given.embeddings_BTD, attention_mask=ones, use_cache=True, logits_to_keep=1)
    return {"prefill_s": round(time.process_time() - began, 4), "merge_s": round(clock.seconds, 4)}


def main() -> None:
    """Measure what is not measured yet, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", nargs="+", type=int, default=[60, 120, 240])
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    overlay = read_yaml(REPOSITORY / "experiments" / "long_audio_cpu.yaml")
    shape = SpeechShape(**overlay["benchmark"]["shapes"]["half_billion"])
    model = build(shape.decoder, device="cpu", dtype="bfloat16", attention="sdpa")
    result = json.loads(given.out.read_text()) if given.out.exists() else {}
    for seconds in given.seconds:
        made = prompt(shape, seconds, 1, model)
        counts = [(shape.audio_tokens(seconds), shape.text_tokens)]
        methods = {
            name: method if name == "full tokens" else solve_ratio(
                method, counts, shape.layers, lambda tokens: paper_prompt_flops(tokens, shape.decoder)
            )
            for name, method in METHODS.items()
        }  # fmt: skip
        samples = result.setdefault(str(seconds), {name: [] for name in methods})
        if min(map(len, samples.values())) == 0:
            read(model, methods["blend_input"], made)  # warms caches
        for _ in range(given.repeats - min(map(len, samples.values()))):
            for name, method in methods.items():
                samples[name].append(read(model, method, made))
                given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(table(seconds, samples), flush=True)


def table(seconds: int, samples: dict[str, list[dict[str, float]]]) -> str:
    """Markdown lines: medians of the ratios of one round."""
    lines = []
    for name, found in samples.items():
        own = median(one["merge_s"] / one["prefill_s"] for one in found)
        gain = median(
            full["prefill_s"] / one["prefill_s"] for one, full in zip(found, samples["full tokens"], strict=True)
        )
        lines.append(
            f"| {seconds} s | {name} | {median(one['prefill_s'] for one in found):.2f} | {own:.1%} | {gain:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
