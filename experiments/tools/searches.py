"""How often a Bayesian search finds the best point of a grid: `python -m experiments.tools.searches GRID.txt...`.

A search takes its numbers from what `fastadasp sweep GRID.yaml` has printed into GRID.txt beside it, so that many seeds
take no runs at all. Its points are drawn as `fastadasp sweep` draws them in a single process.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from fastadasp.config.compose import compose
from fastadasp.config.messages import readable_errors
from fastadasp.errors import InputError
from fastadasp.sweep.command import startup
from fastadasp.sweep.file import Method, Point, Sweep, read_sweep
from fastadasp.sweep.sampling import Seeded
from fastadasp.sweep.space import Params, configured, settings, space

LINE = re.compile(r"\[\d+/\d+\] (?P<point>.+): \w+ (?P<number>-?[\d.e+-]+)$")


@dataclass(frozen=True)
class Grid:
    """A grid whose points all have their numbers."""

    sweep: Sweep
    numbers: Mapping[Point, float]
    first: Params
    """The point of the settings without a search, by Optuna's names."""

    @property
    def best(self) -> float:
        """The best number of all points."""
        assert self.sweep.goal is not None
        return (max if self.sweep.goal.maximize else min)(self.numbers.values())


def read_grid(printed: Path) -> Grid:
    """The grid whose output is `printed`, and the sweep file of the same name. Raises InputError if one lacks."""
    sweep = replace(read_sweep(printed.with_suffix(".yaml")), method=Method.grid)
    numbers = numbers_in(printed)
    if missing := [point for point in sweep.grid() if point not in numbers] or sweep.goal is None:
        raise InputError(f"{printed} does not tell the number of {missing}; print the whole grid with a metric into it")
    bayes = replace(sweep, method=Method.bayes)
    return Grid(bayes, numbers, configured(bayes, compose(*sweep.settings, hydra=True)))


def numbers_in(printed: Path) -> dict[Point, float]:
    """The points that `fastadasp sweep` has printed, each with its number, in their order."""
    lines = map(LINE.match, printed.read_text(encoding="utf-8").splitlines())
    return {tuple(line["point"].split(" ")): float(line["number"]) for line in lines if line}


def search(grid: Grid, count: int, seed: int) -> list[Point]:
    """The points that a Bayesian search of `count` points tries, in their order."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    drawn = space(grid.sweep)
    sampler = Seeded(Method.bayes, drawn, seed, startup(count), grid.first)
    assert grid.sweep.goal is not None
    study = optuna.create_study(sampler=sampler, direction=("minimize", "maximize")[grid.sweep.goal.maximize])
    tried = []
    for _ in range(count):
        trial = study.ask(drawn)
        point = settings(trial.params, grid.sweep)
        study.tell(trial, grid.numbers[point])
        tried.append(point)
    return tried


def needed(grid: Grid, count: int, seed: int) -> int | None:
    """After how many points the search has the best one; None if it does not find it within `count`."""
    values = [grid.numbers[point] for point in search(grid, count, seed)]
    return values.index(grid.best) + 1 if grid.best in values else None


def _row(printed: Path, seeds: Sequence[int]) -> str:
    grid = read_grid(printed)
    count = len(grid.numbers) // 2
    counts = [needed(grid, count, seed) for seed in seeds]
    found = [one for one in counts if one is not None]
    holders = sum(number == grid.best for number in grid.numbers.values())
    after = f"{median(found):g}" if found else ""
    one_process = counts[0] if counts[0] is not None else "not found"
    shown = (
        printed.stem,
        len(grid.numbers),
        f"{grid.best:.4g}",
        holders,
        count,
        f"{len(found)} of {len(seeds)}",
        after,
    )
    return " | ".join(map(str, ("", *shown, one_process, ""))).strip()


def main() -> None:
    """Print how often the best point was found, a row for each grid."""
    parser = argparse.ArgumentParser(description="Search stored grids by bayes, with many seeds and without a run.")
    parser.add_argument("printed", nargs="+", type=Path, help="what `fastadasp sweep GRID.yaml` printed, beside it")
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds, from 0 on (20)")
    given = parser.parse_args()
    with readable_errors():
        print("| grid | points | best | held by | tries | found | after (median) | after (seed 0) |")
        print("|---|---|---|---|---|---|---|---|")
        for printed in given.printed:
            print(_row(printed, range(given.seeds)), flush=True)


if __name__ == "__main__":
    main()
