"""What stands in a place of a table, before it is written in a format."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastadasp.report.blocks import Block, Column
from fastadasp.report.tables import FULL_TOKENS, Cell


@dataclass(frozen=True)
class Entry:
    """A score on the scale of tables, and what is to be known about it."""

    value: float
    low: float
    high: float
    reached: float | None
    """Share really saved, of what the block's amounts are shares of; None for full tokens."""
    missed: bool
    """The amount was missed, hence the score is never best."""
    best: bool
    worse: bool
    """Than full tokens, beyond what resampling explains."""


Row = tuple[str, Sequence[Entry | None]]
"""A name, and an entry for each column; None where nothing was run."""


def rows(block: Block) -> list[Row]:
    """Full tokens first, if there are any, in the first column alone; then the methods."""
    best = {column: block.best(column) for column in block.columns}
    found: list[Row] = []
    if block.table.full is not None:
        found.append((FULL_TOKENS, [entry(block, block.table.full, []), *[None] * (len(block.columns) - 1)]))
    for name in block.rows:
        cells = [(block.at(name, column), best[column]) for column in block.columns]
        found.append((name, [None if cell is None else entry(block, cell, top) for cell, top in cells]))
    return found


def heading(column: Column) -> str:
    """An amount as the title of a column: `30 %`, or `200 kept` where tokens are counted."""
    key, value = column
    share = f"{100 * value:g} %" if value <= 1 else f"{value:g}"
    return f"{share} kept" if key == "tokens_kept" else share


def entry(block: Block, cell: Cell, best: Sequence[Cell]) -> Entry:
    """What is told of a run. best: the runs that are best in its column."""
    factor, full = block.table.scale, cell.amount is None
    return Entry(
        factor * cell.score.value,
        factor * cell.score.low,
        factor * cell.score.high,
        None if full else block.reached(cell),
        not full and block.missed(cell),
        any(cell is one for one in best),
        block.table.worse(cell),
    )
