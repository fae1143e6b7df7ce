"""Tables as CSV: one line for each run, every figure in a column of its own."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO

from fastadasp.report.blocks import Block, blocks
from fastadasp.report.tables import FULL_TOKENS, Cell, Table

COLUMNS = (
    *("task", "model", "conditions", "examples", "objective", "higher_is_better", "ranked_by", "method", "family"),
    *("asked", "amount", "reached", "missed", "best", "on_front", "worse_than_full_tokens"),
    *("score", "low", "high", "difference", "difference_low", "difference_high"),
    *("flops_saved", "cache_freed", "audio_tokens_removed", "failed", "fingerprint"),
)


def comma_separated(tables: Sequence[Table]) -> str:
    """All runs of all tables; scores as they are computed, shares between 0 and 1."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for table in tables:
        common = {key: getattr(table, key) for key in COLUMNS[:6]}
        if table.full is not None:
            writer.writerow({**common, **_figures(table, table.full), "method": FULL_TOKENS})
        for block in blocks(table):
            writer.writerows({**common, **line} for line in _lines(block))
    return text.getvalue()


def _lines(block: Block) -> Iterator[dict[str, object]]:
    best = {cell.name for column in block.columns for cell in block.best(column)}
    front = {cell.name for cell in block.front()}
    for name, cells in block.rows.items():
        for cell in cells:
            asked, amount = cell.amount or ("", "")
            yield {
                **_figures(block.table, cell),
                **{"ranked_by": block.resource.name, "method": name, "family": block.table.families.get(name, "")},
                **{"asked": asked, "amount": amount, "reached": block.reached(cell), "missed": block.missed(cell)},
                **{"best": cell.name in best, "on_front": cell.name in front},
            }


def _figures(table: Table, cell: Cell) -> dict[str, object]:
    found: dict[str, object] = {
        **{"score": cell.score.value, "low": cell.score.low, "high": cell.score.high},
        **{"flops_saved": cell.flops_saved, "cache_freed": cell.cache_freed},
        **{"audio_tokens_removed": cell.audio_removed, "worse_than_full_tokens": table.worse(cell)},
        **{"failed": cell.facts.get("failed"), "fingerprint": cell.name},
    }
    if cell.difference is not None:
        found |= {
            "difference": cell.difference.value,
            "difference_low": cell.difference.low,
            "difference_high": cell.difference.high,
        }
    return found
