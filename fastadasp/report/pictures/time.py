"""Where the time goes, and what FLOPs are worth in seconds."""

from collections.abc import Iterator, Sequence

from fastadasp.report.blocks import Block, Column
from fastadasp.report.layouts.entries import heading
from fastadasp.report.pictures.charts import Bars, Chart, Line
from fastadasp.report.pictures.style import looks
from fastadasp.report.tables import FULL_TOKENS, Cell

PARTS = ("prefill without the merge", "merge", "decoding")


def where_time_goes(block: Block, column: Column) -> Bars:
    """Seconds of a batch under every method at one amount: the prefill, the merge inside it, decoding."""
    cells: list[tuple[str, Cell]] = [] if block.table.full is None else [(FULL_TOKENS, block.table.full)]
    cells += [(name, cell) for name in block.rows if (cell := block.at(name, column)) is not None]
    measured = [(name, cell.facts.get("measured") or {}) for name, cell in cells]
    timed = [(name, times) for name, times in measured if "prefill_s" in times]
    prefill = [times["prefill_s"] - times.get("merge_s", 0.0) for _, times in timed]
    merge = [times.get("merge_s", 0.0) for _, times in timed]
    decoding = [times.get("decode_s", 0.0) for _, times in timed]
    return Bars(
        f"{block.table.task}: where the time of a batch goes at {heading(column)}{block.apart}",
        "seconds",
        [name for name, _ in timed],
        tuple(zip(PARTS, (prefill, merge, decoding), strict=True)) if timed else (),
        "Medians over batches. Compare only runs of one machine. Runs of a grid read the audio once for all, so that "
        "their prefill lacks the audio encoder.",
    )


def calibration(block: Block) -> Chart | None:
    """Seconds of prefill saved against its FLOPs saved, both of full tokens; None where times are not known."""
    full = None if block.table.full is None else (block.table.full.facts.get("measured") or {}).get("prefill_s")
    if not full:
        return None
    families = {name: block.table.families.get(name, "unknown") for name in block.rows}
    look = looks(families)
    lines = []
    for name, cells in block.rows.items():
        points = list(_points(cells, full))
        told = [f"FLOPs saved {x:.1f} %, seconds saved {y:.1f} %" for x, y in points]
        x, y = [x for x, _ in points], [y for _, y in points]
        lines.append(Line(name, families[name], look[name], x, y, told))
    if not any(line.x for line in lines):
        return None
    most = max(max(line.x) for line in lines if line.x)
    return Chart(
        f"{block.table.task}: FLOPs against seconds{block.apart}",
        "prefill FLOPs saved (exact count), %",
        "prefill seconds saved, %",
        lines,
        front=([0.0, most], [0.0, most]),
        joined=False,
        note="On the grey line, a run saves as much time as FLOPs; below, the FLOPs saved are not the ones that cost "
        "most, or the merge takes time itself.",
    )


def _points(cells: Sequence[Cell], full_s: float) -> Iterator[tuple[float, float]]:
    for cell in cells:
        seconds = (cell.facts.get("measured") or {}).get("prefill_s")
        if seconds:
            yield 100 * float(cell.facts.get("flops_prefill_saved", 0.0)), 100 * (1 - seconds / full_s)
