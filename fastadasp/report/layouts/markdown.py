"""Tables as Markdown."""

from fastadasp.report.blocks import SHORTFALL, Block, Resource, blocks
from fastadasp.report.layouts.entries import Entry, heading, rows
from fastadasp.report.plain import code, escaped
from fastadasp.report.tables import Table

MISSED = "✗"
APART = {
    Resource.flops: "Methods that save FLOPs",
    Resource.cache: "Methods that only free cache: the prefill costs the same with them",
}


def markdown(table: Table) -> str:
    """One section for a table; methods that save FLOPs and methods that free cache stand apart in it."""
    direction = "higher" if table.higher_is_better else "lower"
    conditions = f" ({escaped(table.conditions, 300)})" if table.conditions else ""
    lines = [
        f"## {escaped(table.task)}: {escaped(table.title)}, {direction} is better{conditions}",
        "",
        f"Model {code(table.model)}, {table.sized}. In brackets: 95 % intervals of resampled examples; "
        "bold: the best of a column; †: worse than full tokens in the paired comparison. After each score: the share "
        f"really saved; {MISSED}: the amount was missed by more than {SHORTFALL:.0%} of it (or little was saved beside "
        "the rest of the column), so that the score is never best.",
        "",
    ]
    for block in blocks(table):
        if block.rows:
            lines += [f"**{APART[block.resource]}** (amounts: {block.unit})", ""]
        lines += [*_grid(block), ""]
    return "\n".join(lines)


def _grid(block: Block) -> list[str]:
    """The lines of a Markdown table with one row for each method and one column for each amount."""
    titles = list(map(heading, block.columns)) or ["score"]
    return [
        f"| method | {' | '.join(titles)} |",
        "|---" * (len(titles) + 1) + "|",
        *(
            f"| {escaped(name)} | {' | '.join('' if one is None else _score(one) for one in entries)} |"
            for name, entries in rows(block)
        ),
    ]


def _score(one: Entry) -> str:
    value = f"**{one.value:.1f}**" if one.best else f"{one.value:.1f}"
    text = f"{value}{'†' if one.worse else ''} [{one.low:.1f}, {one.high:.1f}]"
    if one.reached is None:
        return text
    return f"{text} {MISSED + ' ' if one.missed else ''}{100 * one.reached:.1f} %"
