"""Is a run that several processes share the run of one process? By every way in which processes come about.

`python -m experiments.tools.teams --limit 16` evaluates the embedded model with one process, then with two and four
that the command starts itself (`ddp_spawn`), that torchrun starts, and that find each other by the variables of a
Slurm step. Each must leave the `metrics.json` of one process and every clip once. Noted are the seconds from the first
to the last process that stores its last answers: how long a process waited for the slowest one.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import unified_diff
from pathlib import Path
from typing import Any

from experiments.tools.kills import metrics, stored
from fastadasp.config.paths import REPOSITORY

RUN = str(REPOSITORY / "run.py")
SETTINGS = "hardware=cpu hardware.threads=1 hardware.num_workers=1 hardware.batch_size=2 logger=none merge.ratio=0.3"


def commands(kind: str, size: int, settings: Sequence[str]) -> list[tuple[list[str], Mapping[str, str]]]:
    """The processes to start for a run of `size` processes, and the variables that each finds."""
    devices = f"hardware.trainer.devices={size}"
    match kind:
        case "torchrun":
            launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(size), "--master-port", str(free_port())]
            return [([sys.executable, *launcher, RUN, *settings], {})]
        case "slurm":
            shared = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_STEP_ID": "0", "SLURM_JOB_NAME": "evaluation"}
            shared |= {"SLURM_NTASKS": str(size), "SLURM_STEP_NUM_TASKS": str(size), "SLURM_STEP_NODELIST": "127.0.0.1"}
            shared |= {"SLURM_NODEID": "0", "MASTER_PORT": str(free_port())}
            each = ({"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)} for rank in range(size))
            arguments = [sys.executable, RUN, *settings, devices, "hardware.trainer.strategy=ddp"]
            return [(arguments, {**shared, **own}) for own in each]
        case _:
            return [([sys.executable, RUN, *settings, devices, "hardware.trainer.strategy=ddp_spawn"], {})]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def watching(outputs: Path) -> Iterator[dict[str, float]]:
    """By the name of each process's file of answers, when it was last added to; gathering them all does not count."""
    latest: dict[str, float] = {}
    numbers: dict[str, int] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            for file in outputs.glob("*/*/*/*/predictions*.jsonl"):
                try:
                    about = file.stat()
                    if numbers.setdefault(file.name, about.st_ino) == about.st_ino:
                        latest[file.name] = about.st_mtime
                except FileNotFoundError:  # the leading process has gathered it
                    continue

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield latest
    finally:
        done.set()
        thread.join()


def run(kind: str, size: int, settings: Sequence[str], outputs: Path) -> dict[str, Any]:
    """One run, and what is said of it."""
    arguments = [*settings, f"output_dir={outputs}"]
    began = time.time()
    with watching(outputs) as latest:
        running = [
            subprocess.Popen(command, env={**os.environ, **own}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for command, own in commands(kind, size, arguments)
        ]
        # stderr is short: nobody waits for a full pipe
        ends = [(process.communicate()[1], process.returncode) for process in running]
    if any(status for _, status in ends):
        raise SystemExit(f"{kind}, {size} processes: " + "\n".join(text.decode()[-2000:] for text, _ in ends))
    ids = stored(outputs)
    ended = list(latest.values())
    return {
        "kind": kind,
        "processes": size,
        "seconds": round(time.time() - began, 1),
        "clips": len(ids),
        "each_once": len(ids) == len(set(ids)),
        "metrics": metrics(outputs),
        "first_to_last_s": round(max(ended) - min(ended), 2) if len(ended) > 1 else None,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all ways; status 1 where one of them leaves something else than one process does."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--limit", type=int, default=16)
    parser.add_argument("--task", default="asr")
    parser.add_argument("--kinds", nargs="+", default=["spawn", "torchrun", "slurm"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[2, 4])
    parser.add_argument("--out", type=Path, default=Path("experiments/results/scale/teams.jsonl"))
    given = parser.parse_args(arguments)
    settings = [*SETTINGS.split(), f"task={given.task}", f"task.limit={given.limit}"]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    equal = True
    with tempfile.TemporaryDirectory() as folder, given.out.open("w", encoding="utf-8") as file:
        alone = run("spawn", 1, settings, Path(folder) / "one")
        for kind, size in [("spawn", 1), *((kind, size) for kind in given.kinds for size in given.sizes)]:
            found = alone if size == 1 else run(kind, size, settings, Path(folder) / f"{kind}-{size}")
            found = {**found, "equal": found["metrics"] == alone["metrics"] and found["each_once"]}
            if not found["equal"]:
                print("\n".join(unified_diff(alone["metrics"].split("\n"), found["metrics"].split("\n"), n=0)))
            del found["metrics"]
            equal = equal and found["equal"]
            print(found, flush=True)
            file.write(json.dumps(found) + "\n")
            file.flush()
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
