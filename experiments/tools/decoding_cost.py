"""What a step of decoding costs under each method, as a multiple of that with full tokens: by processor time.

`python -m experiments.tools.decoding_cost --out experiments/results/own_method/decoding_cost.json` answers 8 bundled
clips of recognition in one batch under each row of `experiments/grids/tiny.yaml` at 50 %, on one thread, in the way
that runs take on a CPU (`generation.engine=auto`). Each answer is given twice, with 2 and with 34 tokens; the
difference of both processor times is 32 steps of decoding, whatever the prefill costs. Full tokens take their turn in
each round, and each row's figure is the median over the rounds of the ratio to them.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

import fastadasp
from fastadasp.config.build import build
from fastadasp.config.compose import compose
from fastadasp.config.paths import REPOSITORY
from fastadasp.errors import InputError
from fastadasp.evaluation.answering import answer
from fastadasp.grid.spec import FULL_TOKENS, read
from fastadasp.models.base import Generation
from fastadasp.reduction.flops import paper_prompt_flops
from fastadasp.reduction.stages import Stages
from fastadasp.reduction.target import solve_ratio
from fastadasp.tasks.asr import ASR

SHORT, LONG, CLIPS, AMOUNT = 2, 34, 8, 0.5
NEVER = 3
"""A token that the model never says, in the place of its end: answers are then as long as asked for."""


def methods(adapter: Any, prompts: list[tuple[int, int]]) -> dict[str, Any]:
    """By row, full tokens first, the method at AMOUNT; rows that cannot reach it are left out."""
    found = {FULL_TOKENS: build(compose("task=asr", "merge=none").merge, "merge")}
    for row in read(REPOSITORY / "experiments" / "grids" / "tiny.yaml").methods:
        if "asr" not in row.get("tasks", ["asr"]):
            continue
        amount = f"{row.get('amount', 'merge.flops_reduction')}={AMOUNT}"
        method = Stages.of(
            build(compose("task=asr", *row["settings"], amount).merge, "merge"), adapter.shape.layers
        ).method
        if method.stage_with_target.flops_reduction is not None:
            try:
                method = solve_ratio(
                    method, prompts, adapter.shape.layers, lambda tokens: paper_prompt_flops(tokens, adapter.shape)
                )
            except InputError:
                continue
        found[row["name"]] = method
    return found


def step_s(adapter: Any, method: Any, inputs: Any, audio_BT: Any) -> float:
    """Processor seconds of a step."""
    taken = []
    for tokens in (SHORT, LONG):
        generation = Generation(max_new_tokens=tokens)
        began = time.process_time()
        answer(adapter, method, generation, inputs, audio_BT)
        taken.append(time.process_time() - began)
    return (taken[1] - taken[0]) / (LONG - SHORT)


@torch.inference_mode()
def main() -> None:
    """Measure what is not measured yet, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", help="only these")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = fastadasp.load("tiny")
    adapter = model.adapter
    adapter.model.generation_config.eos_token_id = NEVER
    folder = Path(fastadasp.__file__).parent / "assets" / "benchmark" / "asr" / "audio"
    inputs = model.inputs(sorted(folder.glob("*.ogg"))[:CLIPS], ASR.instruction)
    audio_BT = model.audio_mask(inputs)
    audio, whole = audio_BT.sum(1).tolist(), inputs["attention_mask"].sum(1).tolist()
    known = methods(adapter, [(one, all_ - one) for one, all_ in zip(audio, whole, strict=True)])
    rows = {name: method for name, method in known.items() if name in (FULL_TOKENS, *(given.rows or known))}
    rounds: list[dict[str, float]] = json.loads(given.out.read_text())["rounds"] if given.out.exists() else []
    step_s(adapter, rows[FULL_TOKENS], inputs, audio_BT)  # warms caches
    while len(rounds) < given.rounds:
        rounds.append({name: round(step_s(adapter, method, inputs, audio_BT), 6) for name, method in rows.items()})
        given.out.write_text(
            json.dumps({"ratios": ratios(rounds), "rounds": rounds}, indent=1) + "\n", encoding="utf-8"
        )
    print(json.dumps(ratios(rounds), indent=1))


def ratios(rounds: list[dict[str, float]]) -> dict[str, float]:
    """By row, the median over rounds of its step by that of full tokens."""
    return {name: round(median(one[name] / one[FULL_TOKENS] for one in rounds), 3) for name in rounds[0]}


if __name__ == "__main__":
    main()
