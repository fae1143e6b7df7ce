"""What do examples cost that no model answers? Seconds and memory of a run's bookkeeping, from 10^3 to 10^6 of them.

`python -m experiments.tools.scale --sizes 1000 1000000` writes manifests of so many examples, answers them with a
synthetic adapter (transcripts with wrong words, drawn by a seed), and measures the phases of a run that is killed when
nine tenths are done, and of its next start: naming the run, reading the manifest, planning, the journal, resuming,
gathering, metrics and intervals. The rows go to `--out` as JSON Lines, the picture beside them. Everything but the
answers is the code that runs use. For Linux.
"""

import argparse
import json
import multiprocessing
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import soundfile

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
    """Answers at once: the reference, in which every tenth word is another one."""

    def prepare(self, example: Example) -> int:
        """Audio tokens."""
        return round(25 * example.seconds)

    def answer(self, index: int, ready: Sequence[tuple[Example, int]]) -> list[Prediction]:
        """Predictions of one batch, with counts and times as a run notes them."""
        random = Random(index)
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
        self.store = RunStore(folder / "run")
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
        """The contents of metrics.json and cost.json."""
        batches, exact, removed = Batches(), ExactCost(SHAPE, "bfloat16"), Reduction(2)
        gather(self.predictions, batches, exact, removed)
        found = {**self.task.metrics(self.predictions), **exact.means, **cost_of(batches), "removed": removed.share}
        self.store.write("metrics.json", found)

    def counts(self) -> None:
        """What the metrics have counted of each example, drawn here: wrong words of twelve; fifty with each speaker."""
        draw, self.counting = np.random.default_rng(0), Counting(self.task)
        for number in range(self.size):
            wrong = float(draw.binomial(12, 0.1))
            spoken = Prediction(str(number), "", "", "", meta={"speaker": f"speaker-{number // 50}"})
            self.counting.add(spoken, (wrong, 12.0, wrong, 0.0, 0.0, 0.0, 0.0))

    def intervals(self) -> None:
        """Intervals of the score, speakers resampled, as metrics.json holds them."""
        intervals(self.task, self.counting.done(), RESAMPLES)

    def _answer(self, left: int, of: int) -> None:
        """Answer all batches but a share of `left` in `of`."""
        adapter, batches = Synthetic(), self.batches
        if batches is None:
            raise RuntimeError("batches are answered after they are planned")
        prepared = PreparedBatches(batches, adapter.prepare)
        for position in range(len(batches) - len(batches) * left // of):
            batch = prepared[position]
            self.store.append(adapter.answer(batch.index, batch.ready))


PROCESSES = {
    "first": ("naming", "reading", "planning", "journal"),
    "second": ("reading", "resuming", "rest", "gathering", "metrics"),
    "intervals": ("counts", "intervals"),
}
"""The phases of a run that is killed before its end, those of the next start, and those that follow from the counts."""
PHASES = ("naming", "reading", "planning", "journal", "resuming", "gathering", "metrics", "intervals")


@dataclass(frozen=True)
class Row:
    """One phase at one size."""

    examples: int
    phase: str
    cpu_s: float
    """Seconds of processor time; what counts where others use the machine too."""
    wall_s: float
    peak_mib: float
    """Resident memory of the process at the worst moment of the phase, the libraries (`libraries_mib`) among it."""
    libraries_mib: float


def measure(folder: Path, count: int, phases: Sequence[str]) -> Iterator[Row]:
    """Run phases in a process of their own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measured, args=(folder, count, phases, theirs))
    process.start()
    theirs.close()
    for phase in phases:
        try:
            figures = ours.recv()
        except EOFError:
            raise SystemExit(f"{phase} of {count} examples has failed") from None
        yield Row(count, phase, *(round(figure, 3) for figure in figures))
    process.join()


def _measured(folder: Path, count: int, phases: Sequence[str], pipe: Any) -> None:
    libraries, job = _peak_mib(), Job(folder, count)
    for phase in phases:
        work: Callable[[], None] = getattr(job, phase)
        Path("/proc/self/clear_refs").write_text("5")  # sets the peak back
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        work()
        pipe.send((time.process_time() - cpu_s, time.perf_counter() - wall_s, _peak_mib(), libraries))


def _peak_mib() -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def draw(rows: Sequence[Row], file: Path) -> None:
    """Seconds and memory of each phase against the number of examples, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "fastadasp"
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for phase in PHASES:
        some = sorted((row for row in rows if row.phase == phase), key=lambda row: row.examples)
        sizes = [row.examples for row in some]
        left.loglog(sizes, [row.cpu_s for row in some], marker="o", markersize=3, label=phase)
        right.semilogx(sizes, [row.peak_mib for row in some], marker="o", markersize=3)
    left.set(xlabel="examples", ylabel="seconds of processor time")
    right.set(xlabel="examples", ylabel="peak memory of the process, MiB", ylim=(0, None))
    left.legend(fontsize=7)
    figure.savefig(file, metadata={"Date": None})


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all phases at all sizes; rows are written as they come."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[10**3, 10**4, 10**5, 10**6])
    parser.add_argument("--parts", nargs="+", choices=PROCESSES, default=list(PROCESSES))
    parser.add_argument("--out", type=Path, default=Path("experiments/results/scale"))
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary, (given.out / "examples.jsonl").open("w") as file:
        for count in given.sizes:
            folder = Path(temporary) / str(count)
            write_manifest(folder / "corpus", count)
            for part in given.parts:
                for row in measure(folder, count, PROCESSES[part]):
                    rows.append(row)
                    print(row, flush=True)
                    file.write(json.dumps(vars(row)) + "\n")
                    file.flush()
            shutil.rmtree(folder)
    draw(rows, given.out / "examples.svg")


if __name__ == "__main__":
    sys.exit(main())
