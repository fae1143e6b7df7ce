"""What do examples cost that no model answers? Seconds and memory of a run's bookkeeping, from 10^3 to 10^6 of them.

`python -m experiments.tools.scale --sizes 1000 1000000` writes manifests of so many examples, answers them with a
synthetic adapter (transcripts with wrong words, drawn by a seed), and measures the phases of a run that is killed when
nine tenths are done, and of its next start: naming the run, reading the manifest, planning, the journal, resuming,
gathering, metrics, intervals, and the comparison with a second run. The rows go to `--out` as JSON Lines, the picture
beside them. Everything but the answers is the code that runs use. For Linux.
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
from typing import Any

import psutil

from experiments.tools.scale_job import Job, write_manifest

PROCESSES = {
    "first": ("naming", "reading", "planning", "journal"),
    "second": ("reading", "resuming", "rest", "gathering", "metrics", "intervals"),
    "comparison": ("reading", "other", "comparing"),
}
"""The phases of a run that is killed before its end, those of the next start, and those of a comparison."""
PHASES = ("naming", "reading", "planning", "journal", "resuming", "gathering", "metrics", "intervals", "comparing")


@dataclass(frozen=True)
class Row:
    """One phase at one size."""

    examples: int
    phase: str
    cpu_s: float
    """Seconds of processor time, in all processes; what counts where others use the machine too."""
    wall_s: float
    peak_mib: float
    """Resident memory of the process at the worst moment of the phase, the libraries (`libraries_mib`) among it."""
    workers_mib: float
    """Resident memory of the processes that count for it, at its end."""
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
        cpu_s, wall_s = _cpu_s(), time.perf_counter()
        work()
        workers = psutil.Process().children(recursive=True)
        workers_mib = sum(worker.memory_info().rss for worker in workers) / 2**20
        pipe.send((_cpu_s() - cpu_s, time.perf_counter() - wall_s, _peak_mib(), workers_mib, libraries))


def _cpu_s() -> float:
    """Of this process and of those that it has started, which stay until it ends."""
    times = [one.cpu_times() for one in (psutil.Process(), *psutil.Process().children(recursive=True))]
    return sum(one.user + one.system for one in times)


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
