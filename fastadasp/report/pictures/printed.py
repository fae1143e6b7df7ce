"""Pictures for print, with matplotlib: PNG or SVG, by the name of the file."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastadasp.report.families import FAMILIES
from fastadasp.report.pictures.charts import Bars, Chart, HeatMap, Line, spread
from fastadasp.report.pictures.style import DASHES as DASHES_OF
from fastadasp.report.pictures.style import OTHER_HUES
from fastadasp.report.plain import in_picture

DASHES = {
    "solid": "-",
    "dash": (0, (5, 2)),
    "dot": (0, (1, 1.5)),
    "dashdot": (0, (5, 2, 1, 2)),
    "longdash": (0, (9, 2)),
}
WORDS = {"solid": "full lines", "dash": "dashed", "dot": "dotted", "dashdot": "dash-dotted", "longdash": "long dashes"}
MARKERS = {
    **{"circle": "o", "square": "s", "triangle-up": "^", "diamond": "D", "triangle-down": "v", "star": "*"},
    **{"pentagon": "p", "triangle-left": "<", "triangle-right": ">", "hexagon": "h", "cross": "P"},
}
LABEL_POINTS = 9
"""Size of labels, in points."""


def save(picture: Chart | HeatMap | Bars, *files: Path) -> None:
    """Draw a picture into each of the files, whose suffixes say the format."""
    figure = drawn(picture)
    for file in files:
        figure.savefig(file, dpi=120, metadata={"Date": None} if file.suffix == ".svg" else None)


def drawn(picture: Chart | HeatMap | Bars) -> Any:
    """The picture as a matplotlib Figure."""
    import matplotlib

    from fastadasp.report.pictures.canvas import Drawing

    matplotlib.rcParams["svg.hashsalt"] = "fastadasp"  # the same picture gives the same file
    figure = Drawing(9, _height(picture))
    axes = figure.add_subplot()
    axes.set_title(in_picture(picture.title), loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    if isinstance(picture, Chart):
        _chart(figure, axes, picture)
    elif isinstance(picture, HeatMap):
        _heat_map(figure, axes, picture)
    else:
        _bars(axes, picture)
    return figure


def _height(picture: Chart | HeatMap | Bars) -> float:
    """Inches."""
    if isinstance(picture, Chart):
        return 4.8 + 0.17 * math.ceil(len(picture.lines) / 4)
    return 1.6 + 0.32 * len(picture.y if isinstance(picture, HeatMap) else picture.names)


def _chart(figure: Any, axes: Any, chart: Chart) -> None:
    axes.set_xlabel(in_picture(chart.x_label))
    axes.set_ylabel(in_picture(chart.y_label))
    axes.grid(color="#dddddd", linewidth=0.6)
    if chart.logarithmic:
        axes.set_yscale("log")
        seen = [y for y in chart.heights if y > 0]
        axes.set_ylim(0.9 * min(seen), 1.1 * max(seen))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(lambda y, _: f"{y:g}" if str(f"{y:.0e}")[0] in "25" else "")
    if chart.front[0]:
        axes.plot(*chart.front, color="#bbbbbb", linewidth=9, alpha=0.6, solid_capstyle="round", zorder=1)
    if chart.level is not None:
        axes.axhline(chart.level[1], color="black", linestyle=(0, (1, 3)), linewidth=1.2, zorder=2)
    handles = [_line(axes, line, chart.joined) for line in chart.lines]
    _legend(figure, [(line, handle) for line, handle in zip(chart.lines, handles, strict=True) if handle is not None])
    _labels(figure, axes, chart)  # last, when the height of the axes is known


def _legend(figure: Any, drawn: Sequence[tuple[Line, Any]]) -> None:
    """Every line below the axes, families one after another."""
    ordered = sorted(drawn, key=lambda pair: list(FAMILIES).index(pair[0].family) if pair[0].family in FAMILIES else 0)
    if not ordered:
        return
    families = dict.fromkeys(line.family for line, _ in ordered if line.family in FAMILIES)
    words = [f"{WORDS[DASHES_OF[one]]}: {FAMILIES[one]}" for one in families]
    figure.legend(
        [handle for _, handle in ordered], [str(handle.get_label()) for _, handle in ordered],
        loc="outside lower left", ncols=4, fontsize=7, frameon=False, title="; ".join(words), title_fontsize=7.5,
        alignment="left", handlelength=3.4,
    )  # fmt: skip


def _line(axes: Any, line: Line, joined: bool) -> Any:
    if not line.x:
        return None
    look, strong = line.look, line.chosen
    style = DASHES[look.dash] if joined else "none"
    (handle,) = axes.plot(
        line.x, line.y, color=look.colour, linestyle=style, linewidth=2 if strong else 0.8, marker=MARKERS[look.marker],
        markersize=5 if strong else 4, markerfacecolor="white" if look.hollow else look.colour,
        alpha=1 if strong or not joined else 0.4, label=in_picture(line.name), zorder=4 if strong else 3,
    )  # fmt: skip
    if strong and line.low:
        axes.fill_between(line.x, line.low, line.high, color=look.colour, alpha=0.09, linewidth=0, zorder=2)
    crossed = [(x, y) for x, y, one in zip(line.x, line.y, line.crossed or [False] * len(line.x), strict=True) if one]
    if crossed:
        axes.plot(*zip(*crossed, strict=True), linestyle="none", marker="x", color="black", markersize=7, zorder=5)
    return handle


def _labels(figure: Any, axes: Any, chart: Chart) -> None:
    """Names of the chosen lines and of the level right of the axes, at the heights of their ends: none covers another
    or data."""
    figure.draw_without_rendering()
    right = axes.get_xlim()[1]
    ends = [(line.name, line.x[-1], line.y[-1], line.look.colour) for line in chart.labelled]
    ends += [] if chart.level is None else [(chart.level[0], right, chart.level[1], "black")]
    low, high = axes.get_ylim()
    axes.set_xlim(*axes.get_xlim())
    axes.set_ylim(low, high)
    scale = math.log10 if chart.logarithmic else float
    points = axes.get_window_extent().height * 72 / figure.dpi
    gap = (scale(high) - scale(low)) * 1.35 * LABEL_POINTS / points
    heights = spread([scale(y) for _, _, y, _ in ends], gap, scale(low), scale(high))
    for (name, x, y, colour), height in zip(ends, heights, strict=True):
        axes.annotate(
            in_picture(name), (x, y), xytext=(1.03, 10**height if chart.logarithmic else height),
            textcoords=axes.get_yaxis_transform(), va="center", fontsize=LABEL_POINTS, color=colour,
            annotation_clip=False, arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.7},
        )  # fmt: skip


def _heat_map(figure: Any, axes: Any, heat: HeatMap) -> None:
    import numpy as np

    z = np.array([[np.nan if value is None else value for value in row] for row in heat.z], dtype=float)
    image = axes.imshow(z, aspect="auto", origin="lower", cmap="cividis" if heat.higher_is_better else "cividis_r")
    axes.set_xticks(range(len(heat.x)), heat.x)
    axes.set_yticks(range(len(heat.y)), heat.y)
    axes.set_xlabel(heat.x_label)
    axes.set_ylabel(heat.y_label)
    middle = (np.nanmin(z) + np.nanmax(z)) / 2
    for (row, column), value in np.ndenumerate(z):
        if not np.isnan(value):
            dark = (value < middle) == heat.higher_is_better
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=8,
                      color="white" if dark else "black")  # fmt: skip
    figure.colorbar(image, ax=axes, label=heat.z_label)


def _bars(axes: Any, bars: Bars) -> None:
    left: Sequence[float] = [0.0] * len(bars.names)
    hatches = ("", "///", "...", "xxx", "---")
    for number, (name, lengths) in enumerate(bars.parts):
        axes.barh(
            range(len(bars.names)), lengths, left=left, label=in_picture(name), color=OTHER_HUES[number],
            hatch=hatches[number % len(hatches)], edgecolor="white", linewidth=0.5,
        )  # fmt: skip
        left = [start + length for start, length in zip(left, lengths, strict=True)]
    axes.set_yticks(range(len(bars.names)), [in_picture(name) for name in bars.names], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(in_picture(bars.x_label))
    axes.legend(fontsize=8, frameon=False)
