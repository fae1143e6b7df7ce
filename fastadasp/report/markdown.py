"""Tables as Markdown."""

from collections.abc import Callable, Sequence

from fastadasp.report.plain import code, escaped
from fastadasp.report.tables import FULL_TOKENS, Cell, Table, saved


def markdown(table: Table) -> str:
    """Scores with their intervals, then what was really saved."""
    direction = "higher" if table.higher_is_better else "lower"
    conditions = f" ({escaped(table.conditions, 300)})" if table.conditions else ""
    return "\n".join(
        [
            f"## {escaped(table.task)}: {_title(table)}, {direction} is better{conditions}",
            "",
            f"Model {code(table.model)}, {table.examples} examples. In brackets: 95 % intervals of resampled examples; "
            "bold: the best of a column; †: worse than full tokens in the paired comparison.",
            "",
            *_grid(table, lambda cell, best: _score(table, cell, best)),
            "",
            "FLOPs of the prefill really saved, by the papers' formula (in brackets: share of the cache saved), %:",
            "",
            *_grid(table, lambda cell, _: _saved(cell)),
            "",
        ]
    )


def _title(table: Table) -> str:
    return escaped(table.objective.upper() if len(table.objective) <= 4 else table.objective)


def _grid(table: Table, written: Callable[[Cell, bool], str]) -> Sequence[str]:
    """The lines of a Markdown table with one row for each method and one column for each amount."""
    amounts = table.amounts
    lines = [
        f"| method | {' | '.join(f'{100 * amount:g} %' if amount < 1 else f'{amount:g}' for amount in amounts)} |",
        "|---" * (len(amounts) + 1) + "|",
    ]
    if table.full is not None:
        lines.append(f"| {FULL_TOKENS} | {written(table.full, False)} |" + " |" * (len(amounts) - 1))
    best = [_best(table, amount) for amount in amounts]
    for name, cells in table.rows.items():
        by_amount = {cell.amount[1]: cell for cell in cells if cell.amount is not None}
        found = [by_amount.get(amount) for amount in amounts]
        texts = [
            "" if cell is None else written(cell, cell.score.value == top)
            for cell, top in zip(found, best, strict=True)
        ]
        lines.append(f"| {escaped(name)} | {' | '.join(texts)} |")
    return lines


def _best(table: Table, amount: float) -> float:
    values = [cell.score.value for cell in table.cells() if cell.amount is not None and cell.amount[1] == amount]
    return max(values) if table.higher_is_better else min(values)


def _score(table: Table, cell: Cell, best: bool) -> str:
    factor = table.scale
    value = f"{cell.score.value * factor:.1f}"
    text = f"**{value}**" if best else value
    mark = "†" if table.worse(cell) else ""
    return f"{text}{mark} [{cell.score.low * factor:.1f}, {cell.score.high * factor:.1f}]"


def _saved(cell: Cell) -> str:
    return f"{100 * saved(cell):.1f} ({100 * cell.run.metrics['cost'].get('kv_bytes_saved', 0.0):.1f})"
