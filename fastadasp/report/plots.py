"""Score against FLOPs saved, with the Pareto front."""

from pathlib import Path

from fastadasp.report.plain import in_picture
from fastadasp.report.tables import FULL_TOKENS, LEAST_SAVED, Table, saved


def plot(table: Table, file: Path) -> None:
    """Write the picture of `table` to `file`, whose suffix says the format."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    factor = table.scale
    for name, cells in table.rows.items():
        cells = [cell for cell in cells if saved(cell) >= LEAST_SAVED]
        if cells:
            x, y = [100 * saved(cell) for cell in cells], [factor * cell.score.value for cell in cells]
            axes.plot(x, y, marker="o", markersize=3, linewidth=1, label=in_picture(name))
    if table.full is not None:
        axes.axhline(factor * table.full.score.value, color="black", linestyle=":", linewidth=1, label=FULL_TOKENS)
    front = table.front()
    axes.plot(
        [100 * saved(cell) for cell in front],
        [factor * cell.score.value for cell in front],
        color="grey",
        linewidth=5,
        alpha=0.3,
        label="Pareto front",
    )
    axes.set_xlabel("prefill FLOPs saved, %")
    axes.set_ylabel(in_picture(f"{table.task} {table.objective}{', %' if factor != 1 else ''}"))
    lines = axes.get_lines()
    axes.legend(lines, [str(line.get_label()) for line in lines], fontsize=7, ncols=2)
    figure.savefig(file, dpi=110)
