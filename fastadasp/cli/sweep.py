"""Run a W&B sweep file here, without W&B: `fastadasp sweep sweeps/asr.yaml task.limit=16`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fastadasp.cli.run import main as run
from fastadasp.config.messages import readable_errors
from fastadasp.errors import ConfigError
from fastadasp.files.text import home

LAUNCHER = "hydra/launcher="


def main(arguments: Sequence[str]) -> None:
    """Run the sweep, or what is left of it."""
    given, options = _parser().parse_known_intermixed_args(arguments)
    overrides = [word for word in (*given.overrides, *options) if word not in ("--", "-m", "--multirun")]
    multirun = None
    with readable_errors():
        file = home(given.file)
        if not file.is_file():
            raise ConfigError(f"{given.file} is no file; name a sweep file such as sweeps/asr.yaml")
        if any(word.startswith(LAUNCHER) for word in overrides):
            from fastadasp.sweep.local import overrides as axes

            multirun = ["-m", *axes(file), *overrides]
        else:
            _sweep(given, file, overrides)
    if multirun is not None:
        run(multirun)  # in this process, which a signal to end is meant for


def _sweep(given: argparse.Namespace, file: Path, overrides: Sequence[str]) -> None:
    if unknown := [word for word in overrides if word.startswith("-")]:
        raise ConfigError(f"{unknown[0]} is not known; see fastadasp sweep --help")
    for name in ("count", "workers"):
        if (number := getattr(given, name)) is not None and number < 1:
            raise ConfigError(f"--{name} {number}: it must be 1 or more")
    if list(given.prune) != sorted(set(given.prune)) or min(given.prune, default=1) < 1:
        raise ConfigError(f"--prune {','.join(map(str, given.prune))}: give rising numbers of clips, such as 16,32")
    from fastadasp.sweep.command import Asked, sweep

    sweep(
        Asked(
            file,
            tuple(overrides),
            objectives=tuple(given.objective),
            storage=given.storage,
            count=given.count,
            seed=given.seed,
            workers=given.workers,
            prune=tuple(given.prune),
            helper=given.helper,
        )
    )


def _clips(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastadasp sweep",
        description="Run a W&B sweep file without W&B: grid, random, bayes. The same command goes on after a kill, and "
        "may be given on several machines at once with one --storage.",
    )
    parser.add_argument("file", type=Path, help="a sweep file, such as sweeps/asr.yaml")
    parser.add_argument("overrides", nargs="*", help="Hydra overrides for all runs, such as task.limit=16")
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="where the trials are kept: journal:FILE, sqlite:///FILE, postgresql+psycopg://... (default: a journal "
        "file in outputs/sweeps)",
    )
    parser.add_argument("--count", type=int, help="how many points to try in all (default: the file's run_cap)")
    parser.add_argument("--seed", type=int, default=0, help="of random and bayes (0)")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes on this machine, each with a GPU of its own (1)"
    )
    parser.add_argument(
        "--objective",
        metavar="NAME[:maximize]",
        action="append",
        default=[],
        help="number of a run to search by instead of the file's metric, such as accuracy:maximize or flops_prefill; "
        "may be repeated",
    )
    parser.add_argument(
        "--prune", metavar="CLIPS", type=_clips, default=(),
        help="give up runs whose score after so many clips is worse than the median, such as --prune 16,32",
    )  # fmt: skip
    parser.add_argument("--helper", action="store_true", help=argparse.SUPPRESS)  # one of another command's --workers
    return parser
