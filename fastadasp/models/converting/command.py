"""What the command lines of all converters share."""

import argparse
import sys
from pathlib import Path

from fastadasp.models.converting.outputs import Precision

_STEP = 10**9


def parser(family: str, description: str, checkpoint: str) -> argparse.ArgumentParser:
    """Arguments `checkpoint`, `out`, `--precision` and `--shard-gb` of `fastadasp convert <family>`.

    checkpoint: what the first argument is, for the help.
    """
    made = argparse.ArgumentParser(prog=f"fastadasp convert {family}", description=description)
    made.add_argument("checkpoint", type=Path, help=checkpoint)
    made.add_argument("out", type=Path, help="folder to write; the same command goes on where it was interrupted")
    made.add_argument(
        "--precision",
        choices=[precision.name for precision in Precision],
        default=Precision.keep.name,
        help="number format of the weights (default: keep, that of the checkpoint)",
    )
    made.add_argument(
        "--shard-gb", type=float, default=2.0, help="largest file, and about the memory needed (default: 2)"
    )
    return made


def show_progress(done: int, total: int) -> None:
    """One line that grows on a terminal, one line for each shard elsewhere."""
    ends = "\r" if sys.stderr.isatty() and done < total else "\n"
    print(f"{done / _STEP:.1f} of {total / _STEP:.1f} GB written", end=ends, file=sys.stderr, flush=True)
