"""The values of all layers, as a table and as a picture."""

from collections.abc import Sequence
from pathlib import Path

from fastadasp.selection.settings import Criterion, LayerScore

UNITS = {
    Criterion.transfer_entropy: "transfer entropy, nats",
    Criterion.output_kl: "divergence of the first answer token, nats",
    Criterion.attention_entropy: "evenness of attention",
}


def table(scores: Sequence[LayerScore], criterion: Criterion, chosen: int) -> str:
    """Markdown, one line for each layer."""
    lines = [f"| layer | {UNITS[criterion]} | FLOPs saved, % | ratio |", "|---|---|---|---|"]
    for one in scores:
        mark = "**" if one.layer == chosen else ""
        lines.append(f"| {mark}{one.layer}{mark} | {one.value:.5g} | {100 * one.saved:.1f} | {one.ratio:.3f} |")
    return "\n".join([*lines, ""])


def picture(scores: Sequence[LayerScore], criterion: Criterion, chosen: int, file: Path) -> None:
    """Values and FLOPs saved against layers."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    layers = [one.layer for one in scores]
    axes.plot(layers, [one.value for one in scores], marker="o", label=UNITS[criterion])
    axes.axvline(chosen, color="grey", linestyle=":", label=f"chosen: {chosen}")
    axes.set_xlabel("first layer that reduces")
    axes.set_ylabel(UNITS[criterion])
    other = axes.twinx()
    other.plot(layers, [100 * one.saved for one in scores], color="tab:orange", marker="s", label="FLOPs saved")
    other.set_ylabel("FLOPs saved, %")
    other.set_ylim(bottom=0)
    figure.legend(fontsize=8, loc="outside upper center", ncols=3)
    figure.savefig(file, dpi=110)
