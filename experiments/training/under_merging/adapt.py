"""Adapt the bundled model to a reduction method with LoRA: `python -m experiments.training.under_merging.adapt`.

Every step reads its prompts under `merging()`: the gradients pass through the fused tokens, so the decoder learns to
read what the method leaves. The audio encoder stays as it is. Started again, the training goes on from its last
checkpoint. At the end the adapted weights are written as an ordinary checkpoint, which `run.py model=tiny
model.path=FOLDER` evaluates.
Needs peft (`pip install -e '.[lora]'`).
"""

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

import fastadasp
from experiments.training.under_merging.lessons import Lesson, batches, encode, loss, read_lessons
from fastadasp import MergeMethod, NoReduction, SpeechModel
from fastadasp.config.paths import options
from fastadasp.reduction.flops import paper_prompt_flops
from fastadasp.reduction.target import solve_ratio

TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""The decoder's projections; the encoder has modules of the same names."""
SOLVED_OVER = 256
"""Prompts over which the ratio is solved."""


@dataclass(frozen=True)
class Recipe:
    """How the adapter is trained."""

    steps: int
    batch: int
    rank: int
    learning_rate: float
    warm_steps: int = 20
    seed: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of a step: a linear rise, then half a cosine to zero."""
        if step < self.warm_steps:
            return self.learning_rate * (step + 1) / self.warm_steps
        done = (step - self.warm_steps) / max(1, self.steps - self.warm_steps)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def solved_method(model: SpeechModel, lessons: Sequence[Lesson], name: str, flops_reduction: float) -> MergeMethod:
    """The method with one ratio that saves this share of FLOPs over the first lessons' prompts, as a run solves it."""
    if not flops_reduction:
        return NoReduction()
    node = OmegaConf.load(options("merge")[name])
    method: MergeMethod = instantiate(node, schedule="constant", flops_reduction=flops_reduction)
    shape = model.adapter.shape
    prompts = [model.adapter.count(encode(model, [lesson]).inputs["input_ids"]) for lesson in lessons[:SOLVED_OVER]]
    return solve_ratio(method, prompts, shape.layers, lambda tokens: paper_prompt_flops(tokens, shape))


class Training:
    """The adapter, its optimiser and what is kept of them on the disk."""

    def __init__(self, model: SpeechModel, method: MergeMethod, recipe: Recipe, folder: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.model, self.method, self.recipe, self.folder = model, method, recipe, folder
        settings = LoraConfig(r=recipe.rank, lora_alpha=2 * recipe.rank, target_modules=TARGETS)
        self.network: Any = get_peft_model(model.transformers_model, settings)
        learnt = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(learnt, lr=recipe.learning_rate, weight_decay=0.0)
        self.losses: list[float] = []
        self._checkpoint = folder / "last.pt"
        folder.mkdir(parents=True, exist_ok=True)
        if self._checkpoint.exists():
            kept = torch.load(self._checkpoint, weights_only=True)
            set_peft_model_state_dict(self.network, kept["weights"])
            self.optimizer.load_state_dict(kept["optimizer"])
            self.losses = kept["losses"]

    def run(self, lessons: Iterator[list[Lesson]], every: int) -> None:
        """All steps that are left, with a checkpoint after each `every`."""
        for step, batch in enumerate(islice(lessons, len(self.losses), self.recipe.steps), len(self.losses)):
            began = time.monotonic()
            for group in self.optimizer.param_groups:
                group["lr"] = self.recipe.rate(step)
            value = loss(self.network, self.method, encode(self.model, batch))
            value.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.losses.append(float(value.detach()))
            print(f"step {step + 1}: loss {self.losses[-1]:.4f}, {time.monotonic() - began:.1f} s", flush=True)
            if (step + 1) % every == 0:
                self._keep()

    def _keep(self) -> None:
        kept = {
            "weights": get_peft_model_state_dict(self.network),
            "optimizer": self.optimizer.state_dict(),
            "losses": self.losses,
        }
        unfinished = self._checkpoint.with_suffix(".part")
        torch.save(kept, unfinished)
        unfinished.replace(self._checkpoint)

    def export(self, described: dict[str, Any]) -> None:
        """The adapted weights as a checkpoint, and the course of the training beside it."""
        adapted = self.network.merge_and_unload()
        adapted.to(torch.bfloat16).save_pretrained(self.folder / "model")
        self.model.processor.save_pretrained(self.folder / "model")
        text = json.dumps({**described, "losses": [round(value, 4) for value in self.losses]}, indent=1)
        (self.folder / "training.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Train and export."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--speech", type=Path, default=Path("outputs/under_merging/train"), help="folder of shards")
    parser.add_argument("--out", type=Path, default=Path("outputs/under_merging/fastadasp"))
    parser.add_argument("--method", default="fastadasp", help="an option of conf/merge")
    parser.add_argument(
        "--flops",
        type=float,
        default=0.5,
        help="share of the prefill's FLOPs to save; 0: the control, whose training has no reduction",
    )
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--every", type=int, default=20, help="steps between checkpoints")
    args = parser.parse_args()
    model = fastadasp.load("tiny", dtype="float32", device="cpu")
    lessons = read_lessons(args.speech)
    method = solved_method(model, lessons, args.method, args.flops)
    recipe = Recipe(args.steps, args.batch, args.rank, args.learning_rate)
    training = Training(model, method, recipe, args.out)
    training.run(batches(lessons, args.batch, recipe.seed), args.every)
    training.export({"method": args.method, "flops_reduction": args.flops, "ratio": method.ratio, **vars(recipe)})


if __name__ == "__main__":
    main()
