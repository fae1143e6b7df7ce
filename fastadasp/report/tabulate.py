"""From finished runs to tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from fastadasp.errors import InputError
from fastadasp.evaluation.totals import Batches, gather
from fastadasp.report.conditions import alike, check_clips
from fastadasp.report.families import family
from fastadasp.report.runs import Run
from fastadasp.report.tables import FULL_TOKENS, Cell, Table
from fastadasp.statistics.paired import difference
from fastadasp.tasks.counted import Counted

TIMES = (
    "prefill_s",
    "ttft_s",
    "merge_s",
    "decode_s",
    "decode_step_s",
    "compute_s",
    "examples_per_s",
    "rtf",
    "peak_bytes",
)
"""Entries of `cost.json` that tables keep, and seconds of decoding in a batch."""


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
    rows: dict[str, dict[tuple[str, float], Run]] = {}
    for run in runs:
        if run.amount is None:
            continue
        row = rows.setdefault(names[run.folder], {})
        if run.amount in row:
            raise InputError(
                f"{run.folder} and {row[run.amount].folder} are both {names[run.folder]} at {run.amount[0]}="
                f"{run.amount[1]}; leave one out"
            )
        row[run.amount] = run
    first = next((run for run in runs if run.amount is not None), runs[0])
    return Table(
        *runs[0].group,
        task.objective,
        task.higher_is_better,
        len(runs[0].predictions),
        None if full is None else _cell(full, counted, full, resamples),
        {name: [_cell(row[amount], counted, full, resamples) for amount in sorted(row)] for name, row in rows.items()},
        apart,
        task.percent,
        {name: family(next(iter(row.values())).settings.get("_target_")) for name, row in rows.items()},
        [prediction.id for prediction in runs[0].predictions],
        [prediction.reference for prediction in runs[0].predictions],
        first.metrics["provenance"],
        task.place,
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
    answers = [prediction.answer for prediction in run.predictions]
    return Cell(run.amount, own.estimate(score, resamples).interval(), apart, facts(run), answers)


def facts(run: Run) -> dict[str, Any]:
    """What a table keeps of a run besides its score: what it saved, at each layer too, and how long it took."""
    metrics, measured = run.metrics, {**run.measured, **_decoding(run)}
    layers = [
        {key: layer[key] for key in ("tokens", "kv_bytes") if key in layer} for layer in metrics.get("layers") or []
    ]
    return {
        "quality": metrics["quality"],
        "ratio": metrics["reduction"].get("ratio"),
        "audio_tokens_removed": metrics["reduction"]["measured"],
        **{key: value for key, value in metrics["cost"].items() if key.endswith("_saved")},
        "flops_prefill": metrics["cost"].get("flops_prefill"),
        "failed": metrics["failed"],
        "fingerprint": metrics["fingerprint"],
        "settings": {key: value for key, value in run.settings.items() if key in ("_target_", "layer", "schedule")},
        "layers": layers,
        "measured": {key: measured[key] for key in TIMES if key in measured},
    }


def _decoding(run: Run) -> dict[str, float]:
    """`decode_s`: the median over batches; nothing where no batch was timed."""
    found = Batches()
    gather(run.predictions, found)
    if not len(found) or not len(seconds_B := found.column("decode_s", warm=True)):
        return {}
    return {"decode_s": float(median(map(float, seconds_B)))}
