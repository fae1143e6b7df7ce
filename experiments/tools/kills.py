"""Is a run that is killed again and again the run that nobody touched?

`python -m experiments.tools.kills --kills 20` ends a run of two processes at random moments, by turns the whole run
and one of its processes, mostly by SIGKILL and at times by SIGTERM, and gives the same command again after each. At the
end `metrics.json` must be that of an unbroken run of one process, and every clip must be answered once. The kills go
to `--out` as JSON Lines as they happen, the outcome after them.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import psutil
import soundfile

from fastadasp.config.paths import REPOSITORY

MODEL = (
    "model=qwen2_audio_random",
    "model.layers=4",
    "model.hidden=32",
    "model.intermediate=48",
    "model.encoder_layers=1",
)

Start = Callable[[Sequence[str]], Any]
"""Starts a process with these arguments and returns it, as `subprocess.Popen` does."""

_START_S = 300.0
"""How long the first answer of a start is waited for, on a machine however busy."""


@dataclass(frozen=True)
class Kill:
    """One interruption of a run, and what became of the run by it."""

    after_s: float
    """From the start, or from the first answer that this start has stored."""
    whole: bool
    """Whether the run itself was meant, not one of its processes."""
    signal: str
    status: int
    answers: int
    """Stored by then."""


def tones(folder: Path, count: int) -> Path:
    """A manifest of `count` tones of unlike lengths."""
    folder.mkdir(parents=True)
    lines = []
    for number in range(count):
        seconds = 0.2 + 0.05 * (number % 17)
        time_s = np.arange(int(seconds * 16000)) / 16000
        soundfile.write(folder / f"{number}.wav", 0.3 * np.sin(2 * np.pi * (110 + number) * time_s), 16000)
        line = {"id": f"tone-{number}", "audio": f"{number}.wav", "seconds": seconds, "text": f"tone number {number}"}
        lines.append(json.dumps(line) + "\n")
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(lines), encoding="utf-8")
    return manifest


def command(manifest: Path, outputs: Path, processes: int) -> list[str]:
    """A run of many small batches. All settings that `metrics.json` shows are the same for any number of processes."""
    rest = [f"task.manifest={manifest}", f"output_dir={outputs}", f"hardware.trainer.devices={processes}"]
    small = "task=asr hardware=cpu hardware.batch_size=2 merge.ratio=0.5 generation.max_new_tokens=60 logger=none"
    return [sys.executable, str(REPOSITORY / "run.py"), *MODEL, *small.split(), *rest]


def quiet(arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
    """A process that says nothing."""
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def interrupted(arguments: Sequence[str], outputs: Path, random: Random, longest_s: float, start: Start) -> Kill | None:
    """Start a run and end it at a random moment, mostly counted from its first answer; None if it was done before."""
    process = start(arguments)
    after_s, whole, at_work = random.uniform(0, longest_s), random.random() < 0.5, random.random() < 0.75
    number = random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
    before, began = len(stored(outputs)), time.monotonic()
    while at_work and process.poll() is None and len(stored(outputs)) == before and time.monotonic() < began + _START_S:
        time.sleep(0.2)
    try:
        status = process.wait(after_s)
    except subprocess.TimeoutExpired:
        members = [
            one for one in psutil.Process(process.pid).children() if "evaluation.worker" in "".join(one.cmdline())
        ]
        if whole or not members:
            process.send_signal(number)
        else:
            os.kill(random.choice(members).pid, number)
        status = process.wait(120)
    return None if status == 0 else Kill(after_s, whole, number.name, status, len(stored(outputs)))


def stored(outputs: Path) -> list[str]:
    """Ids of all whole lines of predictions, in no order."""
    files = outputs.glob("*/*/*/*/predictions*.jsonl")
    lines = [line for file in files for line in file.read_bytes().split(b"\n")[:-1]]
    return [json.loads(line)["id"] for line in lines]


def metrics(outputs: Path) -> str:
    """`metrics.json` of the one run there is, without how many processes it was asked for."""
    (file,) = outputs.glob("*/*/*/*/metrics.json")
    content = json.loads(file.read_text(encoding="utf-8"))
    del content["config"]["hardware"]["trainer"]
    return json.dumps(content, indent=1)


def trial(
    folder: Path,
    kills: int,
    clips: int,
    seed: int,
    longest_s: float,
    tell: Callable[[Kill], None] = print,
    start: Start = quiet,
) -> tuple[list[Kill], bool]:
    """The kills that a run of two processes went through, and whether it ended as one that nobody touched.

    tell: called with each kill.
    """
    manifest, random = tones(folder / "tones", clips), Random(seed)
    whole, killed = folder / "whole", folder / "killed"
    if status := start(command(manifest, whole, 1)).wait():
        raise RuntimeError(f"a run that nobody touched ended with status {status}")
    done: list[Kill] = []
    while len(done) < kills:
        kill = interrupted(command(manifest, killed, 2), killed, random, longest_s, start)
        if kill is None:
            break
        done.append(kill)
        tell(kill)
        time.sleep(0.1)
    if status := start(command(manifest, killed, 2)).wait():
        raise RuntimeError(f"the last run ended with status {status}")
    ids = stored(killed)
    return done, metrics(whole) == metrics(killed) and len(ids) == len(set(ids)) == clips


def main(arguments: Sequence[str] | None = None) -> None:
    """Kill a run, and say whether its results are those of an unbroken one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--clips", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--longest", type=float, default=22.0, help="seconds after the start or the first answer, at most"
    )
    parser.add_argument("--out", type=Path, default=Path("experiments/results/scale/kills.jsonl"))
    given = parser.parse_args(arguments)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, given.out.open("w", encoding="utf-8") as file:

        def tell(row: Kill | dict[str, object]) -> None:
            file.write(json.dumps(asdict(row) if isinstance(row, Kill) else row) + "\n")
            file.flush()

        tell({key: getattr(given, key) for key in ("clips", "seed", "longest")})
        kills, equal = trial(Path(folder), given.kills, given.clips, given.seed, given.longest, tell)
        tell({"kills": len(kills), "equal": equal})
    print(f"{len(kills)} kills; results {'equal' if equal else 'DIFFER'}")
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
