"""How many clips does an evaluation answer in a second, before and after a change? By processor time.

`python -m experiments.tools.throughput --before FOLDER` evaluates the bundled sets with the embedded model by the code
of two checkouts, this one and FOLDER, in turns: in batches, one clip at a time, and here also with a cache of encoder
outputs, empty and full. Noted are seconds of processor time, data workers included, of whole evaluations (reading,
answering, scoring; not the start of Python), since the clock on the wall also counts what else the machine does. On one
thread. Answers are compared clip by clip.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from fastadasp.config.paths import REPOSITORY

TASKS = ("asr", "st", "er", "sqa")
WAYS = {"batches": "hardware.batch_size=8", "one by one": "hardware.batch_size=1"}


def measure(task: str, settings: Sequence[str], limit: int) -> dict[str, Any]:
    """One evaluation in this process."""
    from fastadasp.config.compose import compose_run
    from fastadasp.evaluation.run import evaluate
    from fastadasp.evaluation.setup import validate

    with tempfile.TemporaryDirectory() as folder:
        common = ("hardware=cpu", "logger=none", "merge.ratio=0.3", f"task.limit={limit}", f"output_dir={folder}")
        cpu_s, wall_s = _processor_s(), time.perf_counter()
        cfg, results = compose_run([f"task={task}", *common, *settings])
        evaluate(cfg, validate(cfg))
        lines = [json.loads(line) for line in (results / "predictions.jsonl").read_text().splitlines()]
        return {
            "task": task,
            "cpu_s": round(_processor_s() - cpu_s, 3),
            "wall_s": round(time.perf_counter() - wall_s, 3),
            "clips": len(lines),
            "answers": {line["id"]: line["text"] for line in lines},
            "cost": json.loads((results / "cost.json").read_text()),
        }


def _processor_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def one_checkout(tasks: Sequence[str], limit: int, cache: bool) -> None:
    """All ways with the code that is imported here; a row for each goes to stdout, all else to stderr."""
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for task in tasks:
        measure(task, ("hardware.batch_size=2",), 2)  # imports, and what torch sets up once
        for way, setting in WAYS.items():
            for cached in ("none", "empty", "full") if cache else ("none",):
                more = () if cached == "none" else ("hardware.encoder_cache_gb=4",)
                if cached == "empty":
                    os.environ["FASTADASP_CACHE"] = tempfile.mkdtemp(prefix="fastadasp-throughput-")
                row = {"way": way, "cache": cached, **measure(task, (setting, *more), limit)}
                report.write(json.dumps(row) + "\n")
                report.flush()


def rows_of(checkout: Path, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows of the code in a checkout."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(checkout)}
    command = [sys.executable, __file__, "--here", *arguments]
    done = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    yield from map(json.loads, done.stdout.splitlines())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both checkouts in turns, write all rows, and print the table of medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--before", type=Path, help="folder of the checkout to compare with")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--limit", type=int, default=32)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("experiments/results/scale/throughput.jsonl"))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--with-cache", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.here:
        one_checkout(given.tasks, given.limit, given.with_cache)
        return
    given.out.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    with given.out.open("w", encoding="utf-8") as file:
        for repetition in range(given.repetitions):
            for task in given.tasks:
                for name, folder in (("before", given.before), ("now", REPOSITORY)):
                    more = ["--with-cache"] if name == "now" else []
                    asked = ["--tasks", task, "--limit", str(given.limit), *more]
                    for row in rows_of(folder, asked):
                        rows.append({"code": name, "repetition": repetition, **row})
                        file.write(json.dumps(rows[-1]) + "\n")
                        file.flush()
                print(*table([row for row in rows if row["task"] == task]), sep="\n", flush=True)


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Lines of a table: clips in a second of processor time, and the ratio to before."""
    for task in dict.fromkeys(row["task"] for row in rows):
        for way in WAYS:
            some = [row for row in rows if (row["task"], row["way"]) == (task, way)]
            before = [row for row in some if row["code"] == "before"]
            if not before:
                continue
            for code, cache in dict.fromkeys((row["code"], row["cache"]) for row in some):
                these = [row for row in some if (row["code"], row["cache"]) == (code, cache)]
                rate, base = (median(row["clips"] / row["cpu_s"] for row in part) for part in (these, before))
                same = sum(these[0]["answers"].get(id) == text for id, text in before[0]["answers"].items())
                cells = (task, way, code, cache, f"{rate:.2f}", f"{rate / base:.1f}", f"{same}/{before[0]['clips']}")
                yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
