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
    parser.add_argument("folders", nargs="+", type=Path, help="folders with runs in them, such as outputs/asr/tiny")
    parser.add_argument("--out", type=Path, help="also write report.md, JSON, plots and all answers to this folder")
    parser.add_argument("--resamples", type=int, default=2000, help="for the intervals (default: 2000)")
    parser.add_argument(
        "--trust", metavar="MODULE", action="append", default=[], help="module of your own whose tasks may be used"
    )
    given = parser.parse_args(arguments)
    from fastadasp.report.runs import find_runs, names
    from fastadasp.report.tables import tabulate
    from fastadasp.report.write import text, write
    from fastadasp.statistics.resampling import check_resamples

    check_resamples(given.resamples)
    runs = find_runs(given.folders, given.trust)
    tables = tabulate(runs, names(runs), given.resamples)
    print(text(tables))
    if given.out is not None:
        write(tables, given.out)
