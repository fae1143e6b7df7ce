"""Which of its few sensible settings suits each method best? By the loss of the references on development sets.

`python -m experiments.tools.choose experiments/tools/choices.yaml --development FOLDER --out FILE.jsonl` reads the
prompts of `FOLDER/<task>/manifest.jsonl` (made by `experiments.training.tiny.corpus.testsets --split dev`) under every
setting of every method, at one amount of reduction, and scores the reference after each: its mean negative
log-likelihood in nats a token. That takes one reading of the prompt and one of the reference, and no decoding, and it
is smooth where word errors are rare. A line is appended for each setting and task, with the loss of each clip, so that
a broken-off run goes on; then the choices are printed: for each method and kind of task, the setting with the smallest
loss.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from fastadasp.config.compose import compose
from fastadasp.decoding.options import score
from fastadasp.errors import InputError
from fastadasp.evaluation.batches import planned
from fastadasp.evaluation.hardware import load, resolve
from fastadasp.evaluation.ratio import settled
from fastadasp.evaluation.session import at_depth
from fastadasp.evaluation.setup import Setup, validate
from fastadasp.evaluation.store import RunStore
from fastadasp.files.yaml_text import read_yaml
from fastadasp.models.shared import SharedAdapter
from fastadasp.tasks.base import Example

COMMON = ("model=tiny", "hardware=cpu", "hardware.batch_size=32", "hardware.threads=1", "logger=none")
KINDS = {"dense": ("asr", "st"), "sparse": ("er", "sqa")}
"""Tasks that share a choice."""


@dataclass(frozen=True)
class Candidate:
    """One setting of one method."""

    method: str
    """A name for the rows of tables."""
    settings: str
    """Hydra overrides, with blanks between them."""
    amount: str
    """The key that gets the amount of reduction."""


def candidates(file: Path) -> list[Candidate]:
    """What a file such as `experiments/tools/choices.yaml` lists: by method, its settings."""
    return [
        Candidate(name, " ".join([f"merge={row['merge']}", *one.split()]), row.get("amount", "merge.flops_reduction"))
        for name, row in read_yaml(file).items()
        for one in row["settings"]
    ]


@dataclass
class Laboratory:
    """The development sets of some tasks; weights, audio and encoder outputs are kept from setting to setting."""

    folder: Path
    limit: int
    adapter: SharedAdapter | None = None
    encoded: dict[str, list[tuple[Sequence[Example], Any]]] = field(default_factory=dict)

    def losses(self, task: str, one: Candidate, amount: float) -> list[tuple[float, int]]:
        """For each clip, by id, the negative log-likelihood of the reference in nats, and its tokens with the end."""
        asked = "" if one.settings == "merge=none" else f"{one.amount}={amount}"
        manifest = f"task.manifest={self.folder / task / 'manifest.jsonl'}"
        cfg = compose(
            *COMMON, f"task={task}", manifest, f"task.limit={self.limit}", *one.settings.split(), *asked.split()
        )
        setup = validate(cfg)
        self.adapter = self.adapter or SharedAdapter(setup.adapter)
        setup = at_depth(replace(setup, adapter=self.adapter))
        with tempfile.TemporaryDirectory() as folder:
            setup = settled(setup, setup.examples, RunStore(Path(folder)), keep=False)
        load(self.adapter, resolve(setup.hardware))
        found = {}
        for examples, inputs in self._batches(task, setup):
            ids = [[self._reference(example)] for example in examples]
            done = score(self.adapter.model, inputs, setup.method, self.adapter.audio_mask(inputs), ids)
            for example, row in zip(examples, done.likelihoods, strict=True):
                found[example.id] = (-sum(row[0]), len(row[0]))
        return [found[example.id] for example in setup.examples]

    def _batches(self, task: str, setup: Setup) -> Iterator[tuple[Sequence[Example], Any]]:
        if task not in self.encoded:
            batches = [batch.examples for batch in planned(setup)]
            self.encoded[task] = [
                (examples, setup.adapter.encode([setup.adapter.prepare(example) for example in examples]))
                for examples in batches
            ]
        yield from self.encoded[task]

    def _reference(self, example: Example) -> Any:
        """(N,) int64: what the model should say, with its end."""
        import torch

        assert self.adapter is not None
        text = example.reference
        if choices := example.meta.get("choices"):  # the model says the option's words, the reference is its letter
            text = choices[ord(text) - ord("A")]
        end = self.adapter.inner.processor.tokenizer.eos_token_id  # type: ignore[attr-defined]
        return torch.cat([self.adapter.answer_ids(text), torch.tensor([end])])


def lines_of(file: Path) -> list[dict[str, Any]]:
    """What was measured before; a half-written last line is left out."""
    if not file.exists():
        return []
    whole = file.read_text(encoding="utf-8").rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def mean(line: Mapping[str, Any]) -> float:
    """Nats a token over all clips."""
    return float(np.sum(line["loss"]) / np.sum(line["tokens"]))


def choices(lines: Sequence[Mapping[str, Any]], amount: float) -> str:
    """Markdown: for each method and kind of task, every setting's losses, the chosen one in bold.

    Chosen is the smallest mean over the kind's tasks of the loss divided by that of full tokens, among the settings
    that were measured on all of them.
    """
    at: dict[tuple[str, str], dict[str, float]] = {}
    full = {line["task"]: mean(line) for line in lines if line["method"] == "full tokens"}
    for line in lines:
        if line["amount"] == amount and line["method"] != "full tokens" and "problem" not in line:
            at.setdefault((line["method"], line["settings"]), {})[line["task"]] = mean(line)
    text = []
    for kind, of_kind in KINDS.items():
        tasks = [task for task in of_kind if task in full]
        if not tasks:
            continue
        heads = [f"{task} (full {full[task]:.3f})" for task in tasks]
        text += [f"{kind} tasks at {amount:.0%}, nats a token", "", f"| method | settings | {' | '.join(heads)} |"]
        text += ["|---" * (2 + len(tasks)) + "|"]
        ranked = {
            key: float(np.mean([of[task] / full[task] for task in tasks]))
            for key, of in at.items() if all(task in of for task in tasks)
        }  # fmt: skip
        for (method, settings), value in ranked.items():
            best = value == min(other for key, other in ranked.items() if key[0] == method)
            mark = "**" if best else ""
            cells = " | ".join(f"{at[method, settings][task]:.3f}" for task in tasks)
            text.append(f"| {method} | {mark}`{settings}`{mark} | {cells} |")
        text.append("")
    return "\n".join(text)


def main() -> None:
    """Measure what is not measured yet, and print the choices."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="methods and their settings, such as experiments/tools/choices.yaml")
    parser.add_argument("--development", type=Path, required=True, help="folder with a folder for each task")
    parser.add_argument("--out", type=Path, required=True, help="lines are appended here")
    parser.add_argument("--tasks", nargs="+", default=["asr", "st", "er", "sqa"])
    parser.add_argument("--limit", type=int, default=64, help="clips of each task (default: 64)")
    parser.add_argument("--amount", type=float, default=0.5)
    parser.add_argument("--methods", nargs="+", help="only these of the file")
    given = parser.parse_args()
    laboratory = Laboratory(given.development.resolve(), given.limit)
    wanted = [one for one in candidates(given.file) if not given.methods or one.method in given.methods]
    for task in given.tasks:
        for one in [Candidate("full tokens", "merge=none", ""), *wanted]:
            amount = 0.0 if one.method == "full tokens" else given.amount
            place = {"task": task, "method": one.method, "settings": one.settings, "amount": amount}
            if any(all(line[key] == value for key, value in place.items()) for line in lines_of(given.out)):
                continue
            try:
                pairs = laboratory.losses(task, one, given.amount)
                found = {"loss": [round(loss, 4) for loss, _ in pairs], "tokens": [tokens for _, tokens in pairs]}
            except InputError as error:
                found = {"problem": str(error)}
            with given.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**place, **found}, ensure_ascii=False) + "\n")
            print(task, one.settings, found.get("problem") or f"{mean(found):.4f}", flush=True)
    print(choices(lines_of(given.out), given.amount))


if __name__ == "__main__":
    main()
