"""Run methods against amounts of reduction on several tasks, and report on them: `fastadasp grid FILE`.

Every cell of the grid is an ordinary run with an ordinary folder, so a killed grid resumes where it stopped.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from fastadasp.config.messages import readable_errors
from fastadasp.errors import InputError
from fastadasp.files.text import short
from fastadasp.grid.spec import FULL_TOKENS, read


class GridError(InputError):
    """Some cells of a grid did not run though they should have."""


def main(arguments: Sequence[str]) -> None:
    """Run what is not done yet, print a line for each cell, and write tables, plots and answers."""
    with readable_errors():
        grid(arguments)


def grid(arguments: Sequence[str]) -> None:
    """The command without the wording of its errors."""
    parser = argparse.ArgumentParser(
        prog="fastadasp grid", description="Run methods against amounts on several tasks, and compare them."
    )
    parser.add_argument("grid", type=Path, help="a grid file, such as experiments/grids/tiny.yaml")
    parser.add_argument("overrides", nargs="*", help="Hydra overrides for all runs, such as task.limit=8")
    parser.add_argument("--out", type=Path, help="folder of the report (default: outputs/<name of the grid file>)")
    parser.add_argument(
        "--rows", nargs="+", metavar="NAME",
        help="run full tokens and these rows alone, and keep the other rows of the report that stands in --out",
    )  # fmt: skip
    parser.add_argument("--resamples", type=int, default=2000, help="for the intervals (default: 2000)")
    given = parser.parse_intermixed_args(arguments)
    from fastadasp.statistics.resampling import check_resamples

    check_resamples(given.resamples)
    grid = read(given.grid)
    cells = [cell for cell in grid.cells() if given.rows is None or cell.name in (FULL_TOKENS, *given.rows)]
    order = list(dict.fromkeys(row["name"] for row in grid.methods))
    if unknown := set(given.rows or ()) - set(order):
        raise GridError(
            f"--rows names {short(', '.join(sorted(unknown)))}, which {given.grid} lacks; its rows are "
            f"{short(', '.join(order), 600)}"
        )
    from fastadasp.grid.runner import Outcome, run_all
    from fastadasp.report.gather import Gathered
    from fastadasp.report.joined import joined
    from fastadasp.report.runs import Run
    from fastadasp.report.stored import find_tables
    from fastadasp.report.tabulate import tabulate
    from fastadasp.report.write import text, write

    start = perf_counter()

    def progress(number: int, outcome: Outcome) -> None:
        result = f"not run: {outcome.problem}" if outcome.problem else Run.read(outcome.folder).headline
        print(f"[{number}/{len(cells)}, {perf_counter() - start:.0f} s] {outcome.cell}: {result}", flush=True)

    outcomes = run_all(cells, given.overrides, progress)
    failed = [str(outcome.cell) for outcome in outcomes if outcome.failed]
    done = [outcome for outcome in outcomes if outcome.problem is None]
    names = {outcome.folder: outcome.cell.name for outcome in done}
    tables = tabulate([Run.read(outcome.folder) for outcome in done], names, given.resamples)
    problems = {str(outcome.cell): outcome.problem for outcome in outcomes if outcome.problem}
    folder = given.out or Path("outputs") / given.grid.stem
    if given.rows is not None and folder.is_dir():
        standing = find_tables([folder])
        tables = joined([table for table, _ in standing], tables, order)
        problems = {name: why for _, found in standing for name, why in found.items()} | problems
    write(Gathered(tables, problems=problems), folder, grid.title)
    print(text(tables))
    print(f"Report: {folder}")
    if failed:
        raise GridError(
            f"{len(failed)} of {len(cells)} cells failed, each for the reason that stands above and in the report: "
            f"{short(', '.join(failed), 300)}. Mend it, and the same command runs them alone"
        )
