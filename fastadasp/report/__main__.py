"""`python -m fastadasp.report FOLDER... [--out DIR]`: tables, plots and JSON from the folders of finished runs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fastadasp.config import readable_errors


def main(arguments: Sequence[str]) -> None:
    """Read the runs in and under the folders and compare them."""
    parser = argparse.ArgumentParser(
        prog="python -m fastadasp.report", description="Compare finished runs: methods against amounts of reduction."
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders with runs in them, such as outputs/asr/tiny")
    parser.add_argument("--out", type=Path, help="also write report.md, JSON, plots and all answers to this folder")
    parser.add_argument("--resamples", type=int, default=2000, help="for the intervals (default: 2000)")
    given = parser.parse_args(arguments)
    from fastadasp.report.runs import find_runs, names
    from fastadasp.report.tables import tabulate
    from fastadasp.report.write import text, write

    runs = find_runs(given.folders)
    tables = tabulate(runs, names(runs), given.resamples)
    print(text(tables))
    if given.out is not None:
        write(tables, given.out)


if __name__ == "__main__":
    with readable_errors():
        main(sys.argv[1:])
