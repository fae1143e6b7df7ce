"""What a prefill costs with today's engine, and with the engine of earlier commits, in one run.

`python -m experiments.tools.engines COMMIT... --rounds 6` unpacks `fastadasp/` of each commit into a temporary folder.
Each round starts one process for each engine, in turn. It lets a random decoder read a padded batch without any block
and inside blocks of several methods, and counts the processor seconds of each reading (one thread, so that other work
on the machine hardly matters). Printed are medians over all readings of all rounds, and what they are beside those of
the plain model.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
SHAPES = {
    "wide": {"hidden_size": 896, "intermediate_size": 4864, "num_attention_heads": 14, "num_key_value_heads": 2}
    | {"num_hidden_layers": 2},
    "narrow": {"hidden_size": 128, "intermediate_size": 384, "num_attention_heads": 4, "num_key_value_heads": 2}
    | {"num_hidden_layers": 12},
}
"""Two layers as those of Qwen2-0.5B, where arithmetic takes the time; twelve small ones, where Python does."""
AUDIO, TEXT = 750, 30
"""Tokens: 60 s of audio at 12.5 a second, between two texts."""


def measure(shape: str, repeats: int) -> dict[str, list[float]]:
    """Processor seconds of each reading, by what was around it."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    import fastadasp
    from fastadasp import FastAdaSP, NoReduction, merging

    assert Path(fastadasp.__file__).is_relative_to(Path.cwd()), "another copy of the package was imported"

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = Qwen2Config(vocab_size=512, max_position_embeddings=4096, **SHAPES[shape])
    model = Qwen2ForCausalLM(config).eval()
    length = AUDIO + 2 * TEXT
    ids = torch.randint(3, 500, (2, length))
    real = torch.ones_like(ids)
    real[0, :20] = 0
    audio = torch.zeros(ids.shape, dtype=torch.bool)
    audio[:, TEXT : TEXT + AUDIO] = True
    methods: dict[str, Any] = {
        "plain model": None,
        "no reduction": NoReduction(),
        "ratio 0": FastAdaSP(ratio=0),
        "nothing to remove": FastAdaSP(ratio=1e-6, layer=0, schedule="constant"),
        "half, once": FastAdaSP(ratio=0.5, layer=1),
        "half, constant": FastAdaSP(ratio=0.5, layer=0, schedule="constant"),
    }
    found = defaultdict(list)
    with torch.no_grad():
        for repeat in range(repeats + 1):
            for name, method in methods.items():
                if method is None:
                    seconds = _timed(model, ids, real)
                else:
                    with merging(model, method, audio):
                        seconds = _timed(model, ids, real)
                if repeat:  # the first reading warms up
                    found[name].append(seconds)
    return found


def _timed(model: Any, ids: Any, real: Any) -> float:
    begin = time.process_time()
    model(ids, attention_mask=real, use_cache=True, logits_to_keep=1)
    return time.process_time() - begin


def unpacked(commit: str, folder: Path) -> Path:
    """The package as it was at a commit."""
    place = folder / commit
    archive = folder / f"{commit}.tar"
    with archive.open("wb") as file:
        parts = ["fastadasp", "conf"]
        subprocess.run(["git", "archive", commit, *parts], cwd=REPOSITORY, stdout=file, check=True)
    with tarfile.open(archive) as tar:
        tar.extractall(place, filter="data")
    return place


def compare(places: Mapping[str, Path], shape: str, rounds: int, repeats: int) -> dict[str, dict[str, list[float]]]:
    """Seconds by engine and method, all rounds together."""
    seconds: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in places}
    for _ in range(rounds):
        for name, place in places.items():
            command = [sys.executable, str(Path(__file__)), "--measure", shape, "--repeats", str(repeats)]
            environment = {**os.environ, "PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}
            run = subprocess.run(command, cwd=place, env=environment, check=True, capture_output=True, text=True)
            for method, found in json.loads(run.stdout.splitlines()[-1]).items():
                seconds[name][method] += found
    return seconds


def table(seconds: Mapping[str, Mapping[str, Sequence[float]]], shape: str) -> str:
    """Markdown: for each method the median seconds of each engine, and what they are beside the plain model's.

    The plain model is the same code everywhere, so that its own ratio shows how far other work on the machine reached.
    """
    names = list(seconds)
    shares = [f"{name}, of plain" for name in names]
    lines = [
        f"| {shape}: processor seconds | {' | '.join(names)} | {' | '.join(shares)} |",
        "|---" * (2 * len(names) + 1) + "|",
    ]
    plain = {name: statistics.median(seconds[name]["plain model"]) for name in names}
    for method in seconds[names[0]]:
        medians = {name: statistics.median(seconds[name][method]) for name in names}
        cells = [f"{medians[name]:.3f}" for name in names] + [f"{medians[name] / plain[name]:.3f}" for name in names]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure one engine, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commits", nargs="*")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES))
    parser.add_argument("--measure", choices=SHAPES, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.measure:
        print(json.dumps(measure(told.measure, told.repeats)))
        return
    with tempfile.TemporaryDirectory() as name:
        places = {"now": REPOSITORY} | {commit: unpacked(commit, Path(name)) for commit in told.commits}
        for shape in told.shapes:
            print(table(compare(places, shape, told.rounds, told.repeats), shape), "\n", flush=True)


if __name__ == "__main__":
    main()
