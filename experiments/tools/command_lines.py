"""Command lines as tired people and broken scripts write them: what each of them ends in.

`python -m experiments.tools.command_lines --count 500` tries as many in this process, on a tiny model with random
weights, up to where the weights would be loaded, and prints how many ended how. None may end in a traceback, and none
may take longer than a minute.
"""

import argparse
import contextlib
import io
import os
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType
from unittest import mock

from omegaconf import DictConfig

from fastadasp.config.paths import REPOSITORY

OPTIONS = {
    "task": ("asr", "st", "er", "sqa", "sv"),
    "model": ("qwen2_audio_random", "tiny", "qwen2_audio_7b"),
    "merge": ("fastadasp", "none", "average", "chain", "h2o", "samp", "fastv", "snapkv", "random_merge"),
    "hardware": ("cpu", "auto", "h100", "h100x8", "slurm_h100x8"),
    "generation": ("greedy", "beam", "sample"),
    "logger": ("csv", "none", "wandb"),
    "experiments": ("long_audio", "startup"),
    "hydra/launcher": ("basic", "joblib", "submitit_local"),
}


def _words() -> dict[str, list[str]]:
    """The words of command_lines.txt by section."""
    found: dict[str, list[str]] = {}
    for line in Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split("\n")[1:-1]:
        if line.startswith("[[") and line.endswith("]]"):
            found[line[2:-2]] = words = []
        else:
            words.append(line)
    return found


WORDS = _words()
VALUES = [*WORDS["values"], "", "x  ", "a" * 300, "a" * 5000]
"""Values that Hydra can read: right for some key, wrong for most."""
BROKEN = [*WORDS["broken"], "a\tb"]
"""Values that Hydra cannot read, or reads as a sweep."""
SIGNS = [*"=.,:;'\"()[]{}$@+~\\/ \t\n%*?!", "", "", "\u00e9"]
BAD = frozenset({"traceback", "hang"})
SECONDS = 60
"""Longest time that a command line may take: more would be a hang."""


def command_lines(count: int, seed: int = 15) -> Iterator[list[str]]:
    """`count` lists of arguments of `fastadasp run`."""
    random = Random(seed)
    kinds: list[Callable[[Random], list[str]]] = [*[_setting] * 12, *[_option] * 5, _bare, _flag, _flag]
    for _ in range(count):
        arguments = [word for _ in range(random.choice([1, 1, 1, 2, 2, 3])) for word in random.choice(kinds)(random)]
        if random.random() < 0.08:
            arguments = _damaged(arguments, random)
        yield arguments


def _setting(random: Random) -> list[str]:
    key = random.choice(WORDS["keys"])
    if random.random() < 0.08:
        key += random.choice([".x", ".", "[0]", "/x", "@x", "o"])
    value = random.choice(VALUES if random.random() < 0.8 else BROKEN)
    if "dir" in key and value.startswith("/"):
        value = "/dev/null/x"  # nothing is to be written outside the folder of the trials
    if random.random() < 0.1:
        value += f",{random.choice(VALUES)}"
    return [f"{random.choice([*[''] * 12, '+', '++', '++', '~'])}{key}={value}"]


def _option(random: Random) -> list[str]:
    group = random.choice(list(OPTIONS))
    option = random.choice(OPTIONS[group] if random.random() < 0.7 else VALUES)
    return [f"{random.choice([*[''] * 9, '+', '++', '~'])}{group}={option}"]


def _bare(random: Random) -> list[str]:
    return [random.choice([*WORDS["bare"], ""])]


def _flag(random: Random) -> list[str]:
    return random.choice(WORDS["flags"]).split()


def _damaged(arguments: list[str], random: Random) -> list[str]:
    """One argument with a sign more, less or changed."""
    position = random.randrange(len(arguments))
    word = arguments[position]
    at = random.randrange(len(word) + 1)
    sign = random.choice(SIGNS)
    damaged = word[:at] + sign + word[at + random.choice([0, 1]) :]
    return [*arguments[:position], damaged, *arguments[position + 1 :]]


@dataclass(frozen=True)
class Outcome:
    """What a command line ended in."""

    kind: str
    """`message` | `work` (it got as far as the weights) | `shown` (help and the like) | `traceback` | `hang`."""
    said: str
    """What it printed, and the traceback where there is one."""


class _Late(BaseException):
    """The time of a command line is over."""


def end_of(arguments: Sequence[str], before: Sequence[str]) -> Outcome:
    """What `fastadasp run BEFORE ARGUMENTS` ends in, up to where the weights would be loaded."""
    from fastadasp.benchmark.setup import validate_benchmark
    from fastadasp.cli import run as command
    from fastadasp.evaluation import run as evaluation

    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    reached: list[str] = []

    def reach(*_: object, **__: object) -> None:
        reached.append("weights")
        raise SystemExit(0)

    def benchmark(cfg: DictConfig) -> None:
        validate_benchmark(cfg)
        reach()

    with (
        mock.patch.object(evaluation, "answer_left", reach),
        mock.patch.object(evaluation, "run_in_children", reach),
        mock.patch.object(command, "benchmark", benchmark),
        mock.patch.object(sys, "argv", ["fastadasp run"]),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        kind = _kind(lambda: command.main([*before, *arguments]))
    said = printed.buffer.getvalue().decode()  # type: ignore[attr-defined]
    if "Traceback" in said:
        kind = "traceback"
    return Outcome("work" if reached else kind, said)


def _kind(run: Callable[[], None]) -> str:
    def late(_: int, __: FrameType | None) -> None:
        raise _Late

    handler = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        run()
    except SystemExit as end:
        return "message" if end.code else "shown"
    except _Late:
        return "hang"
    except BaseException:
        traceback.print_exc()
        return "traceback"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
    return "shown"


@contextlib.contextmanager
def apart() -> Iterator[Path]:
    """A folder, deep in one that goes when the block ends, from which and with which as home commands are given."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, HOME=folder, WANDB_MODE="offline"):
        inside = Path(folder, "a", "b", "c")
        inside.mkdir(parents=True)
        before = Path.cwd()
        os.chdir(inside)
        try:
            yield inside
        finally:
            os.chdir(before)


def small_run(folder: Path, manifest: Path) -> list[str]:
    """Settings that any others come after: a tiny model, the clips of a manifest for `asr`, results in `folder`."""
    model = "model=qwen2_audio_random model.layers=4 model.hidden=32 model.intermediate=48 model.encoder_layers=1"
    rest = ["task=asr", f"task.manifest={manifest}", "task.limit=2", "hardware=cpu", "hardware.num_workers=0"]
    return [*model.split(), *rest, f"output_dir={folder}/out"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Try command lines, and print how many ended how and each that may not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=15)
    parser.add_argument("--show", action="store_true", help="print the last line that each of them says")
    given = parser.parse_args(arguments)
    manifest = REPOSITORY / "fastadasp" / "assets" / "benchmark" / "asr" / "manifest.jsonl"
    counts: Counter[str] = Counter()
    with apart() as folder:
        before = small_run(folder, manifest)
        for line in command_lines(given.count, given.seed):
            outcome = end_of(line, before)
            counts[outcome.kind] += 1
            if given.show or outcome.kind in BAD:
                print(outcome.kind, line, *outcome.said.strip().split("\n")[-3:], sep="\n  ", flush=True)
    print(", ".join(f"{kind}: {count}" for kind, count in counts.most_common()))
    sys.exit(1 if counts.keys() & BAD else 0)


if __name__ == "__main__":
    main()
