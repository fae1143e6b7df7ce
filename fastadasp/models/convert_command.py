"""What the command lines of all converters share; apart from them, so that `--help` imports nothing heavy."""

import argparse
import sys
from pathlib import Path

PRECISIONS = ("keep", "float32", "bfloat16", "float16")
"""Names in `Precision`."""


def shared_options(parser: argparse.ArgumentParser, checkpoint: str) -> None:
    """Add `checkpoint`, `out`, `precision` (a name in Precision) and `shard_bytes` to a converter's options.

    checkpoint: what the first argument is, for the help.
    """
    parser.add_argument("checkpoint", type=Path, help=checkpoint)
    parser.add_argument("out", type=Path, help="folder to write; the same command goes on where it was interrupted")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="keep",
        help="number format of the weights (default: keep, the checkpoint's)",
    )
    parser.add_argument(
        "--shard-gb",
        dest="shard_bytes",
        type=_gigabytes,
        default=2 * 10**9,
        metavar="GB",
        help="largest file to write, about as much memory as is needed (default: 2)",
    )


def _gigabytes(text: str) -> int:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return max(1, int(value * 10**9))


def show_progress(done: int, total: int) -> None:
    """One line that is rewritten on a terminal, a line for each file elsewhere."""
    end = "\r" if sys.stderr.isatty() and done < total else "\n"
    print(f"{done / 1e9:.1f} of {total / 1e9:.1f} GB written", end=end, file=sys.stderr, flush=True)
