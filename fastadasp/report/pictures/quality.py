"""Scores against what is saved."""

from collections.abc import Collection, Sequence

from fastadasp.report.blocks import Block, Resource
from fastadasp.report.pictures.charts import Chart, Line
from fastadasp.report.pictures.style import looks
from fastadasp.report.tables import FULL_TOKENS, Cell

SPREAD = 8.0
"""Error rates whose highest is more than this many times their lowest are drawn on a logarithmic axis."""
X_LABELS = {Resource.flops: "prefill FLOPs saved, %", Resource.cache: "prompt's cache freed, %"}


def quality_against_cost(block: Block, chosen: Collection[str] = ()) -> Chart:
    """One line for each method of a block. chosen: methods to label besides those on the front.

    Without `chosen`, the first method of the block is labelled besides the front.
    """
    table = block.table
    front = block.front()
    on_front = {cell.name for cell in front}
    names = set(chosen) or set(list(block.rows)[:1])
    names |= {name for name, cells in block.rows.items() if any(cell.name in on_front for cell in cells)}
    families = {name: table.families.get(name, "unknown") for name in block.rows}
    look = looks(families)
    lines = []
    for name, cells in block.rows.items():
        ordered = sorted(cells, key=block.spared)
        lines.append(
            Line(
                name,
                families[name],
                look[name],
                [100 * block.spared(cell) for cell in ordered],
                _scores(block, ordered, "value"),
                [told(block, cell) for cell in ordered],
                _scores(block, ordered, "low"),
                _scores(block, ordered, "high"),
                name in names,
                [block.missed(cell) for cell in ordered],
            )
        )
    full = None if table.full is None else (FULL_TOKENS, table.scale * table.full.score.value)
    unit = "" if table.percent else ", %"
    drawn = [y for line in lines for y in line.y]
    return Chart(
        f"{table.task}: {table.title} against {X_LABELS[block.resource].split(',')[0]}",
        X_LABELS[block.resource],
        f"{table.title}{unit} ({'higher' if table.higher_is_better else 'lower'} is better)",
        lines,
        full,
        ([100 * block.spared(cell) for cell in front], _scores(block, front, "value")),
        not table.higher_is_better and min(drawn, default=0) > 0 and max(drawn) > SPREAD * min(drawn),
        note="Labelled: the front and the chosen methods, with bands of 95 % intervals; grey band: the front; "
        "cross: a run that missed its amount.",
    )


def told(block: Block, cell: Cell) -> str:
    """A run in a few words, for a pointer that rests on its point."""
    table, factor = block.table, block.table.scale
    asked = "" if cell.amount is None else f"asked {cell.amount[0]}={cell.amount[1]:g}, "
    missed = ", missed" if block.missed(cell) else ""
    text = (
        f"{table.title} {factor * cell.score.value:.1f} [{factor * cell.score.low:.1f}, {factor * cell.score.high:.1f}]"
        f"; {asked}reached {block.reached(cell):.1%} of {block.unit}{missed}; FLOPs saved {cell.flops_saved:.1%}, "
        f"cache freed {cell.cache_freed:.1%}"
    )
    if cell.difference is not None:
        worse = ", worse beyond chance" if table.worse(cell) else ""
        text += f"; against full tokens {factor * cell.difference.value:+.1f}{worse}"
    return text


def _scores(block: Block, cells: Sequence[Cell], bound: str) -> list[float]:
    return [block.table.scale * float(getattr(cell.score, bound)) for cell in cells]
