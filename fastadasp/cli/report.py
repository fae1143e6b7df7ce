"""Compare finished runs in tables, plots and JSON: `fastadasp report FOLDER... --out DIR`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fastadasp.config.messages import readable_errors


def main(arguments: Sequence[str]) -> None:
    """Read the runs in and under the folders and compare them."""
    with readable_errors():
        report(arguments)


def report(arguments: Sequence[str]) -> None:
    """The command without the wording of its errors."""
    parser = argparse.ArgumentParser(
        prog="fastadasp report", description="Compare finished runs: methods against amounts of reduction."
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, help="folders with runs or written reports in them, such as outputs/asr/tiny"
    )
    parser.add_argument("--out", type=Path, help="also write tables, pictures, all answers and a page to this folder")
    parser.add_argument("--title", default="", help="title of the written report")
    parser.add_argument(
        "--chosen", metavar="METHOD", action="append", default=[],
        help="method to label in pictures besides those on the front (default: the first one); may be repeated",
    )  # fmt: skip
    parser.add_argument("--resamples", type=int, default=2000, help="for the intervals (default: 2000)")
    parser.add_argument(
        "--trust", metavar="MODULE", action="append", default=[], help="module of your own whose tasks may be used"
    )
    given = parser.parse_args(arguments)
    from fastadasp.report.gather import gather
    from fastadasp.report.write import text, write
    from fastadasp.statistics.resampling import check_resamples

    check_resamples(given.resamples)
    gathered = gather(given.folders, given.trust, given.resamples)
    print(text(gathered.tables))
    if given.out is not None:
        write(gathered, given.out, given.title, given.chosen)
