"""The bookkeeping of a run whose answers are made up, phase by phase: what `experiments.tools.scale` measures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import soundfile

from fastadasp.comparing.pairs import Settings, compare, read_runs
from fastadasp.comparing.written import text
from fastadasp.config.fingerprint import contents
from fastadasp.evaluation.batches import Plan, PreparedBatches, finished, plan
from fastadasp.evaluation.cost import ExactCost, Reduction, cost_of
from fastadasp.evaluation.metrics import RESAMPLES
from fastadasp.evaluation.store import RunStore
from fastadasp.evaluation.totals import Batches, gather
from fastadasp.reduction.flops import DecoderShape
from fastadasp.tasks.asr import ASR
from fastadasp.tasks.base import Example, Prediction
from fastadasp.tasks.counted import Counting, intervals

WORDS = (
    "the",
    "of",
    "and",
    "to",
    "in",
    "he",
    "was",
    "that",
    "it",
    "his",
    "her",
    "with",
    "as",
    "had",
    "for",
    "she",
    "not",
)
RECORDINGS = 1000
LAYERS = 28
SHAPE = DecoderShape(
    layers=LAYERS, hidden=3584, intermediate=18944, heads=28, kv_heads=4, head_dim=128, vocab=152064, gated_mlp=True
)
"""Of Qwen2-7B: as many counts in a prediction's line as a 7B model has."""
BATCH = 16


class Synthetic:
    """Answers at once: the reference, in which every tenth word is another one, drawn by a seed."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def prepare(self, example: Example) -> int:
        """Audio tokens."""
        return round(25 * example.seconds)

    def answer(self, index: int, ready: Sequence[tuple[Example, int]]) -> list[Prediction]:
        """Predictions of one batch, with counts and times as a run notes them."""
        random = Random(index + (self._seed << 32))
        cost = {"batch": index, "batch_size": len(ready), "prefill_s": 0.1 + 1e-9 * index, "ttft_s": 0.1}
        cost |= {"decode_s": 0.4, "decode_steps": 20, "merge_s": 0.001, "capture_s": 0.0, "cold": 0, "peak_bytes": 0}
        found = []
        for example, audio in ready:
            words = [random.choice(WORDS) if random.random() < 0.1 else word for word in example.reference.split()]
            text, kept = " ".join(words), audio // 2
            found.append(
                Prediction(
                    id=example.id,
                    text=text,
                    answer=text,
                    reference=example.reference,
                    audio_tokens=audio,
                    audio_tokens_per_layer=(audio,) * 3 + (kept,) * (LAYERS - 2),
                    cached_tokens_per_layer=(audio + 20,) * 3 + (kept + 20,) * (LAYERS - 3),
                    text_tokens=20,
                    new_tokens=len(words),
                    seconds=example.seconds,
                    cost=cost,
                    meta=example.meta,
                    origin="synthetic",
                )
            )
        return found


def write_manifest(folder: Path, count: int) -> Path:
    """A manifest of `count` stretches of a thousand recordings, 12 words each, with speakers."""
    folder.mkdir(parents=True)
    for number in range(RECORDINGS):
        soundfile.write(folder / f"{number}.wav", np.zeros(160, np.int16), 16000)
    random, manifest = Random(0), folder / "manifest.jsonl"
    with manifest.open("w", encoding="utf-8") as file:
        for number in range(count):
            line = {
                "id": f"utterance-{number:08d}",
                "audio": f"{number % RECORDINGS}.wav",
                "seconds": round(random.uniform(1, 20), 2),
                "text": " ".join(random.choices(WORDS, k=12)),
                "speaker": f"speaker-{number // 50}",
            }
            file.write(json.dumps(line) + "\n")
    return manifest


class Job:
    """The bookkeeping of one run, phase by phase; what a phase returns, the next ones of the same process use."""

    def __init__(self, folder: Path, size: int) -> None:
        self.size = size
        self.task = ASR(manifest=folder / "corpus" / "manifest.jsonl")
        self.first, self.second = RunStore(folder / "first"), RunStore(folder / "second")
        self.store = self.first
        self.store.folder.mkdir(exist_ok=True)
        self.examples: Sequence[Example] = []
        self.batches: Plan | None = None
        self.predictions: Sequence[Prediction] = []
        self.counting = Counting(self.task)

    def naming(self) -> None:
        """The digest of the manifest and of all files that it names."""
        contents({"task.manifest": str(self.task.manifest)})

    def reading(self) -> None:
        """Reading and checking the manifest."""
        self.examples = self.task.checked_examples()

    def planning(self) -> None:
        """Sorting into batches."""
        self.batches = plan(self.examples, BATCH)

    def journal(self) -> None:
        """Answering batch after batch, each of which is stored at once; the last tenth is left, as by a kill."""
        self._answer(1, 10)

    def resuming(self) -> None:
        """Reading what has been answered, and planning the rest."""
        self.batches = plan(self.examples, BATCH, done=finished(self.store.each()))

    def rest(self) -> None:
        """Answering the rest."""
        self._answer(0, 1)

    def gathering(self) -> None:
        """Checking every line, and putting all into the order of the examples."""
        self.predictions = self.store.consolidate([example.id for example in self.examples])

    def metrics(self) -> None:
        """The contents of metrics.json and cost.json, but for the intervals."""
        batches, exact, removed = Batches(), ExactCost(SHAPE, "bfloat16"), Reduction(2)
        gather(self.predictions, batches, exact, removed)
        quality = self.task.metrics(self.predictions, self.counting.add)
        self.store.write("metrics.json", self._found(quality, {**exact.means, "removed": removed.share}))
        self.store.write("cost.json", cost_of(batches))

    def intervals(self) -> None:
        """Intervals of the score, speakers resampled, as metrics.json holds them."""
        intervals(self.task, self.counting.done(), RESAMPLES)

    def other(self) -> None:
        """A second run with other wrong words, to compare with."""
        self.store = self.second
        self.store.folder.mkdir()
        self.batches = plan(self.examples, BATCH)
        self._answer(0, 1, seed=1)
        self.store.consolidate([example.id for example in self.examples])
        self.store.write("metrics.json", self._found({"wer": 0.1}, {}))

    def comparing(self) -> None:
        """`fastadasp compare` of the two runs, each clip drawn by itself, of which there are more than speakers."""
        runs = read_runs([self.first.folder, self.second.folder])
        text(compare(runs, Settings(cluster="clips", differ=("generation",))), listed=5)

    def _found(self, quality: Mapping[str, float], cost: Mapping[str, float]) -> dict[str, Any]:
        task = {"_target_": f"{ASR.__module__}.{ASR.__name__}", "manifest": str(self.task.manifest)}
        return {
            **{"task": "asr", "model": "synthetic", "merge": "none", "objective": "wer", "failed": 0},
            **{"quality": quality, "cost": cost, "reduction": {"measured": 0.0}, "provenance": {}},
            **{"fingerprint": self.store.folder.name, "examples": self.size},
            "config": {"task": task, "merge": {}, "generation": {"run": self.store.folder.name}},
        }

    def _answer(self, left: int, of: int, seed: int = 0) -> None:
        """Answer all batches but a share of `left` in `of`."""
        adapter, batches = Synthetic(seed), self.batches
        if batches is None:
            raise RuntimeError("batches are answered after they are planned")
        prepared = PreparedBatches(batches, adapter.prepare)
        for position in range(len(batches) - len(batches) * left // of):
            batch = prepared[position]
            self.store.append(adapter.answer(batch.index, batch.ready))
