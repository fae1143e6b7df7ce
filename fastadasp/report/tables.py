"""Methods against amounts: the scores of many runs of one task, compared with full tokens."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fastadasp.errors import InputError
from fastadasp.report.conditions import alike, check_clips
from fastadasp.report.runs import Run
from fastadasp.statistics.intervals import Interval
from fastadasp.statistics.paired import difference
from fastadasp.tasks.counted import Counted

FULL_TOKENS = "full tokens"
LEAST_SAVED = 0.005
"""Runs that save less of the prefill's FLOPs (of methods that shorten caches alone) are no choice of a trade-off."""


@dataclass(frozen=True)
class Cell:
    """One run in a table."""

    amount: tuple[str, float] | None
    """What it was asked for; None for full tokens."""
    score: Interval
    difference: Interval | None
    """From full tokens, on the same resamples; None where the table has no run with full tokens."""
    run: Run

    def described(self) -> dict[str, Any]:
        """As JSON."""
        reduction, cost = self.run.metrics["reduction"], self.run.metrics["cost"]
        return {
            "asked": None if self.amount is None else dict([self.amount]),
            "score": asdict(self.score),
            "difference_from_full_tokens": None if self.difference is None else asdict(self.difference),
            "quality": self.run.metrics["quality"],
            "ratio": reduction["ratio"],
            "audio_tokens_removed": reduction["measured"],
            **{key: value for key, value in cost.items() if key.endswith("_saved")},
            "failed": self.run.metrics["failed"],
            "fingerprint": self.run.metrics["fingerprint"],
        }


@dataclass(frozen=True)
class Table:
    """All runs of one task and model that agree in everything but the reduction."""

    task: str
    model: str
    objective: str
    higher_is_better: bool
    examples: int
    full: Cell | None
    rows: Mapping[str, Sequence[Cell]]
    """By method, in rising amounts."""
    conditions: str = ""
    """The settings that set it apart from other tables of the same task and model."""
    percent: bool = False
    """Whether scores run from 0 to 100 by themselves, as BLEU does."""

    @property
    def scale(self) -> float:
        """Factor that makes percent of a score."""
        return 1.0 if self.percent else 100.0

    @property
    def amounts(self) -> list[float]:
        """Values of all amounts."""
        return sorted({cell.amount[1] for cell in self.cells() if cell.amount is not None})

    def cells(self) -> Iterable[Cell]:
        """All but full tokens."""
        return (cell for cells in self.rows.values() for cell in cells)

    def worse(self, cell: Cell) -> bool:
        """Whether the score is worse than with full tokens beyond what resampling explains."""
        if cell.difference is None:
            return False
        return cell.difference.high < 0 if self.higher_is_better else cell.difference.low > 0

    def front(self) -> list[Cell]:
        """The Pareto front, by rising saving: cells that no other beats both in FLOPs saved and in score.

        Savings that round to the same percent count as equal: whole tokens do not meet a target exactly.
        """
        sign = 1 if self.higher_is_better else -1
        best: list[Cell] = []
        choices = (cell for cell in self.cells() if saved(cell) >= LEAST_SAVED)
        for cell in sorted(choices, key=lambda cell: (-round(saved(cell), 2), -sign * cell.score.value)):
            if not best or sign * cell.score.value > sign * best[-1].score.value:
                best.append(cell)
        return best[::-1]

    def described(self) -> dict[str, Any]:
        """As JSON."""
        front = [cell.run.folder for cell in self.front()]
        rows = {
            name: [{**cell.described(), "on_pareto_front": cell.run.folder in front} for cell in cells]
            for name, cells in self.rows.items()
        }
        provenance = next(iter(self.cells())).run.metrics["provenance"] if self.rows else {}
        return {
            **{
                key: getattr(self, key)
                for key in ("task", "model", "conditions", "objective", "higher_is_better", "examples")
            },
            FULL_TOKENS.replace(" ", "_"): None if self.full is None else self.full.described(),
            "rows": rows,
            "provenance": provenance,
        }


def saved(cell: Cell) -> float:
    """Share of the prefill's FLOPs saved, by the papers' formula; 0 where nothing could be answered."""
    return float(cell.run.metrics["cost"].get("flops_paper_saved", 0.0))


def tabulate(runs: Sequence[Run], names: Mapping[Path, str], resamples: int = 2000) -> list[Table]:
    """One table for each task, model and conditions, in the order of the runs; `names` of the rows by folder.

    Raises InputError for runs that cannot be compared: other examples, or twice the same place in a table.
    """
    return [_table(members, names, resamples, apart) for apart, members in alike(runs)]


def _table(runs: Sequence[Run], names: Mapping[Path, str], resamples: int, apart: str) -> Table:
    task = runs[0].task
    check_clips(runs)
    counted = {run.folder: Counted.of(task, run.predictions) for run in runs}
    full = _only([run for run in runs if run.amount is None])
    rows: dict[str, dict[tuple[str, float], Cell]] = {}
    for run in runs:
        if run.amount is None:
            continue
        row = rows.setdefault(names[run.folder], {})
        if run.amount in row:
            raise InputError(
                f"{run.folder} and {row[run.amount].run.folder} are both {names[run.folder]} at {run.amount[0]}="
                f"{run.amount[1]}; leave one out"
            )
        row[run.amount] = _cell(run, counted, full, resamples)
    return Table(
        *runs[0].group,
        task.objective,
        task.higher_is_better,
        len(runs[0].predictions),
        None if full is None else _cell(full, counted, full, resamples),
        {name: sorted(row.values(), key=lambda cell: cell.amount or ("", 0)) for name, row in rows.items()},
        apart,
        task.percent,
    )


def _only(full: Sequence[Run]) -> Run | None:
    """The run with full tokens, with which all others are compared; InputError if there are several."""
    if len(full) > 1:
        raise InputError(f"{full[1].folder} and {full[0].folder} are both {FULL_TOKENS} of one table; leave one out")
    return full[0] if full else None


def _cell(run: Run, counted: Mapping[Path, Counted], full: Run | None, resamples: int) -> Cell:
    score, own, apart = run.task.measured(), counted[run.folder], None
    if full is not None:
        first = counted[full.folder]
        apart = difference(first.counts(score), own.counts(score), score, first.clusters, resamples).interval()
    return Cell(run.amount, own.estimate(score, resamples).interval(), apart, run)
